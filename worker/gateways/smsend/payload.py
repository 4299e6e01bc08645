"""What a request of the smSend family says: the call, its fields, and what is refused before it is written.

Source: the vendor's documentation (smsend/REST-API, 2019-07), read November 2026. It replaces placeholders
in texts, ``%SHORT_LINK%`` and the like in all of them and ``${Name}`` where texts differ. What it does with
one that is not its own is not documented, so a text that holds one is refused rather than changed.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from worker.errors import ConfigError, InputError
from worker.gateways.checks import check_flag, is_longer, target, too_long
from worker.gateways.smsend.dialect import check_type
from worker.text.segments import Encoding, measure

if TYPE_CHECKING:
    from worker.gateways.base import Submission
    from worker.gateways.smsend.dialect import Dialect

OPTIONS = frozenset({"message_type", "returnCredits", "max_fragments", "validity", "campaign_name"})
RESERVED = frozenset({"${"})  # what may be replaced where the texts of one request differ

_ENCODINGS = {Encoding.GSM_7: "gsm", Encoding.UCS_2: "ucs2"}
_LOW_QUALITY_CHARACTERS = 160
_CAMPAIGN_NAME_CHARACTERS = 100  # assumed: not documented
_MAX_FRAGMENTS = 255
_MAX_VALIDITY_MIN = 99_999
_PLACEHOLDER = re.compile(r"%(?:PAGESLINK_*|SHORT_LINK|RICHURL_*)%")
_PARAMETER = "text"  # of letters and digits only; ``recipient`` and ``url`` are taken


def payload(submission: Submission, *, dialect: Dialect) -> tuple[str, dict[str, object]]:
    """Give the call and its fields.

    Raises:
        ConfigError: an option or a text cannot be carried, by name.
    """
    kind = check_type("option", submission.options.get("message_type", dialect.message_type))
    texts = submission.texts or (submission.text,)
    _check_texts(texts, encoding=submission.encoding, kind=kind, is_short=kind in dialect.low_quality)
    call, fields = _call(submission, texts=texts)
    fields |= {
        "message_type": kind,
        "order_id": submission.reference,
        "encoding": _ENCODINGS[submission.encoding],
        "truncate": False,
        "allowInvalidRecipients": False,
    }
    if kind not in dialect.no_alias:
        fields["sender"] = submission.sender
    if submission.leaves_at_s is not None:
        leaves_at = datetime.fromtimestamp(math.ceil(submission.leaves_at_s), tz=UTC)
        fields["scheduled_delivery_time"] = f"{leaves_at:%Y%m%d%H%M%S}"
        fields["scheduled_delivery_timezone"] = "UTC"
    options = _options(submission)
    _check_fragments(submission, texts, most=options.get("max_fragments"))
    return call, fields | options


def _call(submission: Submission, *, texts: tuple[str, ...]) -> tuple[str, dict[str, object]]:
    recipients = submission.recipients
    kind, ident = target(recipients[0])
    if kind:
        return "smstogroups", {"recipient": [ident], "message": texts[0]}
    if len(set(texts)) == 1:
        return "sms", {"recipient": list(recipients), "message": texts[0]}
    if any(mark in text for mark in RESERVED for text in texts):
        message = (
            "gateway smsend: a text holds ${, which may be replaced where the texts of one request "
            "differ: write it in another way, or set max_recipients = 1"
        )
        raise ConfigError(message)
    rows = {
        str(place): {"recipient": msisdn, _PARAMETER: text}
        for place, (msisdn, text) in enumerate(zip(recipients, texts, strict=True))
    }
    return "paramsms", {"recipients": rows, "message": f"${{{_PARAMETER}}}"}


def _check_texts(texts: tuple[str, ...], *, encoding: Encoding, kind: str, is_short: bool) -> None:
    problem = None
    if any(_PLACEHOLDER.search(text) for text in texts):
        problem = "a text holds a placeholder for a link (such as %SHORT_LINK%), which would be replaced"
    elif is_short and any(is_longer(text, _LOW_QUALITY_CHARACTERS, encoding) for text in texts):
        problem = f"{too_long(_LOW_QUALITY_CHARACTERS, encoding)}, which message_type {kind} does not carry"
    if problem is not None:
        message = f"gateway smsend: {problem}"
        raise ConfigError(message)


def _check_fragments(submission: Submission, texts: tuple[str, ...], *, most: object) -> None:
    if not isinstance(most, int):
        return
    try:
        n_parts = [
            measure(text, encoding=submission.encoding, udh_bits=submission.udh_bits).n_parts
            for text in texts
        ]
    except InputError as error:
        message = f"gateway smsend: {error}"
        raise ConfigError(message) from None
    if max(n_parts) > most:
        message = f"gateway smsend: a text has more parts than option max_fragments allows, which is {most}"
        raise ConfigError(message)


def _options(submission: Submission) -> dict[str, object]:
    given = submission.options
    fields: dict[str, object] = {}
    if "returnCredits" in given:
        fields["returnCredits"] = check_flag("returnCredits", given["returnCredits"])
    if "max_fragments" in given:
        fields["max_fragments"] = _whole("max_fragments", given["max_fragments"], most=_MAX_FRAGMENTS)
    if "validity" in given:
        fields["validity_period_min"] = _whole("validity", given["validity"], most=_MAX_VALIDITY_MIN)
    if "campaign_name" in given:
        fields["campaign_name"] = _campaign_name(given["campaign_name"])
    return fields


def _whole(name: str, value: object, *, most: int) -> int:
    word = "" if isinstance(value, bool) else str(value)
    if word.isascii() and word.isdigit() and 1 <= int(word[:9]) <= most and len(word) <= len(str(most)):
        return int(word)
    unit = " of minutes" if name == "validity" else ""
    message = f"option {name} must be a whole number{unit} from 1 to {most}"
    raise ConfigError(message)


def _campaign_name(value: object) -> str:
    if (
        isinstance(value, str)
        and value.isprintable()
        and 1 <= len(value.strip()) <= _CAMPAIGN_NAME_CHARACTERS
    ):
        return value
    message = f"option campaign_name must be a text of 1 to {_CAMPAIGN_NAME_CHARACTERS} characters"
    raise ConfigError(message)
