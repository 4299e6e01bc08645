"""The smSend family: what its documents say, the shapes of clients in use, and what must not fool us."""

from __future__ import annotations

import base64
import json
from decimal import Decimal
from typing import TYPE_CHECKING
from urllib.parse import quote

from tests.contract.cases import (
    ANNA,
    BO,
    CARL,
    DLR_URL,
    HOST,
    LEAVES_AT_S,
    PROVIDER_REF,
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
from tests.contract.cases_smsend_calls import ASKS, CANCELS, CHECKS, HEARS, LOGINS, REPORTS, knows
from worker.gateways.base import HttpReply, Lookup, Verdict
from worker.gateways.smsend.adapter import Smsend
from worker.text.segments import Encoding

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from worker.gateways.base import HttpRequest

URL = f"{HOST}/API/v1.0/REST"
SECRET = "p4ss/word+of 7&x"
BASIC = base64.b64encode(f"acme:{SECRET}".encode()).decode()
SECRETS = (SECRET, quote(SECRET, safe=""), BASIC)
SNOWMAN = "Ciao \u2603 \U0001f600"


def fields_of(request: HttpRequest) -> Mapping[str, object]:
    fields: dict[str, object] = json.loads(request.body) if request.body else {}
    return fields | dict(request.headers) | {"method": request.method, "url": request.url}


def expected(*recipients: str, verdict: Verdict) -> dict[str, Expected]:
    return dict.fromkeys(recipients, Expected(verdict=verdict))


def accepted(total: object, **fields: object) -> HttpReply:
    return says(201, {"result": "OK", "order_id": REFERENCE, "total_sent": total, **fields})


PLAIN = {
    "message_type": "N",
    "message": TEXT,
    "sender": "ACME",
    "order_id": REFERENCE,
    "encoding": "gsm",
    "truncate": False,
    "allowInvalidRecipients": False,
}

BUILDS = (
    BuildCase(
        name="one recipient",
        submission=submission(ANNA, dlr_url=DLR_URL),
        fields={
            **PLAIN,
            "method": "POST",
            "url": f"{URL}/sms",
            "Content-Type": "application/json",
            "recipient": [ANNA],
        },
        absent=("scheduled_delivery_time", "returnCredits", "max_fragments", "dlr_url"),
    ),
    BuildCase(
        name="several recipients",
        submission=submission(ANNA, BO, CARL),
        fields={"recipient": [ANNA, BO, CARL]},
        absent=("recipients",),
    ),
    BuildCase(
        name="a text for each recipient",
        submission=submission(ANNA, BO, text="", texts=("Ciao Anna", "costs 5$ {x} \\1 $1 %")),
        fields={
            **PLAIN,
            "url": f"{URL}/paramsms",
            "message": "${text}",
            "recipients": {
                "0": {"recipient": ANNA, "text": "Ciao Anna"},
                "1": {"recipient": BO, "text": "costs 5$ {x} \\1 $1 %"},
            },
        },
        absent=("recipient",),
    ),
    BuildCase(
        name="the same text for each recipient",
        submission=submission(ANNA, BO, text="", texts=("pay ${sum}", "pay ${sum}")),
        fields={"url": f"{URL}/sms", "recipient": [ANNA, BO], "message": "pay ${sum}"},
    ),
    BuildCase(
        name="a text of one recipient",
        submission=submission(ANNA, text="", texts=("pay ${sum}",)),
        fields={"url": f"{URL}/sms", "recipient": [ANNA], "message": "pay ${sum}"},
    ),
    BuildCase(
        name="a group",
        submission=submission("group:Customers of Milan"),
        fields={**PLAIN, "url": f"{URL}/smstogroups", "recipient": ["Customers of Milan"]},
    ),
    BuildCase(
        name="unicode",
        submission=submission(text=SNOWMAN, encoding=Encoding.UCS_2),
        fields={"encoding": "ucs2", "message": SNOWMAN},
    ),
    BuildCase(
        name="the longest texts", submission=submission(text="x" * 1000), fields={"message": "x" * 1000}
    ),
    BuildCase(
        name="the longest text of 16 bit units",
        submission=submission(text="\U0001f600" * 225, encoding=Encoding.UCS_2),
        fields={"message": "\U0001f600" * 225},
    ),
    BuildCase(
        name="kept by the gateway until a time",
        submission=submission(leaves_at_s=LEAVES_AT_S),
        fields={"scheduled_delivery_time": "20261130015320", "scheduled_delivery_timezone": "UTC"},
    ),
    BuildCase(
        name="kept until a time between two seconds, which is never early",
        submission=submission(leaves_at_s=LEAVES_AT_S + 0.001),
        fields={"scheduled_delivery_time": "20261130015321"},
    ),
    BuildCase(
        name="a type that allows no sender",
        submission=submission(options={"message_type": "LL"}, text="x" * 160),
        fields={"message_type": "LL", "message": "x" * 160},
        absent=("sender",),
    ),
    BuildCase(
        name="all options",
        submission=submission(
            options={
                "message_type": "GP",
                "returnCredits": "true",
                "max_fragments": "3",
                "validity": 90,
                "campaign_name": "Autumn sale",
            }
        ),
        fields={
            "message_type": "GP",
            "returnCredits": True,
            "max_fragments": 3,
            "validity_period_min": 90,
            "campaign_name": "Autumn sale",
            "order_id": REFERENCE,
            "truncate": False,
            "encoding": "gsm",
        },
        absent=("validity",),
    ),
)

TOO_MANY_PARTS: Mapping[str, Mapping[str, object]] = {  # where two are wanted
    "the only one": {"text": "x" * 307},
    "in characters that count twice": {"text": "\u20ac" * 154},
    "one of two": {"recipients": (ANNA, BO), "text": "", "texts": ("a", "x" * 307)},
}

REFUSALS = (
    RefusalCase(
        name="texts that differ and hold what may be replaced",
        submission=submission(ANNA, BO, text="", texts=("for ${recipient}", "b")),
        named="${",
    ),
    *(
        RefusalCase(
            name=f"a text with {word}",
            submission=submission(text=f"see {word} now"),
            named="placeholder",
        )
        for word in ("%SHORT_LINK%", "%PAGESLINK____________%", "%RICHURL____________%", "%RICHURL_______%")
    ),
    RefusalCase(
        name="a text of its own with a placeholder",
        submission=submission(ANNA, BO, text="", texts=("a", "%SHORT_LINK%")),
        named="placeholder",
    ),
    RefusalCase(
        name="a text that is too long", submission=submission(text="x" * 1001), named="1000 characters"
    ),
    RefusalCase(
        name="a text with too many units",
        submission=submission(text="\U0001f600" * 226, encoding=Encoding.UCS_2),
        named="450 characters",
    ),
    RefusalCase(
        name="a text with too many septets",
        submission=submission(text="x" * 930 + "\u20ac" * 36),
        named="1000 characters",
    ),
    *(
        RefusalCase(
            name=f"a text of more parts than wanted, {place}",
            submission=submission(options={"max_fragments": 2}, **changes),
            named="option max_fragments",
        )
        for place, changes in TOO_MANY_PARTS.items()
    ),
    RefusalCase(
        name="a text with too many septets for low quality",
        submission=submission(text="\u20ac" * 81, options={"message_type": "LL"}),
        named="160 characters",
    ),
    RefusalCase(
        name="a text that is too long for low quality",
        submission=submission(text="x" * 161, options={"message_type": "LL"}),
        named="160 characters",
    ),
)

OPTIONS = (
    OptionCase(name="message_type", carried=("N", "GP", "LL"), refused=("", "N;L", "x" * 17, None)),
    OptionCase(name="returnCredits", carried=(True, "false", "1"), refused=("perhaps", "")),
    OptionCase(name="max_fragments", carried=(1, "7", 255), refused=(0, "-1", 256, "seven", True, "9" * 400)),
    OptionCase(name="validity", carried=(1, "1440"), refused=(0, "2h", False, 100_000)),
    OptionCase(name="campaign_name", carried=("Autumn",), refused=("", " ", "a\nb", "x" * 101, 7)),
)

READS = (
    ReadCase(
        name="all accepted", reply=accepted(3), expected=expected(ANNA, BO, CARL, verdict=Verdict.ACCEPTED)
    ),
    ReadCase(
        name="accepted with its own order id",
        reply=says(201, {"result": "OK", "order_id": "5F2A-41", "total_sent": 1, "internal_order_id": "x"}),
        expected={ANNA: Expected(verdict=Verdict.ACCEPTED, provider_ref="5F2A-41")},
    ),
    ReadCase(
        name="accepted under 200, amounts as words",
        reply=says(200, {"result": "ok", "order_id": REFERENCE, "total_sent": "2"}),
        expected={each: Expected(verdict=Verdict.ACCEPTED, provider_ref=REFERENCE) for each in (ANNA, BO)},
    ),
    ReadCase(
        name="accepted without the rest",
        reply=says(201, {"result": "OK"}),
        expected={ANNA: Expected(verdict=Verdict.ACCEPTED, provider_ref=REFERENCE)},
    ),
    ReadCase(
        name="an order id that is none",
        reply=says(201, {"result": "OK", "order_id": {"a": 1}, "total_sent": None}),
        expected={ANNA: Expected(verdict=Verdict.ACCEPTED, provider_ref=REFERENCE)},
    ),
    ReadCase(
        name="fewer messages than recipients",
        reply=accepted(1),
        expected=expected(ANNA, BO, verdict=Verdict.AMBIGUOUS),
    ),
    ReadCase(
        name="nothing sent to one", reply=accepted(0), expected=expected(ANNA, verdict=Verdict.AMBIGUOUS)
    ),
    ReadCase(
        name="a group of nobody knows how many",
        reply=says(200, {"result": "OK", "order_id": REFERENCE, "total_sent": 0}),
        expected=expected("group:Customers", verdict=Verdict.ACCEPTED),
    ),
    ReadCase(
        name="accepted and refused in one",
        reply=says(201, {"result": "ERROR", "order_id": REFERENCE, "total_sent": 1}),
        expected=expected(ANNA, verdict=Verdict.AMBIGUOUS),
    ),
    ReadCase(
        name="a success of another kind",
        reply=says(202, {"result": "OK", "order_id": REFERENCE, "total_sent": 1}),
        expected=expected(ANNA, verdict=Verdict.AMBIGUOUS),
    ),
    ReadCase(
        name="a success under an error",
        reply=says(500, {"result": "OK", "order_id": REFERENCE, "total_sent": 1}),
        expected=expected(ANNA, verdict=Verdict.AMBIGUOUS),
    ),
    ReadCase(
        name="unknown group",
        reply=says(400, {"result": "Groups could not be found"}),
        expected=expected("group:Customers", verdict=Verdict.RECIPIENT),
    ),
    ReadCase(
        name="no login with several recipients",
        reply=reply(401),
        expected=expected(ANNA, BO, verdict=Verdict.LOGIN),
    ),
    *(
        ReadCase(
            name=f"of different texts: {words}",
            reply=says(400, {"result": words}),
            expected=expected(ANNA, BO, verdict=verdict),
            changes={"text": "", "texts": ("a", "b")},
        )
        for words, verdict in {
            "message is longer than 1000 characters": Verdict.SPLIT,
            "It holds a forbidden link": Verdict.SPLIT,
            "no": Verdict.SPLIT,
            "Invalid recipient at this time": Verdict.SPLIT,
            "Alias non approvato": Verdict.CAMPAIGN,
            "scheduled_delivery_time is in the past": Verdict.CAMPAIGN,
            "Time zone not known": Verdict.CAMPAIGN,
            "Not enough credit": Verdict.ACCOUNT,
        }.items()
    ),
    *(
        ReadCase(
            name=f"echoes the name of the campaign: {name}",
            reply=says(400, {"result": f"campaign_name '{name}' is taken"}),
            expected=expected(ANNA, BO, verdict=Verdict.CAMPAIGN),
            changes={"options": {"campaign_name": name}},
        )
        for name in ("credit offer", "Money", "new phone numbers", "user_key", "24000 credits")
    ),
    ReadCase(
        name="a name that is part of a word",
        reply=says(400, {"result": "Invalid recipient"}),
        expected=expected(ANNA, verdict=Verdict.RECIPIENT),
        changes={"options": {"campaign_name": "rec"}},
    ),
    ReadCase(
        name="credits counted for one",
        reply=accepted(3),
        expected={ANNA: Expected(verdict=Verdict.ACCEPTED, cost=Decimal(3))},
        changes={"options": {"returnCredits": True}},
    ),
    ReadCase(
        name="credits counted for several",
        reply=accepted(1.5),
        expected=expected(ANNA, BO, verdict=Verdict.ACCEPTED),
        changes={"options": {"returnCredits": "true"}},
    ),
)


def code(
    name: str, answer: HttpReply, alone: Verdict, among: Verdict | None = None, *, kept: str = "400"
) -> CodeCase:
    return CodeCase(name=name, reply=answer, alone=alone, among=among, code=kept)


BAD_NUMBERS = (
    {"result": "Invalid recipient"},
    {"error_code": 400, "error_message": "One or more recipients are not valid"},
    {"error_type": 400, "error_message": "Destinatario non valido"},
    {"message": "Le destinataire est invalide"},
    {"result": "The number 00 is not a mobile number"},
)
BAD_TEXTS = (
    "The message is too long",
    "message is longer than 1000 characters",
    "message is empty",
    "Il testo del messaggio \xe8 troppo lungo",
    "It holds a forbidden link",
)
BAD_CAMPAIGNS = (
    "Too high a number of characters",
    "message_type is not valid",
    "Invalid sender for this recipient",
    "Alias non approvato",
    "returnCredits must be a boolean",
    "scheduled_delivery_time has no such format",
    "A sender for messages of this length must be approved",
)

CODES = (
    *(
        code(f"bad number {place}", says(400, body), Verdict.RECIPIENT, Verdict.SPLIT)
        for place, body in enumerate(BAD_NUMBERS)
    ),
    code("bad number in words", reply(400, b"invalid recipient"), Verdict.RECIPIENT, Verdict.SPLIT),
    code("bad number as text", says(400, "invalid recipient"), Verdict.RECIPIENT, Verdict.SPLIT),
    code("stop list", says(400, {"result": "Recipient blacklisted"}), Verdict.OPTED_OUT, Verdict.SPLIT),
    code("long list", says(400, {"result": "Too many recipients"}), Verdict.RECIPIENT, Verdict.SPLIT),
    code("long body", reply(413), Verdict.CAMPAIGN, Verdict.SPLIT, kept="413"),
    *(code(words, says(400, {"result": words}), Verdict.CAMPAIGN) for words in BAD_CAMPAIGNS),
    *(code(words, says(400, {"result": words}), Verdict.TEXT) for words in BAD_TEXTS),
    code("no words", reply(400), Verdict.CAMPAIGN),
    code("markup", reply(400, b"<html>recipient</html>"), Verdict.CAMPAIGN),
    code(
        "a code of its own",
        says(400, {"error_code": "E17", "error_message": "no"}),
        Verdict.CAMPAIGN,
        kept="E17",
    ),
    *(
        code(words, says(400, {"error_message": words}), Verdict.ACCOUNT)
        for words in (
            "Not enough credit",
            "Insufficient credits for the recipients",
            "Credito insufficiente",
            "Your balance is too low",
            "Cr\xe9dit insuffisant",
            "The given parameter user_key is not valid",
        )
    ),
    *(
        code(words, says(400, {"result": words}), Verdict.AMBIGUOUS)
        for words in ("The order_id already exists", "Duplicated order_id", "order id: must be unique")
    ),
    code("401", reply(401, b"Unauthorized"), Verdict.LOGIN, kept="401"),
    code("402", reply(402), Verdict.ACCOUNT, kept="402"),
    code("403", reply(403), Verdict.ACCOUNT, kept="403"),
    code("404", reply(404, b"Not found"), Verdict.ACCOUNT, kept="404"),
    code("404 of the user key", reply(404, b"The user_key was not found"), Verdict.LOGIN, kept="404"),
    code("405", reply(405), Verdict.BUG, kept="405"),
    code("429", reply(429), Verdict.THROTTLED, kept="429"),
    code("500", says(500, {"result": "recipient"}), Verdict.AMBIGUOUS, kept="500"),
    code("503", reply(503), Verdict.AMBIGUOUS, kept="503"),
)


def echo(words: str) -> Sequence[HttpReply]:
    return (
        says(400, {"result": words, "order_id": words}),
        says(400, {"message": words}),
        says(400, {"error_code": words, "error_message": words}),
        says(400, {"error_type": words, "error_message": words}),
        says(400, words),
        reply(400, words.encode()),
        reply(401, words.encode()),
        says(404, {"result": words}),
        says(200, {"result": words, "order_id": words}),
        says(201, {"result": words, "order_id": words, "sms": [{"type": words, "quantity": words}]}),
    )


def contract(brand: str, dialect: Mapping[str, str]) -> Contract:
    return Contract(
        adapter=Smsend(base_url=f"{URL}/", username="acme", secret=SECRET, dialect=dialect),
        brand=brand,
        secrets=SECRETS,
        fields_of=fields_of,
        good=accepted(1),
        echo=echo,
        max_recipients=1000,
        unit="messages",
        lookup=Lookup(interval_s=1.0, most_references=1, is_proof=True, tells_delivery=True),
        builds=BUILDS,
        refusals=REFUSALS,
        options=OPTIONS,
        reads=READS,
        codes=CODES,
        strange=(
            says(201, {"result": "KO"}),
            says(200, {"result": "WAITING", "order_id": REFERENCE, "total_sent": 3}),
            says(201, {"order_id": REFERENCE, "total_sent": 3}),
            says(201, {"result": True, "order_id": REFERENCE}),
        ),
        checks=CHECKS,
        asks=ASKS,
        hears=HEARS,
        knows=knows,
        cancel_fields={"method": "DELETE", "url": f"{URL}/sms/{PROVIDER_REF}"},
        cancels=CANCELS,
        reports=REPORTS,
        logins=LOGINS,
        over=(
            reply(401),
            says(401, {"result": "Session expired"}),
            says(404, {"error_message": "The user key is not known"}),
        ),
        bodies=json_bodies(
            "result",
            "OK",
            "order_id",
            "total_sent",
            "recipients",
            "destination",
            "status",
            "DLVRD",
            "sms",
            "type",
            "quantity",
            "error_message",
            "error_code",
            "recipient",
            "delivery_date",
        ),
    )


SMSEND = contract("", {})
SKEBBY = contract("of Skebby's ways", {"login": "basic", "key": "access_token", "message_type": "N"})
