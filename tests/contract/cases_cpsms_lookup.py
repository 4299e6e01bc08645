"""CPSMS v2: replies to ``creditvalue`` and ``getlog``, the documented and those that must not fool us."""

from __future__ import annotations

import dataclasses
import json
from decimal import Decimal
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from tests.contract.cases import (
    ANNA,
    BO,
    CARL,
    HOST,
    QUESTIONS,
    REFERENCE,
    SECOND_REFERENCE,
    SENT_AT_S,
    AskCase,
    CheckCase,
    Expected,
    HearCase,
    reply,
    says,
)
from worker.gateways.base import Question, Verdict
from worker.states import MessageState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hypothesis.strategies import SearchStrategy

UNREADABLE = "the answer shows no credit that can be read"
USED_UP = "the credit is used up"
URL = f"{HOST}/cpsms/v2"

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


def has(parts: int | None = 1, cost: str | None = "1", delivery: MessageState | None = None) -> Expected:
    return Expected(
        verdict=Verdict.ACCEPTED,
        parts=parts,
        cost=None if cost is None else Decimal(cost),
        delivery=delivery,
        provider_ref=REFERENCE,
    )


def has_second() -> Expected:
    return dataclasses.replace(has(), provider_ref=SECOND_REFERENCE)


def logs() -> SearchStrategy[bytes]:
    references = st.sampled_from([REFERENCE, SECOND_REFERENCE, "", "another", None, 7])
    numbers = st.sampled_from([ANNA, ANNA[1:], int(ANNA), BO, CARL, CARL[1:], "45", None])
    odd = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.lists(st.none())
    rows = st.fixed_dictionaries(
        {"userReference": references | odd, "to": numbers | odd},
        optional={
            "smsAmount": odd,
            "pointPrice": odd,
            "timeSent": odd,
            "dlrStatus": st.integers(0, 9) | odd,
            "dlrStatusText": odd,
        },
    )
    return st.lists(rows | odd, max_size=6).map(lambda rows: json.dumps(rows).encode())


ANNAS, BOS, CARLS = row("4520304050"), row("4520304051"), row("46701234567", SECOND_REFERENCE)
ONLY_ANNA = {REFERENCE: {ANNA: has()}}

PLAIN_HEARS = (
    HearCase(name="an empty log", reply=says(200, []), heard={}),
    HearCase(name="one row", reply=says(200, [ANNAS]), heard=ONLY_ANNA),
    HearCase(
        name="all rows, in another order",
        reply=says(200, [CARLS, BOS, ANNAS]),
        heard={REFERENCE: {ANNA: has(), BO: has()}, SECOND_REFERENCE: {CARL: has_second()}},
    ),
    HearCase(name="a row twice", reply=says(200, [ANNAS, ANNAS]), heard=ONLY_ANNA),
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
        heard={REFERENCE: {}},
    ),
    HearCase(
        name="our reference with the number of another question",
        reply=says(200, [row("46701234567"), row("4520304050", SECOND_REFERENCE)]),
        heard={REFERENCE: {}, SECOND_REFERENCE: {}},
    ),
    HearCase(
        name="a plus, blanks and a JSON number",
        reply=says(200, [row("+4520304050"), row(4520304051), row(" 46701234567 ", SECOND_REFERENCE)]),
        heard={REFERENCE: {ANNA: has(), BO: has()}, SECOND_REFERENCE: {CARL: has_second()}},
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


DELIVERED, UNDELIVERED, EXPIRED = MessageState.DELIVERED, MessageState.UNDELIVERED, MessageState.EXPIRED


def delivered(codes: Mapping[object, MessageState | None]) -> tuple[HearCase, ...]:
    kept = {
        None: None,
        DELIVERED: None,
        UNDELIVERED: "2",
        EXPIRED: next((str(code) for code in codes if codes[code] is EXPIRED), None),
    }
    return tuple(
        HearCase(
            name=f"delivery {code!r:.20}",
            reply=says(200, [row("4520304050", dlrStatus=code, dlrStatusText="Some words")]),
            heard={REFERENCE: {ANNA: dataclasses.replace(has(delivery=delivery), code=kept[delivery])}},
        )
        for code, delivery in codes.items()
    )


OF_BOTH: Mapping[object, MessageState | None] = {
    0: None,
    None: None,
    "": None,
    1: DELIVERED,
    "1": DELIVERED,
    " 1 ": DELIVERED,
    2: UNDELIVERED,
    3: None,
    5: None,
    -1: None,
    1.5: None,
    "Received": None,
    10**40: None,
}
OF_2020 = delivered({**OF_BOTH, 4: None, 8: EXPIRED})
OF_2016 = delivered({**OF_BOTH, 4: EXPIRED, 8: None})

GROUP_QUESTION = Question(reference=REFERENCE, recipients=("group:12345",), sent_at_s=SENT_AT_S)
TWICE = tuple(
    HearCase(
        name=f"a row twice, with {codes}",
        reply=says(200, [row("4520304050", dlrStatus=code) for code in codes]),
        heard={REFERENCE: {ANNA: has(delivery=delivery)}},
    )
    for codes, delivery in {
        (0, 1): DELIVERED,
        (1, 0): DELIVERED,
        (1, 2): DELIVERED,
        (2, 1): DELIVERED,
        (2, 0): UNDELIVERED,
        (0, 2): UNDELIVERED,
    }.items()
)
GROUPS = (
    HearCase(
        name="a group, from any row of its request",
        questions=(GROUP_QUESTION,),
        reply=says(200, [row("4520304077", dlrStatus=1), row("4520304078", dlrStatus=2)]),
        heard={REFERENCE: {"group:12345": has(None, None)}},
    ),
    HearCase(
        name="a group, from a row without a number",
        questions=(GROUP_QUESTION,),
        reply=says(200, [row("", dlrStatus=1)]),
        heard={REFERENCE: {"group:12345": has(None, None)}},
    ),
    HearCase(
        name="a group of which nothing is known",
        questions=(GROUP_QUESTION,),
        reply=says(200, [row("4520304077", SECOND_REFERENCE)]),
        heard={},
    ),
)

HEARS = PLAIN_HEARS + TWICE + GROUPS + OF_2020
HEARS_2016 = PLAIN_HEARS[:2] + OF_2016
