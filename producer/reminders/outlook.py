"""What a file of appointments comes to: sums, when its reminders leave, and who gets none."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from producer.preview import Preview
from producer.reminders.moments import Skip
from producer.reminders.reading import Read, Wish
from producer.reminders.sheet import CHANGED, WRITTEN, Sheet, Verdict, among
from producer.schedule.forecast import forecast
from producer.schedule.packing import Packing
from producer.schedule.plan import Odd, Plan
from producer.schedule.timetable import Group
from worker.timing.local import Oddity

SKIPPED = (*Skip, Verdict.SUPPRESSED)
"""Why a reminder is left out."""

_COMING = among((*WRITTEN, *CHANGED))
_MINUTE_MS = 60_000
_KEPT_ODDITIES = 1000


class Missed(NamedTuple):
    """An appointment of which no reminder is to come: its line, a digest of its key, its version, and why."""

    line: int
    key: str
    version: int
    code: str


def figures_of(wish: Wish, read: Read, sheet: Sheet) -> Preview:
    """Say what the new messages come to, in the figures of a preview."""
    sums = sheet.sums()
    n_sends = len(wish.befores_ms)
    figures = Preview(
        rows=read.found.rows,
        messages=sums.messages,
        duplicates=read.duplicates * n_sends,
        refused=read.refused.total() * n_sends,
        parts=sums.parts,
        unpriced=sums.unpriced,
        reasons=read.refused,
        problems=read.found.problems,
        fallback=read.found.fallback,
        no_fallback=read.found.no_fallback,
        unpriced_fallback=sums.unpriced_fallback if read.found.fallback else 0,
        text=read.found.text,
    )
    figures.cost.micros.update(sums.cost)
    if read.found.fallback:
        figures.cost_fallback.micros.update(sums.cost_fallback)
    return figures


def plan_of(wish: Wish, sheet: Sheet) -> Plan:
    """Say when what is new or changed leaves, what a window has moved of it, and which times are odd."""
    timing, provider = wish.timing, wish.order.account.provider
    starts_at, moved, several = next(
        sheet.asked(
            "SELECT min(due_at), coalesce(sum(is_moved), 0), "  # noqa: S608 - constants of ours
            f"coalesce(sum(instr({_of('zones')}, ',') > 0), 0) FROM planned WHERE {_COMING}"
        )
    )
    units = "sum({})".format(_of("parts")) if provider.unit == "parts" else "count(*)"
    groups = sheet.asked(
        f"SELECT min(due_at), min({_of('leave_by')}), min({_of('expires_at')}), {_of('zones')}, "  # noqa: S608
        f"count(*), {units} FROM planned WHERE {_COMING} "
        f"GROUP BY due_at / {_MINUTE_MS}, {_of('leave_by')} / {_MINUTE_MS}, {_of('zones')} ORDER BY 1"
    )
    ahead = forecast(
        (Group(*row) for row in groups), rates=provider.rate, windows=timing.widest, shown_in=timing.shown_in
    )
    return Plan(
        zone=timing.zone,
        shown_in=timing.shown_in,
        windows=timing.widest,
        starts_at=starts_at,
        moved=moved,
        several=several,
        oddities=_oddities(sheet),
        forecast=ahead,
        is_latest=Packing.of(wish.order.account) is not None,  # what shares a request is known when it leaves
    )


def _of(name: str) -> str:
    return f"json_extract(message, '$.{name}')"


def _oddities(sheet: Sheet) -> Counter[Odd]:
    found = sheet.asked(
        "SELECT odd, count(*) FROM planned JOIN keys USING (key) "  # noqa: S608 - constants of ours
        f"WHERE odd IS NOT NULL AND {_COMING} GROUP BY odd ORDER BY min(line) LIMIT {_KEPT_ODDITIES}"
    )
    oddities: Counter[Odd] = Counter()
    for written, n in found:
        local, zone, what, at_ms = json.loads(written)
        oddities[Odd(local, zone, Oddity(what), at_ms)] = n
    return oddities


def by_offset(sheet: Sheet) -> dict[int, Counter[str]]:
    """Count the reminders by verdict, for each time before the appointment."""
    found: dict[int, Counter[str]] = {}
    for before_ms, verdict, n in sheet.asked(
        "SELECT before_ms, verdict, count(*) FROM planned GROUP BY before_ms, verdict ORDER BY before_ms DESC"
    ):
        found.setdefault(before_ms, Counter())[verdict] = n
    return found


def missed_of(sheet: Sheet) -> Iterator[Missed]:
    """Yield the appointments of which every reminder is left out, by line, with why the last of them is."""
    query = (
        "SELECT line, key, version, verdict, min(before_ms) FROM planned JOIN keys USING (key) "  # noqa: S608
        f"GROUP BY key HAVING sum(verdict IS NULL OR NOT {among(SKIPPED)}) = 0 ORDER BY line"
    )
    for line, key, version, code, _ in sheet.asked(query):
        yield Missed(line, key, version, code)
