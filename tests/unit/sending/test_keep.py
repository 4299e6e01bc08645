import logging
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import ROOT
from worker.ledger.values import MessageOutcome, SubmissionResult
from worker.sending import keep
from worker.sending.keep import Keep
from worker.states import MessageState, SubmissionOutcome

ACCEPTED = SubmissionResult(
    reference="a" * 20,
    outcome=SubmissionOutcome.ANSWERED,
    provider_ref="77",
    code="200",
    detail="grün\nund gut 👍",
    messages=(
        MessageOutcome(
            message_id=7,
            state=MessageState.ACCEPTED,
            billed_parts=2,
            billed_cost=Decimal("0.70"),
            provider_ref="77",
        ),
        MessageOutcome(
            message_id=8, state=MessageState.QUEUED, delay_ms=900, group_limit=4, keeps_attempt=False
        ),
    ),
)
UNKNOWN = SubmissionResult(
    reference="b" * 20,
    outcome=SubmissionOutcome.UNKNOWN,
    messages=(MessageOutcome(message_id=9, state=MessageState.UNKNOWN, gives_up=True),),
)

RESULTS = st.builds(
    SubmissionResult,
    reference=st.text("abc019", min_size=20, max_size=20),
    outcome=st.sampled_from(SubmissionOutcome),
    detail=st.none() | st.text(),
    messages=st.lists(
        st.builds(
            MessageOutcome,
            message_id=st.integers(1, 2**63 - 1),
            state=st.sampled_from(MessageState),
            delay_ms=st.integers(0, 10**9),
            billed_cost=st.none() | st.decimals(allow_nan=False, allow_infinity=False),
            code=st.none() | st.text(),
        ),
        max_size=3,
    ).map(tuple),
)

_DIE_WITH_OUTCOMES = """
import os, sys
from pathlib import Path
from tests.unit.sending.test_keep import ACCEPTED
from worker.sending.keep import Keep
Keep(Path(sys.argv[1])).add([ACCEPTED])
os.kill(os.getpid(), 9)
"""


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("outcomes-*"))


@contextmanager
def kept(folder: Path, *results: SubmissionResult) -> Iterator[Path]:
    """Have a living process keep outcomes."""
    living = Keep(folder)
    living.add(results)
    yield files(folder)[0]
    living.clear()


def written(folder: Path, *results: SubmissionResult) -> bytes:
    """Return what a file of these outcomes holds."""
    with kept(folder / "elsewhere", *results) as path:
        return path.read_bytes()


def left(folder: Path, content: bytes, *, name: str = "outcomes-dead") -> Path:
    """Have a dead process leave a file."""
    path = folder / name
    path.write_bytes(content)
    return path


@dataclass
class Ledger:
    """Takes whatever it is given."""

    calls: list[list[SubmissionResult]] = field(default_factory=list)

    def write(self, results: list[SubmissionResult]) -> int:
        """Refuse nothing."""
        self.calls.append(results)
        return 0


def replayed(folder: Path) -> list[SubmissionResult]:
    ledger = Ledger()
    keep.replay(folder, ledger.write)
    return [result for results in ledger.calls for result in results]


def test_what_a_killed_process_kept_is_handed_over_once(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _DIE_WITH_OUTCOMES, str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=False, timeout=60)

    first, second = replayed(tmp_path), replayed(tmp_path)

    assert (first, second) == ([ACCEPTED], [])
    assert files(tmp_path) == []


@settings(deadline=None)  # a disk answers
@given(results=st.lists(RESULTS, min_size=1, max_size=4))
def test_outcomes_come_back_as_they_were(
    tmp_path_factory: pytest.TempPathFactory, results: list[SubmissionResult]
) -> None:
    folder = tmp_path_factory.mktemp("kept")
    left(folder, written(folder, *results))

    found = replayed(folder)

    assert found == results


def test_outcomes_of_several_processes_are_handed_over_file_by_file(tmp_path: Path) -> None:
    left(tmp_path, written(tmp_path, ACCEPTED), name="outcomes-a")
    left(tmp_path, written(tmp_path, UNKNOWN), name="outcomes-b")
    ledger = Ledger()

    n_outcomes = keep.replay(tmp_path, ledger.write)

    assert (n_outcomes, ledger.calls) == (2, [[ACCEPTED], [UNKNOWN]])


def test_what_a_living_process_keeps_is_left_to_it(tmp_path: Path) -> None:
    left(tmp_path, written(tmp_path, UNKNOWN), name="outcomes-zzz")

    with kept(tmp_path, ACCEPTED) as path:
        assert replayed(tmp_path) == [UNKNOWN]
        assert path.exists()


def test_more_outcomes_are_added_to_the_same_file(tmp_path: Path) -> None:
    living = Keep(tmp_path)
    living.add([ACCEPTED])
    living.add([UNKNOWN])
    (path,) = files(tmp_path)

    content = path.read_bytes()
    living.clear()

    assert content.count(b"\n") == 2


def test_what_the_ledger_has_is_forgotten_and_new_outcomes_are_kept_again(tmp_path: Path) -> None:
    living = Keep(tmp_path)
    living.add([ACCEPTED])
    living.clear()
    between = files(tmp_path)

    with kept(tmp_path, UNKNOWN):
        assert (between, len(files(tmp_path))) == ([], 1)


def test_to_forget_nothing_is_fine(tmp_path: Path) -> None:
    Keep(tmp_path / "not there").clear()

    assert not (tmp_path / "not there").exists()


def test_the_folder_and_the_file_are_for_their_owner_only(tmp_path: Path) -> None:
    folder = tmp_path / "new"

    with kept(folder, ACCEPTED) as path:
        modes = [stat.S_IMODE(place.stat().st_mode) for place in (folder, path)]

    assert modes == [0o700, 0o600]


def test_a_line_that_was_torn_at_the_end_is_left_out(tmp_path: Path) -> None:
    content = written(tmp_path, ACCEPTED, UNKNOWN)
    left(tmp_path, content[:-5])

    assert replayed(tmp_path) == [ACCEPTED]
    assert files(tmp_path) == []


@pytest.mark.parametrize("content", [b"", b"\x00\xff no json", b'{"reference": "a'])
def test_a_file_without_a_whole_line_goes(tmp_path: Path, content: bytes) -> None:
    left(tmp_path, content)

    assert replayed(tmp_path) == []
    assert files(tmp_path) == []


COSTLY = SubmissionResult(
    reference="c" * 20,
    outcome=SubmissionOutcome.ANSWERED,
    messages=(MessageOutcome(message_id=1, state=MessageState.ACCEPTED, billed_cost=Decimal("0.70")),),
)
NO_COST = keep._line(COSTLY).replace("0.70", "a lot").encode()  # noqa: SLF001 - as it is written
DEEP = b"[" * 100_000 + b"]" * 100_000 + b"\n"


@pytest.mark.parametrize(
    "content",
    [
        b"\x00\xff no json\n",
        b"[]\n",
        b'{"reference": "a"}\n',
        b'{"unheard": 1}\n',
        pytest.param(NO_COST, id="a cost that is no number"),
        pytest.param(DEEP, id="a nesting beyond measure"),
    ],
)
def test_a_file_that_cannot_be_read_is_put_aside_and_holds_up_no_other(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    left(tmp_path, content, name="outcomes-a")
    left(tmp_path, written(tmp_path, ACCEPTED), name="outcomes-b")

    with caplog.at_level(logging.WARNING):
        found = replayed(tmp_path)

    assert found == [ACCEPTED]
    assert files(tmp_path) == []
    assert content in [path.read_bytes() for path in tmp_path.iterdir() if path.is_file()]
    assert caplog.messages


def test_a_file_that_the_ledger_does_not_take_stays_for_the_next_look(tmp_path: Path) -> None:
    left(tmp_path, written(tmp_path, ACCEPTED))

    n_outcomes = keep.replay(tmp_path, lambda _results: None)

    assert (n_outcomes, replayed(tmp_path)) == (0, [ACCEPTED])


def test_a_file_that_the_ledger_does_not_take_holds_up_no_other(tmp_path: Path) -> None:
    left(tmp_path, written(tmp_path, ACCEPTED), name="outcomes-a")
    left(tmp_path, written(tmp_path, UNKNOWN), name="outcomes-b")

    n_outcomes = keep.replay(tmp_path, lambda results: 0 if results == [UNKNOWN] else None)

    assert (n_outcomes, [path.name for path in files(tmp_path)]) == (1, ["outcomes-a"])


def test_a_file_of_which_the_ledger_refuses_some_is_put_aside_as_it_was(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    content = written(tmp_path, ACCEPTED, UNKNOWN)
    left(tmp_path, content)

    n_outcomes = keep.replay(tmp_path, lambda _results: 1)

    assert (n_outcomes, replayed(tmp_path)) == (1, [])
    assert (tmp_path / "refused-outcomes-dead").read_bytes() == content
    assert caplog.messages == ["kept outcomes put aside"]


def test_a_file_that_cannot_be_opened_holds_up_no_other(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "outcomes-a").mkdir()
    left(tmp_path, written(tmp_path, UNKNOWN), name="outcomes-b")

    assert replayed(tmp_path) == [UNKNOWN]
    assert caplog.messages == ["kept outcomes not read"]


def test_a_bug_that_one_file_brings_out_holds_up_no_other_and_is_named_without_its_words(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    left(tmp_path, written(tmp_path, ACCEPTED), name="outcomes-a")
    left(tmp_path, written(tmp_path, UNKNOWN), name="outcomes-b")

    def write(results: list[SubmissionResult]) -> int:
        if results == [ACCEPTED]:
            raise OverflowError("+4520304050")
        return 0

    n_outcomes = keep.replay(tmp_path, write)

    assert (n_outcomes, [path.name for path in files(tmp_path)]) == (1, ["outcomes-a"])
    assert "OverflowError" in {getattr(record, "error_class", None) for record in caplog.records}
    assert "+4520304050" not in caplog.text


def test_what_a_lease_leaves_is_handed_over_although_its_process_lives(tmp_path: Path) -> None:
    living = Keep(tmp_path)
    living.add([ACCEPTED])

    living.leave()

    assert replayed(tmp_path) == [ACCEPTED]


def test_after_it_left_its_outcomes_others_are_kept_apart_from_them(tmp_path: Path) -> None:
    living = Keep(tmp_path)
    living.add([ACCEPTED])
    living.leave()

    living.add([UNKNOWN])
    living.clear()

    assert replayed(tmp_path) == [ACCEPTED]


def test_of_a_file_that_is_damaged_the_rest_is_handed_over(tmp_path: Path) -> None:
    content = written(tmp_path, ACCEPTED) + b"no json\n" + written(tmp_path, UNKNOWN)
    left(tmp_path, content)

    first, second = replayed(tmp_path), replayed(tmp_path)

    assert (first, second) == ([ACCEPTED, UNKNOWN], [])
    assert (tmp_path / "unreadable-outcomes-dead").read_bytes() == content


def test_a_folder_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    assert replayed(tmp_path / "not there") == []


def test_nothing_to_keep_makes_no_file(tmp_path: Path) -> None:
    assert Keep(tmp_path / "new").add([])
    assert not (tmp_path / "new").exists()


def test_a_disk_that_takes_nothing_is_logged_and_not_raised(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_bytes(b"")

    assert not Keep(in_the_way).add([ACCEPTED])
    assert caplog.messages == ["outcomes not kept on disk"]


_FILL_THE_DISK = """
import os, resource, signal, sys
from pathlib import Path
from tests.unit.sending.test_keep import ACCEPTED, UNKNOWN
from worker.sending.keep import Keep
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
kept = Keep(Path(sys.argv[1]))
kept.add([ACCEPTED])
_, most = resource.getrlimit(resource.RLIMIT_FSIZE)
size = next(Path(sys.argv[1]).glob("outcomes-*")).stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 20, most))
kept.add([ACCEPTED])
resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
kept.add([UNKNOWN])
os.kill(os.getpid(), 9)
"""


def test_a_disk_that_is_full_for_a_while_loses_no_more_than_what_it_did_not_take(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _FILL_THE_DISK, str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=False, timeout=60, stderr=subprocess.DEVNULL)

    found = replayed(tmp_path)

    assert found[0] == ACCEPTED
    assert found[-1] == UNKNOWN


def test_a_file_that_is_just_being_made_is_not_taken_for_one_of_the_dead(tmp_path: Path) -> None:
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            keep.replay(tmp_path, lambda _results: 0)

    with ThreadPoolExecutor(1) as pool:
        looking = pool.submit(look)
        try:
            for _ in range(2000):
                with kept(tmp_path, UNKNOWN):
                    pass
        finally:
            over.set()
        looking.result()
