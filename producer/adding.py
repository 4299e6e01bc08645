"""Adding a further file to a campaign: read as the first one was, imported aside, and let in as a whole."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, cast

from sqlalchemy import Engine

from producer.campaigns import clear_added, open_added
from producer.importing import LateInterrupt, OnMessages, interrupts_held_back
from producer.preview import LookUp, Order
from producer.recipients import Row
from producer.schedule.timing import ALWAYS, Start, Timing
from worker.errors import LedgerError
from worker.ledger import adding, cells
from worker.ledger.adding import Addition, Ground
from worker.ledger.campaigns import Importer
from worker.ledger.drafts import NewMessage, batched, together
from worker.ledger.engine import LedgerUnavailableError, reading, writing
from worker.providers import Account
from worker.text.pricing import PriceTable
from worker.timing.windows import Windows
from worker.timing.words import Instant

_PIECE = 1 << 20


def digest(path: Path) -> str:
    """Return what tells a file from any other; raises OSError."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            found.update(piece)
    return found.hexdigest()


def as_frozen(order: Order, ground: Ground, *, there: LookUp, now_ms: int) -> Order:
    """Return an order that was made again as its campaign was given: at its prices, in its windows."""
    campaign = ground.campaign
    prices = cast("dict[str, Any]", campaign.reading.get("prices", {}))
    fallback = order.fallback if order.fallback and order.fallback.name == campaign.fallback else None
    return replace(
        order,
        account=_priced(order.account, prices),
        fallback=None if fallback is None else _priced(fallback, prices),
        timing=_later(order.timing or Timing(now_ms=now_ms), ground, now_ms=now_ms),
        there=there,
    )


def _priced(account: Account, prices: dict[str, Any]) -> Account:
    """Let an account cost what it cost when the campaign was made, as far as that was kept."""
    if account.name not in prices:
        return account
    return replace(account, prices=PriceTable.parse(prices[account.name]))


class _Later(Timing):
    """The times of a campaign for rows that come later: where they are over, it is now."""

    def start(self, row: Row) -> Start:
        """Return when a row is wanted, no earlier than now."""
        found = super().start(row)
        return replace(found, at_ms=max(found.at_ms, self.now_ms))

    def _require_ahead(self, at_ms: int) -> None:
        """Let the start of the campaign be over; a time of the row itself must not be."""
        super()._require_ahead(at_ms if self.column else max(at_ms, self.now_ms))


def _later(timing: Timing, ground: Ground, *, now_ms: int) -> Timing:
    written = ground.campaign.windows
    windows = Windows.from_json(written) if written else ALWAYS
    kept = {each.name: getattr(timing, each.name) for each in fields(timing)}
    if ground.starts_at is not None and not timing.column:
        kept["when"] = Instant(ground.starts_at)
    return _Later(**{**kept, "now_ms": now_ms, "windows": windows, "quiet": ALWAYS})


def look_up(engine: Engine, campaign_id: int) -> LookUp:
    """Return what tells which of some numbers are in the campaign already."""

    def there(numbers: Sequence[str]) -> Collection[str]:
        with reading(engine) as connection:
            return adding.there(connection, campaign_id, numbers)

    return there


@dataclass(frozen=True, kw_only=True)
class Told:
    """What is told on the way: messages of a former try that were cleared, and those written so far."""

    on_cleared: Callable[[int], None]
    on_messages: OnMessages


def add(
    engine: Engine, ground: Ground, messages: Iterable[NewMessage], addition: Addition, *, told: Told
) -> None:
    """Write a file that was previewed, batch by batch, and let it in; nothing of it is due before.

    What an interruption leaves behind is removed here, after a kill by the next try.

    Raises:
        InputError: the campaign takes nothing any more, or another program adds to it, or has meanwhile.
        LedgerError: it was cancelled meanwhile, or the ledger is away: nothing was added, unless the sentence
            says that it may be.
        LateInterrupt: Ctrl-C came when all was added.
    """
    messages, addition = _in_columns(messages, addition, ground.campaign.headers)
    with interrupts_held_back() as check:
        open_added(engine, ground.id)  # what a killed program has let in before
        with writing(engine) as connection:
            importer = adding.begin(connection, ground)
        is_letting_in = False
        try:
            if n_cleared := clear_added(engine, ground.id):
                told.on_cleared(n_cleared)
            for chunks in together(batched(messages)):
                check()
                with writing(engine) as connection:
                    renewed = adding.add_batches(connection, importer, chunks)
                importer = renewed
                told.on_messages(sum(map(len, chunks)))
            check()
            is_letting_in = True
            with writing(engine) as connection:
                adding.let_in(connection, importer, ground, addition)
        except BaseException as error:
            is_over = _undo(engine, importer)
            if is_over or not is_letting_in or not isinstance(error, LedgerUnavailableError):
                raise
            raise LedgerError(f"{error}. {_perhaps(ground.id)}") from None
        with suppress(LedgerUnavailableError):  # the tick opens it then
            open_added(engine, ground.id)
        try:
            check()
        except KeyboardInterrupt:
            raise LateInterrupt(f"The file was added to campaign {ground.id}.") from None


def _in_columns(
    messages: Iterable[NewMessage], addition: Addition, headers: Sequence[str] | None
) -> tuple[Iterable[NewMessage], Addition]:
    """Put the cells of messages into the columns that the campaign has with those of the file."""
    if headers is None or addition.headers is None:
        return messages, replace(addition, headers=headers)
    columns, places = cells.merged(headers, addition.headers)
    if columns != tuple(addition.headers):
        messages = (replace(each, cells=_laid_out(each.cells, places)) for each in messages)
    return messages, replace(addition, headers=columns)


def _laid_out(kept: str | None, places: Sequence[int]) -> str | None:
    row = cells.read(kept)
    return None if row is None else cells.written(cells.laid_out(row, places))


def _undo(engine: Engine, importer: Importer) -> bool:
    """Give our right up and remove what was written; False when that failed, or all was let in."""
    with suppress(LedgerError, KeyboardInterrupt):
        with writing(engine) as connection:
            is_ours = adding.give_up(connection, importer)
        if is_ours:
            clear_added(engine, importer.campaign_id)
        return is_ours
    return False


def _perhaps(campaign_id: int) -> str:
    return f"The file may be added: see `bulksend campaign show {campaign_id}`"
