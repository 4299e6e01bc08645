"""Importing: an order becomes a campaign in the ledger, wholly or not at all."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from sqlalchemy import Engine

from producer.ahead import Ahead
from producer.campaigns import clear
from producer.preview import Order, Preview
from producer.spool import Spool
from worker.errors import InputError, LedgerError
from worker.ledger import campaigns, claims, interrupted
from worker.ledger.claims import Identity
from worker.ledger.drafts import BATCH_ROWS, NewCampaign, NewMessage, SourceCounts, batched, together
from worker.ledger.engine import LedgerUnavailableError, reading, writing

OnMessages = Callable[[int], None]


class LateInterrupt(KeyboardInterrupt):
    """Ctrl-C that came too late to keep a campaign from being released; the message says what is known."""


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """What was previewed and is to be imported: the findings, the messages, and what makes a repeat of it."""

    found: Preview
    messages: Spool
    identity: Identity


def make_room(engine: Engine, identity: Identity) -> list[int]:
    """Put away what an interrupted import of the same order left behind; return those campaigns.

    Raises:
        InputError: the same order was sent before, or is being imported now.
    """
    with writing(engine) as connection:
        given_way = claims.require_new(connection, identity)
    for campaign_id in given_way:
        clear(engine, campaign_id)
    return given_way


def refuse_repeat(engine: Engine, identity: Identity) -> None:
    """Refuse an order that was sent before; raises InputError. Nothing is changed."""
    with reading(engine) as connection:
        claims.refuse_repeat(connection, identity)


def create(engine: Engine, order: Order, prepared: Prepared, *, on_messages: OnMessages | None = None) -> int:
    """Write a previewed order into the ledger, batch by batch, and release it; return the campaign's id.

    Until the release nothing of it is due. What an interruption leaves behind is discarded here; after a
    kill it can be finished, or gives way to the next try of the same order.

    Raises:
        InputError: the same order was sent before, or is being imported now.
        LedgerError: the ledger is away; nothing was released, unless the sentence says that it may be.
        LateInterrupt: Ctrl-C came when the release was made, or may have been made.
    """
    with interrupts_held_back() as check:
        with writing(engine) as connection:
            claims.require_new(connection, prepared.identity)
            importer = campaigns.create(connection, _new(order, prepared))
            claims.take(connection, prepared.identity, importer.campaign_id)
        import_ = _Import(engine, importer, check=check)
        with import_.ending(import_.abandon):
            import_.add(prepared.messages, on_messages=on_messages)
            import_.release(prepared)
    return importer.campaign_id


def finish(
    engine: Engine, campaign_id: int, prepared: Prepared, *, on_messages: OnMessages | None = None
) -> None:
    """Finish an interrupted import: write the messages that are missing, and release the campaign.

    Batches are written in the order of the file, so those that are there are its first messages. An
    interruption leaves the campaign to be finished later.

    Raises:
        InputError: another program is finishing it, or has; or what would be sent is not what was previewed,
            or was sent since.
        LedgerError: the ledger is away; nothing was released, unless the sentence says that it may be.
        LateInterrupt: Ctrl-C came when the release was made, or may have been made.
    """
    with interrupts_held_back() as check:
        with writing(engine) as connection:
            _require_same(interrupted.find(connection, campaign_id), prepared.found, campaign_id)
            claims.require_not_overtaken(connection, prepared.identity, campaign_id)
            importer, n_there = interrupted.take_over(connection, campaign_id)
        import_ = _Import(engine, importer, check=check)
        with import_.ending(import_.let_go):
            if on_messages:
                on_messages(n_there)
            import_.add(islice(prepared.messages, n_there, None), on_messages=on_messages)
            import_.release(prepared)


def _new(order: Order, prepared: Prepared) -> NewCampaign:
    return NewCampaign(
        name=order.name,
        fingerprint=prepared.found.fingerprint,
        provider=order.account.name,
        sender=order.sender,
        template=order.template,
        text=prepared.found.text,
        options=order.options,
        source=order.path.name,
        reading={**order.reading, "key": prepared.identity.key, "prices": order.prices},
        fallback=prepared.found.fallback,
        lane=order.lane,
        udh_bits=order.characters.udh_bits,
        leaves_at=order.leaves_at,
        wants_notice=order.wants_notice,
        purpose=order.purpose,
        headers=prepared.found.headers,
        **_times(order, prepared.found),
    )


def _times(order: Order, found: Preview) -> dict[str, Any]:
    """Give what a campaign keeps of when it leaves."""
    timing, windows = order.schedule, found.plan.windows
    if timing is None:
        return {}
    kept = None if windows.is_always else windows.to_json()
    return {"zone": timing.zone, "late": timing.late, "windows": kept}


def _require_same(kept: NewCampaign, found: Preview, campaign_id: int) -> None:
    if kept.fingerprint != found.fingerprint:
        raise InputError(
            f"The file, the prices or the settings have changed since campaign {campaign_id} was begun: "
            f"put it away with `bulksend campaign discard {campaign_id}`, then send again",
            code="changed_since",
        )


class _Import:
    """An import under way, and the lease that each batch renews."""

    def __init__(self, engine: Engine, importer: campaigns.Importer, *, check: Callable[[], None]) -> None:
        self._engine = engine
        self._importer = importer
        self._check = check
        self._is_releasing = False

    @contextlib.contextmanager
    def ending(self, give_up: Callable[[], bool]) -> Iterator[None]:
        """Give up what ends before its release; say so where it may be released all the same.

        Args:
            give_up: abandon it, or let it go; whether it was ours until then.

        Raises:
            LateInterrupt: Ctrl-C came when it was released, or may have been.
            LedgerError: the ledger went away in the release, and may have made it.
        """
        try:
            yield
        except BaseException as error:
            is_given_up = False
            with contextlib.suppress(KeyboardInterrupt):  # one more changes nothing
                is_given_up = give_up()
            if is_given_up or not self._is_releasing:
                raise
            raise self._doubt(error) from None
        try:
            self._check()
        except KeyboardInterrupt:
            raise LateInterrupt(self._sentence("is released")) from None

    def _doubt(self, error: BaseException) -> BaseException:
        """Say that the campaign may be released, where the error leaves that open."""
        words = self._sentence("may be released")
        if isinstance(error, KeyboardInterrupt):
            return LateInterrupt(words)
        return LedgerError(f"{error}. {words}") if isinstance(error, LedgerUnavailableError) else error

    def _sentence(self, what: str) -> str:
        number = self._importer.campaign_id
        return f"Campaign {number} {what}: see `bulksend campaign show {number}`"

    def add(self, messages: Iterable[NewMessage], *, on_messages: OnMessages | None) -> None:
        rows = campaigns.rows_at_once(self._engine)
        ahead = Ahead(batched(messages), most=rows // BATCH_ROWS)
        for chunks in together(ahead, rows=rows):
            self._check()
            with writing(self._engine) as connection:
                renewed = campaigns.add_batches(connection, self._importer, chunks, meanwhile=ahead.fetch)
            self._importer = renewed
            if on_messages:
                on_messages(sum(map(len, chunks)))

    def release(self, prepared: Prepared) -> None:
        self._check()
        found = prepared.found
        counts = SourceCounts(
            rows=found.rows, duplicates=found.duplicates, refused=found.refused, skipped=found.skipped
        )
        self._is_releasing = True
        with writing(self._engine) as connection:
            claims.move(connection, prepared.identity, self._importer.campaign_id)
            campaigns.release(connection, self._importer, counts)

    def abandon(self) -> bool:
        """Put the unfinished campaign away, as the next try of the order would; False when that failed."""
        is_ours = False
        with contextlib.suppress(LedgerError):
            with writing(self._engine) as connection:
                is_ours = campaigns.abandon(connection, self._importer)
            if is_ours:
                clear(self._engine, self._importer.campaign_id)
        return is_ours

    def let_go(self) -> bool:
        """Leave the unfinished campaign to whoever finishes it, at once; False when that failed."""
        with contextlib.suppress(LedgerError), writing(self._engine) as connection:
            return campaigns.let_go(connection, self._importer)
        return False


@contextlib.contextmanager
def interrupts_held_back() -> Iterator[Callable[[], None]]:
    """Give a check that raises what Ctrl-C would have raised before; a second Ctrl-C is not held back.

    A transaction that it tears apart keeps its locks as long as the traceback lives, and nothing could be put
    away.
    """
    came: list[int] = []

    def note(number: int, _frame: object) -> None:
        came.append(number)
        if len(came) > 1:
            raise KeyboardInterrupt

    def check() -> None:
        if came:
            raise KeyboardInterrupt

    former = signal.getsignal(signal.SIGINT)
    is_ours = former is signal.default_int_handler  # not where somebody ignores it, as nohup does
    if is_ours:
        signal.signal(signal.SIGINT, note)
    try:
        yield check
    finally:
        if is_ours:
            signal.signal(signal.SIGINT, former)
