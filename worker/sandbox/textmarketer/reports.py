"""The delivery reports of Text Marketer: one a day, with a row for each message that has left."""

import bisect
import json
from array import array
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from worker.sandbox.endings import fate_of, state_of
from worker.sandbox.scheduled import Scheduled
from worker.sandbox.textmarketer.knobs import TextmarketerKnobs
from worker.sandbox.textmarketer.request import FaultError
from worker.sandbox.textmarketer.sms import MAX_TAG, is_tag
from worker.sandbox.textmarketer.time import unix_seconds
from worker.sandbox.textmarketer.xml import element, elements, iso_8601

FIRST_ID = 7_000_001
_ALL = "all"


class Requests:
    """Which accepted messages came in one request, and from whom; places are those in the book."""

    def __init__(self) -> None:
        self._starts = array("q")
        self._users = array("q")
        self._names: dict[str, int] = {}

    def add(self, user: str, *, start: int) -> int:
        """Note a request by the place of its first message, and return the id of its messages."""
        self._starts.append(start)
        self._users.append(self._names.setdefault(user, len(self._names)))
        return FIRST_ID + start

    def message_id(self, place: int, *, user: str) -> int | None:
        """Return the id of the message at that place; nothing: it is another's."""
        at = bisect.bisect_right(self._starts, place) - 1
        return FIRST_ID + self._starts[at] if self._users[at] == self._names.get(user) else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What is asked for: the name of a report, and what its rows are restricted to (Unix seconds)."""

    name: str = _ALL
    tag: str = ""
    from_s: float = 0.0
    to_s: float = float("inf")


def wanted(path: Sequence[str]) -> Wanted | None:
    """Read the segments after `deliveryReport`; nothing: there is no such resource.

    Raises:
        FaultError: a tag or a time is none.
    """
    name, rest, tag = path[0] if path else "", list(path[1:]), ""
    if rest[:1] == ["custom"] and len(rest) > 1:
        tag, rest = rest[1], rest[2:]
        if not 0 < len(tag) <= MAX_TAG:
            raise FaultError((1, "custom must be 1 to 20 characters long"))
        if not is_tag(tag):
            raise FaultError((0, "custom must have letters and digits only"))
    if not name or len(rest) not in {0, 2}:
        return None
    times = [unix_seconds(each) for each in rest] or [0.0, float("inf")]
    if None in times or 0.0 in times[1:]:
        raise FaultError((2, "the times must be in ISO 8601"))
    return Wanted(name=name, tag=tag, from_s=times[0] or 0.0, to_s=times[1] or 0.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Reports:
    """What was accepted, as one account sees it at one moment; it may be read in another thread."""

    lines: Iterator[bytes]  # of the book, oldest first
    requests: Requests
    scheduled: Scheduled
    knobs: TextmarketerKnobs
    user: str
    now_s: float

    def listed(self) -> str:
        """Write the list of the reports that there are."""
        names = {name: max(row["updated_s"] for row in rows) for name, rows in self._by_day(Wanted()).items()}
        reports = [_report(name, updated_s=updated_s) for name, updated_s in names.items()]
        return element("userdirectory", self.user) + elements("reports", reports, quantity=len(reports))

    def written(self, asked: Wanted) -> str:
        """Write the reports that are asked for, empty where they have no row."""
        return "".join(
            _report(name, updated_s=max(row["updated_s"] for row in rows), rows=rows)
            for name, rows in self._by_day(asked).items()
        )

    def _by_day(self, asked: Wanted) -> dict[str, list[dict[str, Any]]]:
        days: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        for line in self._lines(asked.tag):
            name = _name(line["time"])
            if asked.name in {_ALL, name} and asked.from_s <= line["updated_s"] <= asked.to_s:
                days[name].append(line)
        return dict(days)

    def _lines(self, tag: str) -> Iterator[dict[str, Any]]:
        """Give the lines of the book that have a row by now."""
        marked = json.dumps({"reference": tag})[1:-1].encode() if tag else b""
        for place, raw in enumerate(self.lines):
            if marked not in raw or self.scheduled.is_cancelled(place):
                continue
            message_id = self.requests.message_id(place, user=self.user)
            line: dict[str, Any] = json.loads(raw)
            line["time"] = self.scheduled.leaves_at_s(place) or line["time"]
            fate = fate_of(line["msisdn"])
            is_due = line["time"] + self.knobs.report_delay_ms / 1000 <= self.now_s
            if message_id is not None and is_due and (fate is None or fate.is_kept):
                yield line | self._state(line) | {"message_id": message_id}

    def _state(self, line: dict[str, Any]) -> dict[str, Any]:
        knobs, msisdn, age_s = self.knobs, line["msisdn"], self.now_s - line["time"]
        state = state_of(msisdn, knobs=knobs, age_s=age_s)
        if knobs.non_uk and not msisdn.startswith("+44"):
            return {"status": "NON-UK", "updated_s": line["time"]}
        if state is None or state == "buffered":
            return {"status": "PENDING", "updated_s": line["time"]}
        updated_s = min(self.now_s, line["time"] + knobs.dlr_delay_ms / 1000)
        return {
            "status": "DELIVERED" if state == "delivered" else knobs.failed_status,
            "updated_s": updated_s,
        }


def _name(at_s: float) -> str:
    return f"GatewayAPI_{datetime.fromtimestamp(at_s, tz=UTC):%d-%m-%y}"


def _report(name: str, *, updated_s: float, rows: Sequence[dict[str, Any]] = ()) -> str:
    inner = (
        element(
            "reportrow",
            last_updated=iso_8601(row["updated_s"]),
            mobile_number=row["msisdn"].removeprefix("+"),
            message_id=row["message_id"],
            status=row["status"],
            custom=row["reference"],
        )
        for row in rows
    )
    return elements("report", inner, name=name, last_updated=iso_8601(updated_s), extension="csv")
