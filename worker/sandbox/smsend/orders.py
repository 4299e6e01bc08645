"""The orders of the smSend family: what became of each message, cancelling, and the history."""

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
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


@dataclass(slots=True, eq=False)  # by keywords, it would take twice as long to make
class Order:
    """What one request asks for, and once it is accepted, has: without the recipients that may be bad."""

    order_id: str  # given, or made here
    user: str
    message_type: str  # one of the account's
    sender: str  # may be empty
    numbers: Sequence[str]  # E.164 with plus
    cost: int  # in credits: parts
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
        self._orders: defaultdict[str, dict[str, Order]] = defaultdict(dict)
        self._others: list[Order] = []  # whose id was taken

    def has(self, user: str, order_id: str) -> bool:
        """Say whether the id is taken, also by an order that was cancelled."""
        return order_id in self._orders[user]

    def add(self, order: Order) -> None:
        """Keep an order."""
        if self._orders[order.user].setdefault(order.order_id, order) is not order:
            self._others.append(order)

    def states(self, user: str, *, order_id: str, knobs: SmsendKnobs) -> list[dict[str, str]]:
        """Return what became of each message of an order.

        Raises:
            RefusalError: it is not known, or not yet.
        """
        now_s = time.time()
        rows = [
            _row(order, msisdn, knobs=knobs, now_s=now_s)
            for order in self._with_id(user, order_id)
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
        orders = self._of(user) if order_id is None else self._with_id(user, order_id)
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

    def _with_id(self, user: str, order_id: str) -> list[Order]:
        first = self._orders[user].get(order_id)
        return [] if first is None else [first, *(o for o in self._of_others(user) if o.order_id == order_id)]

    def _of(self, user: str) -> list[Order]:
        orders = [*self._orders[user].values(), *self._of_others(user)]
        return sorted(orders, key=lambda order: order.created_s) if self._others else orders

    def _of_others(self, user: str) -> list[Order]:
        return [order for order in self._others if order.user == user]

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
