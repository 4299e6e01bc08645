"""CPSMS v2: the documented shapes, those of clients in use, and the ones that must not fool us."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import TYPE_CHECKING

from tests.contract.cases import (
    ANNA,
    BO,
    CARL,
    DLR_URL,
    HOST,
    LEAVES_AT_S,
    REFERENCE,
    TEXT,
    BuildCase,
    Contract,
    OptionCase,
    RefusalCase,
    json_bodies,
    says,
    submission,
)
from tests.contract.cases_cpsms_later import CANCELS, REPORTS, REPORTS_2016
from tests.contract.cases_cpsms_lookup import ASKS, CHECKS, HEARS, HEARS_2016, logs
from worker.gateways.base import Lookup
from worker.gateways.cpsms.adapter import Cpsms
from worker.text import gsm7
from worker.text.segments import Encoding

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from worker.gateways.base import HttpReply, HttpRequest, Question

from tests.contract.cases_cpsms_replies import ANNA_OK, CODES, GROUP_READS, NUMBER_CODES, READS

SECRET = "0f1e2d3c-the-api-key"
LOGIN = base64.b64encode(f"acme:{SECRET}".encode()).decode()


def fields_of(request: HttpRequest) -> Mapping[str, object]:
    given = json.loads(request.body.decode("latin-1")) if request.body else {}
    if given.get("encoding") != "ISO-8859-1" and request.body:
        given = json.loads(request.body)
    fields: dict[str, object] = given
    line = {"method": request.method, "url": request.url, "login": request.headers["Authorization"]}
    return fields | line | {"content-type": request.headers.get("Content-Type")}


BUILDS = (
    BuildCase(
        name="one recipient",
        submission=submission(ANNA, dlr_url=DLR_URL),
        fields={
            "method": "POST",
            "url": f"{HOST}/cpsms/v2/send",
            "login": f"Basic {LOGIN}",
            "content-type": "application/json",
            "to": "4520304050",
            "message": TEXT,
            "from": "ACME",
            "reference": REFERENCE,
            "dlr_url": DLR_URL,
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
        name="ISO-8859-1, in octets of that charset",
        submission=submission(text="S\u00f8ren", options={"encoding": "iso-8859-1"}),
        fields={"encoding": "ISO-8859-1", "message": "S\u00f8ren"},
    ),
    BuildCase(
        name="UTF-8, which is the default",
        submission=submission(text="5 \u20ac", options={"encoding": "UTF-8", "format": "GSM"}),
        fields={"message": "5 \u20ac"},
        absent=("encoding", "format"),
    ),
    BuildCase(
        name="a short text that is wanted in unicode",
        submission=submission(text="x" * 70, options={"format": "unicode"}),
        fields={"format": "UNICODE"},
    ),
    BuildCase(
        name="kept by the gateway, never a second too early",
        submission=submission(leaves_at_s=LEAVES_AT_S + 0.25),
        fields={"timestamp": 1_796_003_601},
    ),
    BuildCase(
        name="a group",
        submission=submission("group:12345", dlr_url=DLR_URL, leaves_at_s=LEAVES_AT_S),
        fields={
            "url": f"{HOST}/cpsms/v2/sendgroup",
            "to_group": 12345,
            "message": TEXT,
            "from": "ACME",
            "reference": REFERENCE,
            "timestamp": 1_796_003_600,
            "dlr_url": DLR_URL,
        },
        absent=("to",),
    ),
    BuildCase(
        name="every character of the alphabet",
        submission=submission(text="".join(sorted(gsm7.BASIC | gsm7.EXTENSION))),
        fields={"message": "".join(sorted(gsm7.BASIC | gsm7.EXTENSION))},
    ),
    BuildCase(
        name="numeric sender", submission=submission(sender="+4520304050"), fields={"from": "4520304050"}
    ),
)

OPTION_CASES = (
    OptionCase(name="flash", carried=(True, "true", "false", "1", 0), refused=("perhaps", "", 2, None)),
    OptionCase(name="encoding", carried=("UTF-8", "utf-8", "ISO-8859-1"), refused=("latin1", "", True, None)),
    OptionCase(
        name="encoding",
        carried=("UTF-8",),
        refused=("ISO-8859-1",),
        changes={"text": "5 \u20ac, \u0394"},
    ),
    OptionCase(
        name="encoding", carried=("UTF-8",), refused=("ISO-8859-1",), changes={"sender": "\u0394ACME"}
    ),
    OptionCase(
        name="encoding",
        carried=("UTF-8", "ISO-8859-1"),
        changes={"text": "S\u00f8ren", "sender": "S\u00f8ren"},
    ),
    OptionCase(name="format", carried=("GSM", "gsm", "UNICODE"), refused=("UCS2", "", 7, None)),
    OptionCase(name="format", carried=("GSM",), refused=("UNICODE",), changes={"text": "x" * 71}),
    OptionCase(
        name="format",
        carried=("UNICODE",),
        refused=("GSM",),
        changes={"text": "Hej \u2603", "encoding": Encoding.UCS_2},
    ),
    OptionCase(
        name="format",
        carried=("UNICODE", "GSM"),
        changes={"text": "Hej", "encoding": Encoding.UCS_2},
    ),
)

REFUSALS = (
    *(
        RefusalCase(
            name=f"U+{ord(character):04X} as {encoding}",
            submission=submission(text=f"Hej {character} du", encoding=encoding),
            named=f"U+{ord(character):04X}",
        )
        for encoding, characters in {
            Encoding.GSM_7: "\u2603\x00\x1b\t\u00e7\u00a0\u2019",
            Encoding.UCS_2: "\x00\x1b\t\x0c\x7f\x85\ud83d",
        }.items()
        for character in characters
    ),
    *(
        RefusalCase(
            name=f"group {group!r}", submission=submission(f"group:{group}"), named="recipient group:"
        )
        for group in ("friends", "-1", "1.5", "\u0661", "9" * 19, "7 ", "7:7", "0", "007")
    ),
    RefusalCase(name="two groups", submission=submission("group:7", "group:8"), named="recipient group:"),
)


def echo(said: str) -> list[HttpReply]:
    error = {"code": said, "message": said}
    shapes = (error, error | {"to": ANNA}, [error], {"errorCode": said, "errMsg": said}, said)
    return [says(status, {"error": shape}) for status in (200, 207, 400, 402, 500) for shape in shapes]


def knows(_asked: Sequence[Question], known: Sequence[tuple[str, str]]) -> HttpReply:
    return says(200, [{"userReference": reference, "to": msisdn[1:]} for reference, msisdn in known])


STRANGE = (says(200, {"status": "perhaps"}), says(200, {"success": "yes"}), says(200, {"success": True}))

CPSMS = Contract(
    adapter=Cpsms(base_url=f"{HOST}/cpsms/v2/", username="acme", secret=SECRET),
    secrets=(SECRET, LOGIN),
    fields_of=fields_of,
    good=says(200, {"success": [ANNA_OK]}),
    echo=echo,
    max_recipients=500,
    unit="points",
    lookup=Lookup(interval_s=120, most_references=None, is_proof=False, tells_delivery=True),
    builds=BUILDS,
    refusals=REFUSALS,
    options=OPTION_CASES,
    reads=READS + GROUP_READS,
    codes=CODES + NUMBER_CODES,
    strange=STRANGE,
    checks=CHECKS,
    asks=ASKS,
    hears=HEARS,
    knows=knows,
    cancel_fields={
        "method": "DELETE",
        "url": f"{HOST}/cpsms/v2/deletesms/{REFERENCE}",
        "login": f"Basic {LOGIN}",
    },
    cancels=CANCELS,
    reports=REPORTS,
    bodies=json_bodies(
        "success",
        "Success",
        "error",
        "to",
        "code",
        "message",
        "errorCode",
        "errMsg",
        "cost",
        "price",
        "smsAmount",
        "credit",
    )
    | logs(),
)

CPSMS_2016 = replace(
    CPSMS,
    adapter=replace(CPSMS.adapter, dialect={"dlr_codes": 2016}),  # type: ignore[type-var]  # it is a dataclass
    brand="2016",
    hears=HEARS_2016,
    reports=REPORTS_2016,
)
