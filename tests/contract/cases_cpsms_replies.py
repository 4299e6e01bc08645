"""CPSMS v2: replies to ``send`` and ``sendgroup`` in all their shapes."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from tests.contract.cases import (
    ANNA,
    BO,
    CARL,
    CodeCase,
    Expected,
    ReadCase,
    reply,
    says,
)
from worker.gateways.base import Verdict

if TYPE_CHECKING:
    pass


def accepted(parts: int | None = None, cost: str | None = None) -> Expected:
    return Expected(verdict=Verdict.ACCEPTED, parts=parts, cost=None if cost is None else Decimal(cost))


def expected(**verdicts: Verdict) -> dict[str, Expected]:
    numbers = {"anna": ANNA, "bo": BO, "carl": CARL}
    return {numbers[name]: Expected(verdict=verdict) for name, verdict in verdicts.items()}


ANNA_OK = {"to": "4520304050", "cost": 1, "smsAmount": 1}
BO_OK = {"to": "4520304051", "cost": 1, "smsAmount": 1}
BO_BAD = {"code": 400, "message": "number length does not fit the country", "to": "4520304051"}
NUMBER_WORDS = "The number is not valid"

READS = (
    ReadCase(
        name="all accepted",
        reply=says(
            200,
            {"success": [ANNA_OK, {"to": "46701234567", "cost": 1.6, "smsAmount": 2}]},
        ),
        expected={ANNA: accepted(1, "1"), CARL: accepted(2, "1.6")},
    ),
    ReadCase(
        name="a single object",
        reply=says(200, {"success": ANNA_OK}),
        expected={ANNA: accepted(1, "1")},
    ),
    ReadCase(
        name="the nested draft with words for numbers",
        reply=says(200, {"success": [[{"to": "4520304050", "price": "1", "countryCode": "1"}]]}),
        expected={ANNA: accepted(None, "1")},
    ),
    ReadCase(
        name="a plus, blanks and a JSON number",
        reply=says(200, {"success": [{"to": "+4520304050"}, {"to": 4520304051}, {"to": " 46701234567 "}]}),
        expected={ANNA: accepted(), BO: accepted(), CARL: accepted()},
    ),
    ReadCase(
        name="amounts that are none",
        reply=says(
            200,
            {
                "success": [
                    {"to": "4520304050", "cost": "1,5", "smsAmount": 0},
                    {"to": "4520304051", "cost": -1, "smsAmount": True},
                    {"to": "46701234567", "cost": float("nan"), "smsAmount": 10**9},
                ]
            },
        ),
        expected={ANNA: accepted(), BO: accepted(), CARL: accepted()},
    ),
    ReadCase(
        name="letters that are no UTF-8",
        reply=reply(200, b'{"success": [{"to": "4520304050", "note": "S\xf8ren"}]}'),
        expected={ANNA: accepted()},
    ),
    ReadCase(
        name="partly accepted",
        reply=says(207, {"success": [ANNA_OK], "error": [BO_BAD]}),
        expected={ANNA: accepted(1, "1"), BO: Expected(verdict=Verdict.RECIPIENT)},
    ),
    ReadCase(
        name="partly accepted, names of 2016, code as text",
        reply=says(
            207, {"success": ANNA_OK, "error": {"errorCode": "400", "errMsg": "bad", "to": "4520304051"}}
        ),
        expected={ANNA: accepted(1, "1"), BO: Expected(verdict=Verdict.RECIPIENT)},
    ),
    ReadCase(
        name="partly accepted, a code of its own",
        reply=says(207, {"success": [ANNA_OK], "error": [{"code": "E001", "to": "4520304051"}]}),
        expected={ANNA: accepted(1, "1"), BO: Expected(verdict=Verdict.RECIPIENT)},
    ),
    ReadCase(
        name="partly accepted, then out of points",
        reply=says(
            207, {"success": [ANNA_OK], "error": [{"code": 402, "message": "points", "to": "4520304051"}]}
        ),
        expected={ANNA: accepted(1, "1"), BO: Expected(verdict=Verdict.ACCOUNT)},
    ),
    ReadCase(
        name="out of points with some accepted",
        reply=says(402, {"success": [ANNA_OK], "error": {"code": 402, "message": "points"}}),
        expected={ANNA: accepted(1, "1"), BO: Expected(verdict=Verdict.AMBIGUOUS)},
    ),
    ReadCase(
        name="partly accepted, an error that names nobody",
        reply=says(207, {"success": [ANNA_OK], "error": [BO_BAD, {"code": 409, "message": "conflict"}]}),
        expected={
            ANNA: accepted(1, "1"),
            BO: Expected(verdict=Verdict.RECIPIENT),
            CARL: Expected(verdict=Verdict.AMBIGUOUS),
        },
    ),
    ReadCase(
        name="out of points for some by number, of whom others are not named",
        reply=says(207, {"success": [ANNA_OK], "error": [{"code": 402, "to": "4520304051"}]}),
        expected={
            ANNA: accepted(1, "1"),
            BO: Expected(verdict=Verdict.ACCOUNT),
            CARL: Expected(verdict=Verdict.AMBIGUOUS),
        },
    ),
    ReadCase(
        name="out of points, and one number accepted that is also refused",
        reply=says(207, {"success": [ANNA_OK], "error": [{"code": 402, "to": "4520304050"}]}),
        expected=expected(anna=Verdict.AMBIGUOUS),
    ),
    ReadCase(
        name="accepted under a server error",
        reply=says(500, {"success": [ANNA_OK]}),
        expected={ANNA: accepted(1, "1"), BO: Expected(verdict=Verdict.AMBIGUOUS)},
    ),
    ReadCase(
        name="one in neither list",
        reply=says(207, {"success": [ANNA_OK], "error": [BO_BAD]}),
        expected={
            ANNA: accepted(1, "1"),
            BO: Expected(verdict=Verdict.RECIPIENT),
            CARL: Expected(verdict=Verdict.AMBIGUOUS),
        },
    ),
    ReadCase(
        name="one in both lists",
        reply=says(207, {"success": [ANNA_OK, BO_OK], "error": [BO_BAD]}),
        expected={ANNA: accepted(1, "1"), BO: Expected(verdict=Verdict.AMBIGUOUS)},
    ),
    ReadCase(
        name="success for a stranger",
        reply=says(200, {"success": [BO_OK]}),
        expected=expected(anna=Verdict.AMBIGUOUS),
    ),
    ReadCase(
        name="success for a number that is written in another way, then out of points",
        reply=says(402, {"success": [ANNA_OK, {"to": "004520304051"}], "error": {"code": 402}}),
        expected={ANNA: accepted(1, "1"), BO: Expected(verdict=Verdict.AMBIGUOUS)},
    ),
    ReadCase(
        name="success without a number, then out of points",
        reply=says(402, {"success": {"cost": 1}, "error": {"code": 402}}),
        expected=expected(anna=Verdict.AMBIGUOUS),
    ),
    ReadCase(
        name="an error object under 200",
        reply=says(200, {"error": {"code": 401, "message": "no"}}),
        expected=expected(anna=Verdict.ACCOUNT, bo=Verdict.ACCOUNT),
    ),
    ReadCase(
        name="an error of unknown code under 200",
        reply=says(200, {"error": {"code": "E001", "message": "no"}}),
        expected=expected(anna=Verdict.AMBIGUOUS),
    ),
    ReadCase(
        name="an error for a stranger under 200",
        reply=says(200, {"error": [BO_BAD]}),
        expected=expected(anna=Verdict.AMBIGUOUS),
    ),
    ReadCase(
        name="an error as text",
        reply=says(406, {"error": "sender not allowed"}),
        expected=expected(anna=Verdict.CAMPAIGN),
    ),
    *(
        ReadCase(name=f"bare {status}", reply=reply(status), expected=expected(anna=verdict, bo=verdict))
        for status, verdict in {
            301: Verdict.BUG,
            307: Verdict.BUG,
            405: Verdict.BUG,
            408: Verdict.AMBIGUOUS,
            425: Verdict.AMBIGUOUS,
            499: Verdict.AMBIGUOUS,
            502: Verdict.AMBIGUOUS,
            503: Verdict.AMBIGUOUS,
            504: Verdict.AMBIGUOUS,
        }.items()
    ),
    ReadCase(
        name="a server error that speaks of points",
        reply=says(500, {"error": {"code": 402, "message": "points"}}),
        expected=expected(anna=Verdict.AMBIGUOUS),
    ),
    ReadCase(
        name="a redirection that speaks of points",
        reply=says(302, {"error": {"code": 402, "message": "points"}}),
        expected=expected(anna=Verdict.BUG),
    ),
    ReadCase(
        name="a bad number, alone",
        reply=says(400, {"error": {"code": 400, "message": NUMBER_WORDS}}),
        expected=expected(anna=Verdict.RECIPIENT),
    ),
    ReadCase(
        name="a bad number among several",
        reply=says(400, {"error": {"code": 400, "message": NUMBER_WORDS}}),
        expected=expected(anna=Verdict.SPLIT, bo=Verdict.SPLIT),
    ),
    ReadCase(
        name="a bad number that is written in another way",
        reply=says(400, {"error": [{"code": 400, "message": NUMBER_WORDS, "to": "20304050"}]}),
        expected=expected(anna=Verdict.RECIPIENT),
    ),
    ReadCase(
        name="one of several refused by its number, and no word of the others",
        reply=says(400, {"error": [BO_BAD]}),
        expected=expected(anna=Verdict.AMBIGUOUS, bo=Verdict.RECIPIENT, carl=Verdict.AMBIGUOUS),
    ),
    ReadCase(
        name="too many characters, which is no bad number",
        reply=says(400, {"error": {"code": 400, "message": "The number of characters is too large"}}),
        expected=expected(anna=Verdict.CAMPAIGN),
    ),
    ReadCase(
        name="a bad number as sender, which is no bad recipient",
        reply=says(400, {"error": {"code": 400, "message": "Sender number is not valid"}}),
        expected=expected(anna=Verdict.CAMPAIGN, bo=Verdict.CAMPAIGN),
    ),
)

GROUP_READS = (
    ReadCase(
        name="a group, all accepted",
        reply=says(200, {"success": [ANNA_OK, {"to": "46701234567", "cost": 1.6, "smsAmount": 1}]}),
        expected={"group:12345": accepted(None, "2.6")},
    ),
    ReadCase(
        name="a group, some refused",
        reply=says(207, {"success": [ANNA_OK], "error": [BO_BAD]}),
        expected={"group:12345": accepted(None, "1")},
    ),
    ReadCase(
        name="a group without prices",
        reply=says(200, {"success": [ANNA_OK, {"to": "46701234567"}]}),
        expected={"group:12345": accepted()},
    ),
    ReadCase(
        name="a group of bad numbers",
        reply=says(400, {"error": [BO_BAD]}),
        expected={"group:12345": Expected(verdict=Verdict.RECIPIENT)},
    ),
    ReadCase(
        name="a group of bad numbers and no points",
        reply=says(400, {"error": [BO_BAD, {"code": 402, "to": "4520304050"}]}),
        expected={"group:12345": Expected(verdict=Verdict.AMBIGUOUS)},
    ),
    ReadCase(
        name="a group, refused number by number under 200",
        reply=says(200, {"error": [BO_BAD]}),
        expected={"group:12345": Expected(verdict=Verdict.AMBIGUOUS)},
    ),
    ReadCase(
        name="a group, accepted without a number",
        reply=says(200, {"success": [{"cost": 1}], "error": [BO_BAD]}),
        expected={"group:12345": Expected(verdict=Verdict.AMBIGUOUS)},
    ),
    ReadCase(
        name="a group, accepted without a number under 400",
        reply=says(400, {"success": [{"cost": 1}], "error": [BO_BAD]}),
        expected={"group:12345": Expected(verdict=Verdict.AMBIGUOUS)},
    ),
    ReadCase(
        name="a group, refused for a number and as a whole",
        reply=says(402, {"error": [BO_BAD, {"code": 402, "message": "points"}]}),
        expected={"group:12345": Expected(verdict=Verdict.ACCOUNT)},
    ),
    ReadCase(
        name="an empty group",
        reply=says(200, {"success": []}),
        expected={"group:12345": Expected(verdict=Verdict.AMBIGUOUS)},
    ),
    ReadCase(
        name="an unknown group",
        reply=says(409, {"error": {"code": 409, "message": "nothing matches"}}),
        expected={"group:12345": Expected(verdict=Verdict.RECIPIENT)},
    ),
)

CODES = tuple(
    CodeCase(
        name=f"{code} in {shape}",
        reply=says(code, {"error": error}),
        alone=verdict,
        code=str(code),
        detail="it says no" if error else "",
    )
    for code, verdict in {
        400: Verdict.CAMPAIGN,
        401: Verdict.ACCOUNT,
        402: Verdict.ACCOUNT,
        403: Verdict.ACCOUNT,
        404: Verdict.BUG,
        406: Verdict.CAMPAIGN,
        409: Verdict.CAMPAIGN,
        429: Verdict.THROTTLED,
        500: Verdict.AMBIGUOUS,
    }.items()
    for shape, error in {
        "an object": {"code": code, "message": "it says no"},
        "a list": [{"code": str(code), "message": "it says no"}],
        "the names of 2016": {"errorCode": code, "errMsg": "it says no"},
        "nothing": None,
    }.items()
)
NUMBER_CODES = (
    CodeCase(
        name="400 that speaks of the number",
        reply=says(400, {"error": {"code": 400, "message": NUMBER_WORDS}}),
        alone=Verdict.RECIPIENT,
        among=Verdict.SPLIT,
        code="400",
        detail=NUMBER_WORDS,
    ),
)
