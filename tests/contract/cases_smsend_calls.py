"""The smSend family beside submissions: login, account, states, cancelling, reports."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING
from urllib.parse import quote

from tests.contract.cases import (
    ANNA,
    BO,
    HOST,
    QUESTIONS,
    REFERENCE,
    AskCase,
    CancelCase,
    CheckCase,
    Expected,
    HearCase,
    LoginCase,
    ReportCase,
    reply,
    says,
)
from worker.gateways.base import HttpReply, Push, Question, Report, Taken, Verdict
from worker.states import MessageState

if TYPE_CHECKING:
    from collections.abc import Sequence

URL = f"{HOST}/API/v1.0/REST"
DELIVERED_AT_S = 1_767_337_265.0  # 2026-01-02 08:01:05 in Rome


def check(name: str, status: int, document: object, reason: str | None, **rest: object) -> CheckCase:
    return CheckCase(name=name, reply=says(status, document), reason=reason, **rest)  # type: ignore[arg-type]


CHECKS = (
    check(
        "in good order",
        200,
        {
            "money": 12.5,
            "sms": [{"type": "N", "quantity": 500}, {"type": "LL", "quantity": "3"}],
            "email": {"purchased": "x"},
        },
        None,
        balance=Decimal(500),
        abilities=("N: 500 messages", "LL: 3 messages", "money: 12.5"),
    ),
    check(
        "no money shown",
        200,
        {"money": None, "sms": [{"type": "N", "quantity": 1}]},
        None,
        balance=Decimal(1),
        abilities=("N: 1 messages",),
    ),
    check(
        "used up",
        200,
        {"sms": [{"type": "N", "quantity": 0}, {"type": "LL", "quantity": 0}]},
        "the credit is used up",
        balance=Decimal(0),
        abilities=("N: 0 messages", "LL: 0 messages"),
    ),
    check(
        "no types",
        200,
        {"money": 3, "sms": []},
        "the answer shows no credit that can be read",
        abilities=("money: 3",),
    ),
    check("no list", 200, {"sms": {"N": 5}}, "the answer shows no credit that can be read"),
    check(
        "odd amounts",
        200,
        {"sms": [{"type": "N", "quantity": True}, {"type": 7, "quantity": 1}]},
        "the answer shows no credit that can be read",
    ),
    check("not let in", 401, {"error_message": "keys"}, "401: keys"),
    check("not known", 404, None, "404"),
    CheckCase(name="in words", reply=reply(400, b"bad request"), reason="400: bad request"),
)

ASKS = (AskCase(name="by our reference", questions=QUESTIONS[:1], url=f"{URL}/sms/{REFERENCE}"),)


def row(msisdn: object, status: object, date: object = "") -> dict[str, object]:
    return {"status": status, "destination": msisdn, "delivery_date": date}


def heard(state: MessageState | None = None) -> Expected:
    return Expected(verdict=Verdict.ACCEPTED, delivery=state, provider_ref=REFERENCE)


def states(*rows: dict[str, object], **fields: object) -> HttpReply:
    return says(200, {"result": "OK", "recipients": list(rows), **fields})


FINAL = {
    "DLVRD": MessageState.DELIVERED,
    "TIMEOUT": MessageState.EXPIRED,
    "TOOM4USER": MessageState.UNDELIVERED,
    "TOOM4NUM": MessageState.UNDELIVERED,
    "ERROR": MessageState.UNDELIVERED,
    "UNKNRCPT": MessageState.UNDELIVERED,
    "UNKNPFX": MessageState.UNDELIVERED,
    "INVALIDDST": MessageState.UNDELIVERED,
    "BLACKLISTED": MessageState.UNDELIVERED,
    "INVALIDCONTENTS": MessageState.UNDELIVERED,
    "KO": MessageState.UNDELIVERED,
    "DEMO": MessageState.UNDELIVERED,
}
ON_THEIR_WAY = ("WAITING", "SCHEDULED", "SENT", "WAIT4DLVR", "SOMETHING_NEW", "")
FOR_A_GROUP = Question(reference=REFERENCE, recipients=("group:Customers",), sent_at_s=0.0)

HEARS = (
    *(
        HearCase(name=status, reply=states(row(ANNA, status)), heard={REFERENCE: {ANNA: heard(state)}})
        for status, state in [*FINAL.items(), *((each, None) for each in ON_THEIR_WAY)]
    ),
    HearCase(
        name="both, written in other ways",
        reply=states(
            row(ANNA[1:], "dlvrd ", "20260102080105"), row(f"00{BO[1:]}", "WAITING"), recipient_number=2
        ),
        heard={REFERENCE: {ANNA: heard(MessageState.DELIVERED), BO: heard()}},
    ),
    HearCase(
        name="one is missing",
        reply=states(row(ANNA, "DLVRD"), row("+390000", "DLVRD"), row(None, "DLVRD")),
        heard={REFERENCE: {ANNA: heard(MessageState.DELIVERED)}},
    ),
    HearCase(name="an order without rows", reply=states(), heard={REFERENCE: {}}),
    HearCase(
        name="a group",
        reply=states(row(ANNA, "DLVRD")),
        heard={REFERENCE: {"group:Customers": heard()}},
        questions=(FOR_A_GROUP,),
    ),
    HearCase(name="a group that it never had", reply=reply(404), heard={}, questions=(FOR_A_GROUP,)),
    HearCase(name="it never had it", reply=says(404, {"result": "not found"}), heard={}),
    HearCase(name="the session is over", reply=reply(401), heard=None),
    HearCase(name="a fault", reply=reply(500), heard=None),
    HearCase(name="too early", reply=reply(429), heard=None),
    HearCase(name="cut off", reply=reply(200, b'{"result":"OK","recipients":[{"sta'), heard=None),
    HearCase(name="nothing", reply=reply(200), heard=None),
    HearCase(
        name="no list", reply=says(200, {"result": "OK", "recipients": {"0": row(ANNA, "DLVRD")}}), heard=None
    ),
)


def knows(questions: Sequence[Question], known: Sequence[tuple[str, str]]) -> HttpReply:
    """An order of a single recipient may be asked for as often as there are questions: the first counts."""
    rows = [row(msisdn, "WAIT4DLVR") for reference, msisdn in known if reference == questions[0].reference]
    return states(*rows) if rows else reply(404)


CANCELS = (
    CancelCase(name="done", reply=says(200, {"result": "OK"}), taken=Taken.BACK),
    CancelCase(name="done without words", reply=reply(200), taken=Taken.BACK),
    CancelCase(name="not on the schedule", reply=says(404, {"result": "not found"}), taken=Taken.TOO_LATE),
    CancelCase(name="other words", reply=says(200, {"result": "KO"}), taken=Taken.UNCLEAR),
    CancelCase(name="some page", reply=reply(200, b"<html>hello</html>"), taken=Taken.UNCLEAR),
    *(
        CancelCase(name=str(status), reply=reply(status), taken=Taken.UNCLEAR)
        for status in (201, 302, 400, 401, 429, 500, 503)
    ),
)


def report(
    state: MessageState, code: str | None, *, msisdn: str | None = ANNA, at_s: float | None = None
) -> Report:
    return Report(
        delivery=state, msisdn=msisdn, reference=REFERENCE, provider_ref=REFERENCE, code=code, at_s=at_s
    )


def pushed(status: str, recipient: str = ANNA, date: str = "") -> str:
    return f"delivery_date={date}&order_id={REFERENCE}&status={status}&recipient={recipient}"


REPORTS = (
    *(
        ReportCase(
            name=status,
            push=Push(method="GET", query=pushed(status, quote(ANNA))),
            reports=(report(state, status or None),),
        )
        for status, state in [*FINAL.items(), *((each, MessageState.ACCEPTED) for each in ON_THEIR_WAY[:-1])]
    ),
    ReportCase(
        name="with its date, and a plus that became a blank",
        push=Push(method="GET", query=pushed("DLVRD", ANNA, "20260102080105")),
        reports=(report(MessageState.DELIVERED, "DLVRD", at_s=DELIVERED_AT_S),),
    ),
    ReportCase(
        name="posted as a form",
        push=Push(method="POST", query="", body=pushed("dlvrd", ANNA[1:], "soon").encode()),
        reports=(report(MessageState.DELIVERED, "DLVRD"),),
    ),
    ReportCase(
        name="posted as JSON",
        push=Push(
            method="POST",
            query="",
            body=f'{{"order_id":"{REFERENCE}","status":"KO","recipient":"{ANNA}"}}'.encode(),
        ),
        reports=(report(MessageState.UNDELIVERED, "KO"),),
    ),
    ReportCase(
        name="of a number that is none",
        push=Push(method="GET", query=pushed("ERROR", "anonymous")),
        reports=(report(MessageState.UNDELIVERED, "ERROR", msisdn=None),),
    ),
    ReportCase(name="nothing", push=Push(method="GET", query=""), reports=()),
    ReportCase(
        name="of no order", push=Push(method="GET", query=f"status=DLVRD&recipient={ANNA}"), reports=()
    ),
    ReportCase(name="of no state", push=Push(method="GET", query=pushed("")), reports=()),
)

LOGINS = (
    LoginCase(name="two keys", reply=reply(200, b"7301;Ab12Cd34Ef56"), session="7301;Ab12Cd34Ef56"),
    LoginCase(
        name="two keys and an end of line",
        reply=reply(200, b"7301;Ab12Cd34Ef56\r\n"),
        session="7301;Ab12Cd34Ef56",
    ),
    LoginCase(name="two keys as JSON", reply=reply(200, b'"7301;Ab12Cd34Ef56"'), session="7301;Ab12Cd34Ef56"),
    *(
        LoginCase(name=f"no keys: {body!r}", reply=reply(200, body), verdict=Verdict.AMBIGUOUS)
        for body in (
            b"",
            b"7301",
            b"7301;",
            b";Ab12",
            b"7301;Ab 12",
            b"7301;Ab\r\nX-Evil: 1",
            b"<html>;</html>",
        )
    ),
    *(
        LoginCase(
            name=str(status), reply=reply(status, b"Credentials are incorrect"), verdict=Verdict.ACCOUNT
        )
        for status in (302, 400, 401, 403, 404)
    ),
    *(
        LoginCase(name=str(status), reply=reply(status), verdict=Verdict.RETRY)
        for status in (429, 500, 502, 503, 504)
    ),
    LoginCase(name="another success", reply=reply(204), verdict=Verdict.AMBIGUOUS),
)
