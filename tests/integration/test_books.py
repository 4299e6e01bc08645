import logging
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.ledgers import (
    FALLBACK,
    PROVIDER,
    account,
    assert_counts,
    due_rows,
    lease,
    mark,
    rows,
    run_campaign,
    some_messages,
    states,
)
from tests.outages import away
from worker.errors import NotSent, OutcomeUnknown
from worker.gateways.base import Outcome, Verdict
from worker.ledger import accounts
from worker.ledger.batches import Lease
from worker.ledger.engine import reading, writing
from worker.ledger.values import Marked
from worker.retry import Policy
from worker.sending.books import Books
from worker.sending.conclusions import Conclusions
from worker.sending.keep import Keep
from worker.sending.record import Ended, Judge, Reply
from worker.sending.write import write_kept
from worker.settings import Timers

TIMERS = Timers()
JUDGE = Judge(policy=Policy(attempts=3, first_s=60, longest_s=600), random=lambda: 1.0)
TEXT = "Dear Ada, your code is 4711"
UNCLEAR = OutcomeUnknown("no readable answer")


class Desk:
    """A leased batch of messages, each marked in a request of its own, and the books of its lease."""

    def __init__(self, engine: Engine, folder: Path, *, n: int = 3, fallback: str | None = None) -> None:
        self.engine, self.folder = engine, folder
        batch_id = run_campaign(engine, messages=some_messages(n, text=TEXT), fallback=fallback)
        self.held: Lease = lease(engine, batch_id)
        self.marked: list[Marked] = mark(engine, self.held, *([row] for row in due_rows(engine, self.held)))
        self.is_to_stop = False
        self.books = Books(
            engine=engine,
            keep=Keep(folder),
            should_stop=lambda: self.is_to_stop,
            providers=[PROVIDER],
            conclusions=Conclusions(engine=engine, timers=TIMERS, held=self.held, is_counting=False),
        )

    def end(self, which: int, reply: Reply | Verdict) -> Ended:
        """Judge a request; add its end to the books."""
        marked = self.marked[which]
        if isinstance(reply, Verdict):
            outcome = Outcome(verdict=reply, code="7", detail="words")
            reply = dict.fromkeys([row.msisdn for row in marked.rows], outcome)
        ended = JUDGE.ended(marked, reply)
        self.books.add([ended])
        return ended

    def save(self) -> Sequence[Ended]:
        """Write what is known."""
        return self.books.save()

    def files(self) -> list[Path]:
        """Return what is kept on disk."""
        return list(self.folder.glob("outcomes-*"))


@pytest.fixture
def desk(engine: Engine, tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(engine, tmp_path / "kept")
    yield desk
    desk.books.keep.clear()


def standing(engine: Engine) -> accounts.AccountStanding:
    with reading(engine) as connection:
        return accounts.standings(connection)[PROVIDER]


def replay(folder: Path, engine: Engine) -> None:
    """Write what processes that are gone have kept."""
    write_kept(folder, engine, providers=[PROVIDER])


def copied(desk: Desk) -> Path:
    """Return a folder with what the process would leave if it were killed now."""
    folder = desk.folder.with_name("left")
    shutil.copytree(desk.folder, folder)
    return folder


# --- written, or kept


def test_what_the_ledger_takes_is_not_kept_on_disk(engine: Engine, desk: Desk) -> None:
    ended = desk.end(0, Verdict.ACCEPTED)

    assert desk.save() == [ended]
    assert (desk.books.unsaved, desk.files()) == ([], [])
    assert states(engine) == ["accepted", "submitting", "submitting"]


def test_without_anything_to_write_nothing_is_written(desk: Desk) -> None:
    with away(desk.engine):
        assert desk.save() == []

    assert not desk.books.is_away


def test_while_the_ledger_is_away_outcomes_are_kept_and_written_later(engine: Engine, desk: Desk) -> None:
    ended = desk.end(0, Verdict.ACCEPTED)
    with away(engine):
        during = desk.save()
        n_files = len(desk.files())

    after = desk.save()

    assert (during, n_files) == ([], 1)
    assert (after, desk.files()) == ([ended], [])
    assert states(engine)[0] == "accepted"
    assert_counts(engine)


def test_what_comes_while_the_ledger_is_away_is_on_disk_at_once(engine: Engine, desk: Desk) -> None:
    desk.end(0, Verdict.ACCEPTED)
    with away(engine):
        desk.save()
        (path,) = desk.files()
        before = path.read_bytes().count(b"\n")
        desk.end(1, Verdict.ACCEPTED)
        after = path.read_bytes().count(b"\n")

    assert (before, after) == (1, 2)
    assert len(desk.save()) == 2


def test_each_outcome_is_on_disk_once(engine: Engine, desk: Desk) -> None:
    desk.end(0, Verdict.ACCEPTED)

    with away(engine):
        for _ in range(3):
            desk.save()

        assert desk.files()[0].read_bytes().count(b"\n") == 1


def test_what_comes_when_we_are_to_stop_is_on_disk_at_once(desk: Desk) -> None:
    desk.end(0, Verdict.ACCEPTED)
    before = len(desk.files())
    desk.is_to_stop = True

    desk.end(1, Verdict.ACCEPTED)

    assert before == 0
    assert desk.files()[0].read_bytes().count(b"\n") == 2


def test_what_is_not_written_at_the_end_is_left_to_whoever_looks(engine: Engine, desk: Desk) -> None:
    desk.end(0, Verdict.ACCEPTED)
    with away(engine):
        desk.save()

    desk.books.close()
    replay(desk.folder, engine)

    assert states(engine)[0] == "accepted"
    assert desk.files() == []
    assert_counts(engine)


def test_at_the_end_nothing_is_left_of_what_was_written(desk: Desk) -> None:
    desk.end(0, Verdict.ACCEPTED)
    desk.save()

    desk.books.close()

    assert not desk.folder.exists()


def test_what_a_killed_process_kept_is_written_by_another(engine: Engine, desk: Desk) -> None:
    desk.end(0, Verdict.ACCEPTED)
    desk.end(1, NotSent("nothing was sent"))
    desk.end(2, UNCLEAR)
    with away(engine):
        desk.save()
    folder = copied(desk)

    replay(folder, engine)

    assert states(engine) == ["accepted", "queued", "unknown"]
    assert list(folder.iterdir()) == []
    assert_counts(engine)


def test_what_was_written_twice_counts_once(engine: Engine, desk: Desk) -> None:
    desk.end(0, Verdict.ACCEPTED)
    desk.end(1, Verdict.RETRY)
    with away(engine):
        desk.save()
    replay(copied(desk), engine)
    before = rows(engine)

    desk.save()

    assert rows(engine) == before
    assert_counts(engine)


def test_what_a_living_process_keeps_is_not_written_by_another(engine: Engine, desk: Desk) -> None:
    desk.end(0, Verdict.ACCEPTED)
    with away(engine):
        desk.save()

    replay(desk.folder, engine)

    assert states(engine)[0] == "submitting"
    assert len(desk.files()) == 1


def test_while_the_ledger_is_away_what_was_left_stays(
    engine: Engine, desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    desk.end(0, Verdict.ACCEPTED)
    with away(engine):
        desk.save()
        folder = copied(desk)
        replay(folder, engine)
        n_files = len(list(folder.iterdir()))

    replay(folder, engine)

    assert n_files == 1
    assert "kept outcomes not written" in caplog.messages
    assert states(engine)[0] == "accepted"


def test_a_file_that_cannot_be_read_keeps_no_worker_from_its_work(
    engine: Engine, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "outcomes-odd").write_bytes(b"no json\n")

    with caplog.at_level(logging.WARNING):
        replay(tmp_path, engine)

    assert caplog.messages


@pytest.mark.parametrize("hidden", ["4520304", "Dear Ada", "4711"])
def test_on_disk_there_is_no_number_and_no_text(engine: Engine, desk: Desk, hidden: str) -> None:
    desk.end(0, Verdict.ACCEPTED)
    desk.end(1, UNCLEAR)
    desk.end(2, NotSent("nothing was sent"))

    with away(engine):
        desk.save()
        content = desk.files()[0].read_text()

    assert content
    assert hidden not in content


# --- refused


def poison(engine: Engine, message_id: int) -> None:
    """Have the ledger refuse that one message is accepted."""
    if engine.dialect.name == "sqlite":
        statement = (
            "CREATE TRIGGER poison BEFORE UPDATE OF state ON messages WHEN NEW.state = 'accepted' "
            f"AND NEW.id = {message_id} BEGIN SELECT RAISE(ABORT, 'poison'); END"
        )
    else:
        statement = (
            "ALTER TABLE messages ADD CONSTRAINT poison "
            f"CHECK (NOT (id = {message_id} AND state = 'accepted'))"
        )
    with writing(engine) as connection:
        connection.exec_driver_sql(statement)


def test_an_outcome_that_the_ledger_refuses_takes_no_other_with_it(engine: Engine, desk: Desk) -> None:
    refused = desk.marked[1].rows[0].id
    for which in range(3):
        desk.end(which, Verdict.ACCEPTED)

    poison(engine, refused)
    desk.save()

    assert states(engine) == ["accepted", "submitting", "accepted"]
    assert desk.books.was_refused
    assert "refuses outcomes" in (standing(engine).reason or "")
    assert_counts(engine)


def test_what_was_kept_and_is_refused_takes_no_other_with_it_and_is_put_aside(
    engine: Engine, desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    refused = desk.marked[1]
    for which in range(3):
        desk.end(which, Verdict.ACCEPTED)
    with away(engine):
        desk.save()
    folder = copied(desk)

    poison(engine, refused.rows[0].id)
    replay(folder, engine)
    caplog.clear()
    replay(folder, engine)

    assert states(engine) == ["accepted", "submitting", "accepted"]
    (aside,) = folder.iterdir()
    assert aside.name.startswith("refused-outcomes-")
    assert refused.reference in aside.read_text()
    assert caplog.messages == []  # it is not tried again and again
    assert_counts(engine)


def test_what_is_given_up_goes_to_a_fallback_only_if_this_worker_serves_it(
    engine: Engine, tmp_path: Path
) -> None:
    desk = Desk(engine, tmp_path / "kept", n=1, fallback=FALLBACK)
    exhausted = replace(JUDGE, policy=replace(JUDGE.policy, attempts=1))
    busy = Outcome(verdict=Verdict.RETRY, code="503")

    desk.books.add([exhausted.ended(desk.marked[0], {desk.marked[0].rows[0].msisdn: busy})])
    desk.save()

    assert states(engine) == ["failed"]
    assert_counts(engine)


# --- what follows for the account


def test_an_acceptance_closes_nothing(engine: Engine, desk: Desk) -> None:
    desk.end(0, Verdict.ACCEPTED)
    desk.save()

    with reading(engine) as connection:
        assert accounts.standings(connection) == {}


def test_three_answers_in_a_row_that_cannot_be_read_brake_it(engine: Engine, desk: Desk) -> None:
    for which in range(3):
        desk.end(which, UNCLEAR)
        desk.save()

    assert standing(engine).state == "braked"


def test_a_request_that_never_left_says_nothing_of_the_gateways_answers(engine: Engine, desk: Desk) -> None:
    desk.end(0, UNCLEAR)
    desk.end(1, NotSent("nothing was sent"))
    desk.save()

    assert standing(engine).n_ambiguous == 1


def test_a_clear_answer_ends_the_count(engine: Engine, desk: Desk) -> None:
    desk.end(0, UNCLEAR)
    desk.save()
    before = standing(engine).n_ambiguous

    desk.end(1, Verdict.ACCEPTED)
    desk.save()

    assert (before, standing(engine).n_ambiguous) == (1, 0)


def test_a_gateway_that_is_away_is_checked_at_once(engine: Engine, desk: Desk) -> None:
    desk.end(0, NotSent("nothing was sent"))

    desk.save()

    found = account(engine)
    assert found["check_at"] <= found["now"]
    assert found["check_ms"] == 1000 * TIMERS.check


def test_an_account_that_was_refused_is_checked_after_a_while(engine: Engine, desk: Desk) -> None:
    desk.end(0, Verdict.ACCOUNT)

    desk.save()

    found = account(engine)
    assert found["check_at"] > found["now"] + 1000 * TIMERS.trouble_check - 10_000
    assert found["check_ms"] == 1000 * TIMERS.trouble_check
    assert standing(engine).reason == "the gateway answered 7: words"


def test_an_account_that_our_own_bug_is_to_blame_for_waits_for_a_person(engine: Engine, desk: Desk) -> None:
    desk.end(0, Verdict.BUG)

    desk.save()

    assert (standing(engine).state, standing(engine).author) == ("paused", "worker")


def test_a_gateway_that_asks_for_a_pause_gets_it(engine: Engine, desk: Desk) -> None:
    wait = Outcome(verdict=Verdict.THROTTLED, retry_after_s=40.0)

    desk.end(0, {desk.marked[0].rows[0].msisdn: wait})
    desk.save()

    found = account(engine)
    assert 30_000 < found["not_before"] - found["now"] <= 40_000
    assert standing(engine).state == "waiting"


def test_a_closing_is_not_forgotten_because_outcomes_had_to_wait(engine: Engine, desk: Desk) -> None:
    desk.end(0, Verdict.ACCOUNT)
    with away(engine):
        desk.save()

    desk.save()

    assert standing(engine).state == "trouble"
