"""Txty v4: replies to ``view/yourprices`` and ``view/outbox``, and callbacks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from urllib.parse import urlencode

from tests.contract.cases import (
    ANNA,
    BO,
    HOST,
    QUESTIONS,
    REFERENCE,
    SECOND_REFERENCE,
    SENDER,
    SENT_AT_S,
    TEXT,
    AskCase,
    CheckCase,
    Expected,
    HearCase,
    ReportCase,
    reply,
    says,
)
from worker.gateways.base import HttpReply, Push, Question, Report, Verdict
from worker.states import MessageState

URL = f"{HOST}/txty-v4"
NO_CREDIT = "the answer shows no credit that can be read"
UNREADABLE = "the answer cannot be read"
SENT_S = int(SENT_AT_S)
WINTER_S = 3600  # by which Danish local time is ahead

# --- the account

PRICES: list[object] = [
    {"country": "Denmark", "dialcode": 45, "price": {"sms": 0.2, "hlr": 0.08}},
    {"country": "United Kingdom", "dialcode": 44, "price": {"sms": 0.55, "hlr": 0.08}},
    {"country": "Other countries", "dialcode": 0, "price": {"sms": 0.6, "hlr": 0.08}},
]
ABILITIES = (
    "Denmark (+45): 0.2 DKK a message",
    "United Kingdom (+44): 0.55 DKK a message",
    "Other countries: 0.6 DKK a message",
)

NO_BALANCES: tuple[object, ...] = (None, "", "plenty", True, [], "1,5", float("nan"), 10**40, "9" * 5000)


def prices(balance: object, **more: object) -> dict[str, object]:
    shown = {"prices": [], "credit": {"balance": balance, "timestamp": 1394399372}} | more
    return {"status": "success", "success": "VIEW_YOURPRICES", "yourprices": shown}


CHECKS = (
    CheckCase(
        name="the documented answer",
        reply=says(
            200,
            prices(
                95.96,
                prices=PRICES,
                subscription={
                    "keywords": [
                        {"gateway": 1919, "keyword": "pacman", "price": 120, "shutdown": 0, "paiduntil": 0}
                    ]
                },
            ),
        ),
        reason=None,
        balance=Decimal("95.96"),
        abilities=(*ABILITIES, "keyword pacman at 1919"),
    ),
    CheckCase(
        name="prices that are none",
        reply=says(
            200,
            prices(
                "12",
                prices=[None, 7, {}, {"country": [], "price": {"sms": 1}}, {"country": "X", "price": 0.2}],
            ),
        ),
        reason=None,
        balance=Decimal(12),
        abilities=("?: 1 DKK a message",),
    ),
    *(
        CheckCase(
            name=f"no credit left: {balance!r}",
            reply=says(200, prices(balance)),
            reason="the credit is used up",
            balance=Decimal(str(balance)),
        )
        for balance in (0, "0.00", -3.5)
    ),
    *(
        CheckCase(
            name=f"no credit at all: {balance!r:.20}", reply=says(200, prices(balance)), reason=NO_CREDIT
        )
        for balance in NO_BALANCES
    ),
    CheckCase(name="no prices", reply=says(200, prices(1) | {"yourprices": None}), reason=NO_CREDIT),
    CheckCase(
        name="a login that is not known, and is echoed",
        reply=says(
            200,
            {
                "status": "error",
                "error": "USER_NOT_FOUND",
                "login": {"user": "acme", "pass": "dcHZ2TXvMV+the key/2"},
            },
        ),
        reason="USER_NOT_FOUND",
    ),
    CheckCase(
        name="another success",
        reply=says(200, prices(5) | {"success": "VIEW_USER"}),
        reason=UNREADABLE,
        balance=Decimal(5),
    ),
    *(
        CheckCase(name=f"bare {status}", reply=reply(status), reason=str(status))
        for status in (204, 301, 401, 403, 404, 429, 500, 503)
    ),
    *(
        CheckCase(name=f"unreadable: {body[:20]!r}", reply=reply(200, body), reason=UNREADABLE)
        for body in (b"", b"OK", b"[]", b"null", b'{"status": "succ', b"[" * 60_000)
    ),
)

# --- the outbox

ONE = Question(reference=REFERENCE, recipients=(ANNA,), sent_at_s=SENT_AT_S, sender=SENDER, texts=(TEXT,))
AGAIN = replace(ONE, reference=SECOND_REFERENCE, sent_at_s=SENT_AT_S + 5)
NUMERIC = replace(ONE, sender="+4520304051")

ASKS = (
    AskCase(
        name="one number",
        questions=(ONE,),
        url=f"{URL}/view/outbox/api.json",
        fields={"search": "4520304050", "user": "acme"},
    ),
    AskCase(
        name="one number in two messages",
        questions=(ONE, AGAIN),
        url=f"{URL}/view/outbox/api.json",
        fields={"search": "4520304050"},
    ),
    AskCase(
        name="several numbers",
        questions=QUESTIONS,
        url=f"{URL}/view/outbox/api.json",
        fields={"search": None, "user": "acme"},
    ),
)


def row(**changes: object) -> dict[str, object]:
    return {
        "smsid": 918273,
        "controluser": 0,
        "username": "acme",
        "msisdn": 4520304050,
        "dialcode": 45,
        "number": 20304050,
        "sender": SENDER,
        "sent": SENT_S + 1,
        "received": 0,
        "scheduled": 0,
        "price": 0.2,
        "failed": False,
        "error": 0,
        "premium": 0,
        "flash": False,
        "wappush": None,
        "text": TEXT,
        "networkcode": None,
        "msg-count": 1,
        "premium-out": 0,
        "latency": None,
        "errortext": None,
    } | changes


def outbox(*rows: object, **changes: object) -> dict[str, object]:
    return {"status": "success", "success": "VIEW_OUTBOX", "outbox": list(rows)} | changes


def knows(questions: Sequence[Question], known: Sequence[tuple[str, str]]) -> HttpReply:
    return _knows(questions, known, ahead_s=0)


def knows_late(questions: Sequence[Question], known: Sequence[tuple[str, str]]) -> HttpReply:
    return _knows(questions, known, ahead_s=WINTER_S)


def _knows(questions: Sequence[Question], known: Sequence[tuple[str, str]], *, ahead_s: int) -> HttpReply:
    asked = {
        (question.reference, msisdn): (question, text)
        for question in questions
        for msisdn, text in zip(question.recipients, question.texts, strict=True)
    }
    rows = []
    for place, (reference, msisdn) in enumerate(dict.fromkeys(known)):
        question, text = asked.get((reference, msisdn), (ONE, "of another message"))
        sent_s = int(question.sent_at_s) + ahead_s
        rows.append(row(smsid=100 + place, msisdn=int(msisdn), text=text, sent=sent_s))
    return says(200, outbox(*rows))


def has(delivery: MessageState | None = None, **changes: object) -> dict[str, dict[str, Expected]]:
    said: dict[str, object] = {"parts": 1, "cost": Decimal("0.2"), "provider_ref": "918273"} | changes
    return {REFERENCE: {ANNA: Expected(verdict=Verdict.ACCEPTED, delivery=delivery, **said)}}  # type: ignore[arg-type]  # the fields of Expected


def hear(
    name: str, *rows: object, heard: object = None, questions: tuple[Question, ...] = (ONE,)
) -> HearCase:
    return HearCase(name=name, reply=says(200, outbox(*rows)), heard=heard or {}, questions=questions)  # type: ignore[arg-type]  # as built by has


D = MessageState
NOT_OURS: dict[str, dict[str, object]] = {
    "another number": {"msisdn": 4520304051},
    "another sender": {"sender": "ACME2"},
    "another case of the sender": {"sender": "acme"},
    "another text": {"text": f"{TEXT}."},
    "no text": {"text": None},
    "sent before": {"sent": SENT_S - 121},
    "sent after": {"sent": SENT_S + 122},
    "not sent yet": {"sent": 0},
    "given another time": {"scheduled": SENT_S + 200},
    "no id": {"smsid": 0},
    "an id that is none": {"smsid": "x"},
}

HEARS = (
    hear("an empty outbox"),
    hear("the row", row(), heard=has()),
    hear("the row twice, as pages may overlap", row(), row(), heard=has()),
    hear(
        "among rows of others", row(smsid=1, msisdn=4520304051), row(), row(smsid=2, text="Hi"), heard=has()
    ),
    hear("words for numbers", row(smsid="918273", msisdn="+4520304050", sent=str(SENT_S)), heard=has()),
    hear("a numeric sender", row(sender=4520304051), heard=has(), questions=(NUMERIC,)),
    hear(
        "line ends of another kind",
        row(text="a\r\nb "),
        heard=has(),
        questions=(replace(ONE, texts=("a\nb",)),),
    ),
    *(hear(f"{name}, which is not ours", row(**changes)) for name, changes in NOT_OURS.items()),
    *(
        hear(f"sent {apart} s away, which clocks allow", row(sent=SENT_S + apart), heard=has())
        for apart in (-119, -1, 0, 120)
    ),
    hear("given its time, and not sent yet", row(scheduled=SENT_S + 1, sent=0), heard=has()),
    hear(
        "given its time, long after it was asked for", row(scheduled=SENT_S, sent=SENT_S - 9000), heard=has()
    ),
    hear("two rows that it may be", row(), row(smsid=918274)),
    hear("two rows that it may be, one without id", row(), row(smsid=None)),
    hear("two messages that the row may be", row(), questions=(ONE, AGAIN)),
    hear("two messages and two rows", row(), row(smsid=918274, sent=SENT_S + 6), questions=(ONE, AGAIN)),
    hear(
        "two messages far apart, one row",
        row(),
        heard=has(),
        questions=(ONE, replace(AGAIN, sent_at_s=SENT_AT_S + 600)),
    ),
    hear(
        "the row with the id that is known, among those that look the same",
        row(smsid=1),
        row(),
        heard=has(),
        questions=(replace(ONE, provider_refs=("918273",)),),
    ),
    hear(
        "no row with the id that is known, and one that looks the same",
        row(smsid=1),
        questions=(replace(ONE, provider_refs=("918273",)),),
    ),
    hear(
        "the row with the id that is known, at another time",
        row(sent=SENT_S + 9000),
        heard=has(),
        questions=(replace(ONE, provider_refs=("918273",)),),
    ),
    hear(
        "one of two is known, so the other row is the other message",
        row(smsid=1),
        row(),
        heard=has() | {SECOND_REFERENCE: {ANNA: replace(has()[REFERENCE][ANNA], provider_ref="1")}},
        questions=(replace(ONE, provider_refs=("918273",)), AGAIN),
    ),
    hear(
        "a member's row is not the group, whatever its id",
        row(),
        questions=(replace(ONE, recipients=("group:7",), provider_refs=("918273",)),),
    ),
    hear("a question without texts", row(), questions=(replace(ONE, texts=()),)),
    hear(
        "several recipients, each with its text",
        row(smsid=1, msisdn=int(BO), text="to Bo"),
        heard={
            REFERENCE: {
                BO: Expected(verdict=Verdict.ACCEPTED, parts=1, cost=Decimal("0.2"), provider_ref="1")
            }
        },
        questions=(replace(ONE, recipients=(ANNA, BO), texts=(TEXT, "to Bo")),),
    ),
    hear("delivered", row(received=SENT_S + 3, latency=2000), heard=has(D.DELIVERED)),
    hear("delivered, by its number", row(error=150), heard=has(D.DELIVERED)),
    hear(
        "failed, as in the documentation",
        row(failed=True, received=SENT_S + 2, error=13, errortext="Message terminated."),
        heard=has(D.UNDELIVERED),
    ),
    *(
        hear(f"failed with {error}", row(error=error), heard=has(D.UNDELIVERED))
        for error in (1, 11, 14, 22, 99, 100)
    ),
    *(
        hear(f"an error that no table has: {error}", row(error=error), heard=has())
        for error in (15, 21, 101, None, "x")
    ),
    hear(
        "amounts that are none",
        row(price="free", **{"msg-count": 0}),
        heard=has(parts=None, cost=None),
    ),
    hear("what is no row", None, 7, "text", [], {}, {"smsid": {}}, row(), heard=has()),
    *(
        HearCase(name=f"rows under {status}", reply=says(status, outbox(row())), heard=None, questions=(ONE,))
        for status in (201, 204, 301, 401, 404, 429, 500, 503)
    ),
    *(
        HearCase(name=f"no outbox: {name}", reply=says(200, document), heard=None, questions=(ONE,))
        for name, document in {
            "an error": {"status": "error", "error": "USER_NOT_FOUND"},
            "another success": outbox(row(), success="VIEW_INBOX"),
            "a success and an error": outbox(row(), error="X"),
            "no list": outbox(outbox={}),
            "nothing": {},
        }.items()
    ),
    *(
        HearCase(
            name=f"cut off {octets} before its end",
            reply=reply(200, says(200, outbox(row())).body[:-octets]),
            heard=None,
            questions=(ONE,),
        )
        for octets in (1, 20)
    ),
)

LATE_HEARS = (
    hear("the row, an hour ahead", row(sent=SENT_S + WINTER_S), heard=has()),
    hear("the row by another clock", row()),
)

# --- callbacks

FIELDS = {
    "msisdn": 4520304050,
    "dialcode": 45,
    "number": 20304050,
    "status": 150,
    "timestamp": SENT_S,
    "delivered": SENT_S + 3,
    "smsid": 918273,
}


def push(**changes: object) -> Push:
    given = {name: value for name, value in (FIELDS | changes).items() if value is not None}
    return Push(method="GET", query=urlencode(given))


def report(delivery: MessageState, code: str, **changes: object) -> Report:
    plain: dict[str, object] = {"msisdn": ANNA, "provider_ref": "918273", "delivery": delivery, "code": code}
    return Report(**(plain | changes))  # type: ignore[arg-type]  # the fields of Report


DELIVERED = report(D.DELIVERED, "150", at_s=SENT_S + 3)
FAILURES = {
    1: "internal termination",
    11: "internal termination",
    12: "the number is not assigned",
    13: "the number is wrong",
    14: "the number is blacklisted",
    22: "external termination",
    99: "external termination",
    100: "roaming, cancelled by your own setting",
}

REPORTS = (
    ReportCase(name="delivered", push=push(), reports=(DELIVERED,)),
    ReportCase(
        name="delivered, behind a query of ours",
        push=Push(method="GET", query=f"a=b&{urlencode(FIELDS)}"),
        reports=(DELIVERED,),
    ),
    ReportCase(
        name="delivered, in a form",
        push=Push(method="POST", query="", body=urlencode(FIELDS).encode()),
        reports=(DELIVERED,),
    ),
    ReportCase(
        name="delivered, nobody knows when", push=push(delivered=0), reports=(replace(DELIVERED, at_s=None),)
    ),
    *(
        ReportCase(
            name=f"failed with {code}",
            push=push(status=code, delivered=0),
            reports=(report(D.UNDELIVERED, str(code), detail=detail),),
        )
        for code, detail in FAILURES.items()
    ),
    *(
        ReportCase(
            name=f"{code}, which no table has",
            push=push(status=code),
            reports=(report(D.ACCEPTED, str(code)),),
        )
        for code in (0, 15, 21, 101, 149, 151, 255)
    ),
    ReportCase(name="without an id", push=push(smsid=None), reports=(replace(DELIVERED, provider_ref=None),)),
    ReportCase(name="without a number", push=push(msisdn=None), reports=(replace(DELIVERED, msisdn=None),)),
    ReportCase(name="with neither", push=push(msisdn=None, smsid=0), reports=()),
    *(
        ReportCase(name=f"no status: {status!r}", push=push(status=status), reports=())
        for status in (None, "", "DELIVRD", "-1", "1.5", "1500", "\u0661")
    ),
    ReportCase(
        name="an incoming message",
        push=Push(
            method="GET", query="msisdn=4520304050&timestamp=1&gateway=1919&keyword=hey&network=dk&text=hey"
        ),
        reports=(),
    ),
    ReportCase(name="an incoming message with a status", push=push(keyword="hey", text="x"), reports=()),
    ReportCase(
        name="too many fields", push=Push(method="GET", query="a=b&" * 60 + urlencode(FIELDS)), reports=()
    ),
    ReportCase(name="nothing", push=Push(method="GET", query=""), reports=()),
)

DANISH_REPORTS = (
    ReportCase(
        name="delivered, an hour ahead",
        push=push(delivered=SENT_S + 3 + WINTER_S),
        reports=(DELIVERED,),
    ),
)
