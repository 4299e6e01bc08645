"""The answers of CPSMS v2 in the shapes of its generations."""

import math
from collections.abc import Sequence
from typing import Any

from starlette.responses import Response

from worker.sandbox.cpsms.knobs import CpsmsKnobs
from worker.sandbox.gateway import JsonReply, RefusalError, WrittenReply, encoded

_ENDLESS = 9843.4  # what an endless credit is shown as
_PARTLY = 207


def refusal_reply(error: RefusalError, *, knobs: CpsmsKnobs) -> Response:
    """Answer that the whole request is refused."""
    item = _error(error.status, text=error.text, knobs=knobs)
    headers = {} if error.retry_after_s is None else {"Retry-After": str(error.retry_after_s)}
    content = {"error": [item] if knobs.error_list else item}
    return JsonReply(content, status_code=error.status, headers=headers)


def send_reply(
    accepted: Sequence[str], *, refused: Sequence[tuple[str, tuple[int, str]]], knobs: CpsmsKnobs
) -> Response:
    """Answer what became of each recipient.

    Args:
        accepted: the `item` of each; an empty one is left out.
        refused: number, and the code and text of why.
        knobs: the shape.
    """
    success = f"[{','.join(filter(None, accepted))}]"
    if knobs.generation == "draft":
        success = f"[{success}]"
    if not refused:
        return WrittenReply(f'{{"success":{success}}}')
    errors = [_error(code, text=text, knobs=knobs) | {"to": number} for number, (code, text) in refused]
    if accepted:
        status = _PARTLY if knobs.multi_status else 200
        error = encoded(errors).decode()
        return WrittenReply(f'{{"success":{success},"error":{error}}}', status_code=status)
    codes = {code for _number, (code, _text) in refused}
    is_one = len(errors) == 1 and not knobs.error_list
    content = {"error": errors[0] if is_one else errors}
    return JsonReply(content, status_code=codes.pop() if len(codes) == 1 else 400)


def item(number: str, *, cost: float, parts: int, knobs: CpsmsKnobs) -> str:
    """Return what the answer says of an accepted message: JSON by hand, as there is one for each."""
    if knobs.generation == "draft":
        return f'{{"to":"{number}","price":"{cost}","countryCode":"{number[:2]}"}}'
    amount = "" if knobs.has_old_names else f',"smsAmount":{parts}'
    return f'{{"to":"{number}","cost":{cost}{amount}}}'


def credit(left: float, *, knobs: CpsmsKnobs) -> str:
    """Write the credit as the account shows it."""
    shown = _ENDLESS if math.isinf(left) else left
    if knobs.credit_format == "integer":
        return str(int(shown))
    if knobs.credit_format == "plain":
        return f"{shown:.2f}"
    return f"{shown:,.2f}".translate({ord(","): ".", ord("."): ","})


def _error(code: int, *, text: str, knobs: CpsmsKnobs) -> dict[str, Any]:
    names = ("errorCode", "errMsg") if knobs.has_old_names else ("code", "message")
    return dict(zip(names, (code, text), strict=True))
