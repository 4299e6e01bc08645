"""Runs over files of appointments, one after the other, on both kinds of ledger."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select, update

from tests.appointments import HOUR_MS, LONG_AHEAD_MS, Book, Outcome, csv_of, number
from tests.ledgers import assert_counts, do, lease, mark, record, release, result
from worker.errors import InputError, LedgerError
from worker.ledger import campaigns, control, interrupted, orders, reminding, reports
from worker.ledger.drafts import NewCampaign
from worker.ledger.engine import reading, writing
from worker.ledger.models import BATCHES, CAMPAIGNS, MESSAGES
from worker.states import MessageState
from worker.timing.windows import Windows, parse_hours

DAY_MS = 24 * HOUR_MS
FRIDAY = LONG_AHEAD_MS + 7 * DAY_MS + 10 * HOUR_MS
MONDAY = FRIDAY + 3 * DAY_MS

ANN, BO, CY = (("1", FRIDAY, number(1)), ("2", FRIDAY, number(2)), ("3", FRIDAY, number(3)))
ANN_MOVED = ("1", MONDAY, number(1))


@pytest.fixture
def book(engine: Engine, tmp_path: Path) -> Book:
    return Book(engine=engine, folder=tmp_path)


def queued(book: Book) -> list[tuple[int, int]]:
    """Return how long before, and of when, each queued message is."""
    return sorted((row["before_ms"], row["version"]) for row in book.messages(MessageState.QUEUED))


def become(book: Book, state: MessageState) -> None:
    """Let all queued messages be in another state."""
    book.set_states([row["id"] for row in book.messages(MessageState.QUEUED)], state)


def both(at: int) -> list[tuple[int, int]]:
    return [(2 * HOUR_MS, at), (DAY_MS, at)]


# --- the first file


def test_each_row_has_a_message_for_each_offset(book: Book) -> None:
    outcome = book.run(csv_of([ANN, BO]))

    assert (outcome.figures.messages, outcome.skips) == (4, {})
    assert queued(book) == sorted(both(FRIDAY) * 2)


def test_a_message_is_due_so_long_before_and_expires_with_the_appointment(book: Book) -> None:
    book.run(csv_of([ANN]))

    rows = book.messages()
    assert [row["due_at"] for row in rows] == [FRIDAY - DAY_MS, FRIDAY - 2 * HOUR_MS]
    assert {row["expires_at"] for row in rows} == {row["leave_by"] for row in rows} == {FRIDAY}


def test_what_is_over_is_skipped_and_everything_is_accounted_for(book: Book) -> None:
    late = book.at(FRIDAY - 3 * HOUR_MS)
    rows = [ANN, ANN, BO, ("2", MONDAY, number(2)), ("3", FRIDAY, "none"), ("", FRIDAY, number(4))]

    outcome = late.run(csv_of(rows))

    with reading(book.engine) as connection:
        report = reports.report(connection, outcome.campaign_id or 0)
    assert (report.messages, report.duplicates, report.refused, report.skipped) == (1, 2, 8, 1)
    assert report.rows == 2 * len(rows)
    assert outcome.read.refused == {"key_twice": 2, "number_not_a_number": 1, "key_missing": 1}


def test_two_appointments_of_one_number_are_two_reminders(book: Book) -> None:
    outcome = book.run(csv_of([("1", FRIDAY, number(1)), ("2", FRIDAY, number(1))]))

    assert outcome.figures.messages == 4


def test_a_third_row_of_a_key_with_two_appointments_is_refused_too(book: Book) -> None:
    outcome = book.run(csv_of([ANN, ANN_MOVED, ANN, BO]))

    assert (outcome.read.refused, outcome.figures.messages) == ({"key_twice": 3}, 2)
    assert [problem.line for problem in outcome.read.found.problems] == [2, 3, 4]


def test_the_words_of_the_offset_are_there_for_the_text(book: Book) -> None:
    replace(book, text="In {{ before }}, {{ name }}").run(csv_of([ANN]))

    assert [row["text"] for row in book.messages()] == ["In 1 day, Ann", "In 2 h, Ann"]


def test_a_moment_outside_the_window_moves_and_keeps_its_zone(book: Book) -> None:
    shut = Windows(open=(parse_hours("11:00-20:00"),))  # Friday is at 10 in UTC, at 11 in Copenhagen

    outcome = replace(book, windows=shut).run(csv_of([ANN]))

    assert outcome.skips == {"no_opening": 1}  # two hours before, it is shut
    assert [row["zones"] for row in book.messages()] == ["Europe/Copenhagen"]


def test_where_the_zone_is_each_ones_own_the_earliest_appointment_counts(book: Book) -> None:
    rows = [("1", "2100-06-01 12:00", "+12025550123"), ("2", "2100-06-01 12:00", "+12012345678")]
    wide = replace(book, zone="recipient")

    wide.run(csv_of(rows))

    versions = {row["version"] for row in book.messages()}
    assert len(versions) == 1  # both of New York


# --- the next files


def test_the_same_file_again_changes_nothing(book: Book) -> None:
    book.run(csv_of([ANN, BO]))
    before = book.messages()

    outcome = book.run(csv_of([ANN, BO]))

    assert (outcome.campaign_id, outcome.skips) == (None, {"unchanged": 4})
    assert book.messages() == before


def test_a_run_with_nothing_new_leaves_no_campaign(book: Book) -> None:
    book.run(csv_of([ANN]))

    book.run(csv_of([ANN]))

    with reading(book.engine) as connection:
        assert [each.id for each in reports.reports(connection, limit=9)] == [1]


def test_what_was_moved_lies_in_a_batch_of_its_own_minute_that_nobody_has_worked(book: Book) -> None:
    book.run(csv_of([ANN, BO]))
    with writing(book.engine) as connection:
        connection.execute(update(BATCHES).values(fence=1))

    book.run(csv_of([ANN_MOVED, BO]))

    with reading(book.engine) as connection:
        query = select(MESSAGES.c.due_at, BATCHES.c.next_due_at, BATCHES.c.fence)
        query = query.join(BATCHES, BATCHES.c.id == MESSAGES.c.batch_id)
        found = connection.execute(query.order_by(MESSAGES.c.id)).all()
    assert [row.due_at for row in found] == [row.next_due_at for row in found]
    assert {row.fence for row in found if row.due_at > FRIDAY} == {0}
    assert_counts(book.engine)


def test_what_is_moved_from_a_batch_that_is_held_stays_held(book: Book) -> None:
    book.run(csv_of([ANN]))
    with writing(book.engine) as connection:
        connection.execute(update(BATCHES).values(state="held", reason="lost"))

    book.run(csv_of([ANN_MOVED]))

    with reading(book.engine) as connection:
        held = select(BATCHES.c.next_due_at).where(BATCHES.c.state == "held", BATCHES.c.queued > 0)
        found = connection.scalars(held.order_by(BATCHES.c.next_due_at)).all()
    assert found == [MONDAY - DAY_MS, MONDAY - 2 * HOUR_MS]
    assert_counts(book.engine)


def test_many_small_batches_are_written_and_changed_together(book: Book) -> None:
    n_transactions: list[int] = []
    minutes = [("1", FRIDAY, number(1))]
    minutes += [(str(n), FRIDAY + n * 60_000, number(n)) for n in range(2, 50)]
    moved = [(key, at + DAY_MS, msisdn) for key, at, msisdn in minutes]

    for rows in minutes, moved, moved[:25]:
        checks: list[None] = []
        book.run(csv_of(rows), check=lambda checks=checks: checks.append(None))  # type: ignore[misc]
        n_transactions.append(len(checks))

    assert max(n_transactions) < 10
    assert len(queued(book)) == 50
    assert_counts(book.engine)


def test_what_was_moved_while_it_is_queued_is_moved_in_its_place(book: Book) -> None:
    book.run(csv_of([ANN, BO]))
    ids = [row["id"] for row in book.messages()]

    outcome = book.run(csv_of([("1", MONDAY, number(9)), BO]))

    rows = book.messages()
    assert (outcome.campaign_id, outcome.skips) == (None, {"moved": 2, "unchanged": 2})
    assert [row["id"] for row in rows] == ids
    assert queued(book) == sorted(both(FRIDAY) + both(MONDAY))
    moved = [row for row in rows if row["version"] == MONDAY]
    assert {row["msisdn"] for row in moved} == {number(9)}
    assert [row["due_at"] for row in moved] == [MONDAY - DAY_MS, MONDAY - 2 * HOUR_MS]
    assert {row["expires_at"] for row in moved} == {MONDAY}
    assert all("2100-01-11T10:00" in str(row["text"]) for row in moved)
    assert_counts(book.engine)


def test_what_is_due_already_is_withdrawn_and_written_anew_as_a_worker_may_have_it_in_hand(
    book: Book,
) -> None:
    book.run(csv_of([ANN]))
    with writing(book.engine) as connection:
        connection.execute(update(MESSAGES).values(due_at=0))

    outcome = book.run(csv_of([ANN_MOVED]))

    assert (outcome.figures.messages, outcome.n_cancelled) == (2, 0)
    assert book.counts() == {"cancelled": 2, "queued": 2}
    assert queued(book) == both(MONDAY)


@pytest.mark.parametrize("state", [MessageState.SUBMITTING, MessageState.UNKNOWN, MessageState.ACCEPTED])
def test_what_was_moved_after_it_left_is_sent_once_more(book: Book, state: MessageState) -> None:
    book.run(csv_of([ANN]))
    become(book, state)

    outcome = book.run(csv_of([ANN_MOVED]))

    assert (outcome.figures.messages, queued(book)) == (2, both(MONDAY))


@pytest.mark.parametrize("state", [MessageState.FAILED, MessageState.REJECTED, MessageState.CANCELLED])
def test_what_was_moved_after_it_came_to_nothing_has_a_new_message(book: Book, state: MessageState) -> None:
    book.run(csv_of([ANN]))
    become(book, state)

    book.run(csv_of([ANN_MOVED]))

    assert queued(book) == both(MONDAY)


@pytest.mark.parametrize("state", sorted(set(MessageState) - {MessageState.QUEUED, MessageState.CANCELLED}))
def test_what_has_its_message_has_no_other_whatever_became_of_it(book: Book, state: MessageState) -> None:
    book.run(csv_of([ANN]))
    become(book, state)

    outcome = book.run(csv_of([ANN]))

    assert (outcome.campaign_id, outcome.skips) == (None, {"unchanged": 2})


def test_who_wants_none_has_none_when_the_appointment_is_moved(book: Book) -> None:
    book.run(csv_of([ANN]))
    become(book, MessageState.SUPPRESSED)

    outcome = book.run(csv_of([ANN_MOVED]))

    assert (outcome.campaign_id, outcome.skips) == (None, {"suppressed": 2})


AWAY = [MessageState.SUBMITTING, MessageState.UNKNOWN, MessageState.FAILED, MessageState.REJECTED]


@pytest.mark.parametrize("state", AWAY)
@pytest.mark.parametrize(
    ("rows", "code", "n_new"), [([ANN_MOVED, BO], "moved", 2), ([BO], "removed", 0)], ids=["moved", "removed"]
)
def test_what_is_not_to_come_back_is_called_back_wherever_it_is(
    book: Book, state: MessageState, rows: list[tuple[str, int, str]], code: str, n_new: int
) -> None:
    book.run(csv_of([ANN]))
    become(book, state)
    book.run(csv_of([ANN, BO]))

    outcome = book.run(csv_of(rows))

    away = [row["withdrawn"] for row in book.messages(state)]
    assert away == [code, code]
    assert (outcome.n_cancelled, outcome.compared.n_gone, outcome.figures.messages) == (0, 0, n_new)


def test_what_is_called_back_and_wanted_again_may_come_back(book: Book) -> None:
    book.run(csv_of([ANN]))
    become(book, MessageState.SUBMITTING)
    book.run(csv_of([BO]))

    outcome = book.run(csv_of([ANN, BO]))

    assert [row["withdrawn"] for row in book.messages(MessageState.SUBMITTING)] == [None, None]
    assert outcome.figures.messages == 0


def test_what_is_called_back_and_comes_back_is_cancelled_and_may_be_wanted_again(book: Book) -> None:
    book.run(csv_of([ANN]))
    with writing(book.engine) as connection:
        connection.execute(update(MESSAGES).where(MESSAGES.c.id == 1).values(due_at=0))
        connection.execute(update(BATCHES).where(BATCHES.c.id == 1).values(next_due_at=0))
        connection.execute(update(CAMPAIGNS).values(late="send"))
    held = lease(book.engine, 1)
    (marked,) = mark(book.engine, held)
    book.run(csv_of([BO]))

    record(book.engine, result(marked, MessageState.QUEUED, code="503"))
    release(book.engine, held)
    back = book.messages()[0]
    outcome = book.run(csv_of([ANN, BO]))

    assert (back["state"], back["code"]) == ("cancelled", "removed")
    assert outcome.figures.messages == 2
    assert_counts(book.engine)


def test_what_is_removed_is_cancelled(book: Book) -> None:
    book.run(csv_of([ANN, BO]))

    outcome = book.run(csv_of([BO]))

    assert (outcome.compared.n_open, outcome.compared.n_gone, outcome.n_cancelled) == (4, 2, 2)
    assert book.counts() == {"cancelled": 2, "queued": 2}
    assert {row["code"] for row in book.messages(MessageState.CANCELLED)} == {"removed"}
    assert_counts(book.engine)


def test_what_comes_back_has_new_messages(book: Book) -> None:
    book.run(csv_of([ANN, BO]))
    book.run(csv_of([BO]))

    outcome = book.run(csv_of([ANN, BO]))

    assert (outcome.figures.messages, len(queued(book))) == (2, 4)


def test_what_is_moved_to_where_another_was_withdrawn_is_moved(book: Book) -> None:
    book.run(csv_of([ANN_MOVED, BO]))
    book.run(csv_of([BO]))
    book.run(csv_of([ANN, BO]))

    outcome = book.run(csv_of([ANN_MOVED, BO]))

    assert (outcome.campaign_id, outcome.skips) == (None, {"moved": 2, "unchanged": 2})
    assert queued(book) == sorted(both(FRIDAY) + both(MONDAY))


def test_a_good_row_counts_after_a_bad_one_of_its_key(book: Book) -> None:
    outcome = book.run(csv_of([("1", FRIDAY, "none"), ANN]))

    assert (outcome.figures.messages, outcome.read.refused.total()) == (2, 1)
    assert queued(book) == both(FRIDAY)


def test_what_a_person_cancelled_stays_so(book: Book) -> None:
    first = book.run(csv_of([ANN]))
    do(book.engine, control.cancel, first.campaign_id or 0, author="tester")
    while do(book.engine, control.cancel_rows, first.campaign_id or 0) is not None:
        pass

    outcome = book.run(csv_of([ANN]))

    assert (outcome.campaign_id, outcome.skips) == (None, {"cancelled_before": 2})


def test_what_is_removed_stays_where_that_is_wanted(book: Book) -> None:
    book.run(csv_of([ANN, BO]))

    outcome = book.run(csv_of([BO]), keeps_removed=True)

    assert (outcome.compared.n_gone, len(queued(book))) == (0, 4)


@pytest.mark.parametrize(
    "row",
    [("1", FRIDAY, "none"), ("1", "soon", number(1)), ("1", FRIDAY, "")],
    ids=["bad number", "bad time", "no number"],
)
def test_a_row_that_is_refused_keeps_what_is_queued_for_it(
    book: Book, row: tuple[str, int | str, str]
) -> None:
    book.run(csv_of([ANN, BO]))

    outcome = book.run(csv_of([row, BO]))

    assert (outcome.compared.n_gone, len(queued(book))) == (0, 4)


def test_a_key_with_two_appointments_keeps_what_is_queued_for_it(book: Book) -> None:
    book.run(csv_of([ANN, BO]))

    outcome = book.run(csv_of([ANN, ANN_MOVED, BO]))

    assert (outcome.compared.n_gone, len(queued(book))) == (0, 4)


@pytest.mark.parametrize("row", [f"{number(1)},,2100-01-08T10:00,Ann", '"+4520000002,1,2100-01-08T10:00,Ann'])
def test_nothing_is_removed_while_a_row_may_be_of_anybody(book: Book, row: str) -> None:
    book.run(csv_of([ANN, BO]))

    outcome = book.run(f"{csv_of([BO])}{row}\n")

    assert (outcome.read.n_keyless, outcome.compared.n_gone, len(queued(book))) == (1, 0, 4)


def test_an_offset_that_is_added_adds_messages(book: Book) -> None:
    book.run(csv_of([ANN]))

    outcome = replace(book, befores_ms=(*book.befores_ms, HOUR_MS)).run(csv_of([ANN]))

    assert (outcome.figures.messages, outcome.skips) == (1, {"unchanged": 2})


def test_an_offset_that_is_left_out_is_removed(book: Book) -> None:
    book.run(csv_of([ANN]))

    outcome = replace(book, befores_ms=(DAY_MS,)).run(csv_of([ANN]))

    assert (outcome.compared.n_gone, queued(book)) == (1, [(DAY_MS, FRIDAY)])


def test_what_is_moved_too_close_to_be_reminded_of_is_cancelled(book: Book) -> None:
    book.run(csv_of([ANN]))
    soon = ("1", LONG_AHEAD_MS + 3 * HOUR_MS, number(1))

    outcome = book.run(csv_of([soon]))

    assert (outcome.compared.n_gone, outcome.skips) == (1, {"moved": 1, "past": 1})
    assert queued(book) == [(2 * HOUR_MS, soon[1])]


def test_what_is_moved_back_to_where_it_was_reminded_of_is_not_reminded_again(book: Book) -> None:
    book.run(csv_of([ANN]))
    become(book, MessageState.ACCEPTED)
    book.run(csv_of([ANN_MOVED]))

    outcome = book.run(csv_of([ANN]))

    assert outcome.skips == {"unchanged": 2}
    assert book.counts() == {"accepted": 2, "cancelled": 2}


def test_what_is_late_in_leaving_but_the_same_stays_queued(book: Book) -> None:
    book.run(csv_of([ANN]))

    outcome = book.at(FRIDAY - HOUR_MS).run(csv_of([ANN]))

    assert (outcome.compared.n_gone, len(queued(book))) == (0, 2)


@pytest.mark.parametrize(
    "change",
    [{"sender": "OTHER"}, {"windows": Windows(open=(parse_hours("06:00-22:00"),))}],
    ids=["sender", "windows"],
)
def test_what_would_leave_by_another_way_is_withdrawn_and_written_anew(
    book: Book, change: dict[str, Any]
) -> None:
    book.run(csv_of([ANN]))

    outcome = replace(book, **change).run(csv_of([ANN_MOVED]))

    assert (outcome.figures.messages, outcome.n_cancelled) == (2, 0)
    assert (book.counts(), queued(book)) == ({"cancelled": 2, "queued": 2}, both(MONDAY))


def test_a_moved_message_takes_the_one_text_of_the_new_campaign(book: Book) -> None:
    book.run(csv_of([ANN]))

    replace(book, text="See you soon").run(csv_of([ANN_MOVED]))

    assert {row["text"] for row in book.messages(MessageState.QUEUED)} == {"See you soon"}


def test_the_one_text_of_a_campaign_is_not_changed_for_a_single_row(book: Book) -> None:
    constant = replace(book, text="See you soon")
    constant.run(csv_of([ANN]))

    outcome = book.run(csv_of([ANN_MOVED]))

    assert (outcome.figures.messages, queued(book)) == (2, both(MONDAY))


def test_another_series_is_left_alone(book: Book) -> None:
    book.run(csv_of([ANN]))

    outcome = replace(book, series="other").run(csv_of([BO]))

    assert (outcome.compared.n_open, len(queued(book))) == (0, 4)


def test_what_leaves_while_the_files_are_compared_is_sent_once_more(book: Book) -> None:
    book.run(csv_of([ANN]))

    outcome = book.run(csv_of([ANN_MOVED]), before_apply=lambda: become(book, MessageState.SUBMITTING))

    assert (outcome.figures.messages, queued(book)) == (2, both(MONDAY))
    assert book.counts() == {"submitting": 2, "queued": 2}


def test_what_leaves_while_the_files_are_compared_is_not_told_as_cancelled(book: Book) -> None:
    book.run(csv_of([ANN, BO]))
    ids = [row["id"] for row in book.messages() if row["before_ms"] == DAY_MS]

    outcome = book.run(csv_of([BO]), before_apply=lambda: book.set_states(ids, MessageState.ACCEPTED))

    assert outcome.compared.n_gone == 2
    assert [outcome.told[name] for name in ("cancelled", "removed")] == [1, 1]
    assert [(each["before"], each["cancelled"]) for each in offsets(outcome)] == [("1 day", 0), ("2 h", 1)]


def offsets(outcome: Outcome) -> list[dict[str, object]]:
    found = outcome.told["offsets"]
    assert isinstance(found, list)
    return found


def test_orders_tell_who_gave_the_file(book: Book) -> None:
    book.run(csv_of([ANN, BO]))
    book.run(csv_of([ANN_MOVED]))

    with reading(book.engine) as connection:
        told = [(row["author"], row["what"], row["detail"]) for row in orders.of_campaign(connection, 1)]
    assert told == [
        ("tester", "remind", "the series visits"),
        ("tester", "remind", "a newer file of the series visits moves or removes some"),
    ]


# --- who has the series


class Killed(Exception):
    """The program ends here."""


def _killer(after: int) -> Callable[[], None]:
    """Kill a run when it has looked so often whether it is to end."""
    left = iter(range(after))

    def check() -> None:
        if next(left, None) is None:
            raise Killed

    return check


def test_nothing_of_a_run_that_was_killed_is_released_and_the_next_makes_it_whole(book: Book) -> None:
    with pytest.raises(Killed):
        book.run(csv_of([ANN, BO]), check=_killer(1))
    book.forget_importer()

    seen = book.messages()
    book.run(csv_of([ANN, BO]))

    assert seen == []
    assert queued(book) == sorted(both(FRIDAY) * 2)


def _run(book: Book) -> None:
    book.run(csv_of([ANN]))


def test_two_runs_of_a_series_at_once_are_refused(book: Book) -> None:
    with pytest.raises(InputError, match="series visits are being imported at this moment, as campaign 1"):
        book.run(csv_of([ANN]), before_apply=lambda: _run(book))


def test_two_runs_of_two_series_are_not_in_each_others_way(book: Book) -> None:
    other = replace(book, series="other")

    book.run(csv_of([ANN]), before_apply=lambda: _run(other))

    assert len(queued(book)) == 4


def test_a_run_that_was_taken_for_dead_changes_nothing_more(book: Book) -> None:
    book.run(csv_of([ANN]))

    def be_overtaken() -> None:
        book.forget_importer()
        book.run(csv_of([ANN, CY]))

    with pytest.raises(LedgerError, match="was put away"):
        book.run(csv_of([ANN_MOVED, BO]), before_apply=be_overtaken)

    assert queued(book) == sorted(both(FRIDAY) * 2)


def test_a_discarded_run_takes_its_reminders_with_it(book: Book) -> None:
    with pytest.raises(Killed):
        book.run(csv_of([ANN]), check=_killer(1))
    book.forget_importer()
    do(book.engine, interrupted.discard, 1)

    while do(book.engine, interrupted.clear, 1) is not None:
        pass

    outcome = book.run(csv_of([ANN]))
    assert outcome.figures.messages == 2


def test_a_clearing_that_was_killed_is_finished_by_the_next_run(book: Book) -> None:
    with pytest.raises(Killed):
        book.run(csv_of([ANN]), check=_killer(1))
    book.forget_importer()
    do(book.engine, interrupted.discard, 1)

    book.run(csv_of([ANN]))

    assert queued(book) == both(FRIDAY)


def test_a_run_that_is_given_up_leaves_no_campaign(engine: Engine) -> None:
    new = NewCampaign(
        name="a",
        fingerprint="",
        provider="acme",
        sender="ACME",
        template="a",
        text=None,
        options={},
        source="a.csv",
        series="visits",
    )
    importer, _ = do(engine, reminding.begin, new)

    assert do(engine, reminding.drop, importer)

    with reading(engine) as connection:
        assert reports.reports(connection, limit=9) == []
    assert not do(engine, reminding.drop, campaigns.Importer(campaign_id=importer.campaign_id, until=0))
