"""The command without its start-up time: a warm interpreter forks a process for each run of it.

For tables of many short commands; everything but the imports is what `bulksend` does.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.e2e.place import ROOT, Done, Place

_PROGRAM = """
import json, os, sys
import producer.cli, producer.cli.campaign, producer.cli.doctor, producer.cli.message, producer.cli.preview
import producer.cli.provider, producer.cli.send, producer.cli.unknown

for line in sys.stdin:
    run = json.loads(line)
    child = os.fork()
    if not child:
        for number, name in enumerate(run["files"]):
            os.dup2(os.open(name, os.O_RDWR | os.O_CREAT | os.O_TRUNC), number)
        os.chdir(run["folder"])
        os.environ.clear()
        os.environ.update(run["environment"])
        sys.argv = ["bulksend", *run["words"]]
        producer.cli.main()
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Warm:
    """The warm interpreter."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(self, place: Place, *words: str) -> Done:
        """Run one command in a place, to its end; its exit code may be any."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        out, err = place.temporary / "out", place.temporary / "err"
        facts = {"folder": str(place.folder), "environment": place.environment, "words": words}
        self._process.stdin.write(json.dumps({**facts, "files": ["/dev/null", str(out), str(err)]}) + "\n")
        self._process.stdin.flush()
        code = int(self._process.stdout.readline())
        return Done(code=code, out=out.read_text(encoding="utf-8"), err=err.read_text(encoding="utf-8"))


@contextmanager
def warm_command() -> Iterator[Warm]:
    """Give the warm interpreter for as long as the block lasts."""
    argv = [sys.executable, "-c", _PROGRAM]
    pipe = subprocess.PIPE
    with subprocess.Popen(argv, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as process:
        yield Warm(process)
