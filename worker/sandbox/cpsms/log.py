"""The log of CPSMS v2: what was sent, by number and time, with its last report."""

import json
import time
from collections.abc import Iterator, Mapping
from typing import Any

from worker.sandbox.book import Book
from worker.sandbox.cpsms.knobs import DLR_TEXTS, CpsmsKnobs, points
from worker.sandbox.cpsms.request import unix_seconds
from worker.sandbox.endings import fate_of, state_of
from worker.sandbox.gateway import encoded
from worker.sandbox.scheduled import Scheduled

_BACK_S = 90 * 86400


def log(given: Mapping[str, Any], *, book: Book, scheduled: Scheduled, knobs: CpsmsKnobs) -> Iterator[bytes]:
    """Return the rows as JSON; they may be walked in another thread.

    Args:
        given: the parameters `to`, `fromDate`, `toDate`, each of which may be absent.
        book: what was accepted.
        scheduled: what of it leaves later or was cancelled.
        knobs: the shape of the rows, and what the reports say.

    Raises:
        RefusalError: a time is none.
    """
    now_s = time.time()
    from_s = max(unix_seconds(given.get("fromDate", 0)), now_s - _BACK_S)
    to_s = min(unix_seconds(given.get("toDate", 0)) or now_s, now_s)
    number = str(given.get("to", "")).removeprefix("+")
    lines = _lines(book, number=number, scheduled=scheduled)
    rows = (_row(line, knobs=knobs, now_s=now_s) for line in lines if from_s <= int(line["time"]) <= to_s)
    return map(encoded, rows)


def _lines(book: Book, *, number: str, scheduled: Scheduled) -> Iterator[dict[str, Any]]:
    """Give the lines of the book with the time at which each left or leaves."""
    wanted = f'"+{number}"'.encode() if number else b""
    for place, raw in enumerate(book.lines()):
        if wanted in raw and not scheduled.is_cancelled(place):
            line: dict[str, Any] = json.loads(raw)
            fate = fate_of(line["msisdn"])
            if fate is None or fate.is_kept:
                yield line | {"time": scheduled.leaves_at_s(place) or line["time"]}


def _row(line: dict[str, Any], *, knobs: CpsmsKnobs, now_s: float) -> dict[str, Any]:
    number = line["msisdn"].removeprefix("+")
    state = state_of(number, knobs=knobs, age_s=now_s - line["time"])
    return {
        "to": number,
        "from": line["sender"],
        **({} if knobs.has_old_names else {"smsAmount": line["parts"]}),
        "pointPrice": points(number, parts=line["parts"]),
        "userReference": line["reference"] or None,
        "dlrStatus": knobs.dlr_numbers[state] if state else 0,
        "dlrStatusText": DLR_TEXTS[state] if state else "",
        "timeSent": int(line["time"]),
    }
