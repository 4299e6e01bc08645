"""Random files, one after the other, against a small model of what reminders are."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.appointments import HOUR_MS, LONG_AHEAD_MS, Book, csv_of, number
from tests.integration.reminders.model import Bounce, Correct, File, Model, Pass, Refuse, Reminder, Step
from tests.ledgers import assert_counts
from worker.ledger.engine import open_ledger
from worker.ledger.schema import prepare
from worker.states import MessageState

KEYS = range(4)
HOURS = range(0, 60, 6)
BEFORES = (24, 12, 2)
OTHER = 100
"""What the other number of a key is higher by."""


files = st.builds(
    File,
    appointments=st.dictionaries(st.sampled_from(KEYS), st.sampled_from(HOURS), min_size=1),
    bad=st.frozensets(st.sampled_from(KEYS), max_size=1),
    other=st.frozensets(st.sampled_from(KEYS), max_size=2),
    befores=st.sampled_from([(24, 2), (24, 12, 2), (12,), (2,)]),
    keeps_removed=st.sampled_from([False, False, False, True]),
    killed_at=st.one_of(st.none(), st.none(), st.integers(0, 4)),
)
passes = st.builds(
    Pass,
    hours=st.integers(1, 20),
    fates=st.lists(
        st.sampled_from(
            [MessageState.ACCEPTED, MessageState.SUBMITTING, MessageState.UNKNOWN, MessageState.FAILED]
        ),
        min_size=1,
        max_size=3,
    ).map(tuple),
)
refusals = st.builds(Refuse, st.frozensets(st.sampled_from(KEYS), min_size=1, max_size=2))
corrections = st.builds(Correct, st.frozensets(st.sampled_from(KEYS), max_size=4))
kinds = st.one_of(files, files, passes, st.just(Bounce()), refusals, corrections)
steps = st.lists(kinds, min_size=1, max_size=8)


class Killed(Exception):
    """The run ends here."""


def killer(after: int) -> Callable[[], None]:
    left = iter(range(after))

    def check() -> None:
        if next(left, None) is None:
            raise Killed

    return check


class World:
    """The real thing beside the model."""

    def __init__(self, folder: Path, ledger: Path) -> None:
        shutil.copy(ledger, folder / "ledger.db")
        self.engine = open_ledger(f"sqlite:///{folder / 'ledger.db'}")
        self.folder = folder
        self.departed: list[Reminder] = []

    def read(self, file: File, now: int) -> None:
        """Run over a file: once, or until it is killed and then once more."""
        rows = [
            (str(key), LONG_AHEAD_MS + at * HOUR_MS, "none" if key in file.bad else _number(key, file))
            for key, at in file.appointments.items()
        ]
        book = replace(self.book(now), befores_ms=tuple(before * HOUR_MS for before in file.befores))
        if file.killed_at is not None:
            with suppress(Killed):
                book.run(csv_of(rows), keeps_removed=file.keeps_removed, check=killer(file.killed_at))
            book.forget_importer()
        book.run(csv_of(rows), keeps_removed=file.keeps_removed)

    def queued(self, now: int) -> list[tuple[Reminder, bool]]:
        """Return what may still leave, and whether it goes to the other number of its key."""
        return [
            (_reminder(row), int(row["msisdn"]) - int(number(0)) >= OTHER)
            for row in self.book(now).messages(MessageState.QUEUED)
            if not _is_closed(row)
        ]

    def refuse(self, keys: frozenset[int], now: int) -> None:
        """Let what is queued of some keys be refused."""
        rows = self.book(now).messages(MessageState.QUEUED)
        ours = [row["id"] for row in rows if not _is_closed(row) and _reminder(row)[0] in keys]
        self.book(now).set_states(ours, MessageState.REJECTED)

    def may_arrive(self, now: int) -> list[dict[str, Any]]:
        """Return what may have left, may leave yet, or may be retried."""
        rows = self.book(now).messages(*(set(MessageState) - {MessageState.CANCELLED}))
        nothing = MessageState.REJECTED, MessageState.FAILED
        return [row for row in rows if row["state"] not in nothing or row["withdrawn"] is None]

    def book(self, now: int) -> Book:
        """Return the ledger's series at a time."""
        return Book(engine=self.engine, folder=self.folder, now_ms=LONG_AHEAD_MS + now * HOUR_MS)


def _number(key: int, file: File) -> str:
    return number(key + OTHER if key in file.other else key)


def _is_closed(row: dict[str, Any]) -> bool:
    """Say whether a message never leaves any more, because its reminder has one of another time."""
    return bool(row["leave_by"] < LONG_AHEAD_MS - 100 * HOUR_MS)


def _reminder(row: dict[str, Any]) -> Reminder:
    key = (int(row["msisdn"]) - int(number(0))) % OTHER
    assert row["expires_at"] == row["version"]
    assert row["due_at"] >= row["version"] - row["before_ms"]  # later, where its number was wrong before
    return key, row["before_ms"] // HOUR_MS, (row["version"] - LONG_AHEAD_MS) // HOUR_MS


@pytest.fixture(scope="module")
def empty_ledger() -> Iterator[Path]:
    with TemporaryDirectory(prefix="bs-laws-") as folder:
        path = Path(folder) / "empty.db"
        engine = open_ledger(f"sqlite:///{path}")
        prepare(engine)
        engine.dispose()  # the last to close it leaves one file
        yield path


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=steps)
def test_every_appointment_of_the_last_file_has_its_reminders_once(
    empty_ledger: Path, steps: list[Step]
) -> None:
    with TemporaryDirectory(prefix="bs-laws-") as folder:
        world, model = World(Path(folder), empty_ledger), Model()
        try:
            for step in steps:
                _take(world, model, step)
                expected = [(each, each in model.elsewhere) for each in model.queued]
                assert sorted(world.queued(model.now)) == sorted(expected)
                assert all(row["key"] for row in world.may_arrive(model.now))  # of a slot: has one message
        finally:
            world.engine.dispose()
        assert len(world.departed) == len(set(world.departed))
        assert_counts_of(world)


def assert_counts_of(world: World) -> None:
    engine = open_ledger(str(world.engine.url))
    assert_counts(engine)
    engine.dispose()


def _take(world: World, model: Model, step: Step) -> None:
    book = world.book(model.now)
    if isinstance(step, Correct):
        step = model.corrected(step) or Bounce()
    if isinstance(step, File):
        _read(world, model, step)
    elif isinstance(step, Pass):
        model.now += step.hours
        _let_leave(world, model, step.fates)
    elif isinstance(step, Refuse):
        world.refuse(step.keys, model.now)
        model.refuse(step.keys)
    else:
        for row in book.messages(MessageState.SUBMITTING):
            book.come_back(row["id"], row["withdrawn"])
        model.bounce()


def _read(world: World, model: Model, file: File) -> None:
    if set(file.appointments) - file.bad:
        is_killed = not model.belated(file)  # one that is killed after it wrote these leaves them out then
        world.read(file if is_killed else replace(file, killed_at=None), model.now)
        model.read(file)


def _let_leave(world: World, model: Model, fates: tuple[MessageState, ...]) -> None:
    now_ms = LONG_AHEAD_MS + model.now * HOUR_MS
    rows = [
        row
        for row in world.book(model.now).messages(MessageState.QUEUED)
        if row["due_at"] <= now_ms < row["leave_by"]
    ]
    leaving = {_reminder(row): row["id"] for row in rows}
    assert set(leaving) == model.due()
    assert len(leaving) == len(rows)
    fate_of = {each: fates[n % len(fates)] for n, each in enumerate(sorted(leaving))}
    for each, fate in fate_of.items():
        world.book(model.now).set_states([leaving[each]], fate)
        if fate not in {MessageState.SUBMITTING, MessageState.FAILED}:
            world.departed.append(each)
    model.leave(fate_of)
