"""What a call of the smSend family asks to send, checked against the limits that the vendor documents."""

import json
import re
import time
from collections.abc import Mapping
from typing import Any

from worker.sandbox.endings import refusal_of
from worker.sandbox.gateway import RefusalError
from worker.sandbox.parts import is_short
from worker.sandbox.smsend.knobs import SmsendKnobs
from worker.sandbox.smsend.orders import Order
from worker.sandbox.smsend.text import LIMITING, LINKS, Limits, flag, message_of, rendered, with_links
from worker.sandbox.smsend.time import unix_s, zone_of
from worker.sandbox.wire import decoded, new_guid

COUNTS_PARTS = "returnCredits"
"""The answer counts parts, not messages."""
REMAINING = "returnRemaining"
"""The answer tells what is left."""
_TIME = "scheduled_delivery_time"
_RARE = frozenset({_TIME, "scheduled_delivery_timezone", COUNTS_PARTS, REMAINING, *LIMITING, *LINKS})
_ORDER_ID = re.compile(r"[A-Za-z0-9_.-]{1,32}")
_LONG_SENDER = re.compile(r"\+?[0-9]{1,16}")
_WORD_LENGTH = 11  # of a sender that is not a number
_NUMBER = re.compile(r"(\+|00)?([1-9][0-9]{6,14})", re.ASCII)
_REFUSALS = {
    "number": "the recipient is not a valid number",
    "stopped": "the recipient is blacklisted",
    "credit": "not enough credit",
}


def given_by(body: bytes) -> dict[str, Any]:
    """Return the fields of a JSON object; null counts as absent.

    Raises:
        RefusalError: it is none.
    """
    try:
        given = decoded(body)
    except (ValueError, RecursionError):
        given = _guessed(body)
    if not isinstance(given, dict):
        raise RefusalError(400, "the body is not a JSON object")
    if None in given.values():
        return {name: value for name, value in given.items() if value is not None}
    return given


def _guessed(body: bytes) -> Any:  # noqa: ANN401 - whatever JSON holds
    """Read JSON in the encoding that the library guesses; nothing: it is none."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def rows_of(given: Mapping[str, Any], *, is_parametric: bool, knobs: SmsendKnobs) -> list[Any]:
    """Return the recipients, good or bad: the number alone, or with its parameters where there are some.

    Raises:
        RefusalError: they are not the list, or the map, that is documented.
    """
    if is_parametric:
        return _parametric_rows(given, knobs=knobs)
    listed = given.get("recipient")
    if not isinstance(listed, list) or not listed:
        raise RefusalError(400, "recipient must be a list of recipients")
    return listed


def _parametric_rows(given: Mapping[str, Any], *, knobs: SmsendKnobs) -> list[dict[str, Any]]:
    rows = given.get("recipients")
    if isinstance(rows, dict):
        rows = list(rows.values())
    elif not knobs.param_list:
        rows = None
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise RefusalError(400, "recipients must be a map of recipients with their parameters")
    return rows


def ordered(
    given: Mapping[str, Any], *, rows: list[Any], is_parametric: bool, user: str, knobs: SmsendKnobs
) -> tuple[Order, list[tuple[str, int]]]:
    """Return the order, without the recipients that it allows to be bad, and the text and parts for each.

    Only a parametric message has parameters.

    Raises:
        RefusalError: a field is missing or beyond its limit, or a recipient is bad.
    """
    if len(rows) > knobs.max_recipients:
        raise RefusalError(400, "there are too many recipients")
    kind = str(given.get("message_type", ""))
    if kind not in knobs.types:
        raise RefusalError(400, f"message_type must be one of {', '.join(knobs.types)}")
    is_plain = _RARE.isdisjoint(given)
    zone = None if is_plain else zone_of(given.get("scheduled_delivery_timezone"), default=knobs.zone)
    numbers, rows = _good(rows, given=given, is_parametric=is_parametric, knobs=knobs)
    message = message_of(given) if is_plain else with_links(given)
    limits = None if is_plain else Limits.of(given, kind=kind, knobs=knobs)
    order_id = _order_id(str(given["order_id"])) if "order_id" in given else new_guid()
    sender = _sender(str(given.get("sender", "")), kind=kind, knobs=knobs)
    if limits is None and is_short(message):  # it has no placeholder, and is within the usual limits
        texts, cost = [(message, 1)] * len(rows), len(rows)
    else:
        fitted = (limits or Limits.usual(kind, knobs=knobs)).fitted
        each = (rendered(message, row=row, knobs=knobs) for row in rows)
        texts = [fitted(text) for text in each] if is_parametric else [fitted(message)] * len(rows)
        cost = sum(parts for _, parts in texts)
    now_s = at_s = time.time()
    if zone and _TIME in given:
        at_s = max(now_s, unix_s(given[_TIME], zone=zone, name=_TIME))
    if not is_plain:
        for name in REMAINING, COUNTS_PARTS:  # which the answer heeds
            flag(given, name)
    # Garbage collection need not look through a tuple of numbers.
    order = Order(order_id, user, kind, sender, tuple(numbers), cost, now_s, at_s)
    return order, texts


def _order_id(order_id: str) -> str:
    if not order_id:
        return new_guid()
    if not _ORDER_ID.fullmatch(order_id):
        raise RefusalError(400, "order_id has more than 32 characters, or one that is not allowed")
    return order_id


def _sender(sender: str, *, kind: str, knobs: SmsendKnobs) -> str:
    if not sender:
        return "" if kind in knobs.no_alias else knobs.default_sender
    if kind in knobs.no_alias:
        raise RefusalError(400, f"message_type {kind} does not allow a sender")
    is_word = len(sender) <= _WORD_LENGTH and sender.isascii() and sender.isprintable()
    if not (is_word or _LONG_SENDER.fullmatch(sender)):
        raise RefusalError(400, "the sender must have at most 11 characters or 16 digits")
    return sender


def _good(
    rows: list[Any], *, given: Mapping[str, Any], is_parametric: bool, knobs: SmsendKnobs
) -> tuple[list[str], list[Any]]:
    """Return the good numbers, and their rows."""
    allows_bad = "allowInvalidRecipients" in given and flag(given, "allowInvalidRecipients")
    numbers, good = [], []
    for row in rows:
        found = _NUMBER.fullmatch(str(row.get("recipient", "") if is_parametric else row).strip())
        msisdn = f"+{found[2]}" if found and (not knobs.needs_plus or found[1]) else ""
        refusal = refusal_of(msisdn, knobs=knobs) if msisdn else "number"
        if refusal is None:
            numbers.append(msisdn)
            good.append(row)
        elif refusal == "credit" or not allows_bad:
            raise RefusalError(400, _REFUSALS[refusal])
    if not good:
        raise RefusalError(400, "there are no valid recipients")
    return numbers, good
