"""`python -m tests.mutations [WORD]`: switches protections off, one after the other, and sees tests fail.

With a word only those whose name has it; without one, the list is written into the README of the tests.
"""

import re
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from tests.mutations.protections import PROTECTIONS
from tests.mutations.tree import FAILED, ROOT, Protection, copied_tree, misfits, run_tests, switch_off

README = ROOT / "tests" / "README.md"
BEGIN, END = "<!-- written by make test-mutations -->", "<!-- end of the list -->"
N_AT_ONCE = 2
WHOLE_S = 1800.0


def main(words: Sequence[str]) -> int:
    """Run, report, and return the exit code: 0 when each protection is shown to matter; 2: a wrong word."""
    chosen = [each for each in PROTECTIONS if not words or any(word in each.name for word in words)]
    if not chosen:
        print(f"no protection is named so: {' '.join(words)}")  # noqa: T201 - a program for the terminal
        return 2
    problems = _problems_of_the_whole(chosen)
    if not problems:
        with ThreadPoolExecutor(N_AT_ONCE) as pool:
            problems = [said for said in pool.map(_survival, chosen) if said]
    for said in problems:
        print(said)  # noqa: T201 - a program for the terminal
    if not problems and not words:
        _write_list(chosen)
    return 1 if problems else 0


def _problems_of_the_whole(chosen: Sequence[Protection]) -> list[str]:
    """See that each can be switched off, and that all the tests pass while none is."""
    with copied_tree() as tree:
        found = [said for each in chosen for said in misfits(each, tree=tree)]
        if found:
            return found
        tests = sorted({killer for each in chosen for killer in each.killers})
        code, said = run_tests(tests, tree=tree, longest_s=WHOLE_S)
    return [f"the tests fail with every protection on:\n{said}"] if code else []


def _survival(protection: Protection) -> str | None:
    """Say which test did not notice that a protection is off; None when all did."""
    began_s = time.monotonic()
    with copied_tree() as tree:
        switch_off(protection, tree=tree)
        for killer in protection.killers:
            code, said = run_tests([killer], tree=tree)
            if code != FAILED:
                return f"NOT NOTICED: {protection.name}: {killer} (exit code {code})\n{said}"
    print(f"noticed in {time.monotonic() - began_s:.0f} s: {protection.name}", flush=True)  # noqa: T201 - as above
    return None


def _write_list(chosen: Sequence[Protection]) -> None:
    """Put the list between its marks in the README of the tests, or at its end."""
    rows = [f"| {each.name} | {_files(each)} | {', '.join(map(_test, each.killers))} |" for each in chosen]
    lines = [BEGIN, "", "| protection | where | fails without it |", "|---|---|---|", *rows, "", END]
    text = README.read_text(encoding="utf-8") if README.exists() else "# Tests\n\n"
    written = "\n".join(lines)
    if BEGIN in text:
        text = re.sub(f"{BEGIN}.*{END}", lambda _: written, text, flags=re.DOTALL)
    else:
        text = f"{text}\n## Protections, each shown to matter\n\n{written}\n"
    README.write_text(text, encoding="utf-8")


def _files(protection: Protection) -> str:
    return ", ".join(dict.fromkeys(f"`{edit.file}`" for edit in protection.edits))


def _test(killer: str) -> str:
    file, _, test = killer.partition("::")
    return f"`{test or file}`"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
