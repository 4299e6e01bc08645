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


def holds(process: int, n_bytes: int) -> bool:
    """Say whether a process has a file open that is so large and has no name any more."""
    for each in (OPEN / str(process) / "fd").iterdir():
        with suppress(FileNotFoundError):  # it may be closed by now
            found = each.stat()
            if stat.S_ISREG(found.st_mode) and not found.st_nlink and found.st_size > n_bytes:
                return True
    return False


@pytest.mark.skipif(not OPEN.is_dir(), reason="the system opens nothing by descriptor")
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
        is_kept = within(DEADLINE_S, lambda: holds(command.pid, 100_000))
        command.kill()
        command.wait(DEADLINE_S)

    assert is_kept
    assert not [each for each in lone_place.temporary.rglob("*") if each.is_file()]


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
