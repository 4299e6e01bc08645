"""The outbox of Txty API v4, which does not know our references.

Source: the vendor's documentation of v4 (2014 to 2021), read November 2026. A row is ours if number, sender,
text and time agree, and neither another row nor another message of ours could be meant. A message of which
the id is known is the row with that id, and no other. What was given a time counts as sent then.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from worker.gateways import txty_shapes as shapes
from worker.gateways.base import Outcome, Verdict
from worker.gateways.checks import target
from worker.gateways.replies import telling, words
from worker.gateways.txty_v4.shapes import CODES, DELIVERED
from worker.states import MessageState

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from worker.gateways.base import Question
    from worker.gateways.txty_v4.shapes import Clock

FOUND_ALIKE = "found_alike"
_APART_S = 120.0  # by which its time of sending and our time of submitting may differ


@dataclass(frozen=True, kw_only=True)
class _Message:
    """One message of ours that may be in the outbox."""

    reference: str
    msisdn: str = field(repr=False)
    look: tuple[str, str, str] = field(repr=False)  # number, sender, text
    sent_at_s: float
    smsid: str | None  # where it is known


def heard(
    questions: Sequence[Question], rows: Sequence[shapes.Item], *, clock: Clock
) -> dict[str, dict[str, Outcome]]:
    """Find the messages by their ids, then those of which exactly one row can be that no other can be.

    Args:
        questions: with sender and texts, and the ids that are known.
        rows: of the outbox.
        clock: of the gateway.
    """
    messages = list(_messages(questions))
    different = _different(rows)
    found: dict[str, dict[str, Outcome]] = defaultdict(dict)
    named = {message.smsid: message for message in messages if message.smsid is not None}
    for row in different:
        if (message := named.get(_smsid(row) or "")) is not None:
            found[message.reference][message.msisdn] = _accepted(row, code=None)
    others = [row for row in different if _smsid(row) not in named]
    for message, row in _alike([each for each in messages if each.smsid is None], others, clock=clock):
        found[message.reference][message.msisdn] = _accepted(row, code=FOUND_ALIKE)
    return dict(found)


def _alike(
    messages: Sequence[_Message], rows: Sequence[shapes.Item], *, clock: Clock
) -> Iterator[tuple[_Message, shapes.Item]]:
    """Give the pairs of which neither could be part of another pair."""
    by_look = defaultdict(list)
    for message in messages:
        by_look[message.look].append(message)
    pairs = [
        (message, row)
        for row in rows
        for message in by_look.get(_look(row), ())
        if _is_near(row, message=message, clock=clock)
    ]
    n_rows = Counter((message.reference, message.msisdn) for message, _row in pairs)
    n_messages = Counter(id(row) for _message, row in pairs)
    for message, row in pairs:
        is_alone = n_rows[message.reference, message.msisdn] == n_messages[id(row)] == 1
        if is_alone and _smsid(row):
            yield message, row


def _messages(questions: Sequence[Question]) -> Iterator[_Message]:
    for question in questions:
        ids = question.provider_refs or (None,) * len(question.recipients)
        for msisdn, text, smsid in zip(question.recipients, question.texts, ids, strict=False):
            if target(msisdn)[0]:
                continue  # its rows are those of its members
            yield _Message(
                reference=question.reference,
                msisdn=msisdn,
                look=(shapes.digits(msisdn), shapes.digits(question.sender), _plain(text)),
                sent_at_s=question.sent_at_s,
                smsid=smsid,
            )


def _different(rows: Sequence[shapes.Item]) -> list[shapes.Item]:
    """Give each row once, as pages may overlap; rows without an id are all different."""
    return list({_smsid(row) or (id(row),): row for row in rows}.values())


def _smsid(row: shapes.Item) -> str | None:
    smsid = shapes.whole(row.get("smsid"))
    return str(smsid) if smsid else None


def _look(row: shapes.Item) -> tuple[str, str, str]:
    number, sender = (shapes.digits(shapes.word(row.get(name))) for name in ("msisdn", "sender"))
    text = row.get("text")
    return number, sender, _plain(text if isinstance(text, str) else shapes.word(text))


def _plain(text: str) -> str:
    """Forget what may be lost on the way: the form of a line's end, blanks at the end of all."""
    return "\n".join(text.splitlines()).strip()


def _is_near(row: shapes.Item, *, message: _Message, clock: Clock) -> bool:
    sent_s = clock.read(row.get("scheduled")) or clock.read(row.get("sent"))
    return sent_s is not None and abs(sent_s - message.sent_at_s) <= _APART_S


def _accepted(row: shapes.Item, *, code: str | None) -> Outcome:
    status = shapes.whole(row.get("error"), most_digits=3)
    has_failed = row.get("failed") is True or status in CODES
    delivery = MessageState.UNDELIVERED if has_failed else None
    if delivery is None and (shapes.whole(row.get("received")) or status == DELIVERED):
        delivery = MessageState.DELIVERED
    return Outcome(
        verdict=Verdict.ACCEPTED,
        delivery=delivery,
        provider_ref=_smsid(row),
        parts=shapes.parts(row.get("msg-count")),
        cost=shapes.cost(row.get("price")),
        code=code,
        detail=_failure(row, status=status) if has_failed else None,
    )


def _failure(row: shapes.Item, *, status: int | None) -> str:
    said = words(row.get("errortext"), hide=telling([shapes.word(row.get("text"))])) or CODES.get(status or 0)
    return ": ".join(str(word) for word in (status, said) if word) or "failed"
