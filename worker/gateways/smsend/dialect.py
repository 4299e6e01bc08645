"""How one brand of the smSend family differs from another: its login, its message types, its time zone.

Source: the documents and clients of the brands, read November 2026; the defaults are smSend's own, and of
other brands what their types cannot do.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from worker.errors import ConfigError
from worker.gateways.checks import check_dialect

if TYPE_CHECKING:
    from collections.abc import Mapping

_KNOWN: Mapping[str, frozenset[str] | None] = {
    "login": frozenset({"query", "basic"}),  # where the credentials stand; smSend documents the query
    "key": frozenset({"session", "access_token"}),
    "message_type": None,  # where no option names one
    "low_quality": None,  # this and the next two: lists of types, as in "L, LL"
    "no_alias": None,
    "no_report": None,
    "zone": None,  # of the dates in reports: not documented
}
_TYPE = re.compile(r"\w{1,16}", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """The brand's ways.

    Attributes:
        is_basic: the login has its credentials in the header, not in the query.
        is_token: an access token is used, which does not end by itself, not a session.
        message_type: the usual one.
        is_chosen: the settings name it.
        low_quality: types that carry one short text only.
        no_alias: types whose sender must be left out.
        no_report: types of which SENT is the last that is ever known.
        zone: of the dates in reports.
    """

    is_basic: bool
    is_token: bool
    message_type: str
    is_chosen: bool
    low_quality: frozenset[str]
    no_alias: frozenset[str]
    no_report: frozenset[str]
    zone: ZoneInfo

    @classmethod
    def of(cls, given: Mapping[str, object]) -> Dialect:
        """Read a provider's setting; raises ConfigError for a name or a value that is not known."""
        read = check_dialect(given, gateway="smsend", known=_KNOWN)
        return cls(
            is_basic=read.get("login") == "basic",
            is_token=read.get("key") == "access_token",
            message_type=check_type("gateway smsend: dialect", read.get("message_type", "N")),
            is_chosen="message_type" in read,
            low_quality=_listed(read.get("low_quality", "LL")),
            no_alias=_listed(read.get("no_alias", "L, LL, SI")),
            no_report=_listed(read.get("no_report", "L, LL, SI, TI")),
            zone=_zone(read.get("zone", "Europe/Rome")),
        )


def check_type(kind: str, value: object) -> str:
    """Read the code of a message type, such as ``N`` or ``GP``; raises ConfigError."""
    if isinstance(value, str) and _TYPE.fullmatch(value):
        return value
    message = f"{kind} message_type must be the code of a message type, such as N"
    raise ConfigError(message)


def _listed(words: str) -> frozenset[str]:
    return frozenset(words.replace(",", " ").split())


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        message = "gateway smsend: dialect zone must be an IANA time zone, such as Europe/Rome"
        raise ConfigError(message) from None
