"""The orders of the smSend family: what became of each message, cancelling, and the history."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from worker.sandbox.endings import State, fate_of, state_of
from worker.sandbox.gateway import RefusalError
from worker.sandbox.smsend.knobs import SmsendKnobs
from worker.sandbox.smsend.time import unix_s, written, zone_of

_STATES: Mapping[State, str] = {
    "delivered": "DLVRD",
    "failed": "ERROR",
    "buffered": "WAIT4DLVR",
    "abandoned": "TIMEOUT",
}
_NUMBERS = {"DLVRD": 4, "SENT": 4, "ERROR": 9, "TIMEOUT": 10}  # in the history of a recipient; else waiting
_WAITING = 2


@dataclass(kw_only=True, slots=True)
class Order:
    """What one request had accepted."""

    order_id: str
    user: str
    message_type: str
    sender: str
    numbers: list[str]
    cost: float  # in credits
    created_s: float
    leaves_at_s: float
    is_cancelled: bool = False

    def state(self, msisdn: str, *, knobs: SmsendKnobs, now_s: float) -> str:
        """Return the word for what became of the message to that number."""
        if self.leaves_at_s > now_s:
            return "SCHEDULED"
        if self.message_type in knobs.no_report:
            return "SENT"
        state = state_of(msisdn, knobs=knobs, age_s=now_s - self.leaves_at_s)
        return "WAIT4DLVR" if state is None else _STATES[state]


def word_of(state: State) -> str:
    """Return the word that a pushed report has for a state."""
    return _STATES[state]


class Orders:
    """All orders, by user and order id; an id may have several where that is allowed."""

    def __init__(self) -> None:
        self._orders: dict[tuple[str, str], list[Order]] = {}

    def has(self, user: str, order_id: str) -> bool:
        """Say whether the id is taken, also by an order that was cancelled."""
        return (user, order_id) in self._orders

    def add(self, order: Order) -> None:
        """Keep an order."""
        self._orders.setdefault((order.user, order.order_id), []).append(order)

    def states(self, user: str, *, order_id: str, knobs: SmsendKnobs) -> list[dict[str, str]]:
        """Return what became of each message of an order.

        Raises:
            RefusalError: it is not known, or not yet.
        """
        now_s = time.time()
        rows = [
            _row(order, msisdn, knobs=knobs, now_s=now_s)
            for order in self._orders.get((user, order_id), [])
            if not order.is_cancelled and order.created_s + knobs.order_delay_s <= now_s
            for msisdn in order.numbers
            if _is_kept(msisdn)
        ]
        if not rows:
            raise RefusalError(404, "the order_id was not found", messages=0)
        return rows

    def cancel(self, user: str, *, order_id: str | None) -> list[Order]:
        """Cancel what is still to leave of one order, or of all; return what is cancelled."""
        now_s = time.time()
        orders = self._of(user) if order_id is None else iter(self._orders.get((user, order_id), []))
        gone = [order for order in orders if order.leaves_at_s > now_s and not order.is_cancelled]
        for order in gone:
            order.is_cancelled = True
        return gone

    def history(self, user: str, *, given: Mapping[str, str], knobs: SmsendKnobs) -> list[dict[str, Any]]:
        """Return the orders of a span of time, newest first; raises RefusalError for a span that is none."""
        zone = zone_of(None, default=knobs.zone)
        return [
            {
                "order_id": order.order_id,
                "create_time": written(order.created_s, zone=zone),
                "schedule_time": written(order.leaves_at_s, zone=zone),
                "message_type": order.message_type,
                "sender": order.sender,
                "num_recipients": len(order.numbers),
            }
            for order in self._within(user, given=given, knobs=knobs)
        ]

    def of_recipient(
        self, user: str, *, given: Mapping[str, str], knobs: SmsendKnobs
    ) -> list[dict[str, Any]]:
        """Return the messages to one number; raises RefusalError where none is given."""
        number = given.get("recipient", "").strip().removeprefix("+").removeprefix("00")
        if not number:
            raise RefusalError(400, "recipient is missing", messages=0)
        now_s, zone = time.time(), zone_of(None, default=knobs.zone)
        return [
            {
                "order_id": order.order_id,
                "create_time": written(order.created_s, zone=zone),
                "schedule_time": written(order.leaves_at_s, zone=zone),
                "message_type": order.message_type,
                "sender": order.sender,
                "destination": f"+{number}",
                "status": _NUMBERS.get(order.state(f"+{number}", knobs=knobs, now_s=now_s), _WAITING),
            }
            for order in self._within(user, given=given, knobs=knobs)
            if f"+{number}" in order.numbers
        ]

    def _of(self, user: str) -> Iterator[Order]:
        return (order for (owner, _id), orders in self._orders.items() if owner == user for order in orders)

    def _within(self, user: str, *, given: Mapping[str, str], knobs: SmsendKnobs) -> list[Order]:
        zone = zone_of(given.get("timezone"), default=knobs.zone)
        from_s = unix_s(given.get("from"), zone=zone, name="from")
        if not from_s:
            raise RefusalError(400, "from is missing", messages=0)
        to = given.get("to", "now")
        to_s = time.time() if to in {"", "now"} else unix_s(to, zone=zone, name="to")
        found = [order for order in self._of(user) if from_s <= order.created_s <= to_s]
        return found[::-1]


def _is_kept(msisdn: str) -> bool:
    fate = fate_of(msisdn)
    return fate is None or fate.is_kept


def _row(order: Order, msisdn: str, *, knobs: SmsendKnobs, now_s: float) -> dict[str, str]:
    state = order.state(msisdn, knobs=knobs, now_s=now_s)
    is_last = state in {"DLVRD", "ERROR", "TIMEOUT"}
    at_s = order.leaves_at_s + knobs.dlr_delay_ms / 1000 if is_last else 0.0
    zone = zone_of(None, default=knobs.zone)
    return {"status": state, "destination": msisdn, "delivery_date": written(at_s, zone=zone)}
