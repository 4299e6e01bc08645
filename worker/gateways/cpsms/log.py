"""What CPSMS v2 says afterwards: the rows of its log, and the delivery reports that it pushes.

Source: the vendor's documentation of 2016 (Compaya) and clients in use since 2020, read November 2026. The
log holds our references: a row proves that it has the message, the absence of one proves nothing. A pushed
report names the number only; our address tells the submission.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

from worker.gateways.base import Outcome, Report, Verdict
from worker.gateways.checks import target
from worker.gateways.cpsms import shapes
from worker.gateways.replies import words
from worker.states import MessageState

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from worker.gateways.base import Push, Question
    from worker.gateways.cpsms.shapes import Item

_DELIVERED = (MessageState.DELIVERED, "delivered")
_FAILED = (MessageState.UNDELIVERED, "failed")
_BUFFERED = (MessageState.ACCEPTED, "buffered")
_ABANDONED = (MessageState.EXPIRED, "abandoned")

CODES: Mapping[str, Mapping[str, tuple[MessageState, str]]] = {
    "2016": {"1": _DELIVERED, "2": _FAILED, "3": _BUFFERED, "4": _ABANDONED},
    "2020": {"1": _DELIVERED, "2": _FAILED, "3": _BUFFERED, "4": _BUFFERED, "8": _ABANDONED},
}
"""By the dialect ``dlr_codes``: what a code says; one that is not there says that CPSMS has the message."""

# Joined to our address with a question mark or an ampersand, plain or percent-encoded: the last one counts.
_STATUS = re.compile(r"(?:^|[?&;])status=(\d{1,4})(?=$|[?&;\s])", re.ASCII)
_RECEIVER = re.compile(r"(?:^|[?&;])receiver=[+ ]?(\d{5,15})(?=$|[?&;\s])", re.ASCII)
_LIMIT = 4096  # characters of a query that can be one


def report(push: Push, *, codes: str) -> tuple[Report, ...]:
    """Read a pushed report; anything else gives none."""
    for raw in (push.query, push.body[: _LIMIT + 1].decode(errors="replace")):
        query = unquote(raw) if len(raw) <= _LIMIT else ""
        statuses, receivers = _STATUS.findall(query), _RECEIVER.findall(query)
        if statuses and receivers:
            break
    else:
        return ()
    delivery, detail = CODES[codes].get(statuses[-1], (MessageState.ACCEPTED, None))
    return (Report(delivery=delivery, msisdn=f"+{receivers[-1]}", code=statuses[-1], detail=detail),)


def heard(
    questions: Sequence[Question], rows: Iterable[object], *, codes: str
) -> dict[str, dict[str, Outcome]]:
    """Find our references and numbers in the rows of the log; any row of a group's request is the group's."""
    asked = {
        (question.reference, "" if target(recipient)[0] else shapes.digits(recipient)): recipient
        for question in questions
        for recipient in question.recipients
    }
    references = {question.reference for question in questions}
    found: dict[str, dict[str, Outcome]] = {}
    for row in shapes.items(list(rows)):
        reference = shapes.reference(row)
        if reference not in references:
            continue
        ours = found.setdefault(reference, {})
        if (number := asked.get((reference, shapes.to(row)))) is not None and shapes.to(row):
            ours[number] = _of_row(reference, row, codes=codes, earlier=ours.get(number))
        elif (group := asked.get((reference, ""))) is not None:
            ours[group] = Outcome(verdict=Verdict.ACCEPTED, provider_ref=reference)
    return found


def _of_row(reference: str, row: Item, *, codes: str, earlier: Outcome | None) -> Outcome:
    code = shapes.delivery_code(row)
    state, _ = CODES[codes].get(code, (MessageState.ACCEPTED, None))
    if earlier is not None and (state is MessageState.ACCEPTED or earlier.delivery is MessageState.DELIVERED):
        return earlier
    is_lost = state in {MessageState.UNDELIVERED, MessageState.EXPIRED}
    return Outcome(
        verdict=Verdict.ACCEPTED,
        delivery=None if state is MessageState.ACCEPTED else state,
        provider_ref=reference,
        parts=shapes.parts(row.get("smsAmount")),
        cost=shapes.cost(row.get("pointPrice")),
        code=code if is_lost else None,
        detail=words(row.get("dlrStatusText")) if is_lost else None,
    )
