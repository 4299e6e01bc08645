"""A row whose number was corrected, after its reminder came to nothing at the former one."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, update

from tests.appointments import HOUR_MS, LONG_AHEAD_MS, Book, csv_of, number
from tests.ledgers import assert_counts, do
from worker.ledger import control, retrying
from worker.ledger.engine import writing
from worker.ledger.models import MESSAGES
from worker.states import MessageState

AT = LONG_AHEAD_MS + 7 * 24 * HOUR_MS
ANN, CORRECTED = ("1", AT, number(1)), ("1", AT, number(11))
BO = ("2", AT, number(2))
NOTHING = [MessageState.REJECTED, MessageState.FAILED]


@pytest.fixture
def book(engine: Engine, tmp_path: Path) -> Book:
    return Book(engine=engine, folder=tmp_path)


def numbers(book: Book) -> list[str]:
    return sorted(row["msisdn"] for row in book.messages(MessageState.QUEUED))


def refused(book: Book, state: MessageState = MessageState.REJECTED, **more: object) -> None:
    """Remind Ann and Bo, and let all of Ann's come to nothing."""
    book.run(csv_of([ANN, BO]))
    ids = [row["id"] for row in book.messages() if row["msisdn"] == ANN[2]]
    book.set_states(ids, state)
    with writing(book.engine) as connection:
        connection.execute(update(MESSAGES).where(MESSAGES.c.id.in_(ids)).values({"code": "400", **more}))


def retry(book: Book) -> None:
    """Order that what came to nothing is tried again."""
    last = 0
    while done := do(book.engine, retrying.retry_some, 1, retrying.RETRIABLE, after=last):
        last = done.last


@pytest.mark.parametrize("text", ["See you", "{{ name }}: see you"])
@pytest.mark.parametrize("state", NOTHING)
def test_what_came_to_nothing_is_sent_to_the_number_that_was_corrected(
    book: Book, state: MessageState, text: str
) -> None:
    book = replace(book, text=text)
    refused(book, state)
    old = book.messages(state)

    compared = book.compare(csv_of([CORRECTED, BO]))
    outcome = book.run(csv_of([CORRECTED, BO]))

    assert compared[2] == {"corrected": 2, "unchanged": 2}
    assert (outcome.figures.messages, outcome.skips, outcome.n_cancelled) == (2, {"unchanged": 2}, 0)
    assert numbers(book) == [BO[2]] * 2 + [CORRECTED[2]] * 2
    kept = {"id", "msisdn", "state", "code", "text", "changed_at"}
    assert [{name: row[name] for name in kept} for row in book.messages(state)] == [
        {name: row[name] for name in kept} for row in old
    ]
    assert_counts(book.engine)


def test_it_is_sent_there_once_and_to_no_other_number_by_a_retry(book: Book) -> None:
    refused(book)
    book.run(csv_of([CORRECTED, BO]))

    again = book.run(csv_of([CORRECTED, BO]))

    assert (again.campaign_id, again.skips) == (None, {"unchanged": 4})
    retry(book)
    assert numbers(book) == [BO[2]] * 2 + [CORRECTED[2]] * 2


def test_what_came_to_nothing_there_too_is_sent_to_the_next_number(book: Book) -> None:
    refused(book)
    book.run(csv_of([CORRECTED, BO]))
    new = [row["id"] for row in book.messages() if row["msisdn"] == CORRECTED[2]]
    book.set_states(new, MessageState.REJECTED)

    outcome = book.run(csv_of([("1", AT, number(7)), BO]))

    assert (outcome.figures.messages, numbers(book)) == (2, [BO[2]] * 2 + [number(7)] * 2)


def test_what_is_moved_after_it_was_corrected_is_moved(book: Book) -> None:
    refused(book)
    book.run(csv_of([CORRECTED, BO]))

    outcome = book.run(csv_of([("1", AT + HOUR_MS, CORRECTED[2]), BO]))

    assert (outcome.figures.messages, outcome.skips) == (0, {"moved": 2, "unchanged": 2})


# --- its time is over


LATE = AT - HOUR_MS
"""All of Ann's were due, and her appointment is ahead."""


def test_where_none_is_to_come_the_last_one_leaves_at_once(book: Book) -> None:
    refused(book)

    outcome = book.at(LATE).run(csv_of([CORRECTED, BO]))

    (new,) = [row for row in book.messages() if row["msisdn"] == CORRECTED[2]]
    assert outcome.skips == {"past": 3}
    assert (new["before_ms"], new["due_at"], new["expires_at"]) == (2 * HOUR_MS, LATE, AT)
    assert book.at(LATE).run(csv_of([CORRECTED, BO])).skips == {"past": 4}


def test_what_waits_though_its_time_is_over_goes_to_the_number_that_was_corrected(book: Book) -> None:
    book.run(csv_of([ANN, BO]))

    outcome = book.at(LATE).run(csv_of([CORRECTED, BO]))

    (new,) = [row for row in book.messages(MessageState.QUEUED) if row["msisdn"] == CORRECTED[2]]
    assert (new["before_ms"], new["expires_at"]) == (2 * HOUR_MS, AT)
    assert ANN[2] not in numbers(book)
    assert outcome.n_cancelled == 1  # the one of the day before
    assert_counts(book.engine)


LEFT_OUT: dict[str, tuple[dict[str, Any], tuple[str, int, str]]] = {
    "another is to come": ({"now_ms": AT - 3 * HOUR_MS}, CORRECTED),
    "the appointment is over": ({"now_ms": AT}, CORRECTED),
    "it is worth nothing any more": ({"validity_ms": HOUR_MS}, CORRECTED),
    "its words would not be true": ({"text": "In {{ before }}"}, CORRECTED),
    "it wants none": ({"stopped": frozenset({CORRECTED[2]})}, CORRECTED),
    "the number is the same": ({}, ANN),
}


@pytest.mark.parametrize(("change", "row"), LEFT_OUT.values(), ids=LEFT_OUT)
def test_what_is_past_is_left_out_else(book: Book, change: dict[str, Any], row: tuple[str, int, str]) -> None:
    refused(book)

    late = replace(book, **{"now_ms": LATE, **change})

    outcome = late.run(csv_of([row, BO]))

    assert not [each for each in book.messages() if each["due_at"] == late.now_ms]
    assert outcome.skips["past"] >= 2


def test_what_may_have_left_and_is_past_is_sent_to_no_other_number(book: Book) -> None:
    refused(book, MessageState.UNKNOWN)

    assert book.at(LATE).run(csv_of([CORRECTED])).told["messages"] == 0


# --- what stays


DOUBTFUL: dict[str, tuple[MessageState, dict[str, object]]] = {
    "another request may have been accepted": (MessageState.FAILED, {"n_doubts": 1}),
    "it could not leave in time": (MessageState.FAILED, {"code": "validity"}),
    "its start was missed": (MessageState.FAILED, {"code": "late"}),
    "its time is over": (MessageState.REJECTED, {"expires_at": 1}),
}


@pytest.mark.parametrize(("state", "more"), DOUBTFUL.values(), ids=DOUBTFUL)
def test_what_may_have_reached_somebody_or_was_too_late_stays_as_it_is(
    book: Book, state: MessageState, more: dict[str, object]
) -> None:
    refused(book, state, **more)

    outcome = book.run(csv_of([CORRECTED, BO]))

    assert (outcome.campaign_id, outcome.skips) == (None, {"misdirected": 2, "unchanged": 2})


def test_what_was_refused_of_a_cancelled_campaign_is_not_begun_again(book: Book) -> None:
    refused(book)
    do(book.engine, control.cancel, 1, author="tester")

    assert book.run(csv_of([CORRECTED])).skips == {"misdirected": 2}


def test_what_a_person_retries_while_the_files_are_compared_gives_way(book: Book) -> None:
    refused(book)

    outcome = book.run(csv_of([CORRECTED, BO]), before_apply=lambda: retry(book))

    assert (outcome.figures.messages, numbers(book)) == (2, [BO[2]] * 2 + [CORRECTED[2]] * 2)
    assert book.counts() == {"queued": 4, "cancelled": 2}
    assert_counts(book.engine)


@pytest.mark.parametrize("state", [MessageState.SUBMITTING, MessageState.UNKNOWN, MessageState.ACCEPTED])
def test_what_leaves_after_all_while_the_files_are_compared_is_sent_to_no_other_number(
    book: Book, state: MessageState
) -> None:
    refused(book)
    ids = [row["id"] for row in book.messages(MessageState.REJECTED)]

    outcome = book.run(csv_of([CORRECTED, BO]), before_apply=lambda: book.set_states(ids, state))

    assert (outcome.campaign_id, outcome.skips) == (None, {"misdirected": 2, "unchanged": 2})


def test_where_a_run_is_killed_half_way_the_next_makes_it_whole(book: Book) -> None:
    refused(book)
    with pytest.raises(StopIteration):
        book.run(csv_of([CORRECTED, BO]), check=iter([None] * 2).__next__)
    closed = [row["withdrawn"] for row in book.messages(MessageState.REJECTED)]
    book.forget_importer()

    outcome = book.run(csv_of([CORRECTED, BO]))

    assert closed == ["moved"] * 2
    assert (outcome.figures.messages, outcome.skips) == (2, {"unchanged": 2})
    assert numbers(book) == [BO[2]] * 2 + [CORRECTED[2]] * 2


def test_where_the_first_number_was_right_after_all_it_may_be_retried(book: Book) -> None:
    refused(book)
    with pytest.raises(StopIteration):
        book.run(csv_of([CORRECTED, BO]), check=iter([None]).__next__)
    book.forget_importer()

    outcome = book.run(csv_of([ANN, BO]))

    retry(book)
    assert outcome.skips == {"unchanged": 4}
    assert numbers(book) == [ANN[2]] * 2 + [BO[2]] * 2


def killed_after_it_wrote(book: Book, content: str) -> None:
    with pytest.raises(StopIteration):
        book.run(content, check=iter([None] * 2).__next__)


def test_where_a_run_is_killed_after_it_wrote_the_next_sends_the_last_one_at_once(book: Book) -> None:
    refused(book)
    late = book.at(LATE)
    killed_after_it_wrote(late, csv_of([CORRECTED, BO]))
    previewed = late.compare(csv_of([CORRECTED, BO]))[2]
    book.forget_importer()

    outcome = late.run(csv_of([CORRECTED, BO]))

    assert (previewed, outcome.skips) == ({"corrected": 1, "past": 3}, {"past": 3})
    assert numbers(book).count(CORRECTED[2]) == 1


def test_where_a_run_is_killed_after_it_wrote_what_was_refused_is_still_known(book: Book) -> None:
    refused(book)
    killed_after_it_wrote(book, csv_of([CORRECTED, BO]))
    book.forget_importer()

    outcome = book.run(csv_of([ANN, BO]))

    assert (outcome.campaign_id, outcome.skips) == (None, {"unchanged": 4})
    assert numbers(book) == [BO[2]] * 2
    retry(book)
    assert numbers(book) == [ANN[2]] * 2 + [BO[2]] * 2


def test_what_was_refused_at_two_numbers_is_known_by_the_second(book: Book) -> None:
    refused(book)
    book.run(csv_of([CORRECTED, BO]))
    book.set_states(
        [row["id"] for row in book.messages() if row["msisdn"] == CORRECTED[2]], MessageState.FAILED
    )
    killed_after_it_wrote(book, csv_of([("1", AT, number(7)), BO]))
    book.forget_importer()

    assert book.compare(csv_of([CORRECTED, BO]))[2] == {"unchanged": 4}
    assert book.run(csv_of([CORRECTED, BO])).skips == {"unchanged": 4}
    retry(book)
    assert numbers(book) == [BO[2]] * 2


def test_what_was_corrected_and_moved_is_moved_back(book: Book) -> None:
    refused(book)
    book.run(csv_of([CORRECTED, BO]))
    book.run(csv_of([("1", AT + HOUR_MS, CORRECTED[2]), BO]))

    assert book.run(csv_of([CORRECTED, BO])).skips == {"moved": 2, "unchanged": 2}


def test_what_is_cancelled_while_the_files_are_compared_is_not_begun_again(book: Book) -> None:
    refused(book)

    outcome = book.run(
        csv_of([CORRECTED]), before_apply=lambda: do(book.engine, control.cancel, 1, author="tester")
    )

    assert (outcome.campaign_id, outcome.skips) == (None, {"misdirected": 2})
