"""Text Marketer after the send: credits, delivery reports by tag, taking back."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from tests.contract.cases import (
    ANNA,
    BO,
    CARL,
    HOST,
    QUESTIONS,
    REFERENCE,
    SECOND_REFERENCE,
    AskCase,
    CancelCase,
    CheckCase,
    Expected,
    HearCase,
    reply,
)
from tests.contract.textmarketer_replies import errors, report, response
from worker.gateways.base import Taken, Verdict
from worker.states import MessageState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from worker.gateways.base import HttpReply, Question

UNREADABLE = "the answer shows no credits that can be read"
USED_UP = "the credits are used up"


def knows(_questions: Sequence[Question], pairs: Sequence[tuple[str, str]]) -> HttpReply:
    return report(*({"custom": reference, "mobile_number": msisdn[1:]} for reference, msisdn in pairs))


def row(msisdn: str, **changes: str) -> dict[str, str]:
    return {"mobile_number": msisdn[1:], "custom": REFERENCE, **changes}


def heard(**of: Expected) -> dict[str, dict[str, Expected]]:
    numbers = {"anna": ANNA, "bo": BO, "carl": CARL}
    return {REFERENCE: {numbers[name]: each for name, each in of.items()}}


def known(delivery: MessageState | None, ref: str = "7001") -> Expected:
    return Expected(verdict=Verdict.ACCEPTED, delivery=delivery, provider_ref=ref)


CHECKS = (
    CheckCase(
        name="credits",
        reply=response("credits_get", "<credits>450</credits>"),
        reason=None,
        balance=Decimal(450),
    ),
    CheckCase(
        name="without a DOCTYPE",
        reply=response("credits_get", "<credits> 1 </credits>", doctype=False),
        reason=None,
        balance=Decimal(1),
    ),
    CheckCase(
        name="none left",
        reply=response("credits_get", "<credits>0</credits>"),
        reason=USED_UP,
        balance=Decimal(0),
    ),
    CheckCase(
        name="less than none",
        reply=response("credits_get", "<credits>-3</credits>"),
        reason=USED_UP,
        balance=Decimal(-3),
    ),
    *(
        CheckCase(name=f"no number: {text!r}", reply=response("credits_get", text), reason=UNREADABLE)
        for text in (
            "",
            "<credits/>",
            "<credits>4.5</credits>",
            "<credits>\u0664</credits>",
            "<balance>4</balance>",
        )
    ),
    CheckCase(name="no XML", reply=reply(200, b"450"), reason=UNREADABLE),
    CheckCase(name="a login that is wrong", reply=errors(("1", "wrong"), status=403), reason="1: wrong"),
    CheckCase(
        name="a login that is wrong, in words", reply=reply(403, b"Forbidden"), reason="403: Forbidden"
    ),
    CheckCase(name="an error under 200", reply=errors(("1", "wrong"), status=200), reason="1: wrong"),
    CheckCase(name="nothing but a status", reply=reply(500), reason="500"),
    CheckCase(
        name="credits under a status that is none",
        reply=response("credits_get", "<credits>450</credits>", status=503),
        reason="503",
    ),
)

ASKS = (
    AskCase(
        name="one reference",
        questions=QUESTIONS[:1],
        url=f"{HOST}/textmarketer/services/rest/deliveryReport/all/custom/{REFERENCE}",
    ),
)

HEARS = (
    HearCase(
        name="every status",
        reply=report(
            row(ANNA, status="DELIVERED"),
            row(BO, status="PENDING"),
            {"mobile_number": CARL[1:], "custom": "x"},
        ),
        heard=heard(anna=known(MessageState.DELIVERED), bo=known(None)),
        questions=QUESTIONS[:1],
    ),
    *(
        HearCase(
            name=f"status {status!r}",
            reply=report(row(ANNA, status=status)),
            heard=heard(anna=known(delivery)),
            questions=QUESTIONS[:1],
        )
        for status, delivery in {
            "REJECTED": MessageState.UNDELIVERED,
            "FAILED": MessageState.UNDELIVERED,
            "delivered": MessageState.DELIVERED,
            "NON-UK": None,
            "LOST": None,
            "": None,
        }.items()
    ),
    HearCase(
        name="a number with a plus and a message without an id",
        reply=report(row(ANNA, mobile_number=ANNA, message_id="0")),
        heard=heard(anna=Expected(verdict=Verdict.ACCEPTED, delivery=MessageState.DELIVERED)),
        questions=QUESTIONS[:1],
    ),
    HearCase(
        name="the later of two rows",
        reply=report(
            row(ANNA, status="DELIVERED", last_updated="2026-01-02T10:00:00+01:00", message_id="2"),
            row(ANNA, status="FAILED", last_updated="2026-01-02T08:59:00+00:00", message_id="1"),
        ),
        heard=heard(anna=known(MessageState.DELIVERED, "2")),
        questions=QUESTIONS[:1],
    ),
    HearCase(
        name="an end is not undone by what is pending, and a time that is none comes first",
        reply=report(
            row(ANNA, status="FAILED", last_updated="soon"),
            row(ANNA, status="PENDING"),
            row(BO, status="FAILED", last_updated="2026-01-02T08:04:00"),
            row(BO, status="DELIVERED", last_updated="2026-01-02"),
        ),
        heard=heard(anna=known(MessageState.UNDELIVERED), bo=known(MessageState.UNDELIVERED)),
        questions=QUESTIONS[:1],
    ),
    HearCase(
        name="a row without a tag is nobody's",
        reply=report({"mobile_number": ANNA[1:]}, row(BO, custom=SECOND_REFERENCE)),
        heard={},
        questions=QUESTIONS[:1],
    ),
    HearCase(
        name="a tag of ours with a number of another",
        reply=report(row(CARL)),
        heard={REFERENCE: {}},
        questions=QUESTIONS[:1],
    ),
    HearCase(name="no rows", reply=report(), heard={}, questions=QUESTIONS[:1]),
    HearCase(name="no report", reply=errors(("404", "no such report"), status=404), heard=None),
    HearCase(name="a tag that is none", reply=errors(("0", "custom")), heard=None),
    HearCase(name="an error under 200", reply=errors(("2", "times"), status=200), heard=None),
    HearCase(name="rows under a status that is none", reply=report(row(ANNA), status=503), heard=None),
    HearCase(name="no XML", reply=reply(200, b"OK"), heard=None),
)


def deleted(status: str, *, code: int = 200) -> HttpReply:
    content = f"<scheduled_id>101</scheduled_id><status>{status}</status>"
    return response("sms_delete", content, status=code)


CANCELS = (
    CancelCase(name="deleted", reply=deleted("DELETED"), taken=Taken.BACK),
    CancelCase(name="another word", reply=deleted("SENT"), taken=Taken.UNCLEAR),
    CancelCase(name="deleted under a fault", reply=deleted("DELETED", code=500), taken=Taken.UNCLEAR),
    CancelCase(name="an id that is none", reply=errors(("35", "no")), taken=Taken.TOO_LATE),
    CancelCase(name="it has left", reply=errors(("36", "no")), taken=Taken.TOO_LATE),
    CancelCase(name="it has left, under 200", reply=errors(("36", "no"), status=200), taken=Taken.UNCLEAR),
    CancelCase(name="a login that is wrong", reply=errors(("1", "no"), status=403), taken=Taken.UNCLEAR),
    CancelCase(name="unavailable", reply=reply(503), taken=Taken.UNCLEAR),
    CancelCase(name="no XML", reply=reply(200, b"OK"), taken=Taken.UNCLEAR),
)
