"""Rates of accounts, the same on every host: as the settings say, or as ordered by command.

An account is what a limit belongs to: one login at a gateway, which several providers may use. What is said
of one of them holds for all. Instants are the database's.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, func, select, update

from worker.ledger import orders
from worker.ledger.accounts import forget_hints, make_sure_of, sharing
from worker.ledger.engine import control_lock, now_ms, now_of
from worker.ledger.models import ACCOUNTS, SUBMISSIONS
from worker.ledger.values import LEAVES_WITHIN_MS
from worker.states import SubmissionOutcome

CELLS = 120
"""What a window is told in: as fine as a throttle needs it."""

_UNDER_WAY_MS = 60_000  # no request takes as long


# --- what is kept


def note_rates(connection: Connection, noted: Mapping[str, tuple[str, str]]) -> None:
    """Keep what the settings say of each provider: the key of its account, and its rate (empty: no limit).

    Writes only what is new. A provider that joins an account takes over what was ordered for that. What
    waited for the former rate, or the former account, waits no longer.
    """
    found = {row.provider: row for row in connection.execute(select(ACCOUNTS))}
    news = {
        name: (key, rate)
        for name, (key, rate) in sorted(noted.items())
        if name not in found or (found[name].account_key, found[name].rate) != (key, rate)
    }
    if not news:
        return
    control_lock(connection, shared=False)
    for name, (key, rate) in news.items():
        make_sure_of(connection, name)
        if name not in found or found[name].account_key != key:
            _join(connection, name, key)
        forget_hints(connection, *sharing(connection, name))
        of_account = update(ACCOUNTS).where(ACCOUNTS.c.account_key == key)
        connection.execute(of_account.values(rate=rate, throttled_until=0, throttled_reason=None))


def _join(connection: Connection, provider: str, account_key: str) -> None:
    known = select(ACCOUNTS.c.ordered_rate, ACCOUNTS.c.rate_author).where(
        ACCOUNTS.c.account_key == account_key, ACCOUNTS.c.provider != provider
    )
    shared = connection.execute(known.limit(1)).mappings().one_or_none()
    joined = update(ACCOUNTS).where(ACCOUNTS.c.provider == provider)
    connection.execute(joined.values(account_key=account_key, **(shared or {})))


def order_rate(
    connection: Connection, providers: Collection[str], rate: str | None, *, author: str
) -> list[str]:
    """Let a rate win over the settings' for all providers of their account; None goes back to the settings'.

    It holds from the next reservation on: what waited for the former rate waits no longer.

    Returns:
        the providers for which it holds.
    """
    control_lock(connection, shared=False)
    for name in sorted(providers):
        make_sure_of(connection, name)
    names = [name for provider in sorted(providers) for name in sharing(connection, provider)]
    forget_hints(connection, *names)
    connection.execute(
        update(ACCOUNTS)
        .where(ACCOUNTS.c.provider.in_(names))
        .values(
            ordered_rate=rate,
            rate_author=None if rate is None else author,
            throttled_until=0,
            throttled_reason=None,
        )
    )
    changed = sorted(set(names))
    for name in changed:
        detail = "of the settings" if rate is None else rate
        orders.note(connection, orders.RATE, author=author, provider=name, detail=detail)
    return changed


def effective(connection: Connection, provider: str) -> str | None:
    """Return the rate in force: the ordered one, else the settings'; empty is no limit.

    None where nothing is noted of the provider.
    """
    columns = ACCOUNTS.c.account_key, ACCOUNTS.c.rate, ACCOUNTS.c.ordered_rate
    found = connection.execute(select(*columns).where(ACCOUNTS.c.provider == provider)).one_or_none()
    if found is None:
        return None
    key, rate, ordered = found
    if ordered is not None:
        return str(ordered)
    return str(rate) if key else None


# --- throttled


def note_throttled(
    connection: Connection, account_key: str, *, wait_ms: int, reason: str, rate: str | None
) -> None:
    """Lease and publish nothing of an account for a while, since nothing of it could leave.

    Nothing is noted when another rate than ``rate`` is in force by now (None: none was noted): who waits for
    a former one has not heard of it yet.

    The newest word holds, whether it is longer or shorter than the last: only Redis knows, and it is asked
    anew with every reservation. Hints that are out are forgotten, to be published again then.
    """
    of_account = ACCOUNTS.c.account_key == account_key
    names = list(connection.scalars(select(ACCOUNTS.c.provider).where(of_account)))
    forget_hints(connection, *names)
    connection.execute(
        select(ACCOUNTS.c.provider).where(of_account).order_by(ACCOUNTS.c.provider).with_for_update()
    ).all()
    in_force = func.coalesce(ACCOUNTS.c.ordered_rate, ACCOUNTS.c.rate)
    waits = update(ACCOUNTS).where(of_account, in_force == (rate or ""))
    until = now_of(connection) + wait_ms  # the same for all of them
    connection.execute(waits.values(throttled_until=until, throttled_reason=reason))


# --- what has left


@dataclass(frozen=True, kw_only=True)
class History:
    """What may have left of an account lately, for a throttle that has lost its count.

    Attributes:
        windows: by the length of a window in seconds: how old, in milliseconds, and how many units, the
            youngest first. A cell of 1/120 of the window is one entry, as old as the youngest in it.
        last_age_ms: of the youngest request that may still be under way; None when there is none.
    """

    windows: Mapping[int, tuple[tuple[int, int], ...]]
    last_age_ms: int | None


def history(connection: Connection, account_key: str, *, unit: str, windows_s: Sequence[int]) -> History:
    """Return what may have left within each window; all but what is known not to have left counts.

    Requests are as young as they can be: it is kept when they were marked, and they left a moment later.

    Args:
        connection: of an open transaction.
        account_key: the account, with all its providers.
        unit: what it counts: ``parts``, ``messages`` or ``requests``.
        windows_s: the lengths of the windows.
    """
    query = select(ACCOUNTS.c.provider).where(ACCOUNTS.c.account_key == account_key)
    providers = list(connection.scalars(query))
    now = now_of(connection)
    youngest = [at for name in providers if (at := _last_at(connection, name)) is not None]
    return History(
        windows={
            window_s: tuple(_cells(connection, providers, unit=unit, window_ms=1000 * window_s, now=now))
            for window_s in windows_s
        },
        last_age_ms=_age(max(youngest), now=now) if youngest else None,
    )


def _last_at(connection: Connection, provider: str) -> int | None:
    """Return when the youngest request was marked that may be under way: one that a worker let go of too."""
    last = select(func.max(SUBMISSIONS.c.started_at)).where(
        SUBMISSIONS.c.provider == provider,
        SUBMISSIONS.c.started_at > now_ms() - _UNDER_WAY_MS,
        SUBMISSIONS.c.outcome.in_([SubmissionOutcome.OPEN, SubmissionOutcome.UNKNOWN]),
    )
    found: int | None = connection.scalar(last)
    return found


def _cells(
    connection: Connection, providers: Sequence[str], *, unit: str, window_ms: int, now: int
) -> Iterator[tuple[int, int]]:
    cell = (now - SUBMISSIONS.c.started_at) * CELLS // window_ms
    units = {"parts": SUBMISSIONS.c.cost, "messages": SUBMISSIONS.c.n_messages, "requests": 1}[unit]
    query = (
        select(func.max(SUBMISSIONS.c.started_at), func.sum(units))
        .where(
            SUBMISSIONS.c.provider.in_(providers),
            SUBMISSIONS.c.started_at > now - window_ms - LEAVES_WITHIN_MS,
            _may_have_left(),
        )
        .group_by(cell)
        .order_by(cell)
    )
    for started_at, n_units in connection.execute(query):
        yield _age(started_at, now=now), int(n_units)


def _age(started_at: int, *, now: int) -> int:
    return max(0, now - started_at - LEAVES_WITHIN_MS)


def _may_have_left() -> ColumnElement[bool]:
    return SUBMISSIONS.c.outcome != SubmissionOutcome.NOT_SENT
