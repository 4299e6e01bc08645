"""A row that names another number than its reminder that is there already."""

from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine, update

from tests.appointments import HOUR_MS, LONG_AHEAD_MS, Book, csv_of, number
from tests.ledgers import change_messages, lease, mark, not_sent, record, release
from worker.ledger.engine import writing
from worker.ledger.models import BATCHES
from worker.ledger.reminded import MAY_COME_BACK
from worker.states import MAY_HAVE_LEFT, MessageState

AT = LONG_AHEAD_MS + 7 * 24 * HOUR_MS
ANN, ANN_ELSEWHERE = ("1", AT, number(1)), ("1", AT, "+447400123456")
BO = ("2", AT, number(2))
DUE = 1  # long ago
GONE = sorted(MAY_HAVE_LEFT)


@pytest.fixture
def book(engine: Engine, tmp_path: Path) -> Book:
    return Book(engine=engine, folder=tmp_path, changes={"price": {"DK": "0.35 DKK", "GB": "0.04 GBP"}})


def numbers(book: Book) -> list[str]:
    return sorted(row["msisdn"] for row in book.messages(MessageState.QUEUED))


def test_a_queued_reminder_goes_to_the_number_that_the_file_has_now(book: Book) -> None:
    book.run(csv_of([ANN, BO]))

    outcome = book.run(csv_of([ANN_ELSEWHERE, BO]))

    assert (outcome.campaign_id, outcome.skips) == (None, {"renumbered": 2, "unchanged": 2})
    assert numbers(book) == [ANN_ELSEWHERE[2]] * 2 + [BO[2]] * 2
    assert len(book.messages()) == 4


def test_its_country_and_price_are_those_of_the_new_number(book: Book) -> None:
    book.run(csv_of([ANN]))
    book.run(csv_of([ANN_ELSEWHERE]))

    rows = book.messages(MessageState.QUEUED)

    assert {(row["region"], row["price_micros"], row["currency"]) for row in rows} == {("GB", 40_000, "GBP")}
    assert [row["due_at"] for row in rows] == [AT - 24 * HOUR_MS, AT - 2 * HOUR_MS]


def test_it_goes_back_to_the_first_number_when_the_file_does(book: Book) -> None:
    for row in (ANN, ANN_ELSEWHERE, ANN):
        book.run(csv_of([row]))

    assert numbers(book) == [ANN[2]] * 2


def test_where_the_campaign_has_one_text_it_is_withdrawn_and_written_anew(book: Book) -> None:
    plain = replace(book, text="See you")
    plain.run(csv_of([ANN, BO]))

    outcome = plain.run(csv_of([ANN_ELSEWHERE, BO]))

    assert (outcome.figures.messages, outcome.skips) == (2, {"unchanged": 2})
    assert numbers(book) == [ANN_ELSEWHERE[2]] * 2 + [BO[2]] * 2
    assert book.counts() == {"queued": 4, "cancelled": 2}
    assert plain.run(csv_of([ANN_ELSEWHERE, BO])).skips == {"unchanged": 4}


@pytest.mark.parametrize("state", GONE)
def test_what_may_have_left_is_not_sent_to_the_new_number(book: Book, state: MessageState) -> None:
    book.run(csv_of([ANN]))
    book.set_states([row["id"] for row in book.messages()], state)

    outcome = book.run(csv_of([ANN_ELSEWHERE]))

    assert (outcome.campaign_id, outcome.skips) == (None, {"misdirected": 2})
    assert {row["withdrawn"] for row in book.messages()} == {"moved" if state in MAY_COME_BACK else None}


@pytest.mark.parametrize("text", ["See you", "{{ name }}: see you"])
def test_what_leaves_while_the_files_are_compared_stays_as_it_is(book: Book, text: str) -> None:
    book = replace(book, text=text)
    book.run(csv_of([ANN, BO]))
    ids = [row["id"] for row in book.messages()]

    outcome = book.run(
        csv_of([ANN_ELSEWHERE, BO]), before_apply=lambda: book.set_states(ids, MessageState.SUBMITTING)
    )

    assert (outcome.campaign_id, outcome.skips) == (None, {"misdirected": 2, "unchanged": 2})
    assert {row["withdrawn"] for row in book.messages()} == {None}
    assert len(book.messages()) == 4


def test_what_is_due_already_is_withdrawn_and_written_anew_as_a_worker_may_have_it_in_hand(
    book: Book,
) -> None:
    book.run(csv_of([ANN]))
    with writing(book.engine) as connection:
        connection.exec_driver_sql("UPDATE messages SET due_at = 0")

    outcome = book.run(csv_of([ANN_ELSEWHERE]))

    assert (outcome.figures.messages, numbers(book)) == (2, [ANN_ELSEWHERE[2]] * 2)
    assert book.counts() == {"queued": 2, "cancelled": 2}


def test_where_the_new_number_wants_none_nothing_goes_to_the_old_one(book: Book) -> None:
    book.run(csv_of([ANN, BO]))

    outcome = replace(book, stopped=frozenset({ANN_ELSEWHERE[2]})).run(csv_of([ANN_ELSEWHERE, BO]))

    assert (outcome.n_cancelled, outcome.compared.n_gone) == (2, 2)
    assert numbers(book) == [BO[2]] * 2


def test_a_moved_appointment_takes_the_new_number_along(book: Book) -> None:
    book.run(csv_of([ANN]))

    outcome = book.run(csv_of([("1", AT + HOUR_MS, ANN_ELSEWHERE[2])]))

    assert (outcome.skips, numbers(book)) == ({"moved": 2}, [ANN_ELSEWHERE[2]] * 2)


def test_one_that_a_request_has_carried_keeps_its_number(book: Book, engine: Engine) -> None:
    one = replace(book, befores_ms=(2 * HOUR_MS,))
    one.run(csv_of([ANN]))
    (message,) = one.messages()
    make_due(engine, DUE)
    held = lease(engine, message["batch_id"])
    (marked,) = mark(engine, held)
    record(engine, not_sent(marked))
    release(engine, held)
    make_due(engine, AT - 2 * HOUR_MS)

    outcome = one.run(csv_of([ANN_ELSEWHERE]))

    assert outcome.figures.messages == 1
    assert {(row["msisdn"], row["state"]) for row in one.messages()} == {
        (ANN[2], "cancelled"),
        (ANN_ELSEWHERE[2], "queued"),
    }


def test_one_that_comes_back_does_not_leave_for_the_number_that_was_corrected(book: Book) -> None:
    one = replace(book, befores_ms=(2 * HOUR_MS,))
    one.run(csv_of([ANN]))
    (message,) = one.messages()
    one.set_states([message["id"]], MessageState.SUBMITTING)

    outcome = one.run(csv_of([ANN_ELSEWHERE]))
    (message,) = one.messages()
    one.come_back(message["id"], message["withdrawn"])
    again = one.run(csv_of([ANN_ELSEWHERE]))

    assert (dict(outcome.skips), again.figures.messages) == ({"misdirected": 1}, 1)
    assert {(row["msisdn"], row["state"]) for row in one.messages()} == {
        (ANN[2], "cancelled"),
        (ANN_ELSEWHERE[2], "queued"),
    }


def test_one_whose_time_is_over_goes_to_no_number_that_the_file_has_corrected(book: Book) -> None:
    book.run(csv_of([ANN, BO]))
    later = book.at(AT - 23 * HOUR_MS)

    outcome = later.run(csv_of([ANN_ELSEWHERE, BO]))

    assert outcome.n_cancelled == 1
    assert numbers(later) == sorted([ANN_ELSEWHERE[2], BO[2], BO[2]])


@pytest.mark.parametrize("state", MAY_COME_BACK)
def test_one_that_is_on_its_way_when_its_time_is_over_does_not_go_to_the_former_number_again(
    book: Book, state: MessageState
) -> None:
    one = replace(book, befores_ms=(24 * HOUR_MS,), text="In {{ before }}")  # the way of one that is due
    one.run(csv_of([ANN]))
    one.set_states([1], state)

    outcome = one.at(AT - 23 * HOUR_MS).run(csv_of([ANN_ELSEWHERE]))

    assert (outcome.skips, outcome.n_cancelled) == ({"past": 1}, 0)
    assert [row["withdrawn"] for row in one.messages()] == ["moved"]
    one.at(AT - 23 * HOUR_MS).run(csv_of([ANN]))
    assert [row["withdrawn"] for row in one.messages()] == [None]


def test_who_opted_out_is_another_than_the_number_that_the_file_has_now(book: Book) -> None:
    book.run(csv_of([ANN]))
    book.set_states([row["id"] for row in book.messages()], MessageState.SUPPRESSED)

    outcome = book.run(csv_of([("1", AT + HOUR_MS, ANN_ELSEWHERE[2])]))

    assert outcome.figures.messages == 2


def make_due(engine: Engine, at: int) -> None:
    change_messages(engine, due_at=at)
    with writing(engine) as connection:
        connection.execute(update(BATCHES).values(next_due_at=at))
