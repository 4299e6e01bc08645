"""CPSMS v2: the documented shapes, those of clients in use, and the ones that must not fool us."""

from __future__ import annotations

import base64
import json
from decimal import Decimal
from typing import TYPE_CHECKING

from tests.contract.cases import (
    ANNA,
    BO,
    CARL,
    REFERENCE,
    TEXT,
    BuildCase,
    Contract,
    Expected,
    ReadCase,
    reply,
    says,
    submission,
)
from tests.contract.cases_cpsms_lookup import ASKS, CHECKS, HEARS
from worker.gateways.base import Lookup, Verdict
from worker.gateways.cpsms import Cpsms
from worker.text.segments import Encoding

if TYPE_CHECKING:
    from collections.abc import Mapping

    from worker.gateways.base import HttpRequest

SECRET = "0f1e2d3c-the-api-key"
LOGIN = base64.b64encode(f"acme:{SECRET}".encode()).decode()


def fields_of(request: HttpRequest) -> Mapping[str, object]:
    fields: dict[str, object] = json.loads(request.body)
    line = {"method": request.method, "url": request.url, "login": request.headers["Authorization"]}
    return fields | line | {"content-type": request.headers["Content-Type"]}


def accepted(parts: int | None = None, cost: str | None = None) -> Expected:
    return Expected(verdict=Verdict.ACCEPTED, parts=parts, cost=None if cost is None else Decimal(cost))


def expected(**verdicts: Verdict) -> dict[str, Expected]:
    numbers = {"anna": ANNA, "bo": BO, "carl": CARL}
    return {numbers[name]: Expected(verdict=verdict) for name, verdict in verdicts.items()}


ANNA_OK = {"to": "4520304050", "cost": 1, "smsAmount": 1}
BO_OK = {"to": "4520304051", "cost": 1, "smsAmount": 1}
BO_BAD = {"code": 400, "message": "number length does not fit the country", "to": "4520304051"}
NUMBER_WORDS = "The number is not valid"

BUILDS = (
    BuildCase(
        name="one recipient",
        submission=submission(ANNA),
        fields={
            "method": "POST",
            "url": "http://127.0.0.1:1/cpsms/v2/send",
            "login": f"Basic {LOGIN}",
            "content-type": "application/json",
            "to": "4520304050",
            "message": TEXT,
            "from": "ACME",
            "reference": REFERENCE,
            "dlr_url": "https://sms.example/dlr/token",
        },
        absent=("flash", "format", "encoding", "timestamp"),
    ),
    BuildCase(
        name="several recipients",
        submission=submission(ANNA, BO, CARL),
        fields={"to": ["4520304050", "4520304051", "46701234567"]},
    ),
    BuildCase(
        name="unicode",
        submission=submission(text="Hej \u2603 \U0001f600", encoding=Encoding.UCS_2),
        fields={"format": "UNICODE", "message": "Hej \u2603 \U0001f600"},
    ),
    BuildCase(name="flash", submission=submission(options={"flash": True}), fields={"flash": 1}),
    BuildCase(name="flash in words", submission=submission(options={"flash": "true"}), fields={"flash": 1}),
    BuildCase(name="no flash", submission=submission(options={"flash": False}), fields={}, absent=("flash",)),
    BuildCase(
        name="numeric sender", submission=submission(sender="+4520304050"), fields={"from": "4520304050"}
    ),
)

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
        ReadCase(
            name=f"{code} in {shape}",
            reply=says(code, {"error": error}),
            expected=expected(anna=verdict, bo=verdict),
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
            "an object": {"code": code, "message": "no"},
            "a list": [{"code": str(code), "message": "no"}],
            "the names of 2016": {"errorCode": code, "errMsg": "no"},
            "nothing": None,
        }.items()
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

CPSMS = Contract(
    adapter=Cpsms(
        base_url="http://127.0.0.1:1/cpsms/v2/",
        username="acme",
        secret=SECRET,
        dlr_url="https://sms.example/dlr/token",
    ),
    secrets=(SECRET, LOGIN),
    max_recipients=500,
    builds=BUILDS,
    reads=READS,
    checks=CHECKS,
    asks=ASKS,
    hears=HEARS,
    lookup=Lookup(interval_s=120, most_references=None, is_proof=False),
    good_body=json.dumps({"success": [ANNA_OK]}).encode(),
    fields_of=fields_of,
)
