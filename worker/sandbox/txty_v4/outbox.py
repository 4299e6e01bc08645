"""The outbox of Txty API v4: what was sent, newest first, and what became of it."""

import json
import time
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from worker.sandbox import txty
from worker.sandbox.endings import fate_of, state_of
from worker.sandbox.txty_v4.knobs import TxtyV4Knobs

FIRST_ID = 918_001


@dataclass(frozen=True, kw_only=True, slots=True)
class Extras:
    """What is known of a message beside its line in the book."""

    scheduled_s: int = 0
    flash: bool = False
    wappush: str | None = None
    premium: int = 0


PLAIN = Extras()


def outbox(
    lines: Iterator[bytes], *, extras: Mapping[int, Extras], search: str, user: str, knobs: TxtyV4Knobs
) -> list[dict[str, Any]]:
    """Return the newest rows that hold the searched word, as many as the knobs say."""
    rows: deque[dict[str, Any]] = deque(maxlen=knobs.outbox_rows)
    now_s = time.time()
    for place, raw in enumerate(lines):
        line = json.loads(raw)
        fate = fate_of(line["msisdn"])
        if (fate is None or fate.is_kept) and _holds(line, place=place, search=search.lower(), knobs=knobs):
            extra = extras.get(place, PLAIN)
            rows.appendleft(
                _row(line, place=place, extra=extra, now_s=now_s, knobs=knobs) | {"username": user}
            )
    return list(rows)


def _holds(line: dict[str, Any], *, place: int, search: str, knobs: TxtyV4Knobs) -> bool:
    number, text = str(line["msisdn"])[1:], str(line["text"])
    places = {
        "number": (number,),
        "text": (text.lower(),),
        "any": (number, text.lower(), str(line["sender"]).lower(), str(FIRST_ID + place)),
    }
    return any(search in each for each in places[knobs.search_in])


def _row(
    line: dict[str, Any], *, place: int, extra: Extras, now_s: float, knobs: TxtyV4Knobs
) -> dict[str, Any]:
    number = line["msisdn"][1:]
    dialcode, national = txty.divided(number)
    leaves_s = max(line["time"], extra.scheduled_s)
    state = state_of(number, knobs=knobs, age_s=now_s - leaves_s) if leaves_s <= now_s else None
    status = 0 if state is None else knobs.status_of(state)
    has_failed = state in {"failed", "abandoned"}
    received_s = leaves_s + knobs.dlr_delay_ms / 1000 if state == "delivered" else 0
    sent_s = line["time"] if knobs.scheduled_sent == "asked" else leaves_s
    is_out = knobs.scheduled_sent == "asked" or leaves_s <= now_s
    return {
        "smsid": FIRST_ID + place,
        "controluser": 0,
        "username": "",
        "msisdn": int(number),
        "dialcode": dialcode,
        "number": national,
        "sender": line["sender"],
        "sent": knobs.written_s(sent_s) if is_out else 0,
        "received": knobs.written_s(received_s) if received_s else 0,
        "scheduled": knobs.written_s(extra.scheduled_s) if extra.scheduled_s else 0,
        "price": txty.price(number, parts=line["parts"]),
        "failed": has_failed,
        "error": status if has_failed else 0,
        "premium": extra.premium,
        "flash": extra.flash,
        "wappush": extra.wappush,
        "text": line["text"],
        "networkcode": None,
        "msg-count": line["parts"],
        "premium-out": 0,
        "latency": int(1000 * (received_s - leaves_s)) if received_s else None,
        "errortext": "Message terminated." if has_failed else None,
    }
