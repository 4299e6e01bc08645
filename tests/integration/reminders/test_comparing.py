"""What a run over a file of appointments would do: looked at, with nothing changed."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.appointments import HOUR_MS, LONG_AHEAD_MS, Book, csv_of, number
from worker.ledger import traces
from worker.ledger.engine import writing
from worker.states import MessageState
from worker.timing.local import Oddity
from worker.timing.windows import Windows, parse_hours

DAY_MS = 24 * HOUR_MS
AT = LONG_AHEAD_MS + 7 * DAY_MS + 10 * HOUR_MS
ANN, BO, CY = (("1", AT, number(1)), ("2", AT, number(2)), ("3", AT, number(3)))
BOTH = (DAY_MS, 2 * HOUR_MS)


@pytest.fixture
def book(engine: Engine, tmp_path: Path) -> Book:
    return Book(engine=engine, folder=tmp_path)


@pytest.fixture
def other(book: Book) -> Book:
    return replace(book, series="visits of tomorrow")


# --- a run and its preview


def test_a_preview_says_what_the_run_does_then_and_changes_nothing(book: Book) -> None:
    book.run(csv_of([ANN, BO, CY]))
    before = book.messages()
    newer = csv_of([("1", AT + HOUR_MS, number(1)), ("2", AT, number(12)), ("4", AT, number(4))])

    compared, _, verdicts = book.compare(newer)

    assert book.messages() == before
    assert verdicts == {"move": 2, "renumber": 2, "new": 2}
    assert (compared.n_open, compared.n_removed, dict(compared.gone)) == (6, 2, dict.fromkeys(BOTH, 1))
    assert book.run(newer).skips == {"moved": 2, "renumbered": 2}


def test_what_is_new_or_changed_leaves_from_the_first_to_the_last(book: Book) -> None:
    book.run(csv_of([ANN]))

    _, plan, _ = book.compare(csv_of([ANN, ("2", AT + DAY_MS, number(2))]))

    assert (plan.starts_at, plan.forecast.ends_at) == (AT, AT + DAY_MS - 2 * HOUR_MS)


@pytest.mark.parametrize(
    ("at", "moved", "starts_at"), [(AT + 3 * HOUR_MS, 0, AT - 21 * HOUR_MS), (AT, 1, AT - 23 * HOUR_MS)]
)
def test_what_a_window_moves_is_counted_and_leaves_when_it_opens(
    book: Book, at: int, moved: int, starts_at: int
) -> None:
    shut = replace(book, windows=Windows(open=(parse_hours("12:00-16:00"),)))  # there, 11:00 to 15:00 UTC

    _, plan, _ = shut.compare(csv_of([("1", at, number(1))]))

    assert (plan.moved, plan.starts_at) == (moved, starts_at)


ODD = {
    "2027-03-28 02:30": ("2027-03-28 02:30", Oddity.GAP, 1_806_195_600_000),
    "2027-10-31 02:30": ("2027-10-31 02:30", Oddity.TWICE, 1_824_942_600_000),
}


@pytest.mark.parametrize(("written", "expected"), ODD.items(), ids=ODD)
def test_a_time_that_the_clocks_skip_or_show_twice_is_said(
    book: Book, written: str, expected: tuple[str, Oddity, int]
) -> None:
    there = replace(book, zone="Europe/Copenhagen", now_ms=1_800_000_000_000)

    _, plan, _ = there.compare(csv_of([("1", written, number(1))]))

    [(odd, n)] = plan.oddities.items()
    assert ((odd.local, odd.what, odd.at_ms), odd.zone, n) == (expected, "Europe/Copenhagen", 2)


# --- appointments of which nobody is reminded


def test_who_gets_no_reminder_is_named_by_line(book: Book) -> None:
    late = replace(book, stopped=frozenset({number(3)})).at(AT - HOUR_MS)

    compared, _, _ = late.compare(csv_of([ANN, ("2", AT + 3 * HOUR_MS, number(2)), CY]))

    assert compared.n_missed == 2
    assert [(each.line, each.code) for each in compared.missed] == [(2, "past"), (4, "past")]


def test_who_opted_out_gets_none(book: Book) -> None:
    compared, _, _ = replace(book, stopped=frozenset({number(1)})).compare(csv_of([ANN, BO]))

    assert [(each.line, each.code) for each in compared.missed] == [(2, "suppressed")]


@pytest.mark.parametrize("state", [MessageState.ACCEPTED, MessageState.QUEUED, MessageState.UNKNOWN])
def test_who_was_reminded_before_is_not_named(book: Book, state: MessageState) -> None:
    book.run(csv_of([ANN]))
    book.set_states([row["id"] for row in book.messages()], state)

    compared, _, _ = book.at(AT - HOUR_MS).compare(csv_of([ANN, BO]))

    assert [each.line for each in compared.missed] == [3]


def test_who_was_reminded_of_another_time_alone_is_named(book: Book) -> None:
    book.run(csv_of([ANN]))

    compared, _, _ = book.at(AT - 2 * HOUR_MS).compare(csv_of([("1", AT - HOUR_MS, number(1))]))

    assert [each.line for each in compared.missed] == [2]


@pytest.mark.parametrize("now", [AT, AT + DAY_MS])
def test_an_appointment_that_is_over_lacks_no_reminder_whatever_is_known_of_it(book: Book, now: int) -> None:
    book.run(csv_of([ANN]))
    book.set_states([row["id"] for row in book.messages()], MessageState.ACCEPTED)

    compared, _, _ = book.at(now).compare(csv_of([ANN, BO, ("4", AT + 2 * DAY_MS, number(4))]))

    assert (compared.n_missed, compared.n_over) == (0, 1)
    assert [each.line for each in compared.over] == [3]


def test_an_appointment_whose_reminders_were_pruned_lacks_none(book: Book) -> None:
    book.run(csv_of([ANN, BO]))
    with writing(book.engine) as connection:
        traces.remove_around(connection, [row["id"] for row in book.messages()])

    compared, _, _ = book.at(AT + 100 * DAY_MS).compare(csv_of([ANN, BO]))

    assert (compared.n_missed, compared.n_over) == (0, 2)


# --- the same under another name


def test_what_another_series_has_queued_is_found(book: Book, other: Book) -> None:
    book.run(csv_of([ANN, BO]))

    compared, _, _ = other.compare(csv_of([ANN, BO, CY]))

    assert dict(compared.doubled) == {"visits": 4}


def test_what_another_series_has_queued_is_found_also_when_the_series_goes_on(
    book: Book, other: Book
) -> None:
    book.run(csv_of([ANN, BO]))
    other.run(csv_of([CY]))

    compared, _, _ = other.compare(csv_of([ANN, CY]))

    assert dict(compared.doubled) == {"visits": 2}


ELSE: dict[str, Callable[[Book], Book]] = {
    "another number": lambda book: book,
    "another offset": lambda book: replace(book, befores_ms=(3 * HOUR_MS,)),
}


@pytest.mark.parametrize("change", ELSE.values(), ids=ELSE)
def test_what_is_of_another_number_or_offset_is_no_double(
    book: Book, other: Book, change: Callable[[Book], Book]
) -> None:
    book.run(csv_of([ANN]))

    compared, _, _ = change(other).compare(csv_of([BO, ("3", AT, number(3))]))

    assert not compared.doubled


@pytest.mark.parametrize("at", [AT + 1000, AT - HOUR_MS])
def test_another_appointment_of_the_same_number_is_no_double(book: Book, other: Book, at: int) -> None:
    book.run(csv_of([ANN]))

    compared, _, _ = other.compare(csv_of([("1", at, number(1))]))

    assert not compared.doubled


def test_what_has_left_or_was_cancelled_is_no_double(book: Book, other: Book) -> None:
    book.run(csv_of([ANN]))
    rows = book.messages()
    book.set_states([rows[0]["id"]], MessageState.CANCELLED)
    book.set_states([rows[1]["id"]], MessageState.ACCEPTED)

    compared, _, _ = other.compare(csv_of([ANN]))

    assert not compared.doubled


def test_what_a_killed_run_has_written_is_new_in_a_preview(book: Book) -> None:
    checks = iter(range(2))

    def check() -> None:
        if next(checks) == 1:
            raise KilledError

    with pytest.raises(KilledError):
        book.run(csv_of([ANN, BO]), check=check)
    book.forget_importer()

    _, _, verdicts = book.compare(csv_of([ANN, BO]))

    assert verdicts == {"new": 4}


class KilledError(Exception):
    """A run ends without a word."""
