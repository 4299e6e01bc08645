"""The callbacks of Txty API v4: what became of a message, pushed to the address that the request named."""

import time
from collections.abc import Iterator
from urllib.parse import urlencode

from worker.sandbox import txty
from worker.sandbox.endings import turns_of
from worker.sandbox.receipts import Receipt
from worker.sandbox.txty_v4.knobs import TxtyV4Knobs
from worker.sandbox.txty_v4.outbox import FIRST_ID


def calls_of(number: str, *, place: int, base_url: str, at_s: float, knobs: TxtyV4Knobs) -> Iterator[Receipt]:
    """Give the callbacks of a message.

    Args:
        number: without plus.
        place: in the book.
        base_url: to which the values are added.
        at_s: when the message leaves, Unix seconds.
        knobs: of the gateway: delay, outcome, attempts.
    """
    now_s = time.time()
    dialcode, national = txty.divided(number)
    for turn in turns_of(number, knobs=knobs):
        status = knobs.status_of(turn.state)
        if not status:  # v4 has none for what is on its way
            continue
        due_s = at_s + turn.after_s
        fields = {
            "msisdn": number,
            "dialcode": dialcode,
            "number": national,
            "status": status,
            "timestamp": knobs.written_s(now_s),
            "delivered": knobs.written_s(due_s) if turn.state == "delivered" else 0,
            "smsid": FIRST_ID + place,
        }
        yield Receipt(
            due_s=due_s,
            method="GET",
            url=f"{base_url}{'&' if '?' in base_url else '?'}{urlencode(fields)}",
            attempts=knobs.dlr_attempts,
            retry_s=knobs.dlr_retry_ms / 1000,
        )
