"""Txty v6: the documented answer and errors, and answers that must not fool us."""

from __future__ import annotations

import base64
from decimal import Decimal
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, quote_plus, urlsplit

from tests.contract.cases import (
    ANNA,
    DLR_URL,
    HOST,
    LEAVES_AT_S,
    REFERENCE,
    TEXT,
    BuildCase,
    CodeCase,
    Contract,
    Expected,
    OptionCase,
    ReadCase,
    RefusalCase,
    json_bodies,
    reply,
    says,
    submission,
)
from worker.gateways.base import Verdict
from worker.gateways.txty_v6 import TxtyV6
from worker.text.segments import Encoding

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from worker.gateways.base import HttpReply, HttpRequest

SECRET = "0f1e/2d3c +the=token"
LOGIN = base64.b64encode(f"acme:{SECRET}".encode()).decode()
SECRETS = (SECRET, LOGIN, quote(SECRET), quote(SECRET, safe=""), quote_plus(SECRET))
GUID = "6f1d0c0a-2b7e-4a57-9a57-3f0b8f1c9d11"


def fields_of(request: HttpRequest) -> Mapping[str, object]:
    parts = urlsplit(request.url)
    line = {"method": request.method, "path": parts.path, "login": request.headers.get("Authorization")}
    return dict(parse_qsl(parts.query)) | {name: value for name, value in line.items() if value}


def echo(words: str) -> Sequence[HttpReply]:
    return [
        says(status, error | more)
        for status in (200, 400, 403, 500)
        for error in ({"error": words}, {"error": words, "message": words}, {"error": "BAD_REQUEST"})
        for more in ({}, {"message": words})
    ]


def good(**changes: object) -> dict[str, object]:
    plain: dict[str, object] = {
        "guid": GUID,
        "recipient": [{"msisdn": 4520304050, "dialcode": 45, "number": 20304050}],
        "message": [
            {
                "sender": "ACME",
                "price": 0.2,
                "characters": 29,
                "message_count": 1,
                "text": TEXT,
                "reference": REFERENCE,
            }
        ],
        "settings": [{"premium": False, "flash": False, "silent": False, "scheduled_to": None}],
    }
    return plain | changes


def one(verdict: Verdict, **said: object) -> dict[str, Expected]:
    return {ANNA: Expected(verdict=verdict, **said)}  # type: ignore[arg-type]  # the fields of Expected


ACCEPTED = one(Verdict.ACCEPTED, parts=1, cost=Decimal("0.2"), provider_ref=GUID)
BARE = one(Verdict.ACCEPTED, provider_ref=GUID)

NO_GUIDS: tuple[object, ...] = (None, "", [], {}, True, "two words", "x" * 101)

BUILDS = (
    BuildCase(
        name="plain",
        submission=submission(ANNA),
        fields={
            "method": "GET",
            "path": "/txty-v6/v6/sms",
            "username": "acme",
            "token": SECRET,
            "msisdn": "4520304050",
            "sender": "ACME",
            "text": TEXT,
            "custom_reference": REFERENCE,
        },
        absent=("settings_premium", "settings_flash", "settings_silent", "settings_scheduled", "login"),
    ),
    BuildCase(
        name="every setting",
        submission=submission(options={"premium": True, "flash": "true", "silent": "1"}),
        fields={"settings_premium": "true", "settings_flash": "true", "settings_silent": "true"},
    ),
    BuildCase(
        name="settings that are off",
        submission=submission(options={"premium": False, "flash": "false", "silent": "0"}),
        fields={},
        absent=("settings_premium", "settings_flash", "settings_silent"),
    ),
    BuildCase(
        name="later, and not a moment too early",
        submission=submission(leaves_at_s=LEAVES_AT_S - 0.25),
        fields={"settings_scheduled": "2026-11-30T01:53:20Z"},
    ),
    BuildCase(
        name="unicode and what a query must not cut",
        submission=submission(text="50% & \u2603 = \U0001f600+#", encoding=Encoding.UCS_2),
        fields={"text": "50% & \u2603 = \U0001f600+#"},
    ),
    BuildCase(
        name="numeric sender", submission=submission(sender="+4520304051"), fields={"sender": "4520304051"}
    ),
)

BASIC_BUILDS = (
    BuildCase(
        name="login in the head",
        submission=submission(ANNA),
        fields={"login": f"Basic {LOGIN}", "msisdn": "4520304050"},
        absent=("username", "token"),
    ),
    BuildCase(name="later", submission=submission(leaves_at_s=LEAVES_AT_S), fields={}),
    BuildCase(name="unicode", submission=submission(text="\u2603", encoding=Encoding.UCS_2), fields={}),
)

REFUSALS = (
    RefusalCase(
        name="an address for reports, of which there are none",
        submission=submission(dlr_url=DLR_URL),
        named="delivery reports",
    ),
)

OPTIONS = tuple(
    OptionCase(name=name, carried=(True, "false", "1", 0), refused=("perhaps", "", 2))
    for name in ("premium", "flash", "silent")
)

READS = (
    ReadCase(name="the documented answer", reply=says(200, good()), expected=ACCEPTED),
    ReadCase(
        name="arrays of null",
        reply=says(200, good(recipient=None, message=None, settings=None)),
        expected=BARE,
    ),
    ReadCase(
        name="empty arrays", reply=says(200, good(recipient=[], message=[], settings=[])), expected=BARE
    ),
    ReadCase(name="no arrays", reply=says(201, {"guid": GUID}), expected=BARE),
    ReadCase(name="arrays of nonsense", reply=says(200, good(message=[7], recipient="x")), expected=BARE),
    ReadCase(
        name="objects in place of arrays",
        reply=says(200, good(message={"price": "0.40", "message_count": "2"}, recipient={})),
        expected=one(Verdict.ACCEPTED, parts=2, cost=Decimal("0.4")),
    ),
    ReadCase(
        name="a price in binary",
        reply=reply(200, f'{{"guid": "{GUID}", "message": [{{"price": 0.20000000000000001}}]}}'.encode()),
        expected=one(Verdict.ACCEPTED, cost=Decimal("0.2")),
    ),
    ReadCase(
        name="amounts that are none",
        reply=says(200, good(message=[{"price": -1, "message_count": 0}])),
        expected=BARE,
    ),
    ReadCase(
        name="no reference, and the number",
        reply=says(200, good(message=[{"reference": None}])),
        expected=BARE,
    ),
    ReadCase(
        name="our reference, and the number written in another way",
        reply=says(200, good(recipient=[{"msisdn": 20304050}], message=[{"reference": REFERENCE}])),
        expected=BARE,
    ),
    ReadCase(
        name="the answer to another message, by its reference",
        reply=says(200, good(message=[{"reference": "9876543210zyxwvutsrq"}])),
        expected=one(Verdict.AMBIGUOUS),
    ),
    ReadCase(
        name="the answer to another message, by its number",
        reply=says(200, good(message=None, recipient=[{"msisdn": 4520304051}])),
        expected=one(Verdict.AMBIGUOUS),
    ),
    *(
        ReadCase(
            name=f"a guid that is none: {guid!r:.20}",
            reply=says(200, good(guid=guid)),
            expected=one(Verdict.AMBIGUOUS),
        )
        for guid in NO_GUIDS
    ),
    ReadCase(
        name="accepted and refused",
        reply=says(200, good(error="CANNOT_AFFORD")),
        expected=one(Verdict.AMBIGUOUS),
    ),
    ReadCase(name="accepted under a server error", reply=says(500, good()), expected=one(Verdict.AMBIGUOUS)),
    *(
        ReadCase(
            name=f"{code} under {status}",
            reply=says(status, {"error": code, "message": "no"}),
            expected=one(verdict),
        )
        for code, status, verdict in (
            ("CANNOT_AFFORD", 402, Verdict.ACCOUNT),
            ("CANNOT_AFFORD", 500, Verdict.ACCOUNT),
            ("MSISDN_INVALID", 200, Verdict.RECIPIENT),
            ("INTERNAL_ERROR", 400, Verdict.AMBIGUOUS),
            ("INTERNAL_ERROR", 501, Verdict.AMBIGUOUS),
            ("BAD_REQUEST", 401, Verdict.ACCOUNT),
            ("BAD_REQUEST", 403, Verdict.ACCOUNT),
            ("BAD_REQUEST", 429, Verdict.THROTTLED),
            ("MSISDN_INVALID", 302, Verdict.BUG),
            ("NOBODY_KNOWS", 400, Verdict.CAMPAIGN),
            ("NOBODY_KNOWS", 422, Verdict.CAMPAIGN),
            ("NOBODY_KNOWS", 401, Verdict.ACCOUNT),
            ("NOBODY_KNOWS", 404, Verdict.BUG),
            ("NOBODY_KNOWS", 503, Verdict.AMBIGUOUS),
        )
    ),
    *(
        ReadCase(name=f"bare {status}", reply=reply(status), expected=one(verdict))
        for status, verdict in {
            400: Verdict.CAMPAIGN,
            401: Verdict.ACCOUNT,
            402: Verdict.ACCOUNT,
            403: Verdict.ACCOUNT,
            404: Verdict.BUG,
            405: Verdict.BUG,
            408: Verdict.AMBIGUOUS,
            501: Verdict.BUG,
            503: Verdict.AMBIGUOUS,
        }.items()
    ),
)

CODES = (
    *(
        CodeCase(
            name=code,
            reply=says(status, {"error": code, "message": "More about the error"}),
            alone=verdict,
            code=code,
            detail="More about the error",
        )
        for code, status, verdict in (
            ("BAD_REQUEST", 400, Verdict.CAMPAIGN),
            ("INTERNAL_ERROR", 500, Verdict.AMBIGUOUS),
            ("METHOD_NOT_IMPLEMENTED", 501, Verdict.BUG),
            ("MSISDN_EMPTY", 400, Verdict.RECIPIENT),
            ("MSISDN_INVALID", 400, Verdict.RECIPIENT),
            ("MSISDN_LONG", 400, Verdict.RECIPIENT),
            ("MSISDN_ALPHA", 400, Verdict.RECIPIENT),
            ("SENDER_EMPTY", 400, Verdict.CAMPAIGN),
            ("SENDER_INVALID", 400, Verdict.CAMPAIGN),
            ("SENDER_LONG", 400, Verdict.CAMPAIGN),
            ("TEXT_EMPTY", 400, Verdict.TEXT),
            ("TEXT_LONG", 400, Verdict.TEXT),
            ("SCHEDULED_INVALID", 400, Verdict.CAMPAIGN),
            ("REFERENCE_LONG", 400, Verdict.BUG),
            ("CANNOT_AFFORD", 400, Verdict.ACCOUNT),
        )
    ),
    CodeCase(name="401, which has no body", reply=reply(401), alone=Verdict.ACCOUNT, code="401"),
)


def contract(*, brand: str, builds: tuple[BuildCase, ...], login: str) -> Contract:
    return Contract(
        adapter=TxtyV6(base_url=f"{HOST}/txty-v6/", username="acme", secret=SECRET, dialect={"login": login}),
        brand=brand,
        secrets=SECRETS,
        fields_of=fields_of,
        good=says(200, good()),
        echo=echo,
        builds=builds,
        refusals=REFUSALS,
        options=OPTIONS,
        reads=READS,
        codes=CODES,
        strange=(says(200, {"error": "NOBODY_KNOWS"}), says(200, {"id": GUID}), says(200, [good()])),
        bodies=json_bodies("guid", "error", "message", "recipient", "msisdn", "reference", "price", GUID),
    )


TXTY_V6 = contract(brand="", builds=BUILDS, login="query")
TXTY_V6_BASIC = contract(brand="basic", builds=BASIC_BUILDS, login="basic")
