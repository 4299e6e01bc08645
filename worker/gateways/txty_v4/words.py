"""The words of Txty API v4: what a recipient and a link look like, what its answer to a send means.

Source: the vendor's documentation of v4 (2014 to 2021), read November 2026. No list of errors exists, so an
unknown one is classed by what its name speaks of.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from worker.errors import ConfigError
from worker.gateways import txty_shapes as shapes
from worker.gateways.base import Outcome, Verdict
from worker.gateways.checks import target

if TYPE_CHECKING:
    from worker.gateways.base import HttpReply

_CODES = {
    "EMPTY_RECIPIENT": Verdict.RECIPIENT,
    "USER_NOT_FOUND": Verdict.ACCOUNT,
    # Of calls that we never make, but for the two that a bad group or contact may bring up: see verdict.
    "EMPTY_GROUP": Verdict.BUG,
    "EMPTY_CONTACT": Verdict.BUG,
    "NAME_EMPTY": Verdict.BUG,
    "FULLNAME_EMPTY": Verdict.BUG,
    "KEYWORD_EXISTS": Verdict.BUG,
}
_EMPTY_TARGET = {"group": "EMPTY_GROUP", "contact": "EMPTY_CONTACT"}
_HINTS = (  # assumed: the first that stands in an undocumented code says its class
    (Verdict.AMBIGUOUS, ("INTERNAL",)),
    (Verdict.CAMPAIGN, ("SENDER", "SCHEDULE")),
    (Verdict.TEXT, ("TEXT",)),
    (Verdict.RECIPIENT, ("MSISDN", "RECIPIENT", "NUMBER")),
    (Verdict.ACCOUNT, ("AFFORD", "CREDIT", "BALANCE", "USER", "KEY", "LOGIN")),
)
_ANSWERED = range(200, 300)  # assumed: so it answers errors as well
_ID = re.compile(r"[1-9]\d{0,17}", re.ASCII)  # with zeros before it, it would be the same one twice


def recipient(given: str) -> tuple[str, str]:
    """Give the field of a recipient and its value.

    Raises:
        ConfigError: the id of a group or contact is not a number as the gateway writes it.
    """
    kind, ident = target(given)
    if not kind:
        return "msisdn", shapes.digits(given)
    if not _ID.fullmatch(ident):
        message = (
            f"gateway txty_v4: recipient {kind}: needs the number that the gateway has given it, "
            "without zeros before it"
        )
        raise ConfigError(message)
    return kind, ident


def sender(given: str) -> str:
    """Give the sender as it is written.

    Raises:
        ConfigError: it has other characters than the documented ones.
    """
    written = shapes.digits(given)
    if not (written.isascii() and written.isalnum()):
        message = "gateway txty_v4: sender may have letters a-z, A-Z and digits only"
        raise ConfigError(message)
    return written


def link(value: object) -> str:
    """Read the link of a WAP push.

    Raises:
        ConfigError: it is no ``http(s)`` address in ASCII.
    """
    link = str(value)
    try:
        parts = urlsplit(link)
        is_link = parts.scheme in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        is_link = False
    if not is_link or not all("!" <= character <= "~" for character in link):
        message = "option wappush must be an address such as https://host/path"
        raise ConfigError(message)
    return link


def success(said: shapes.Item) -> Outcome:
    """Read a reply whose status is ``success``."""
    if said.get("success") != "SMS_SENT" or said.get("error"):
        return Outcome(verdict=Verdict.AMBIGUOUS, detail="the reply names another success than SMS_SENT")
    sent = shapes.items(said.get("sms"))  # a list is assumed to be possible, of a group
    ids = [shapes.whole(item.get("smsid")) for item in sent]
    counts = [count for item in sent if (count := shapes.parts(item.get("msg-count")))]
    costs = [cost for item in sent if (cost := shapes.cost(item.get("cost"))) is not None]
    return Outcome(
        verdict=Verdict.ACCEPTED,
        provider_ref=str(ids[0]) if len(ids) == 1 and ids[0] else None,
        parts=sum(counts) if sent and len(counts) == len(sent) else None,
        cost=sum(costs[1:], costs[0]) if sent and len(costs) == len(sent) else None,
    )


def contradiction(said: shapes.Item) -> Outcome | None:
    """Read a reply that is no success: what it gives an id may have been sent all the same."""
    ids = [shapes.word(item.get("smsid")) for item in shapes.items(said.get("sms"))]
    given = [ident for ident in ids if ident.strip("0")]
    if not given:
        return None
    return Outcome(
        verdict=Verdict.AMBIGUOUS,
        provider_ref=given[0] if len(given) == 1 and _ID.fullmatch(given[0]) else None,
        detail="the reply both accepts and refuses it",
    )


def verdict(reply: HttpReply, *, code: str, kind: str) -> Verdict:
    """Class a refusal; ``kind`` is what it was sent to, empty for a number."""
    if code and code == _EMPTY_TARGET.get(kind):
        return Verdict.RECIPIENT
    other = _hinted(code)
    if code and reply.status in _ANSWERED and code not in _CODES:
        return other
    return shapes.verdict_of(reply, code=code, known=_CODES, other=other)


def _hinted(code: str) -> Verdict:
    name = code.upper()
    return next(
        (verdict for verdict, hints in _HINTS if any(hint in name for hint in hints)), Verdict.CAMPAIGN
    )
