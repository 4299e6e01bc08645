"""Txty v4: the documented answers and errors, what other names are taken for, and what must not fool us."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, quote_plus

from tests.contract.cases import (
    ANNA,
    DLR_URL,
    HOST,
    LEAVES_AT_S,
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
from tests.contract.cases_txty_v4_lookup import (
    ASKS,
    CHECKS,
    DANISH_REPORTS,
    HEARS,
    LATE_HEARS,
    REPORTS,
    knows,
    knows_late,
)
from worker.gateways.base import Lookup, Verdict
from worker.gateways.txty_v4.adapter import TxtyV4
from worker.text.segments import Encoding

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from worker.gateways.base import HttpReply, HttpRequest

SECRET = "dcHZ2TXvMV+the key/2"
SECRETS = (SECRET, quote(SECRET), quote(SECRET, safe=""), quote_plus(SECRET))
URL = f"{HOST}/txty-v4"
GROUP, CONTACT = "group:7", "contact:100"


def fields_of(request: HttpRequest) -> Mapping[str, object]:
    line = {"method": request.method, "url": request.url, "content-type": request.headers["Content-Type"]}
    return dict(parse_qsl(request.body.decode())) | line


def echo(words: str) -> Sequence[HttpReply]:
    errors: list[dict[str, object]] = [
        {"status": "error", "error": words},
        {"status": "error", "error": "USER_NOT_FOUND", "login": {"user": words, "pass": words}},
        {"status": "error", "error": "EMPTY_RECIPIENT", "sms": {"msisdn": words}},
        {"status": words, "error": words},
        {"status": "error"},
    ]
    return [says(status, error) for status in (200, 400, 401, 500) for error in errors]


def sent(**changes: object) -> dict[str, object]:
    return {"smsid": 918273, "cost": 0.2, "chars-count": 31, "msg-count": 1} | changes


def good(sms: object) -> dict[str, object]:
    return {"status": "success", "success": "SMS_SENT", "sms": sms}


def error(code: object, status: int = 200) -> HttpReply:
    return says(status, {"status": "error", "error": code, "sms": {"msisdn": None}})


def one(verdict: Verdict, **said: object) -> dict[str, Expected]:
    return {ANNA: Expected(verdict=verdict, **said)}  # type: ignore[arg-type]  # the fields of Expected


ACCEPTED = one(Verdict.ACCEPTED, parts=1, cost=Decimal("0.2"), provider_ref="918273")

NO_CODES: tuple[object, ...] = (None, "", [], {}, True)

BUILDS = (
    BuildCase(
        name="plain",
        submission=submission(ANNA),
        fields={
            "method": "POST",
            "url": f"{URL}/sms/api.json",
            "content-type": "application/x-www-form-urlencoded",
            "user": "acme",
            "key": SECRET,
            "msisdn": "4520304050",
            "sender": "ACME",
            "text": TEXT,
        },
        absent=("group", "contact", "flash", "silent", "wappush", "schedule", "callback", "price"),
    ),
    BuildCase(
        name="everything",
        submission=submission(
            options={"flash": True, "silent": "true", "wappush": "https://a.example/b?c=d&e=%20"},
            leaves_at_s=LEAVES_AT_S - 0.25,
            dlr_url=DLR_URL,
        ),
        fields={
            "flash": "true",
            "silent": "true",
            "wappush": "https://a.example/b?c=d&e=%20",
            "schedule": "1796003600",
            "callback": DLR_URL,
        },
        absent=("price",),
    ),
    BuildCase(
        name="settings that are off",
        submission=submission(options={"flash": False, "silent": "0"}),
        fields={},
        absent=("flash", "silent"),
    ),
    BuildCase(
        name="a group", submission=submission(GROUP), fields={"group": "7"}, absent=("msisdn", "contact")
    ),
    BuildCase(
        name="a contact",
        submission=submission(CONTACT),
        fields={"contact": "100"},
        absent=("msisdn", "group"),
    ),
    BuildCase(
        name="unicode and what a form must not cut",
        submission=submission(text="50% & \u2603 = \U0001f600+#", encoding=Encoding.UCS_2),
        fields={"text": "50% & \u2603 = \U0001f600+#"},
    ),
    BuildCase(
        name="numeric sender", submission=submission(sender="+4520304051"), fields={"sender": "4520304051"}
    ),
)

DANISH_BUILDS = (
    BuildCase(
        name="later in winter",
        submission=submission(leaves_at_s=LEAVES_AT_S),
        fields={"schedule": str(int(LEAVES_AT_S) + 3600)},
    ),
    BuildCase(
        name="later in summer",
        submission=submission(leaves_at_s=1_814_400_000.0),
        fields={"schedule": str(1_814_400_000 + 7200)},
    ),
    BuildCase(name="a group", submission=submission(GROUP), fields={}),
    BuildCase(name="a contact", submission=submission(CONTACT), fields={}),
    BuildCase(name="unicode", submission=submission(text="\u2603", encoding=Encoding.UCS_2), fields={}),
)

REFUSALS = (
    *(
        RefusalCase(
            name=f"a sender with other signs: {sender}", submission=submission(sender=sender), named="sender"
        )
        for sender in ("A B", "T\u00f8mrer", "a-b", "+", "\u0661\u0662")
    ),
    *(
        RefusalCase(
            name=f"no id: {recipient}", submission=submission(recipient), named=recipient.partition(":")[0]
        )
        for recipient in (
            "group:customers",
            "group:-1",
            "group:007",
            "contact:0",
            "contact:\u0661",
            "contact:1:2",
        )
    ),
    RefusalCase(
        name="a price, which the recipient would pay",
        submission=submission(options={"price": 100}),
        named="option price",
    ),
)

OPTIONS = (
    *(
        OptionCase(name=name, carried=(True, "false", "1", 0), refused=("perhaps", "", 2))
        for name in ("flash", "silent")
    ),
    OptionCase(
        name="wappush",
        carried=("http://a.example", "https://a.example/b?c"),
        refused=(
            "",
            True,
            "ftp://a.example",
            "a.example",
            "https://",
            "https://a b",
            "https://\u00e6.example",
            "https://[x",
        ),
    ),
)

READS = (
    ReadCase(name="the documented answer", reply=says(200, good(sent())), expected=ACCEPTED),
    ReadCase(name="with a dialling code", reply=says(200, good(sent(dialcode=45))), expected=ACCEPTED),
    ReadCase(name="under another status", reply=says(400, good(sent())), expected=ACCEPTED),
    ReadCase(name="a list of one", reply=says(200, good([sent()])), expected=ACCEPTED),
    ReadCase(
        name="words for numbers",
        reply=says(200, good({"smsid": "918273", "cost": "0.20", "msg-count": "1"})),
        expected=ACCEPTED,
    ),
    ReadCase(
        name="a price in binary",
        reply=reply(200, b'{"status":"success","success":"SMS_SENT","sms":{"cost":0.20000000000000001}}'),
        expected=one(Verdict.ACCEPTED, cost=Decimal("0.2")),
    ),
    *(
        ReadCase(name=f"no sms: {sms!r}", reply=says(200, good(sms)), expected=one(Verdict.ACCEPTED))
        for sms in (None, [], {}, "918273", [None], {"smsid": 0, "cost": -1, "msg-count": 0})
    ),
    ReadCase(
        name="a group, as one",
        reply=says(200, good(sent(cost=0.4, **{"msg-count": 2}))),
        expected={GROUP: Expected(verdict=Verdict.ACCEPTED, parts=2, cost=Decimal("0.4"))},
    ),
    ReadCase(
        name="a group, one by one",
        reply=says(200, good([sent(), sent(smsid=918274, cost=0.55)])),
        expected={GROUP: Expected(verdict=Verdict.ACCEPTED, parts=2, cost=Decimal("0.75"))},
    ),
    ReadCase(
        name="another success",
        reply=says(200, good(sent()) | {"success": "LOOKUP"}),
        expected=one(Verdict.AMBIGUOUS),
    ),
    ReadCase(
        name="a success and an error",
        reply=says(200, good(sent()) | {"error": "X"}),
        expected=one(Verdict.AMBIGUOUS),
    ),
    *(
        ReadCase(name=f"no reason: {code!r}", reply=error(code), expected=one(Verdict.AMBIGUOUS))
        for code in NO_CODES
    ),
    ReadCase(
        name="an error without its status",
        reply=says(200, {"error": "EMPTY_RECIPIENT"}),
        expected=one(Verdict.AMBIGUOUS),
    ),
    *(
        ReadCase(
            name=f"a refusal with an id under {status}",
            reply=says(status, {"status": word, "error": "CANNOT_AFFORD", "sms": sms}),
            expected=one(Verdict.AMBIGUOUS, provider_ref="918273"),
        )
        for status, word, sms in (
            (200, "error", {"smsid": 918273}),
            (400, "error", [{"msisdn": None}, {"smsid": "918273"}]),
            (401, "refused", {"smsid": 918273}),
            (429, "error", {"smsid": 918273}),
        )
    ),
    ReadCase(
        name="a refusal with several ids, and one that nobody can read",
        reply=says(200, {"status": "error", "error": "REFUSED", "sms": [{"smsid": "a1"}, {"smsid": 7}]}),
        expected=one(Verdict.AMBIGUOUS),
    ),
    *(
        ReadCase(
            name=f"a refusal with the id {smsid!r}, which is none",
            reply=says(200, {"status": "error", "error": "CANNOT_AFFORD", "sms": {"smsid": smsid}}),
            expected=one(Verdict.ACCOUNT),
        )
        for smsid in (0, "0", "", None, False)
    ),
    *(
        ReadCase(name=f"{code} under {status}", reply=error(code, status), expected=one(verdict))
        for code, status, verdict in (
            ("EMPTY_RECIPIENT", 400, Verdict.RECIPIENT),
            ("EMPTY_RECIPIENT", 500, Verdict.RECIPIENT),
            ("USER_NOT_FOUND", 404, Verdict.ACCOUNT),
            ("USER_NOT_FOUND", 429, Verdict.THROTTLED),
            ("EMPTY_RECIPIENT", 302, Verdict.BUG),
            ("MSISDN_INVALID", 200, Verdict.RECIPIENT),
            ("MSISDN_INVALID", 422, Verdict.RECIPIENT),
            ("INVALID_NUMBER", 200, Verdict.RECIPIENT),
            ("SENDER_INVALID", 200, Verdict.CAMPAIGN),
            ("SENDER_NUMBER_LONG", 200, Verdict.CAMPAIGN),
            ("TEXT_EMPTY", 400, Verdict.TEXT),
            ("TEXT_LONG", 200, Verdict.TEXT),
            ("SENDER_IN_TEXT", 200, Verdict.CAMPAIGN),
            ("SCHEDULED_INVALID", 200, Verdict.CAMPAIGN),
            ("CANNOT_AFFORD", 200, Verdict.ACCOUNT),
            ("NO_CREDIT", 200, Verdict.ACCOUNT),
            ("BALANCE_LOW", 400, Verdict.ACCOUNT),
            ("KEY_EXPIRED", 200, Verdict.ACCOUNT),
            ("LOGIN_LOCKED", 200, Verdict.ACCOUNT),
            ("INTERNAL_ERROR", 200, Verdict.AMBIGUOUS),
            ("INTERNAL_TEXT_ERROR", 400, Verdict.AMBIGUOUS),
            ("REFUSED", 200, Verdict.CAMPAIGN),
            ("REFUSED", 400, Verdict.CAMPAIGN),
            ("REFUSED", 401, Verdict.ACCOUNT),
            ("REFUSED", 404, Verdict.BUG),
            ("MSISDN_INVALID", 500, Verdict.AMBIGUOUS),
        )
    ),
    *(
        ReadCase(
            name=f"{code} of {recipient}", reply=error(code), expected={recipient: Expected(verdict=verdict)}
        )
        for recipient, code, verdict in (
            (GROUP, "EMPTY_GROUP", Verdict.RECIPIENT),
            (CONTACT, "EMPTY_CONTACT", Verdict.RECIPIENT),
            (GROUP, "EMPTY_CONTACT", Verdict.BUG),
            (GROUP, "EMPTY_RECIPIENT", Verdict.RECIPIENT),
        )
    ),
    *(
        ReadCase(name=f"bare {status}", reply=reply(status), expected=one(verdict))
        for status, verdict in {
            400: Verdict.CAMPAIGN,
            401: Verdict.ACCOUNT,
            403: Verdict.ACCOUNT,
            404: Verdict.BUG,
            408: Verdict.AMBIGUOUS,
            503: Verdict.AMBIGUOUS,
        }.items()
    ),
)

CODES = tuple(
    CodeCase(name=code, reply=error(code), alone=verdict, code=code)
    for code, verdict in {
        "EMPTY_RECIPIENT": Verdict.RECIPIENT,
        "USER_NOT_FOUND": Verdict.ACCOUNT,
        "NAME_EMPTY": Verdict.BUG,
        "FULLNAME_EMPTY": Verdict.BUG,
        "EMPTY_GROUP": Verdict.BUG,
        "EMPTY_CONTACT": Verdict.BUG,
        "KEYWORD_EXISTS": Verdict.BUG,
    }.items()
)


def contract(*, brand: str, clock: str, **tables: object) -> Contract:
    return Contract(
        adapter=TxtyV4(base_url=f"{URL}/", username="acme", secret=SECRET, dialect={"clock": clock}),
        brand=brand,
        secrets=SECRETS,
        fields_of=fields_of,
        good=says(200, good(sent())),
        echo=echo,
        carries_reference=False,
        read_method="POST",
        unit="DKK",
        lookup=Lookup(interval_s=2.0, most_references=1, is_proof=False, is_alike=True, tells_delivery=True),
        refusals=REFUSALS,
        options=OPTIONS,
        reads=READS,
        codes=CODES,
        strange=(
            says(200, good(sent()) | {"success": "SMS_QUEUED"}),
            says(200, good(sent()) | {"status": "pending"}),
            says(200, {"success": "SMS_SENT", "sms": sent()}),
        ),
        checks=CHECKS,
        asks=ASKS,
        bodies=json_bodies(
            "status",
            "success",
            "error",
            "sms",
            "SMS_SENT",
            "VIEW_OUTBOX",
            "outbox",
            "smsid",
            "sent",
            "msisdn",
            "sender",
            "text",
            "VIEW_YOURPRICES",
            "yourprices",
            "credit",
            "balance",
            "prices",
        ),
        **tables,  # type: ignore[arg-type]  # the fields of Contract
    )


TXTY_V4 = contract(brand="", clock="utc", builds=BUILDS, hears=HEARS, knows=knows, reports=REPORTS)
TXTY_V4_DANISH = contract(
    brand="danish",
    clock="copenhagen",
    builds=DANISH_BUILDS,
    hears=LATE_HEARS,
    knows=knows_late,
    reports=DANISH_REPORTS,
)
