"""What a call of the smSend family asks to send, checked against the limits that the vendor documents."""

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from worker.sandbox.endings import refusal_of
from worker.sandbox.gateway import RefusalError
from worker.sandbox.smsend.knobs import SmsendKnobs
from worker.sandbox.smsend.text import Limits, flag, rendered, with_links
from worker.sandbox.smsend.time import unix_s, zone_of
from worker.sandbox.wire import decoded, new_guid

_TIME = "scheduled_delivery_time"
_ORDER_ID = re.compile(r"[A-Za-z0-9_.-]{1,32}")
_SENDER = re.compile(r"\+?[0-9]{1,16}|[ -~]{1,11}")
_NUMBER = re.compile(r"(\+|00)?([1-9][0-9]{6,14})", re.ASCII)
_REFUSALS = {
    "number": "the recipient is not a valid number",
    "stopped": "the recipient is blacklisted",
    "credit": "not enough credit",
}


@dataclass(kw_only=True, slots=True, eq=False)  # as quick to make as a `Call`
class Asked:
    """One request to send; without the recipients that it allows to be bad.

    Attributes:
        order_id: given, or made here.
        message_type: one of the account's.
        sender: may be empty.
        numbers: E.164 with plus.
        texts: what reaches the handset of each number, and its parts.
        send_at_s: when it leaves, Unix seconds.
        returns_credits: whether the answer counts parts, not messages.
        returns_remaining: whether it tells what is left.
    """

    order_id: str
    message_type: str
    sender: str
    numbers: list[str]
    texts: list[tuple[str, int]]
    send_at_s: float
    returns_credits: bool
    returns_remaining: bool


def given_by(body: bytes) -> dict[str, Any]:
    """Return the fields of a JSON object; null counts as absent.

    Raises:
        RefusalError: it is none.
    """
    try:
        # json.loads would guess the encoding of each body, which can be another with a NUL or a BOM only.
        is_utf_8 = body.startswith(b"{") and b"\0" not in body
        given = decoded(body.decode("utf-8", "surrogatepass")) if is_utf_8 else json.loads(body)
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        raise RefusalError(400, "the body is not a JSON object")
    if None in given.values():
        return {name: value for name, value in given.items() if value is not None}
    return given


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


def asked(given: Mapping[str, Any], *, rows: list[Any], is_parametric: bool, knobs: SmsendKnobs) -> Asked:
    """Return what the call asks to send; only a parametric message has parameters.

    Raises:
        RefusalError: a field is missing or beyond its limit, or a recipient is bad.
    """
    if len(rows) > knobs.max_recipients:
        raise RefusalError(400, "there are too many recipients")
    kind = str(given.get("message_type", ""))
    if kind not in knobs.types:
        raise RefusalError(400, f"message_type must be one of {', '.join(knobs.types)}")
    zone = zone_of(given.get("scheduled_delivery_timezone"), default=knobs.zone)
    numbers, rows = _good(rows, given=given, is_parametric=is_parametric, knobs=knobs)
    message, limits = with_links(given), Limits.of(given, kind=kind, knobs=knobs)
    order_id = _order_id(str(given["order_id"])) if "order_id" in given else new_guid()
    sender = _sender(given, kind=kind, knobs=knobs)
    if is_parametric:
        texts = [limits.fitted(rendered(message, row=row, knobs=knobs)) for row in rows]
    else:
        texts = [limits.fitted(message)] * len(numbers)
    at_s = unix_s(given[_TIME], zone=zone, name=_TIME) if _TIME in given else 0.0
    return Asked(
        order_id=order_id,
        message_type=kind,
        sender=sender,
        numbers=numbers,
        texts=texts,
        send_at_s=max(at_s, time.time()),
        returns_credits="returnCredits" in given and flag(given, "returnCredits"),
        returns_remaining="returnRemaining" in given and flag(given, "returnRemaining"),
    )


def _order_id(order_id: str) -> str:
    if not order_id:
        return new_guid()
    if not _ORDER_ID.fullmatch(order_id):
        raise RefusalError(400, "order_id has more than 32 characters, or one that is not allowed")
    return order_id


def _sender(given: Mapping[str, Any], *, kind: str, knobs: SmsendKnobs) -> str:
    sender = str(given.get("sender", ""))
    if not sender:
        return "" if kind in knobs.no_alias else knobs.default_sender
    if kind in knobs.no_alias:
        raise RefusalError(400, f"message_type {kind} does not allow a sender")
    if not _SENDER.fullmatch(sender):
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
