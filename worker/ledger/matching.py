"""Which messages a pushed delivery report is about.

A report names the submission: by our reference, in the address or in its values, or by the gateway's own id.
It names the message by its number; without one the submission must be of a single message, and so it must
where the message went to a group or contact that the gateway keeps itself, whose numbers we do not know. What
names two submissions, none, or none with that number, is of nobody: nothing is ever guessed by number alone.

The submission is one of the provider's, or of another with the same login: a panel of a gateway may have one
address for all of them.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from sqlalchemy import Connection, select

from worker.ledger.given import execute_given
from worker.ledger.models import SUBMISSIONS
from worker.states import MessageState
from worker.text.targets import kind_of

_HANDLE = re.compile(r"[!-~]{1,100}")  # other characters a database may refuse


@dataclass(frozen=True, kw_only=True)
class Pushed:
    """A call at our address, as it came."""

    provider: str
    reference: str | None  # of the submission, as the address had it
    method: str
    query: str = field(repr=False)
    content_type: str
    body: bytes = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A call that is to be read now."""

    id: int
    age_ms: int
    pushed: Pushed


@dataclass(frozen=True, kw_only=True)
class Told:
    """What a call says of one message: DELIVERED, UNDELIVERED or EXPIRED, or ACCEPTED while on its way."""

    state: MessageState
    msisdn: str | None = field(default=None, repr=False)  # E.164 with plus
    reference: str | None = None  # ours, as the report has it
    provider_ref: str | None = None
    code: str | None = None
    detail: str | None = None
    told_at: int | None = None  # epoch milliseconds, by the gateway's clock
    stops: str | None = None  # its number gets none any more: as in ``MessageOutcome``
    keeps_number: bool = True


@dataclass(frozen=True, kw_only=True)
class Read:
    """A call with all that it says; nothing where it could not be read."""

    kept: Kept
    told: tuple[Told, ...]


@dataclass(frozen=True, kw_only=True)
class Match:
    """A message that a call is about, in the submission with which the gateway took it."""

    push_id: int
    reference: str
    message_id: int
    told: Told


def matches(
    connection: Connection, read: Iterable[Read], *, logins: Mapping[str, str] = MappingProxyType({})
) -> list[Match]:
    """Find the messages that calls are about; a plain read.

    ``logins`` names the login of each provider, as submissions have it.
    """
    named = [
        (each, told, handle)
        for each in read
        for told in each.told
        if (handle := _handle(each, told)) is not None
    ]
    carriers = _carriers(connection, {handle for _, _, handle in named})
    asked = [
        (each, told, carrier)
        for each, told, handle in named
        for carrier in carriers.get(handle, ())
        if carrier.is_of(each.kept.pushed.provider, login=logins.get(each.kept.pushed.provider))
    ]
    messages = _messages(connection, {(carrier.id, told.msisdn or "") for _, told, carrier in asked})
    found: dict[tuple[int, Told], set[Match]] = {}
    for each, told, carrier in asked:
        for message_id, recipient in messages.get((carrier.id, told.msisdn or ""), ()):
            match = Match(
                push_id=each.kept.id,
                reference=carrier.reference,
                message_id=message_id,
                told=_of_recipient(told, recipient),
            )
            found.setdefault((each.kept.id, told), set()).add(match)
    return [match for several in found.values() if len(several) == 1 for match in several]


@dataclass(frozen=True, kw_only=True)
class _Carrier:
    id: int
    reference: str
    provider: str
    login: str | None

    def is_of(self, provider: str, *, login: str | None) -> bool:
        return self.provider == provider or (login is not None and self.login == login)


def _of_recipient(told: Told, recipient: str) -> Told:
    """Say of a group no more than that the gateway has it: what one member got, others may not have."""
    return replace(told, state=MessageState.ACCEPTED) if kind_of(recipient) == "group" else told


def _handle(read: Read, told: Told) -> str | None:
    """Return what names the submission; None where nothing does, or two references differ."""
    ours = {reference for reference in (read.kept.pushed.reference, told.reference) if reference}
    handle = next(iter(ours), told.provider_ref) if len(ours) <= 1 else None
    return handle if handle and _HANDLE.fullmatch(handle) else None


def _carriers(connection: Connection, handles: Collection[str]) -> dict[str, list[_Carrier]]:
    """Return submissions by what names them."""
    columns = [SUBMISSIONS.c[name] for name in ("id", "reference", "provider", "login")]
    by_us = select(*columns, SUBMISSIONS.c.reference.label("handle"))
    by_them = select(*columns, SUBMISSIONS.c.provider_ref.label("handle"))
    found: dict[str, list[_Carrier]] = {}
    for query in (
        by_us.where(SUBMISSIONS.c.reference.in_(sorted(handles))),
        by_them.where(
            SUBMISSIONS.c.provider_ref.in_(sorted(handles)),
            SUBMISSIONS.c.provider_ref != SUBMISSIONS.c.reference,  # as the index has it
        ),
    ):
        for row in connection.execute(query):
            carrier = _Carrier(id=row.id, reference=row.reference, provider=row.provider, login=row.login)
            found.setdefault(row.handle, []).append(carrier)
    return found


_IS_MEANT = (
    "WHERE m.msisdn = given.number OR (s.n_messages = 1 AND "
    "(given.number = '' OR m.msisdn LIKE 'group:%' OR m.msisdn LIKE 'contact:%'))"
)
_MESSAGES = (
    "SELECT given.carrier, given.number, m.id, m.msisdn FROM given "  # noqa: S608 - constants of ours
    "JOIN submissions s ON s.id = given.carrier JOIN messages m ON m.submission_id = s.id "
    f"{_IS_MEANT} UNION SELECT given.carrier, given.number, m.id, m.msisdn FROM given "
    "JOIN submissions s ON s.id = given.carrier JOIN earlier_submissions e ON e.submission_id = s.id "
    f"JOIN messages m ON m.id = e.message_id {_IS_MEANT}"
)


def _messages(
    connection: Connection, asked: Collection[tuple[int, str]]
) -> Mapping[tuple[int, str], list[tuple[int, str]]]:
    """Return messages, and whom they are for, by the submission that carried them and the number told."""
    if not asked:
        return {}
    found: dict[tuple[int, str], list[tuple[int, str]]] = {}
    columns = {"carrier": "bigint", "number": "text"}
    for carrier, number, message_id, recipient in execute_given(
        connection, _MESSAGES, columns=columns, rows=sorted(asked)
    ):
        found.setdefault((carrier, number), []).append((message_id, recipient))
    return found
