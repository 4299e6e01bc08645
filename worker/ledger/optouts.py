"""Opt-outs: which numbers want no messages, of what scope, since when; checked again by every mark.

A number is known by a digest under the ledger's own key (HMAC-SHA-256, RFC 2104), so the list serves without
the numbers. An opt-out takes the control lock exclusively: once it has returned, it holds for every later
mark.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Connection, TableValuedAlias, cast, func, select, update
from sqlalchemy.dialects.postgresql import JSONB

from worker.ledger.engine import control_lock, now_ms, now_of
from worker.ledger.given import execute_given
from worker.ledger.models import LEDGER_KEYS, OPT_OUTS
from worker.states import OptOutSource
from worker.text.targets import kind_of

CODE = "opted_out"
"""Of a message that was not sent because its number wants none."""

AT_ONCE = 200
"""Opt-outs of one transaction, well within SQLite's 50 ms."""

_KEY_ID_DIGITS = 8


# --- digests


def key_of(connection: Connection) -> bytes:
    """Return the secret under which numbers are digested."""
    query = select(LEDGER_KEYS.c.secret).where(LEDGER_KEYS.c.name == "optouts")
    return bytes.fromhex(connection.execute(query).scalar_one())


def key_id(key: bytes) -> str:
    """Name a key without telling it: a digest says nothing in the ledger of another one."""
    return hashlib.sha256(key).hexdigest()[:_KEY_ID_DIGITS]


def digest(key: bytes, msisdn: str) -> str:
    """Return what a number (E.164 with plus) is known by."""
    return hmac.digest(key, msisdn.encode(), "sha256").hex()


# --- looking


def stopped(
    connection: Connection,
    key: bytes,
    msisdns: Iterable[str],
    scopes: Sequence[str],
    *,
    as_of: int | None = None,
) -> set[str]:
    """Return which of some numbers want nothing of these scopes.

    Args:
        connection: of an open transaction.
        key: of the ledger.
        msisdns: E.164 with plus; groups and contacts of a gateway are nobody's number.
        scopes: any of these is enough.
        as_of: as the ledger knew it then, in epoch milliseconds; None: now.
    """
    by_digest = {digest(key, msisdn): msisdn for msisdn in msisdns if not kind_of(msisdn)}
    if not by_digest or not scopes:
        return set()
    asked = _as_table(connection, list(by_digest))
    held = (
        select(OPT_OUTS.c.scope)
        .where(OPT_OUTS.c.digest == asked.c.value, OPT_OUTS.c.scope.in_(scopes), _holds(as_of))
        .order_by(OPT_OUTS.c.digest, OPT_OUTS.c.scope)  # of the index: whatever Postgres knows of the table
        .limit(1)
        .scalar_subquery()
    )
    query = select(asked.c.value).where(held.is_not(None))
    return {by_digest[each] for each in connection.scalars(query)}


def _as_table(connection: Connection, words: Sequence[str]) -> TableValuedAlias:
    """Hand words over in one value: a list of parameters is compiled anew for each length."""
    if connection.dialect.name == "postgresql":
        return func.jsonb_array_elements_text(cast(list(words), JSONB)).table_valued("value")
    return func.json_each(json.dumps(words)).table_valued("value")


def _holds(as_of: int | None = None) -> ColumnElement[bool]:
    """Say, as SQL, that an opt-out holds, or held then."""
    if as_of is None:
        return OPT_OUTS.c.ended_at.is_(None)
    was_over = OPT_OUTS.c.ended_at.is_not(None) & (OPT_OUTS.c.ended_at <= as_of)
    return (OPT_OUTS.c.noted_at <= as_of) & ~was_over


def has_any(connection: Connection) -> bool:
    """Say whether anybody ever opted out; cheap."""
    return connection.execute(select(OPT_OUTS.c.digest).limit(1)).one_or_none() is not None


def of_number(connection: Connection, msisdn: str) -> list[dict[str, Any]]:
    """Return what holds for a number: scope, source, provider, at."""
    wanted = OPT_OUTS.c.digest == digest(key_of(connection), msisdn), _holds()
    columns = [OPT_OUTS.c[name] for name in ("scope", "source", "provider", "at")]
    found = connection.execute(select(*columns).where(*wanted).order_by(OPT_OUTS.c.scope))
    return [dict(row) for row in found.mappings()]


def counts(connection: Connection) -> list[tuple[str, str, int]]:
    """Count what holds: scope, source, how many."""
    kinds = OPT_OUTS.c.scope, OPT_OUTS.c.source
    query = select(*kinds, func.count()).where(_holds()).group_by(*kinds).order_by(*kinds)
    return [(scope, source, int(n)) for scope, source, n in connection.execute(query)]


def newest(connection: Connection, *, limit: int) -> list[dict[str, Any]]:
    """Return the newest that hold, newest first."""
    last = (
        select(OPT_OUTS).where(_holds()).order_by(OPT_OUTS.c.at.desc(), OPT_OUTS.c.digest, OPT_OUTS.c.scope)
    )
    return [dict(row) for row in connection.execute(last.limit(limit)).mappings()]


def page(connection: Connection, *, after: tuple[str, str], limit: int) -> list[dict[str, Any]]:
    """Return the next that hold, in the order of the key; begin after two empty words."""
    digest_, scope = after
    rest = (OPT_OUTS.c.digest > digest_) | ((OPT_OUTS.c.digest == digest_) & (OPT_OUTS.c.scope > scope))
    query = select(OPT_OUTS).where(OPT_OUTS.c.digest >= digest_, rest, _holds())
    found = connection.execute(query.order_by(OPT_OUTS.c.digest, OPT_OUTS.c.scope).limit(limit))
    return [dict(row) for row in found.mappings()]


# --- writing


@dataclass(frozen=True, kw_only=True)
class NewOptOut:
    """An opt-out as it is told: of a number, or of its digest, and since when (None: now)."""

    scope: str
    source: OptOutSource
    msisdn: str | None = field(default=None, repr=False)
    digest: str | None = None
    provider: str | None = None
    at: int | None = None


_GIVEN = {
    "named": "text",
    "covers": "text",
    "number": "text",
    "told_by": "text",
    "told_at": "text",
    "since": "bigint",
    "instant": "bigint",
}


def add(connection: Connection, new: Sequence[NewOptOut], *, keeps_numbers: bool) -> list[NewOptOut]:
    """Note opt-outs, at most ``AT_ONCE``; return those that are news.

    One that holds already stays as it is, and one that has ended comes back only by a later word. The control
    lock is the first that is taken: what has returned holds for every later mark.

    Args:
        connection: of an open transaction in which nothing was locked so far.
        new: what is told.
        keeps_numbers: beside the digests.
    """
    control_lock(connection, shared=False)
    key, now = key_of(connection), now_of(connection)
    named: dict[tuple[str, str], NewOptOut] = {}
    for each in new:
        name = each.digest or digest(key, each.msisdn or ""), each.scope
        if name not in named or _since(each, now) > _since(named[name], now):
            named[name] = each
    written = execute_given(
        connection,
        "INSERT INTO opt_outs (digest, scope, msisdn, source, provider, at, noted_at) "
        "SELECT given.named, given.covers, given.number, given.told_by, given.told_at, given.since, "
        "given.instant FROM given WHERE true "
        "ON CONFLICT (digest, scope) DO UPDATE SET msisdn = excluded.msisdn, "
        "source = excluded.source, provider = excluded.provider, at = excluded.at, "
        "noted_at = excluded.noted_at, ended_at = NULL "
        "WHERE opt_outs.ended_at IS NOT NULL AND excluded.at >= opt_outs.ended_at RETURNING digest, scope",
        columns=_GIVEN,
        rows=[
            (
                *name,
                each.msisdn if keeps_numbers else None,
                each.source.value,
                each.provider,
                _since(each, now),
                now,
            )
            for name, each in named.items()
        ],
    )
    return [named[row.digest, row.scope] for row in written.all()]


def _since(each: NewOptOut, now: int) -> int:
    return now if each.at is None else each.at


def remove(
    connection: Connection,
    msisdns: Collection[str],
    *,
    scopes: Collection[str] = (),
    sources: Collection[OptOutSource] = (),
    provider: str | None = None,
) -> int:
    """End the opt-outs of some numbers, by default all of them, and return how many those were.

    That they ended is kept, without the numbers. ``scopes``, ``sources`` and ``provider`` narrow it down.
    """
    key = key_of(connection)
    wanted = [OPT_OUTS.c.digest.in_([digest(key, msisdn) for msisdn in msisdns]), _holds()]
    if scopes:
        wanted.append(OPT_OUTS.c.scope.in_(scopes))
    if sources:
        wanted.append(OPT_OUTS.c.source.in_(sources))
    if provider is not None:
        wanted.append(OPT_OUTS.c.provider == provider)
    ended = update(OPT_OUTS).where(*wanted).values(ended_at=now_ms(), msisdn=None)
    return connection.execute(ended).rowcount


def forget_number(connection: Connection, msisdn: str) -> int:
    """Remove a number from the list; its digest, and so the opt-out, stays. Returns how many held it."""
    known = OPT_OUTS.c.digest == digest(key_of(connection), msisdn), OPT_OUTS.c.msisdn.is_not(None)
    return connection.execute(update(OPT_OUTS).where(*known).values(msisdn=None)).rowcount


def forget_some(connection: Connection, *, after: str) -> tuple[int, str | None]:
    """Remove some of all the numbers from the list; return how many, and the digest from which to go on.

    Begin after an empty word; at the end it is None.
    """
    known = OPT_OUTS.c.msisdn.is_not(None)
    some = select(OPT_OUTS.c.digest).where(known, OPT_OUTS.c.digest > after).order_by(OPT_OUTS.c.digest)
    found = connection.scalars(some.limit(AT_ONCE)).all()
    forgotten = update(OPT_OUTS).where(known, OPT_OUTS.c.digest.in_(found)).values(msisdn=None)
    return connection.execute(forgotten).rowcount, found[-1] if found else None
