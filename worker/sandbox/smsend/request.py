"""What a call of the smSend family asks to send, checked against the limits that the vendor documents."""

import json
import re
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from worker.sandbox.endings import refusal_of
from worker.sandbox.gateway import RefusalError
from worker.sandbox.smsend.knobs import SmsendKnobs
from worker.sandbox.smsend.text import Limits, flag, rendered, with_links
from worker.sandbox.smsend.time import unix_s, zone_of

_ORDER_ID = re.compile(r"[A-Za-z0-9_.-]{1,32}")
_SENDER = re.compile(r"\+?[0-9]{1,16}|[ -~]{1,11}")
_NUMBER = re.compile(r"(\+|00)?([1-9][0-9]{6,14})", re.ASCII)
_REFUSALS = {
    "number": "the recipient is not a valid number",
    "stopped": "the recipient is blacklisted",
    "credit": "not enough credit",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """What reaches one handset."""

    msisdn: str
    text: str
    parts: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """One request to send; without the recipients that it allows to be bad."""

    order_id: str
    message_type: str
    sender: str
    messages: list[Message]
    send_at_s: float
    returns_credits: bool
    returns_remaining: bool


def given_by(body: bytes) -> dict[str, Any]:
    """Return the fields of a JSON object; null counts as absent.

    Raises:
        RefusalError: it is none.
    """
    try:
        given = json.loads(body)
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        raise RefusalError(400, "the body is not a JSON object")
    return {name: value for name, value in given.items() if value is not None}


def rows_of(given: Mapping[str, Any], *, is_parametric: bool, knobs: SmsendKnobs) -> list[dict[str, Any]]:
    """Return the recipients, each with its parameters, good or bad.

    Raises:
        RefusalError: they are not the list, or the map, that is documented.
    """
    if not is_parametric:
        listed = given.get("recipient")
        if not isinstance(listed, list) or not listed:
            raise RefusalError(400, "recipient must be a list of recipients")
        return [{"recipient": number} for number in listed]
    rows = given.get("recipients")
    if isinstance(rows, dict):
        rows = list(rows.values())
    elif not knobs.param_list:
        rows = None
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise RefusalError(400, "recipients must be a map of recipients with their parameters")
    return rows


def asked(
    given: Mapping[str, Any], *, rows: list[dict[str, Any]], is_parametric: bool, knobs: SmsendKnobs
) -> Asked:
    """Return what the fields ask to send; only a parametric message has parameters.

    Raises:
        RefusalError: a field is missing or beyond its limit, or a recipient is bad.
    """
    if len(rows) > knobs.max_recipients:
        raise RefusalError(400, "there are too many recipients", messages=len(rows))
    try:
        return _asked(given, rows=rows, is_parametric=is_parametric, knobs=knobs)
    except RefusalError as error:
        raise RefusalError(error.status, error.text, messages=len(rows)) from None


def _asked(
    given: Mapping[str, Any], *, rows: list[dict[str, Any]], is_parametric: bool, knobs: SmsendKnobs
) -> Asked:
    kind = str(given.get("message_type", ""))
    if kind not in knobs.types:
        raise RefusalError(400, f"message_type must be one of {', '.join(knobs.types)}")
    zone = zone_of(given.get("scheduled_delivery_timezone"), default=knobs.zone)
    time_name = "scheduled_delivery_time"
    good = _good(rows, given=given, knobs=knobs)
    message, limits = with_links(given), Limits.of(given, kind=kind, knobs=knobs)
    return Asked(
        order_id=_order_id(given),
        message_type=kind,
        sender=_sender(given, kind=kind, knobs=knobs),
        messages=_parametric(message, rows=good, limits=limits, knobs=knobs)
        if is_parametric
        else _plain(message, rows=good, limits=limits),
        send_at_s=max(unix_s(given.get(time_name), zone=zone, name=time_name), time.time()),
        returns_credits=flag(given, "returnCredits"),
        returns_remaining=flag(given, "returnRemaining"),
    )


def _order_id(given: Mapping[str, Any]) -> str:
    order_id = str(given.get("order_id", ""))
    if not order_id:
        return str(uuid.uuid4())
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
    rows: list[dict[str, Any]], *, given: Mapping[str, Any], knobs: SmsendKnobs
) -> list[tuple[str, dict[str, Any]]]:
    allows_bad = flag(given, "allowInvalidRecipients")
    good = []
    for row in rows:
        found = _NUMBER.fullmatch(str(row.get("recipient", "")).strip())
        msisdn = f"+{found[2]}" if found and (found[1] or not knobs.needs_plus) else ""
        refusal = refusal_of(msisdn, knobs=knobs) if msisdn else "number"
        if refusal is None:
            good.append((msisdn, row))
        elif refusal == "credit" or not allows_bad:
            raise RefusalError(400, _REFUSALS[refusal])
    if not good:
        raise RefusalError(400, "there are no valid recipients")
    return good


def _plain(message: str, *, rows: list[tuple[str, dict[str, Any]]], limits: Limits) -> list[Message]:
    text, parts = limits.fitted(message)
    return [Message(msisdn=msisdn, text=text, parts=parts) for msisdn, _row in rows]


def _parametric(
    message: str, *, rows: list[tuple[str, dict[str, Any]]], limits: Limits, knobs: SmsendKnobs
) -> list[Message]:
    messages = []
    for msisdn, row in rows:
        text, parts = limits.fitted(rendered(message, row=row, knobs=knobs))
        messages.append(Message(msisdn=msisdn, text=text, parts=parts))
    return messages
