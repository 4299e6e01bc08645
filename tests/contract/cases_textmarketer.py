"""Text Marketer: what is sent and what its answers mean, the documented and those that must not fool us."""

from __future__ import annotations

import base64
from decimal import Decimal
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from hypothesis import strategies as st

from tests.contract.cases import (
    ANNA,
    BO,
    CARL,
    HOST,
    LEAVES_AT_S,
    PROVIDER_REF,
    REFERENCE,
    SENDER,
    TEXT,
    BuildCase,
    CodeCase,
    Contract,
    Expected,
    OptionCase,
    ReadCase,
    RefusalCase,
    reply,
    submission,
)
from tests.contract.cases_textmarketer_later import ASKS, CANCELS, CHECKS, HEARS, knows
from tests.contract.textmarketer_replies import accepted, errors, response
from worker.gateways.base import HttpReply, Lookup, Verdict
from worker.gateways.textmarketer.adapter import Textmarketer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hypothesis.strategies import SearchStrategy

    from worker.gateways.base import HttpRequest

SECRET = "0f1e2d3c-the-password"
LOGIN = base64.b64encode(f"acme:{SECRET}".encode()).decode()
URL = f"{HOST}/textmarketer/services/rest"


def fields_of(request: HttpRequest) -> Mapping[str, object]:
    line = {"method": request.method, "url": request.url, "login": request.headers["Authorization"]}
    return {"content-type": request.headers.get("Content-Type"), **line} | dict(
        parse_qsl(request.body.decode(), keep_blank_values=True, strict_parsing=bool(request.body))
    )


def echo(words: str) -> Sequence[HttpReply]:
    clean = "".join(each for each in words if each.isprintable() or each == "\n")
    return (
        errors((words, words), status=400),
        errors(("9", words), status=400),
        errors((words, words), status=403),
        errors((words, words), status=200),
        reply(503, clean.encode()),
        reply(403, words.encode()),
    )


def bodies() -> SearchStrategy[bytes]:
    words = st.sampled_from(
        [ANNA[1:], ANNA, REFERENCE, "0", "7001", "SENT", "SCHEDULED", "DELETED", "9", "&#0;"]
    )
    texts = words | st.text(max_size=6).map(escape)
    names = st.sampled_from(["message_id", "scheduled_id", "credits_used", "status", "credits", "x"])
    leaves = st.builds(lambda name, text: f"<{name}>{text}</{name}>", names, texts)
    faults = st.builds(
        lambda code, text: f'<errors><error code="{code}">{text}</error></errors>', texts, texts
    )
    rows = st.tuples(texts, texts, texts).map(
        lambda row: '<report><reportrow mobile_number="{}" custom="{}" status="{}"/></report>'.format(*row)
    )
    inner = st.lists(leaves | faults | rows | texts, max_size=5).map("".join)
    return inner.map(lambda content: response("sms_post", content).body) | st.binary(max_size=80)


def expected(**verdicts: Verdict) -> dict[str, Expected]:
    numbers = {"anna": ANNA, "bo": BO, "carl": CARL}
    return {numbers[name]: Expected(verdict=verdict) for name, verdict in verdicts.items()}


def yes(*, cost: str | None, ref: str = "7001") -> Expected:
    return Expected(verdict=Verdict.ACCEPTED, cost=None if cost is None else Decimal(cost), provider_ref=ref)


BUILDS = (
    BuildCase(
        name="one recipient",
        submission=submission(ANNA),
        fields={
            "method": "POST",
            "url": f"{URL}/sms",
            "login": f"Basic {LOGIN}",
            "content-type": "application/x-www-form-urlencoded",
            "to": "4520304050",
            "message": TEXT,
            "originator": SENDER,
            "custom": REFERENCE,
        },
        absent=("username", "password", "schedule", "validity", "check_stop", "email", "mobile_number"),
    ),
    BuildCase(
        name="several recipients",
        submission=submission(ANNA, BO, CARL),
        fields={"to": "4520304050,4520304051,46701234567"},
    ),
    BuildCase(
        name="letters beyond ASCII in UTF-8, and signs that forms use",
        submission=submission(text="\u00e0 & b = 100%+\n\u20ac"),
        fields={"message": "\u00e0 & b = 100%+\n\u20ac"},
    ),
    BuildCase(
        name="numeric sender",
        submission=submission(sender="+447777123123"),
        fields={"originator": "447777123123"},
    ),
    BuildCase(
        name="kept until a time",
        submission=submission(leaves_at_s=LEAVES_AT_S - 0.5),
        fields={"schedule": "2026-11-30T01:53:20+00:00"},
    ),
    BuildCase(
        name="all options, as words",
        submission=submission(options={"validity": "06", "check_stop": "true", "email": "me@example.org"}),
        fields={"validity": "6", "check_stop": "true", "email": "me@example.org"},
    ),
    BuildCase(
        name="no check of the stop list",
        submission=submission(options={"validity": 72, "check_stop": False}),
        fields={"validity": "72"},
        absent=("check_stop",),
    ),
)

REFUSALS = (
    RefusalCase(
        name="a sender of seventeen digits", submission=submission(sender="1" * 17), named="16 digits"
    ),
)

OPTIONS = (
    OptionCase(
        name="validity", carried=(1, 72, "24"), refused=(0, 73, "", "soon", 1.5, True, "\u0662", None, "-1")
    ),
    OptionCase(name="check_stop", carried=(True, False, "true", "0"), refused=("perhaps", None, 2)),
    OptionCase(
        name="email",
        carried=("me@example.org",),
        refused=("", "me", "me@", "@example.org", "a b@example.org", "a@b@c.org", "me@example.org\n", 7),
    ),
)

READS = (
    ReadCase(name="sent", reply=accepted(credits_used="2"), expected={ANNA: yes(cost="2")}),
    ReadCase(name="queued", reply=accepted(status="QUEUED"), expected={ANNA: yes(cost="1")}),
    ReadCase(
        name="scheduled: the id is that of the schedule",
        reply=accepted(status="SCHEDULED", message_id="0", scheduled_id="101"),
        expected={ANNA: yes(cost="1", ref="101")},
        changes={"leaves_at_s": LEAVES_AT_S},
    ),
    ReadCase(
        name="one id for all, and the sum of the credits",
        reply=accepted(credits_used="4"),
        expected={ANNA: yes(cost="2"), BO: yes(cost="2")},
    ),
    ReadCase(
        name="just as many credits as recipients",
        reply=accepted(credits_used="2"),
        expected={ANNA: yes(cost="1"), BO: yes(cost="1")},
    ),
    ReadCase(
        name="fewer credits than the parts of the only recipient",
        reply=accepted(),
        expected={ANNA: yes(cost="1")},
        changes={"text": "x" * 161},
    ),
    ReadCase(
        name="a sum that cannot be divided",
        reply=accepted(credits_used="5"),
        expected={ANNA: yes(cost=None), BO: yes(cost=None)},
    ),
    ReadCase(
        name="without a DOCTYPE, lower case, blanks",
        reply=accepted(doctype=False, status=" sent ", message_id=" 7001 "),
        expected={ANNA: yes(cost="1")},
    ),
    ReadCase(
        name="nothing charged, as in the vendor's own sandbox",
        reply=accepted(credits_used="0"),
        expected={ANNA: yes(cost="0"), BO: yes(cost="0")},
    ),
    ReadCase(
        name="credits that are no number",
        reply=accepted(credits_used="1.5"),
        expected={ANNA: yes(cost=None), BO: yes(cost=None)},
    ),
    ReadCase(
        name="fewer credits than recipients: one of them was left out",
        reply=accepted(credits_used="2"),
        expected=expected(anna=Verdict.AMBIGUOUS, bo=Verdict.AMBIGUOUS, carl=Verdict.AMBIGUOUS),
    ),
    ReadCase(
        name="fewer credits than recipients of two parts",
        reply=accepted(credits_used="3"),
        expected=expected(anna=Verdict.AMBIGUOUS, bo=Verdict.AMBIGUOUS),
        changes={"text": "x" * 161},
    ),
    ReadCase(
        name="an error of one number under 200",
        reply=errors(("9", "no"), status=200),
        expected=expected(anna=Verdict.SPLIT, bo=Verdict.SPLIT),
    ),
    ReadCase(
        name="an error that nobody knows under 200",
        reply=errors(("77", "no"), status=200),
        expected=expected(anna=Verdict.AMBIGUOUS),
    ),
    ReadCase(
        name="an error that nobody knows beside one of a number under 200",
        reply=errors(("9", "no"), ("77", "no"), status=200),
        expected=expected(anna=Verdict.AMBIGUOUS, bo=Verdict.AMBIGUOUS),
    ),
    ReadCase(
        name="accepted with an error",
        reply=response(
            "sms_post",
            '<message_id>7001</message_id><status>SENT</status><errors><error code="9">no</error></errors>',
        ),
        expected=expected(anna=Verdict.AMBIGUOUS, bo=Verdict.AMBIGUOUS),
    ),
    ReadCase(
        name="accepted with an error under 400",
        reply=response(
            "sms_post",
            '<message_id>7001</message_id><errors><error code="2">no credits</error></errors>',
            status=400,
        ),
        expected=expected(anna=Verdict.AMBIGUOUS, bo=Verdict.AMBIGUOUS),
    ),
    ReadCase(
        name="an error of a number, one of the text, and one of the campaign",
        reply=errors(("9", "no"), ("7", "no text"), ("3", "no")),
        expected=expected(anna=Verdict.CAMPAIGN, bo=Verdict.CAMPAIGN),
    ),
    ReadCase(
        name="an error of a number, and one of the text",
        reply=errors(("9", "no"), ("7", "no text")),
        expected=expected(anna=Verdict.TEXT, bo=Verdict.TEXT),
    ),
    ReadCase(
        name="errors of the campaign and of the account",
        reply=errors(("3", "no"), ("2", "no credits"), ("9", "no")),
        expected=expected(anna=Verdict.ACCOUNT, bo=Verdict.ACCOUNT),
    ),
    ReadCase(
        name="opted out and bad, alone",
        reply=errors(("9", "no"), ("13", "stopped")),
        expected=expected(anna=Verdict.OPTED_OUT),
    ),
    ReadCase(
        name="a code that nobody knows",
        reply=errors(("77", "no")),
        expected=expected(anna=Verdict.CAMPAIGN, bo=Verdict.CAMPAIGN),
    ),
    ReadCase(
        name="a number abroad under 403 does not halt the account",
        reply=errors(("0", "no"), status=403),
        expected=expected(anna=Verdict.RECIPIENT),
    ),
    ReadCase(
        name="a fault of the server that speaks of credits",
        reply=errors(("2", "no credits"), status=500),
        expected=expected(anna=Verdict.AMBIGUOUS),
    ),
    ReadCase(name="unavailable, without a body", reply=reply(503), expected=expected(anna=Verdict.RETRY)),
    ReadCase(
        name="unavailable, in HTML",
        reply=reply(503, b"<html>Service Unavailable</html>"),
        expected=expected(anna=Verdict.RETRY, bo=Verdict.RETRY),
    ),
    ReadCase(
        name="a plain refusal without a code",
        reply=reply(400, b"Bad request"),
        expected=expected(anna=Verdict.CAMPAIGN),
    ),
)

LIMIT = "Your 201 requests exceed the maximum of 100 requests within 15 minute(s)."
ALONE = {
    "0": Verdict.RECIPIENT,
    "1": Verdict.ACCOUNT,
    "2": Verdict.ACCOUNT,
    "3": Verdict.CAMPAIGN,
    "4": Verdict.CAMPAIGN,
    "5": Verdict.TEXT,
    "6": Verdict.ACCOUNT,
    "7": Verdict.TEXT,
    "8": Verdict.TEXT,
    "9": Verdict.RECIPIENT,
    "10": Verdict.RECIPIENT,
    "11": Verdict.CAMPAIGN,
    "12": Verdict.BUG,
    "13": Verdict.OPTED_OUT,
    "30": Verdict.CAMPAIGN,
    "31": Verdict.CAMPAIGN,
    "32": Verdict.CAMPAIGN,
    "33": Verdict.BUG,
    "34": Verdict.CAMPAIGN,
}
SPLIT = {"0", "6", "9", "10", "13"}

CODES = (
    *(
        CodeCase(
            name=f"code {code}",
            reply=errors((code, f"words of {code}")),
            alone=verdict,
            among=Verdict.SPLIT if code in SPLIT else None,
            code=code,
            detail=f"words of {code}",
        )
        for code, verdict in ALONE.items()
    ),
    CodeCase(
        name="403 with the code of the login",
        reply=errors(("1", "login"), status=403),
        alone=Verdict.ACCOUNT,
        code="1",
        detail="login",
    ),
    *(
        CodeCase(
            name=f"{status} in plain words",
            reply=reply(status, b"words of the server"),
            alone=verdict,
            code=str(status),
            detail="words of the server",
        )
        for status, verdict in {
            403: Verdict.ACCOUNT,
            404: Verdict.BUG,
            405: Verdict.BUG,
            500: Verdict.AMBIGUOUS,
            501: Verdict.BUG,
            503: Verdict.RETRY,
        }.items()
    ),
    CodeCase(
        name="the rate limit in plain words",
        reply=reply(503, LIMIT.encode()),
        alone=Verdict.THROTTLED,
        code="503",
        detail=LIMIT,
    ),
    CodeCase(
        name="the rate limit in XML",
        reply=errors(("503", LIMIT), status=503),
        alone=Verdict.THROTTLED,
        code="503",
        detail=LIMIT,
    ),
)

STRANGE = (
    accepted(credits_used="3", status="LOST"),
    accepted(credits_used="3", status=""),
    accepted(credits_used="3", message_id="0"),
    accepted(credits_used="3", message_id=""),
    accepted(credits_used="3", message_id="7 and 8"),
    accepted(credits_used="3", status="SCHEDULED"),
    response("credits_get", "<credits>450</credits>"),
    reply(200, b'<?xml version="1.0"?><reply><message_id>1</message_id><status>SENT</status></reply>'),
    reply(
        200,
        b'<!DOCTYPE response [<!ENTITY one "7001">]>'
        b"<response><message_id>&one;</message_id><status>SENT</status></response>",
    ),
    reply(200, b'<?xml version="1.0" encoding="of-nobody"?><response/>'),
)

TEXTMARKETER = Contract(
    adapter=Textmarketer(base_url=f"{URL}/", username="acme", secret=SECRET, dialect={}),
    secrets=(SECRET, LOGIN),
    fields_of=fields_of,
    good=accepted(),
    echo=echo,
    max_recipients=500,
    unit="credits",
    lookup=Lookup(interval_s=15, most_references=1, is_proof=False, tells_delivery=True),
    builds=BUILDS,
    refusals=REFUSALS,
    options=OPTIONS,
    reads=READS,
    codes=CODES,
    strange=STRANGE,
    checks=CHECKS,
    asks=ASKS,
    hears=HEARS,
    knows=knows,
    cancel_fields={"method": "DELETE", "url": f"{URL}/sms/{PROVIDER_REF}", "login": f"Basic {LOGIN}"},
    cancels=CANCELS,
    bodies=bodies(),
)
