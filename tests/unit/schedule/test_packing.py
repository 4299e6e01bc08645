from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producer.cli.when import when_facts, when_line
from producer.preview import Order, Preview, preview
from producer.schedule.packing import Packing
from producer.schedule.timetable import Timed
from producer.schedule.timing import Timing
from worker.ledger.drafts import BATCH_ROWS
from worker.providers import Account, account_named
from worker.sending.plan import group_rows
from worker.settings import Settings
from worker.timing.words import Instant

NOW_MS = 1_800_000_000_000
HOUR_MS = 3_600_000


def account(gateway: str = "cpsms", **more: object) -> Account:
    provider = {"gateway": gateway, "username": "acme", "secret": "env:KEY", "unit": "requests", **more}
    return account_named(Settings.model_validate({"providers": {"acme": provider}}), "acme")


@dataclass(frozen=True, kw_only=True)
class Due:
    """A row as the sender plans it."""

    msisdn: str
    text: str
    encoding: str = "gsm7"
    parts: int = 1
    group_limit: int | None = None


TEXTS = st.sampled_from(["Hi", "Hi Ann", "%T", "Hej"])
ROWS = st.lists(
    st.tuples(TEXTS, st.sampled_from(["gsm7", "ucs2"]), st.booleans()), min_size=1, max_size=60
).map(lambda some: some * 40)


def due(rows: Sequence[tuple[str, str, bool]]) -> list[Due]:
    return [
        Due(msisdn=f"group:{n}" if is_target else f"+45{20_000_000 + n}", text=text, encoding=encoding)
        for n, (text, encoding, is_target) in enumerate(rows)
    ]


def sent(rows: Sequence[Due], via: Account) -> int:
    """Return how many requests the sender makes of rows, batch by batch."""
    has = via.capabilities
    batches = [rows[start : start + BATCH_ROWS] for start in range(0, len(rows), BATCH_ROWS)]
    facts: dict[str, Any] = {"differs": has.differs, "reserved": has.reserved, "unit": "requests"}
    return sum(len(list(group_rows(each, max_recipients=via.max_recipients, **facts))) for each in batches)


@pytest.mark.parametrize("gateway", ["cpsms", "smsend", "textmarketer"])
@given(rows=ROWS)
def test_requests_are_counted_as_the_sender_packs_them(
    gateway: str, rows: list[tuple[str, str, bool]]
) -> None:
    via = account(gateway, max_recipients=7)
    packing, planned = Packing(via), due(rows)

    keys = [packing.key(row.msisdn, text=row.text, encoding=row.encoding) for row in planned]
    for key in keys:
        packing.add(key)
    groups = list(packing.groups([Timed(NOW_MS, None, None, None, key) for key in keys]))

    assert packing.n_requests == sent(planned, via)
    assert sum(group.units for group in groups) == pytest.approx(packing.n_requests)
    assert sum(group.n for group in groups) == len(rows)
    assert not packing.is_most


def previewed(folder: Path, template: str, *, timing: Timing | None = None, rate: str = "1/s") -> Preview:
    path = folder / "members.csv"
    rows = "".join(f"+45{20_000_000 + n},Ann {n}\n" for n in range(1000))
    path.write_text(f"msisdn,first_name\n{rows}", encoding="utf-8")
    via = account(rate=rate)
    order = Order(path=path, template=template, account=via, sender="ACME", name="members", timing=timing)
    return preview(order)


def lasts_s(found: Preview, *, at_ms: int) -> float:
    assert found.plan.forecast.ends_at is not None
    return (found.plan.forecast.ends_at - at_ms) / 1000


@pytest.mark.parametrize(("template", "units", "s"), [("Hi", 2, 1), ("Hi {{ first_name }}", 1000, 999)])
@pytest.mark.parametrize("rate", ["1/s", "60/min"])
def test_a_limit_of_requests_counts_those_that_leave(
    tmp_path: Path, template: str, units: int, s: int, rate: str
) -> None:
    timing = Timing(now_ms=NOW_MS, when=Instant(NOW_MS + HOUR_MS))

    now = previewed(tmp_path, template, rate=rate)
    later = previewed(tmp_path, template, timing=timing, rate=rate)

    assert (now.units, later.units) == (units, units)
    assert not later.plan.is_latest
    if rate == "1/s":
        assert lasts_s(later, at_ms=NOW_MS + HOUR_MS) == pytest.approx(s, abs=0.01)
        assert [each.messages for each in later.plan.openings] == [1000]
    else:
        assert lasts_s(later, at_ms=NOW_MS + HOUR_MS) == 60 * ((units - 1) // 60)


def test_what_falls_due_one_by_one_ends_at_the_latest_then(tmp_path: Path) -> None:
    spread = Timing(now_ms=NOW_MS, when=Instant(NOW_MS + HOUR_MS), over_ms=HOUR_MS)

    found = previewed(tmp_path, "Hi", timing=spread)

    assert lasts_s(found, at_ms=NOW_MS + HOUR_MS) == pytest.approx(3600, abs=60)
    assert when_facts(found.plan)["ends_at_is_latest"] is True
    assert str(when_line(found.plan)).endswith("at the latest")


def test_who_has_no_rate_is_told_that_it_leaves_at_once(tmp_path: Path) -> None:
    path = tmp_path / "members.csv"
    path.write_text("msisdn\n+4520000001\n", encoding="utf-8")
    order = Order(path=path, template="Hi", account=account(), sender="ACME", name="members")

    assert when_line(preview(order).plan) == "at once, as fast as the gateway answers (no rate is set)"
