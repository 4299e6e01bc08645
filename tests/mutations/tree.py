"""A copy of the project in which one protection is switched off, and its tests run."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
LONGEST_S = 400
FAILED = 1  # pytest's exit codes: what it collected was run, and some of it failed


@dataclass(frozen=True)
class Edit:
    """One replacement in one file."""

    file: str
    old: str  # found exactly once
    new: str


@dataclass(frozen=True)
class Protection:
    """What keeps a promise, how it is switched off, and the tests that notice."""

    name: str
    edits: tuple[Edit, ...]  # more than one where two lines protect from the same
    killers: tuple[str, ...]  # as pytest takes them; each must fail


@contextmanager
def copied_tree() -> Iterator[Path]:
    """Give a copy of all files that are tracked, or new and not ignored."""
    with tempfile.TemporaryDirectory(prefix="bs-mutant-") as folder:
        for name in _names():
            target = Path(folder) / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target)
        yield Path(folder)


def _names() -> list[str]:
    words = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    found = subprocess.run(words, cwd=ROOT, capture_output=True, check=True).stdout
    return [name for name in found.decode().split("\0") if name and (ROOT / name).is_file()]


def misfits(protection: Protection, *, tree: Path) -> Iterator[str]:
    """Say what keeps a protection from being switched off in a tree."""
    for edit in protection.edits:
        path = tree / edit.file
        n_found = path.read_text(encoding="utf-8").count(edit.old) if path.is_file() else 0
        if n_found != 1:
            yield f"{protection.name}: the old text is {n_found} times in {edit.file}"


def switch_off(protection: Protection, *, tree: Path) -> None:
    """Replace the old texts by the new."""
    for edit in protection.edits:
        path = tree / edit.file
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace(edit.old, edit.new), encoding="utf-8")


def run_tests(tests: Sequence[str], *, tree: Path, longest_s: float = LONGEST_S) -> tuple[int, str]:
    """Run tests in a tree, many of them side by side; return pytest's exit code and the end of its words."""
    words = [sys.executable, "-m", "pytest", "-q", "-x", "-m", "", "-p", "no:cacheprovider", "--no-header"]
    words += [*(["-n", "2"] if len(tests) > 1 else []), *tests]
    environment = {**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    with subprocess.Popen(
        words,
        cwd=tree,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            said, _ = process.communicate(timeout=longest_s)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return -1, f"longer than {longest_s} s"
    return process.returncode, said[-2000:]
