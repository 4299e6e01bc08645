"""What the smSend family says of the messages of an order, when it is asked and by itself.

Source: the vendor's documentation (smsend/REST-API, 2019-07), read November 2026; the push from one client,
whose author did not test it: so its values are taken from wherever they stand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from worker.gateways.base import Outcome, Report, Verdict
from worker.gateways.checks import target
from worker.gateways.smsend import shapes
from worker.states import MessageState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from worker.gateways.base import HttpReply, Push, Question
    from worker.gateways.smsend.dialect import Dialect

_OK = 200
_NOT_FOUND = 404

#: The last word on a message; every other state is one on the way: WAITING, SCHEDULED, WAIT4DLVR, SENT.
_FINAL: Mapping[str, MessageState] = {
    "DLVRD": MessageState.DELIVERED,
    "TIMEOUT": MessageState.EXPIRED,  # no report came in time
    "TOOM4USER": MessageState.UNDELIVERED,  # too many within a day
    "TOOM4NUM": MessageState.UNDELIVERED,
    "ERROR": MessageState.UNDELIVERED,
    "UNKNRCPT": MessageState.UNDELIVERED,
    "UNKNPFX": MessageState.UNDELIVERED,
    "INVALIDDST": MessageState.UNDELIVERED,
    "BLACKLISTED": MessageState.UNDELIVERED,
    "INVALIDCONTENTS": MessageState.UNDELIVERED,
    "KO": MessageState.UNDELIVERED,
    "DEMO": MessageState.UNDELIVERED,  # the account only pretends to send
}


def heard(
    question: Question, reply: HttpReply, *, dialect: Dialect
) -> Mapping[str, Mapping[str, Outcome]] | None:
    """Find our numbers among the states of the order; 404 says that there is no such order, or no login."""
    if reply.status == _NOT_FOUND:
        return None if shapes.is_session_over(reply) else {}
    rows = shapes.document(reply.body).get("recipients") if reply.status == _OK else None
    if not isinstance(rows, list):
        return None
    states = {shapes.msisdn(row.get("destination")): row for row in shapes.items(rows)}
    known = {
        msisdn: _outcome(question, states.get(msisdn, {}), dialect=dialect)
        for msisdn in question.recipients
        if msisdn in states or target(msisdn)[0]  # of a group it names the members
    }
    return {question.reference: known}


def _outcome(question: Question, row: shapes.Item, *, dialect: Dialect) -> Outcome:
    status = shapes.word(row.get("status")).upper()
    is_last = status == "SENT" and dialect.message_type in dialect.no_report
    return Outcome(
        verdict=Verdict.ACCEPTED,
        delivery=_FINAL.get(status),
        provider_ref=question.reference,
        code=shapes.code(status),
        detail="no report is expected for this message type" if is_last else None,
    )


def reports(push: Push, *, dialect: Dialect) -> tuple[Report, ...]:
    """Read ``delivery_date, order_id, status, recipient``, from the query, a form or JSON."""
    given: dict[str, object] = dict(parse_qsl(push.query))
    given |= shapes.document(push.body) or dict(parse_qsl(push.body.decode(errors="replace")))
    order_id, status = shapes.order_id(given.get("order_id")), shapes.word(given.get("status")).upper()
    if order_id is None or not status:
        return ()
    return (
        Report(
            delivery=_FINAL.get(status, MessageState.ACCEPTED),
            msisdn=shapes.msisdn(given.get("recipient")),
            reference=order_id,
            provider_ref=order_id,
            code=shapes.code(status),
            at_s=shapes.at_s(given.get("delivery_date"), zone=dialect.zone),
        ),
    )
