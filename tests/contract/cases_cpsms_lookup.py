"""CPSMS v2: replies to ``creditvalue`` and ``getlog``, the documented and those that must not fool us."""

from __future__ import annotations

import dataclasses
from decimal import Decimal

from tests.contract.cases import (
    ANNA,
    BO,
    CARL,
    QUESTIONS,
    REFERENCE,
    SECOND_REFERENCE,
    AskCase,
    CheckCase,
    Expected,
    HearCase,
    reply,
    says,
)
from worker.gateways.base import Verdict

UNREADABLE = "the answer shows no credit that can be read"
USED_UP = "the credit is used up"
URL = "http://127.0.0.1:1/cpsms/v2"

CHECKS = (
    *(
        CheckCase(
            name=f"credit {credit!r}",
            reply=says(200, {"credit": credit}),
            reason=None,
            balance=Decimal(balance),
        )
        for credit, balance in {
            "9.843,40": "9843.40",
            "1.009.843,4": "1009843.4",
            "9843,40": "9843.40",
            "843,40": "843.40",
            " 0,01 ": "0.01",
            "1234.50": "1234.50",
            "5000": "5000",
            5000: "5000",
            12.5: "12.5",
        }.items()
    ),
    *(
        CheckCase(
            name=f"no credit left: {credit!r}",
            reply=says(200, {"credit": credit}),
            reason=USED_UP,
            balance=Decimal(balance),
        )
        for credit, balance in {
            "0,00": "0.00",
            "0": "0",
            0: "0",
            "-0,00": "-0.00",
            "-12,50": "-12.50",
        }.items()
    ),
    *(
        CheckCase(
            name=f"no credit at all: {credit!r:.20}", reply=says(200, {"credit": credit}), reason=UNREADABLE
        )
        for credit in (
            None,
            "",
            "plenty",
            True,
            [],
            ["9,40"],
            {"value": 1},
            "1,5,3",
            "9,843.40",
            "1.84,40",
            "1e5",
            "NaN",
            "Infinity",
            "\u0661\u0662",
            float("nan"),
            float("inf"),
            10**40,
            "9" * 5000,
        )
    ),
    *(
        CheckCase(name=f"unreadable: {body[:20]!r}", reply=reply(200, body), reason=UNREADABLE)
        for body in (b"", b"OK", b"[]", b"null", b'{"credit": "9.8', b"\xff\xfe\x00", b"[" * 60_000)
    ),
    *(
        CheckCase(name=f"{status} as {shape}", reply=says(status, {"error": error}), reason=f"{status}: no")
        for status in (401, 402, 403, 409, 429, 500)
        for shape, error in {
            "an object": {"code": status, "message": "no"},
            "a list": [{"code": str(status), "message": "no"}],
            "the names of 2016": {"errorCode": status, "errMsg": "no"},
            "a text": "no",
        }.items()
    ),
    *(
        CheckCase(name=f"bare {status}", reply=reply(status), reason=str(status))
        for status in (204, 301, 401, 403, 404, 429, 500, 502, 503)
    ),
    CheckCase(
        name="an error under 200",
        reply=says(200, {"error": {"code": 401, "message": "no such user"}}),
        reason="401: no such user",
    ),
    CheckCase(
        name="credit and an error under 200",
        reply=says(200, {"credit": "9,40", "error": {"code": 403, "message": "address"}}),
        reason="403: address",
        balance=Decimal("9.40"),
    ),
    CheckCase(
        name="credit under a server error",
        reply=says(500, {"credit": "9,40"}),
        reason="500",
        balance=Decimal("9.40"),
    ),
)

FIRST, SECOND = QUESTIONS
NO_AMOUNTS: tuple[object, ...] = (
    None,
    -1,
    True,
    "1,5",
    float("nan"),
    float("inf"),
    10**40,
    "9" * 5000,
    [],
    {},
)

ASKS = (
    AskCase(name="one", questions=(FIRST,), url=f"{URL}/getlog/1795999940/1796000061"),
    AskCase(
        name="several, the last first", questions=(SECOND, FIRST), url=f"{URL}/getlog/1795999940/1796000151"
    ),
    AskCase(
        name="one of the first minutes of 1970",
        questions=(dataclasses.replace(FIRST, sent_at_s=1.0),),
        url=f"{URL}/getlog/0/61",
    ),
)


def row(to: object, reference: object = REFERENCE, **changes: object) -> dict[str, object]:
    plain: dict[str, object] = {
        "to": to,
        "from": "ACME",
        "smsAmount": 1,
        "pointPrice": 1,
        "userReference": reference,
        "dlrStatus": 0,
        "dlrStatusText": "",
        "timeSent": 1_796_000_001,
    }
    return plain | changes


def has(parts: int | None = 1, cost: str | None = "1") -> Expected:
    return Expected(verdict=Verdict.ACCEPTED, parts=parts, cost=None if cost is None else Decimal(cost))


ANNAS, BOS, CARLS = row("4520304050"), row("4520304051"), row("46701234567", SECOND_REFERENCE)
ONLY_ANNA = {REFERENCE: {ANNA: has()}}

HEARS = (
    HearCase(name="an empty log", reply=says(200, []), heard={}),
    HearCase(name="one row", reply=says(200, [ANNAS]), heard=ONLY_ANNA),
    HearCase(
        name="all rows, in another order",
        reply=says(200, [CARLS, BOS, ANNAS]),
        heard={REFERENCE: {ANNA: has(), BO: has()}, SECOND_REFERENCE: {CARL: has()}},
    ),
    HearCase(name="a row twice", reply=says(200, [ANNAS, ANNAS]), heard=ONLY_ANNA),
    HearCase(
        name="a row that could not be delivered, which was accepted all the same",
        reply=says(200, [row("4520304050", dlrStatus=2, dlrStatusText="Failed")]),
        heard=ONLY_ANNA,
    ),
    HearCase(
        name="rows of others",
        reply=says(
            200,
            [
                row("4520304050", None),
                row("4520304050", ""),
                row("4520304050", "another"),
                row("4520304050", REFERENCE.upper()),
                row("4520304050", REFERENCE + "0"),
                row("4520304050", [REFERENCE]),
            ],
        ),
        heard={},
    ),
    HearCase(
        name="our reference with numbers of others",
        reply=says(
            200, [row(to) for to in ("4520304052", "20304050", "004520304050", "", None, ["4520304050"])]
        ),
        heard={},
    ),
    HearCase(
        name="our reference with the number of another question",
        reply=says(200, [row("46701234567"), row("4520304050", SECOND_REFERENCE)]),
        heard={},
    ),
    HearCase(
        name="a plus, blanks and a JSON number",
        reply=says(200, [row("+4520304050"), row(4520304051), row(" 46701234567 ", SECOND_REFERENCE)]),
        heard={REFERENCE: {ANNA: has(), BO: has()}, SECOND_REFERENCE: {CARL: has()}},
    ),
    HearCase(
        name="amounts in words",
        reply=says(200, [row("4520304050", smsAmount="2", pointPrice="1.6")]),
        heard={REFERENCE: {ANNA: has(2, "1.6")}},
    ),
    HearCase(
        name="the rows of 2016, which count no parts",
        reply=says(200, [{name: value for name, value in ANNAS.items() if name != "smsAmount"}]),
        heard={REFERENCE: {ANNA: has(None, "1")}},
    ),
    *(
        HearCase(
            name=f"amounts that are none: {str(amount)[:20]}",
            reply=says(200, [row("4520304050", smsAmount=amount, pointPrice=amount)]),
            heard={REFERENCE: {ANNA: has(None, None)}},
        )
        for amount in NO_AMOUNTS
    ),
    HearCase(
        name="what is no row among the rows",
        reply=says(200, [None, 7, "text", [], [None], {}, {"to": {}}, ANNAS]),
        heard=ONLY_ANNA,
    ),
    HearCase(
        name="letters that are no UTF-8",
        reply=reply(200, says(200, [row("4520304050", **{"from": "S#ren"})]).body.replace(b"#", b"\xf8")),
        heard=ONLY_ANNA,
    ),
    *(
        HearCase(name=f"rows under {status}", reply=says(status, [ANNAS]), heard=None)
        for status in (100, 201, 204, 207, 301, 401, 403, 404, 409, 429, 500, 502, 503)
    ),
    *(
        HearCase(name=f"too early, {status}", reply=says(status, {"error": {"code": status}}), heard=None)
        for status in (200, 409, 429)
    ),
    *(
        HearCase(name=f"unreadable: {body[:20]!r}", reply=reply(200, body), heard=None)
        for body in (
            b"",
            b"OK",
            b"{}",
            b"null",
            b'"[]"',
            b"[",
            b"[" * 60_000,
            b"\xff\xfe\x00",
            b"[" + b"9" * 5000 + b"]",
        )
    ),
    *(
        HearCase(
            name=f"cut off {octets} before its end",
            reply=reply(200, says(200, [ANNAS, BOS]).body[:-octets]),
            heard=None,
        )
        for octets in (1, 20)
    ),
)
