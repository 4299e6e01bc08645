"""What a file of appointments would do to its series: judged against the ledger, of which nothing changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, Engine

from producer.reminders.cutting import BATCHES_AT_ONCE, chunks
from producer.reminders.fates import fates_of
from producer.reminders.outlook import Missed, missed_of
from producer.reminders.sheet import Planned, Sheet, Verdict
from producer.reminders.verdicts import verdict_on
from worker.ledger import reminded
from worker.ledger.drafts import NewCampaign
from worker.ledger.engine import reading
from worker.ledger.moving import ROWS_AT_ONCE
from worker.ledger.reminded import REMOVED, Known, Occasion

_KEPT = 100

OnRows = Callable[[int], None]


@dataclass(kw_only=True)
class Comparison:
    """What a run would do to its series.

    Attributes:
        n_open: reminders of it that are queued.
        gone: how many of them would be cancelled, with nothing in their place, by how long before;
            ``n_removed`` of these because the file does not have their appointment.
        changing: batches with reminders that do not stay as they are.
        doubled: new reminders that go to the same number, of the same appointment and so long before it, as
            one that another series has queued: by that series.
        others: campaigns of other series that were there before that was looked up.
        n_missed: appointments ahead of which nobody is reminded, and was not; ``missed`` has the first.
        n_over: appointments that are over, of which no reminder is known: there was none, or it was pruned;
            ``over`` has the first.
    """

    n_open: int = 0
    gone: Counter[int] = field(default_factory=Counter)
    n_removed: int = 0
    changing: list[int] = field(default_factory=list)
    doubled: Counter[str] = field(default_factory=Counter)
    others: frozenset[int] = frozenset()
    n_missed: int = 0
    missed: list[Missed] = field(default_factory=list)
    n_over: int = 0
    over: list[Missed] = field(default_factory=list)

    @property
    def n_gone(self) -> int:
        """How many would be cancelled, with nothing in their place."""
        return self.gone.total()


def compare(  # noqa: PLR0913 - what decides it, and whom it tells
    engine: Engine | None,
    campaign: NewCampaign,
    sheet: Sheet,
    *,
    now_ms: int,
    keeps_removed: bool,
    on_rows: OnRows | None = None,
    on_pause: Callable[[], None] = lambda: None,
) -> Comparison:
    """Judge every reminder that a file asks for, and look at every one that is queued.

    Args:
        engine: of the ledger; None: there is none, so that everything is new.
        campaign: the one of what is new.
        sheet: what the file asks for; keeps the verdicts.
        now_ms: epoch ms, as when the file was read.
        keeps_removed: what is queued and not in the file stays.
        on_rows: told how many of the file were judged.
        on_pause: called between two looks.
    """
    comparer = _Comparer(engine, campaign, sheet, now_ms=now_ms, on_rows=on_rows, on_pause=on_pause)
    return comparer.run(keeps_removed)


_FOLLOWS = frozenset({Verdict.CORRECTED, Verdict.RENUMBER, Verdict.REWRITTEN})  # the number of its row


class _Comparer:
    def __init__(  # noqa: PLR0913 - as ``compare``
        self,
        engine: Engine | None,
        campaign: NewCampaign,
        sheet: Sheet,
        *,
        now_ms: int,
        on_rows: OnRows | None,
        on_pause: Callable[[], None],
    ) -> None:
        self._engine = engine
        self._campaign = campaign
        self._series = str(campaign.series)
        self._sheet = sheet
        self._now_ms = now_ms
        self._on_rows = on_rows
        self._on_pause = on_pause
        self._found = Comparison()

    def run(self, keeps_removed: bool) -> Comparison:  # noqa: FBT001 - a name would say no more
        if self._engine is not None:
            with reading(self._engine) as connection:
                self._found.others = reminded.others(connection, self._series)
        self._judge()
        if self._engine is not None:
            self._look_at_open(self._engine, keeps_removed=keeps_removed)
        for missed in chunks(missed_of(self._sheet), ROWS_AT_ONCE):
            self._note_missed(missed)
        return self._found

    def _judge(self) -> None:
        after = 0
        while planned := self._sheet.undecided(after=after, limit=ROWS_AT_ONCE):
            self._judge_some(planned)
            after = planned[-1].id
            if self._on_rows:
                self._on_rows(len(planned))
            self._on_pause()

    def _judge_some(self, planned: Sequence[Planned]) -> None:
        if self._engine is None:
            self._sheet.judge((each.id, Verdict.NEW, None) for each in planned if each.verdict is None)
            return
        with reading(self._engine) as connection:
            known = reminded.known(connection, self._campaign, [each.slot for each in planned])
            verdicts = [(each, *_judged(each, known.get(each.slot, ()))) for each in planned]
            if self._found.others:
                new = [each for each, verdict, _ in verdicts if verdict is Verdict.NEW]
                self._found.doubled.update(_doubled(connection, new, series=self._series))
        self._sheet.judge((each.id, verdict, moves) for each, verdict, moves in verdicts)

    def _look_at_open(self, engine: Engine, *, keeps_removed: bool) -> None:
        with reading(engine) as connection:
            open_batches = reminded.open_batches(connection, self._series)
        found = self._found
        for batch_ids in chunks(open_batches, BATCHES_AT_ONCE):
            fates = fates_of(engine, self._sheet, batch_ids, keeps_removed=keeps_removed)
            found.n_open += sum(each.reminder.is_queued for each in fates)
            found.gone.update(each.reminder.slot.before_ms for each in fates if each.is_gone)
            found.n_removed += sum(each.is_gone and each.code == REMOVED for each in fates)
            found.changing += sorted({each.reminder.batch_id for each in fates if each.changes})
            self._on_pause()

    def _note_missed(self, missed: Sequence[Missed]) -> None:
        """Count those of some appointments with no reminder to come of which there was none before."""
        before: set[tuple[str, int]] = set()
        if self._engine is not None:
            with reading(self._engine) as connection:
                appointments = [(each.key, each.version) for each in missed]
                before = reminded.reminded_of(connection, appointments, series=self._series)
        ours = [each for each in missed if (each.key, each.version) not in before]
        ahead = [each for each in ours if each.version > self._now_ms]
        over = [each for each in ours if each.version <= self._now_ms]
        found = self._found
        found.n_missed += len(ahead)
        found.missed += ahead[: _KEPT - len(found.missed)]
        found.n_over += len(over)
        found.over += over[: _KEPT - len(found.over)]
        self._on_pause()


def _judged(planned: Planned, known: Sequence[Known]) -> tuple[str, int | None]:
    """Judge a reminder; one whose moment is over is sent only where its number was corrected."""
    verdict, moves = verdict_on(planned.version, planned.msisdn, known)
    if planned.verdict is not None and verdict not in _FOLLOWS:
        return planned.verdict, None
    return verdict, moves


def doubled_of(
    engine: Engine, sheet: Sheet, *, series: str, on_pause: Callable[[], None] = lambda: None
) -> Counter[str]:
    """Count, by series, the new reminders of a sheet that another one has queued by now."""
    found: Counter[str] = Counter()
    after = 0
    while new := sheet.new(after=after, limit=ROWS_AT_ONCE):
        with reading(engine) as connection:
            found.update(_doubled(connection, new, series=series))
        after = new[-1].id
        on_pause()
    return found


def _doubled(connection: Connection, new: Sequence[Planned], *, series: str) -> list[str]:
    """Return the series of each of some new reminders, at most 500, that another one has queued."""
    occasions = [Occasion(each.msisdn, each.version, each.slot.before_ms) for each in new]
    doubled = reminded.elsewhere(connection, occasions, series=series)
    return [doubled[each] for each in occasions if each in doubled]
