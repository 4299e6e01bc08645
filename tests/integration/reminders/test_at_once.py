"""Two series that are begun at the same moment, from one file under two names."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.appointments import HOUR_MS, LONG_AHEAD_MS, Book, csv_of, number
from worker.ledger.engine import open_ledger
from worker.states import MessageState

AT = LONG_AHEAD_MS + 7 * 24 * HOUR_MS
FILE = csv_of([(str(key), AT, number(key)) for key in range(700)])  # more than one look takes
OTHERS = csv_of([(str(key), AT, number(key)) for key in range(700, 710)])
DEADLINE_S = 60.0


@pytest.fixture
def book(engine: Engine, tmp_path: Path) -> Book:
    return Book(engine=engine, folder=tmp_path, befores_ms=(2 * HOUR_MS,))


@pytest.fixture
def other(book: Book, tmp_path: Path) -> Book:
    (tmp_path / "other").mkdir()
    return replace(book, series="visits of tomorrow", folder=tmp_path / "other")


class DoubledError(Exception):
    """It would double what another series has."""


def refuse(found: Counter[str]) -> None:
    raise DoubledError(dict(found))


def test_what_another_series_has_released_since_the_comparison_is_found_before_the_end(
    book: Book, other: Book
) -> None:
    with pytest.raises(DoubledError, match="'visits': 700"):
        other.run(FILE, before_apply=lambda: run(book, FILE), on_doubled=refuse)

    assert book.counts() == {"queued": 700}


def test_where_the_other_series_has_others_both_are_released(book: Book, other: Book) -> None:
    other.run(FILE, before_apply=lambda: run(book, OTHERS), on_doubled=refuse)

    assert book.counts() == {"queued": 710}


def test_it_goes_on_where_both_are_wanted(book: Book, other: Book) -> None:
    told: list[Counter[str]] = []

    other.run(FILE, before_apply=lambda: run(book, FILE), on_doubled=told.append)

    assert (told, book.counts()) == ([{"visits": 700}], {"queued": 1400})


def test_of_two_first_runs_at_once_one_is_released(book: Book, other: Book) -> None:
    both = threading.Barrier(2)

    def result(mine: Book) -> object:
        url = book.engine.url.render_as_string(hide_password=False)
        mine = replace(mine, engine=open_ledger(url))
        try:
            return mine.run(FILE, before_apply=lambda: wait(both), on_doubled=refuse).campaign_id
        except DoubledError:
            return None
        finally:
            mine.engine.dispose()

    with ThreadPoolExecutor(2) as pool:
        released = [each for each in pool.map(result, (book, other)) if each]

    assert len(released) == 1
    assert len(book.messages(MessageState.QUEUED)) == 700


def run(book: Book, content: str) -> None:
    book.run(content)


def wait(barrier: threading.Barrier) -> None:
    barrier.wait(DEADLINE_S)
