"""Recipients through a pipe: whatever a file may be, and gone even where the command is killed."""

import gzip
import io
import stat
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
from openpyxl import Workbook

from tests.e2e.place import COMMAND, DEADLINE_S, Place
from tests.e2e.test_recipient_files import ORDER, ROWS, with_input
from worker.waiting import within

OPEN = Path("/proc")
HAS_NO_NAME = OPEN.is_dir()
"""Where the system opens nothing by descriptor, what is kept has a name, and a kill leaves it behind."""


def sizes(place: Place, process: int) -> list[int]:
    """Return how large what a process keeps of its input may be: a file that it has open, or a named one."""
    if not HAS_NO_NAME:
        return [each.stat().st_size for each in place.temporary.rglob("*") if each.is_file()]
    found = []
    for each in (OPEN / str(process) / "fd").iterdir():
        with suppress(FileNotFoundError):  # it may be closed by now
            about = each.stat()
            if stat.S_ISREG(about.st_mode) and not about.st_nlink:
                found.append(about.st_size)
    return found


def test_standard_input_leaves_nothing_of_itself_behind_where_the_command_is_killed(
    lone_place: Place,
) -> None:
    with subprocess.Popen(
        [*COMMAND, "preview", "-", *ORDER],
        cwd=lone_place.folder,
        env=lone_place.environment,
        stdin=subprocess.PIPE,
    ) as command:
        assert command.stdin is not None
        command.stdin.write(ROWS.encode() * 10_000)
        command.stdin.flush()  # it waits for more
        is_kept = within(DEADLINE_S, lambda: max(sizes(lone_place, command.pid), default=0) > 100_000)
        command.kill()
        command.wait(DEADLINE_S)

    assert is_kept
    assert any(each.is_file() for each in lone_place.temporary.rglob("*")) == (not HAS_NO_NAME)


@pytest.mark.parametrize("kind", ["csv", "gzip", "workbook"])
def test_standard_input_may_be_whatever_a_file_may_be(lone_place: Place, kind: str) -> None:
    book, packed = Workbook(), io.BytesIO()
    assert book.active is not None
    for row in (["msisdn", "first_name"], ["+4520000001", "Åse"], [20000002, "Bjørn"]):
        book.active.append(row)
    book.save(packed)
    content = {"csv": ROWS.encode(), "gzip": gzip.compress(ROWS.encode()), "workbook": packed.getvalue()}[
        kind
    ]

    done = with_input(lone_place, content, "preview", "-", *ORDER, "--json")

    assert done.code == 0, done.err
    assert done.json["messages"] == 2
