"""Answers of the smSend family: refusals, acceptances, the standing of an account, pages, pushed reports."""

import math
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from starlette.responses import PlainTextResponse, Response

from worker.sandbox.gateway import JsonReply, RefusalError, WrittenReply
from worker.sandbox.smsend.contacts import page_of
from worker.sandbox.smsend.knobs import SmsendKnobs
from worker.sandbox.smsend.orders import Order
from worker.sandbox.smsend.request import COUNTS_PARTS, REMAINING
from worker.sandbox.smsend.text import flag

_ENDLESS = 9_843  # what an account without end shows
_INTERNAL_TYPES = ("N", "L", "LL", "EE", "AD")
_MONEY_PER_CREDIT = 0.05
_EMAIL = {"bandwidth": 2000.0, "purchased": "2015-01-16", "billing": "EMAILPERHOUR", "expiry": "2016-01-17"}


def refusal_reply(error: RefusalError, *, knobs: SmsendKnobs) -> Response:
    """Return the error in one of the shapes that clients know."""
    headers = {} if error.retry_after_s is None else {"Retry-After": str(error.retry_after_s)}
    shape = knobs.error_body
    if shape == "text":
        return PlainTextResponse(error.text, status_code=error.status, headers=headers)
    content: dict[str, object] = {}
    if shape in {"both", "error_message"}:
        content |= {"error_code": error.status, "error_message": error.text}
    if shape != "error_message":
        content["message" if shape == "message" else "result"] = error.text
    return JsonReply(content, status_code=error.status, headers=headers)


def send_reply(
    name: str, *, order: Order, given: Mapping[str, Any], left: float, knobs: SmsendKnobs
) -> Response:
    """Return the acceptance of all messages of a call: JSON by hand, as of each send."""
    total = order.cost if COUNTS_PARTS in given and flag(given, COUNTS_PARTS) else len(order.numbers)
    tells_rest = REMAINING in given and flag(given, REMAINING)
    remaining = f'"remaining_credits":{_shown(left)},' if tells_rest else ""
    status = 201
    if name != "sms":
        status = knobs.param_status if name == "paramsms" else knobs.group_status
    order_id = order.order_id  # nothing in it is to be quoted
    return WrittenReply(
        f'{{"result":"OK","order_id":"{order_id}","total_sent":{total},{remaining}'
        f'"internal_order_id":"{order_id}-int"}}',
        status,
    )


def status_reply(given: Mapping[str, str], *, left: float, knobs: SmsendKnobs) -> Response:
    """Return the standing of an account: each of its types has all that is left."""
    types = knobs.types if given.get("typeAliases") == "true" else _INTERNAL_TYPES
    quantity = _shown(left)
    money = round(quantity * _MONEY_PER_CREDIT, 2) if given.get("getMoney") == "true" else None
    stocks = [{"type": kind, "quantity": quantity} for kind in types]
    return JsonReply({"money": money, "sms": stocks, "email": _EMAIL})


def _shown(left: float) -> int:
    return _ENDLESS if left == math.inf else int(left)


def page_reply(name: str, *, rows: Sequence[Any], given: Mapping[str, Any], size: int) -> Response:
    """Return one page of a list; raises RefusalError for a page that is none."""
    page, size = page_of(given, size=size)
    listed = rows[(page - 1) * size : page * size]
    content = {"result": "OK", "total": len(rows), name: listed, "pageNumber": page, "pageSize": size}
    return JsonReply(content)


def push_url(base_url: str, *, date: str, order_id: str, status: str, msisdn: str) -> str:
    """Return the address that pushes one report."""
    joint = "&" if "?" in base_url else "?"
    values = f"delivery_date={date}&order_id={order_id}&status={status}&recipient={quote(msisdn)}"
    return f"{base_url}{joint}{values}"
