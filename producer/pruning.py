"""Pruning what is old, a few rows at a time, so that nobody waits long for the ledger."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Engine

from worker.errors import ConfigError
from worker.ledger import pruning
from worker.ledger.engine import reading, writing
from worker.ledger.following import PATIENCE_MS
from worker.ledger.gone import numbers_key
from worker.ledger.pruning import Old
from worker.timing.durations import duration_words

OnRows = Callable[[int], None]


@dataclass(frozen=True, kw_only=True)
class Found:
    """What is old: campaigns, and how many raw reports of any campaign."""

    campaigns: Sequence[Old]
    n_pushes: int

    @property
    def n_messages(self) -> int:
        """Messages that have a number."""
        return sum(each.n_messages for each in self.campaigns)

    @property
    def n(self) -> int:
        """Steps of the work."""
        return self.n_messages + self.n_pushes


@dataclass(frozen=True, kw_only=True)
class Pruned:
    """What was done: campaigns, messages and raw reports; and campaigns that went on meanwhile."""

    campaigns: int
    messages: int
    pushes: int
    left_out: Sequence[int] = ()


def require_old(older_ms: int, *, patience_s: float) -> None:
    """Refuse an age at which gateways may still tell what became of a message.

    Raises:
        ConfigError: with the least age.
    """
    least = max(PATIENCE_MS, round(1000 * patience_s))
    if older_ms < least:
        raise ConfigError(
            f"--older-than: at least {duration_words(least)}: until then gateways may tell what became of a "
            "message, by its number"
        )


def look(engine: Engine, *, older_ms: int) -> Found:
    """Find what is older; changes nothing."""
    with reading(engine) as connection:
        campaigns = pruning.old(connection, older_ms=older_ms)
        return Found(campaigns=campaigns, n_pushes=pruning.n_pushes(connection, older_ms=older_ms))


def prune(
    engine: Engine, found: Found, *, older_ms: int, author: str, on_rows: OnRows = lambda _: None
) -> Pruned:
    """Remove it; what an interruption leaves is found by the next look."""
    n_messages, left_out = 0, []
    with reading(engine) as connection:
        key = numbers_key(connection)
    for each in found.campaigns:
        n = _prune_campaign(engine, each.id, older_ms=older_ms, author=author, key=key, on_rows=on_rows)
        if n is None:
            left_out.append(each.id)
        n_messages += n or 0
    return Pruned(
        campaigns=len(found.campaigns) - len(left_out),
        messages=n_messages,
        pushes=_prune_pushes(engine, older_ms=older_ms, on_rows=on_rows),
        left_out=left_out,
    )


def _prune_campaign(  # noqa: PLR0913 - what all of its transactions share
    engine: Engine, campaign_id: int, *, older_ms: int, author: str, key: bytes, on_rows: OnRows
) -> int | None:
    """Prune one campaign and return how many messages that were; None where it goes on again."""
    with reading(engine) as connection:
        if not pruning.is_old(connection, campaign_id, older_ms=older_ms):
            return None
    with writing(engine) as connection:
        if not pruning.begin(connection, campaign_id, older_ms=older_ms):
            return None
    total, after = 0, 0
    while True:
        with writing(engine) as connection:
            n, until = pruning.prune_some(connection, campaign_id, after=after, key=key)
        if until is None:
            break
        total, after = total + n, until
        on_rows(n)
    with writing(engine) as connection:
        pruning.end(connection, campaign_id, pruning.order_of(author), n=total)
    return total


def _prune_pushes(engine: Engine, *, older_ms: int, on_rows: OnRows) -> int:
    total, after = 0, 0
    while True:
        with writing(engine) as connection:
            n, until = pruning.prune_pushes(connection, after=after, older_ms=older_ms)
        if until is None:
            return total
        total, after = total + n, until
        on_rows(n)
