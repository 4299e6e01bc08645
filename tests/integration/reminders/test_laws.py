"""Random files, one after the other, against a small model of what reminders are."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.appointments import HOUR_MS, LONG_AHEAD_MS, Book, csv_of, number
from tests.ledgers import assert_counts
from worker.ledger.engine import open_ledger
from worker.ledger.schema import prepare
from worker.states import MessageState

Reminder = tuple[int, int, int]  # key, hours before, hour of the appointment

KEYS = range(4)
HOURS = range(0, 60, 6)
BEFORES = (24, 12, 2)
OTHER = 100
"""What the other number of a key is higher by."""


@dataclass(frozen=True)
class File:
    """One run: appointments by key, keys whose number is wrong or another, offsets, and when it is killed."""

    appointments: dict[int, int]
    bad: frozenset[int]
    other: frozenset[int]
    befores: tuple[int, ...]
    keeps_removed: bool
    killed_at: int | None


@dataclass(frozen=True)
class Pass:
    """So many hours go by; then what is due leaves, each with what becomes of it."""

    hours: int
    fates: tuple[MessageState, ...]


@dataclass(frozen=True)
class Bounce:
    """What was on its way is refused for now, and queued again."""


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
steps = st.lists(st.one_of(files, files, passes, st.just(Bounce())), min_size=1, max_size=8)


@dataclass
class Model:
    """What is queued, and what has left, been given up or is on its way; and which go to the other number."""

    now: int = 0
    queued: set[Reminder] = field(default_factory=set)
    elsewhere: set[Reminder] = field(default_factory=set)
    gone: set[Reminder] = field(default_factory=set)
    flying: set[Reminder] = field(default_factory=set)  # of these
    called_back: set[Reminder] = field(default_factory=set)  # of these

    def read(self, file: File) -> None:
        """Let what is queued be what a file asks for."""
        good = {key: at for key, at in file.appointments.items() if key not in file.bad}
        if not good:
            return
        kept = {each for each in self.queued if self._stays(each, file, good)}
        wanted = {
            (key, before, at)
            for key, at in good.items()
            for before in file.befores
            if at - before > self.now and (key, before, at) not in self.gone
        }
        self.queued = kept | wanted
        self.elsewhere = {each for each in self.elsewhere - wanted if each in self.queued | self.flying}
        self.elsewhere |= {each for each in wanted if each[0] in file.other}
        for each in self.flying:
            key, before, at = each
            if key in good and before in file.befores and good[key] == at:
                self.called_back.discard(each)
            elif not self._stays(each, file, good):
                self.called_back.add(each)

    def _stays(self, reminder: Reminder, file: File, good: dict[int, int]) -> bool:
        key, before, at = reminder
        if key in good and before in file.befores:
            return good[key] == at
        is_unclear = key in file.appointments and key in file.bad
        return is_unclear or file.keeps_removed

    def due(self) -> set[Reminder]:
        """Return what may leave now."""
        return {each for each in self.queued if each[2] - each[1] <= self.now < each[2]}

    def leave(self, fates: dict[Reminder, MessageState]) -> None:
        """Let some leave, each with its fate."""
        self.queued -= set(fates)
        self.gone |= set(fates)
        self.flying |= {each for each, fate in fates.items() if fate is MessageState.SUBMITTING}

    def bounce(self) -> None:
        """Queue again what is on its way; what was called back is cancelled, as if it had never been."""
        self.queued |= self.flying - self.called_back
        self.gone -= self.flying
        self.flying, self.called_back = set(), set()


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
            if row["leave_by"] > LONG_AHEAD_MS - 100 * HOUR_MS  # it is not closed
        ]

    def book(self, now: int) -> Book:
        """Return the ledger's series at a time."""
        return Book(engine=self.engine, folder=self.folder, now_ms=LONG_AHEAD_MS + now * HOUR_MS)


def _number(key: int, file: File) -> str:
    return number(key + OTHER if key in file.other else key)


def _reminder(row: dict[str, Any]) -> Reminder:
    key = (int(row["msisdn"]) - int(number(0))) % OTHER
    version = (row["version"] - LONG_AHEAD_MS) // HOUR_MS
    before = row["before_ms"] // HOUR_MS
    due = (row["due_at"] - LONG_AHEAD_MS) // HOUR_MS
    assert (due, row["expires_at"]) == (version - before, row["version"])
    return key, before, version


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
    empty_ledger: Path, steps: list[File | Pass | Bounce]
) -> None:
    with TemporaryDirectory(prefix="bs-laws-") as folder:
        world, model = World(Path(folder), empty_ledger), Model()
        try:
            for step in steps:
                _take(world, model, step)
                expected = [(each, each in model.elsewhere) for each in model.queued]
                assert sorted(world.queued(model.now)) == sorted(expected)
        finally:
            world.engine.dispose()
        assert len(world.departed) == len(set(world.departed))
        assert_counts_of(world)


def assert_counts_of(world: World) -> None:
    engine = open_ledger(str(world.engine.url))
    assert_counts(engine)
    engine.dispose()


def _take(world: World, model: Model, step: File | Pass | Bounce) -> None:
    book = world.book(model.now)
    if isinstance(step, File):
        if set(step.appointments) - step.bad:
            world.read(step, model.now)
            model.read(step)
    elif isinstance(step, Pass):
        model.now += step.hours
        _let_leave(world, model, step.fates)
    else:
        for row in book.messages(MessageState.SUBMITTING):
            book.come_back(row["id"], row["withdrawn"])
        model.bounce()


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
        if fate is not MessageState.SUBMITTING:
            world.departed.append(each)
    model.leave(fate_of)
