"""One run over a file of appointments: it takes its series, compares, and catches up, or leaves no trace.

What a run has not finished is finished by giving the same command again: its new messages become visible all
at once, in the end, and everything else is right as soon as it is written.
"""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from sqlalchemy import Engine

from producer.campaigns import clear
from producer.preview import Preview
from producer.reminders.comparing import Comparison, OnRows, compare, doubled_of
from producer.reminders.cutting import BATCHES_AT_ONCE, chunks, transactions
from producer.reminders.fates import Fate, fates_of
from producer.reminders.outlook import figures_of
from producer.reminders.reading import Read, Wish
from producer.reminders.sheet import WRITTEN, Sheet, Verdict
from worker.errors import LedgerError
from worker.ledger import campaigns, moving, orders, reminded, reminding
from worker.ledger.drafts import NewCampaign, SourceCounts
from worker.ledger.engine import control_lock, writing
from worker.ledger.moving import ROWS_AT_ONCE, Changed
from worker.ledger.reminded import REMOVED
from worker.ledger.reminding import Draft

_RENEWED_EVERY_S = 5.0
_DONE: Mapping[tuple[str | None, bool], Verdict] = {
    # what was to be changed, and whether that was done in its place
    (Verdict.MOVE, True): Verdict.MOVED,
    (Verdict.MOVE, False): Verdict.AGAIN,
    (Verdict.RENUMBER, True): Verdict.RENUMBERED,
    (Verdict.RENUMBER, False): Verdict.REWRITTEN,
}


class Run:
    """A run that has its series until it ends."""

    def __init__(self, engine: Engine, wish: Wish, read: Read, sheet: Sheet) -> None:
        """Take the series.

        Raises:
            InputError: another run of it is under way.
        """
        self._engine = engine
        self._wish = wish
        self._read = read
        self._sheet = sheet
        self._keeps_removed = False
        self._changing: list[int] = []  # batches
        self._others: frozenset[int] = frozenset()  # campaigns of other series, and no double in them
        self.gone: Counter[int] = Counter()  # cancelled with nothing in their place, by how long before
        self.n_removed = 0  # of these, not in the file
        with writing(engine) as connection:
            self._importer, left = reminding.begin(connection, campaign_of(wish, read))
        self._renewed_at = time.monotonic()
        self.discarded = left
        for campaign_id in left:
            clear(engine, campaign_id)
            self._renew()

    @property
    def campaign_id(self) -> int:
        """The campaign of its new messages."""
        return self._importer.campaign_id

    def _renew(self) -> None:
        """Keep the series while nothing is written."""
        if time.monotonic() - self._renewed_at < _RENEWED_EVERY_S:
            return
        with writing(self._engine) as connection:
            self._importer = campaigns.renew(connection, self._importer)
        self._renewed_at = time.monotonic()

    def compare(self, *, keeps_removed: bool, on_rows: OnRows | None = None) -> Comparison:
        """Judge what the file asks for, and look at what is queued; changes nothing.

        Args:
            keeps_removed: what is queued and not in the file stays.
            on_rows: told how many of the file were judged.
        """
        self._keeps_removed = keeps_removed or self._read.n_keyless > 0
        compared = compare(
            self._engine,
            campaign_of(self._wish, self._read),
            self._sheet,
            now_ms=self._wish.timing.now_ms,
            keeps_removed=self._keeps_removed,
            on_rows=on_rows,
            on_pause=self._renew,
        )
        self._changing = compared.changing
        self._others = compared.others
        return compared

    def _fates(self, batch_ids: Sequence[int]) -> list[Fate]:
        return fates_of(self._engine, self._sheet, batch_ids, keeps_removed=self._keeps_removed)

    def figures(self) -> Preview:
        """Say what the new messages come to, in the figures of a preview."""
        return figures_of(self._wish, self._read, self._sheet)

    # --- catch up

    def apply(self, *, author: str, check: Callable[[], None], on_rows: OnRows | None = None) -> None:
        """Move and withdraw what is queued, then write what is new; nothing of that can leave yet.

        Args:
            author: who ordered it.
            check: called between two transactions; may raise to end it here.
            on_rows: told how many new messages were written.

        Raises:
            LedgerError: the ledger is away, or another run has the series now.
        """
        told: set[int] = set()
        for batch_ids in chunks(self._changing, BATCHES_AT_ONCE):
            check()
            fates = [each for each in self._fates(batch_ids) if each.changes]
            for some in chunks(fates, ROWS_AT_ONCE):
                self._change(some, author=author, told=told)
        self._sheet.give_up_moves()
        for batches in transactions(self._sheet.to_write()):
            check()
            self._add(batches)
            if on_rows:
                on_rows(sum(map(len, batches)))

    def _change(self, fates: Sequence[Fate], *, author: str, told: set[int]) -> None:
        text = self._read.found.text
        moves = {
            each.reminder.message_id: self._sheet.draft(each.moves, text=text) for each in fates if each.moves
        }
        withdrawals = {each.reminder.message_id: each.code for each in fates if each.code or each.restores}
        replaced = [each.reminder.message_id for each in fates if each.gives_way]
        concerned = {each.reminder.campaign_id for each in fates} - told
        with writing(self._engine) as connection:
            self._importer, done = moving.change(
                connection,
                self._importer,
                series=self._wish.series,
                moves=moves,
                withdrawals=withdrawals,
                replaced=replaced,
            )
            for campaign_id in sorted(concerned):
                orders.note(
                    connection,
                    orders.REMIND,
                    author=author,
                    campaign_id=campaign_id,
                    detail=f"a newer file of the series {self._wish.series} moves or removes some",
                )
        told |= concerned
        self._renewed_at = time.monotonic()
        self._note(fates, done)

    def _note(self, fates: Sequence[Fate], done: Changed) -> None:
        for each in fates:
            number = each.reminder.message_id
            is_wanted = each.planned is not None and each.planned.verdict == Verdict.SAME
            if each.restores and each.planned and is_wanted and number not in done.restored:  # it came back
                self._sheet.judge([(each.planned.id, Verdict.NEW, None)])
            if each.moves and number in done.moved | done.withdrawn:
                verdict = _DONE[each.moves.verdict, number in done.moved]
                self._sheet.judge([(each.moves.id, verdict, None)])
            if each.gives_way and each.planned and number in done.withdrawn | done.closed:
                verdict = Verdict.CORRECTED if number in done.closed else Verdict.REWRITTEN
                self._sheet.judge([(each.planned.id, verdict, None)])
            if each.is_gone and number in done.withdrawn:
                self.gone[each.reminder.slot.before_ms] += 1
                self.n_removed += each.code == REMOVED

    def _add(self, batches: Sequence[Sequence[Draft]]) -> None:
        with writing(self._engine) as connection:
            importer = reminding.add(connection, self._importer, batches, series=self._wish.series)
        self._importer = importer

    def counts(self) -> SourceCounts:
        """Return what became of rows x sends, as the campaign keeps it."""
        figures = self.figures()
        n_rows = figures.rows * len(self._wish.befores_ms)
        n_skipped = n_rows - figures.messages - figures.duplicates - figures.refused
        return SourceCounts(
            rows=n_rows, duplicates=figures.duplicates, refused=figures.refused, skipped=n_skipped
        )

    def skips(self) -> dict[str, int]:
        """Return why reminders have no new message, and how many each."""
        verdicts = self._sheet.verdicts()
        return {verdict: n for verdict, n in sorted(verdicts.items()) if verdict not in WRITTEN}

    def end(self, *, author: str, on_doubled: Callable[[Counter[str]], None]) -> int | None:
        """Release what is new, and return its campaign; None, and no campaign, where nothing is.

        Args:
            author: who ordered it.
            on_doubled: told how many of the new ones another series has queued since the comparison, by
                series; may raise, and then nothing is released.
        """
        if not any(verdict in WRITTEN for verdict in self._sheet.verdicts()):
            with writing(self._engine) as connection:
                reminding.drop(connection, campaigns.renew(connection, self._importer))
            return None
        counts = self.counts()
        while not self._release(counts, author=author):
            if doubled := doubled_of(
                self._engine, self._sheet, series=self._wish.series, on_pause=self._renew
            ):
                on_doubled(doubled)
        return self.campaign_id

    def _release(self, counts: SourceCounts, *, author: str) -> bool:
        """Release what is new, unless there are campaigns of other series that were not looked at."""
        series = self._wish.series
        with writing(self._engine) as connection:
            control_lock(connection, shared=False)  # one run after the other
            others = reminded.others(connection, series)
            is_known = others <= self._others
            self._others = others
            if is_known:
                campaigns.release(connection, self._importer, counts)
                orders.note(
                    connection,
                    orders.REMIND,
                    author=author,
                    campaign_id=self.campaign_id,
                    detail=f"the series {series}",
                )
        return is_known

    def give_up(self) -> bool:
        """Put away what is not released; False when it is not ours any more."""
        is_ours = False
        with contextlib.suppress(LedgerError):
            with writing(self._engine) as connection:
                is_ours = reminding.drop(connection, self._importer)
            if is_ours:
                clear(self._engine, self.campaign_id)
        return is_ours


def campaign_of(wish: Wish, read: Read) -> NewCampaign:
    """Make the campaign of what is new."""
    order, timing = wish.order, wish.timing
    return NewCampaign(
        name=order.name,
        fingerprint="",
        provider=order.account.name,
        sender=order.sender,
        template=order.template,
        text=read.found.text,
        options=order.options,
        source=order.path.name,
        fallback=read.found.fallback,
        lane=order.lane,
        udh_bits=order.characters.udh_bits,
        zone=timing.zone or timing.shown_in,
        windows=timing.widest.to_json() if timing.has_windows else None,
        late=timing.late,
        series=wish.series,
        wants_notice=order.wants_notice,
        purpose=order.purpose,
        headers=read.found.headers,
    )
