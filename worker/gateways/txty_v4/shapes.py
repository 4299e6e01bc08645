"""What Txty API v4 writes beside its answer to a send: times, prices, delivery reports.

Source: the vendor's documentation of v4 (2014 to 2021), read November 2026.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import parse_qs
from zoneinfo import ZoneInfo

from worker.gateways import txty_shapes as shapes
from worker.gateways.base import Report
from worker.gateways.replies import words
from worker.states import MessageState

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

    from worker.gateways.base import Push

DELIVERED = 150
CODES = {
    **dict.fromkeys(range(1, 12), "internal termination"),
    12: "the number is not assigned",
    13: "the number is wrong",
    14: "the number is blacklisted",
    **dict.fromkeys(range(22, 100), "external termination"),
    100: "roaming, cancelled by your own setting",
}
_COPENHAGEN = ZoneInfo("Europe/Copenhagen")
_MOST_FIELDS = 50  # of a push
_MOST_ABILITIES = 300
_ABILITY_LIMIT = 80  # characters
_NUMBER_DIGITS = 15


@dataclass(frozen=True, kw_only=True)
class Clock:
    """How the gateway's Unix times are meant: as Unix times, or counted from Danish local time."""

    is_danish: bool = False

    def written(self, at_s: int) -> int:
        """Give a Unix time as the gateway writes it."""
        return at_s + self._offset_s(at_s)

    def read(self, value: object) -> int | None:
        """Give the Unix time of what the gateway wrote; None where it is none, or 0."""
        written_s = shapes.whole(value, most_digits=11)
        if not written_s:
            return None
        return written_s - self._offset_s(written_s - self._offset_s(written_s))

    def _offset_s(self, at_s: int) -> int:
        if not self.is_danish:
            return 0
        offset = datetime.fromtimestamp(at_s, UTC).astimezone(_COPENHAGEN).utcoffset()
        return int((offset or timedelta()).total_seconds())


# --- prices


def abilities(prices: shapes.Item) -> tuple[str, ...]:
    """Say what the account pays for messages, and which keywords it has, a few words each."""
    said = [
        _ability(item, price=price) for item in shapes.items(prices.get("prices")) if (price := _price(item))
    ]
    subscription = next(iter(shapes.items(prices.get("subscription"))), {})
    said += [
        f"keyword {_short(item.get('keyword'))} at {_short(item.get('gateway'))}"
        for item in shapes.items(subscription.get("keywords"))
    ]
    return tuple(said[:_MOST_ABILITIES])


def _ability(item: shapes.Item, *, price: Decimal) -> str:
    code = shapes.whole(item.get("dialcode"), most_digits=4)  # 0: all other countries
    place = f"{_short(item.get('country'))} (+{code})" if code else _short(item.get("country"))
    return f"{place}: {price} DKK a message"


def _price(item: shapes.Item) -> Decimal | None:
    price = item.get("price")
    return shapes.cost(price.get("sms")) if isinstance(price, dict) else None


def _short(value: object) -> str:
    return words(shapes.word(value), limit=_ABILITY_LIMIT) or "?"


# --- delivery reports


def reports(push: Push, *, clock: Clock) -> tuple[Report, ...]:
    """Read the one report of a push; none where it is an incoming message or nothing that can be read."""
    given = _fields(push.query) or _fields(push.body.decode("ascii", errors="replace"))
    status = shapes.whole(given.get("status", ""), most_digits=3)
    number = given.get("msisdn", "").strip().removeprefix("+")
    is_number = number.isascii() and number.isdigit() and len(number) <= _NUMBER_DIGITS
    smsid = shapes.whole(given.get("smsid", "")) or None
    if status is None or "keyword" in given or not (is_number or smsid):
        return ()
    delivery = _delivery(status)
    at_s = clock.read(given.get("delivered", "")) if delivery is MessageState.DELIVERED else None
    return (
        Report(
            delivery=delivery,
            msisdn=f"+{number}" if is_number else None,
            provider_ref=None if smsid is None else str(smsid),
            code=str(status),
            detail=CODES.get(status),
            at_s=at_s,
        ),
    )


def _delivery(status: int) -> MessageState:
    if status == DELIVERED:
        return MessageState.DELIVERED
    # What no table names proves that it has the message, and no more.
    return MessageState.UNDELIVERED if status in CODES else MessageState.ACCEPTED


def _fields(form: str) -> Mapping[str, str]:
    try:
        found = parse_qs(form, max_num_fields=_MOST_FIELDS, errors="replace")
    except ValueError:
        return {}
    return {name: values[0] for name, values in found.items()}
