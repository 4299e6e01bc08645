import tracemalloc
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from producer.preview import Order, Preview, preview
from producer.schedule.column import open_time_column
from producer.schedule.plan import Planner
from producer.schedule.timetable import Timetable
from producer.schedule.timing import Timing
from producer.spool import Spool
from worker.errors import ConfigError, InputError
from worker.ledger.drafts import NewMessage, batched
from worker.providers import Account, account_named
from worker.settings import Settings
from worker.states import Late
from worker.text.segments import Encoding
from worker.timing.windows import Hours, Windows
from worker.timing.words import Instant, Wall

HOUR_MS = 3_600_000
MINUTE_MS = 60_000
NOW_MS = round(1000 * datetime(2027, 3, 1, 8, tzinfo=UTC).timestamp())
OFFICE = Windows(open=(Hours(opens=time(9), closes=time(20)),))
FILE = "msisdn,first_name,at\n"


def account(**more: object) -> Account:
    provider = {"gateway": "cpsms", "username": "acme", "secret": "env:KEY", "price": "0.35 DKK", **more}
    providers = {"acme": provider, "other": {**provider, "username": "other", "quiet": "08:00-11:00"}}
    return account_named(Settings.model_validate({"providers": providers}), "acme")


def other() -> Account:
    provider = {"gateway": "cpsms", "username": "other", "secret": "env:KEY", "quiet": "08:00-11:00"}
    return account_named(Settings.model_validate({"providers": {"other": provider}}), "other")


@pytest.fixture
def order(tmp_path: Path) -> Order:
    path = tmp_path / "members.csv"
    rows = "".join(f"+45200000{n:02},Ann,2027-03-0{2 + n % 3} 1{n % 10}:30\n" for n in range(10))
    path.write_text(FILE + rows, encoding="utf-8")
    return Order(path=path, template="Hi {{ first_name }}", account=account(), sender="ACME", name="members")


def timed(order: Order, **facts: Any) -> tuple[Preview, list[NewMessage]]:  # noqa: ANN401 - of a timing
    """Preview an order at a time, with its messages."""
    messages: list[NewMessage] = []
    timing = Timing(now_ms=NOW_MS, **facts)
    found = preview(replace(order, timing=timing), on_message=lambda message, _: messages.append(message))
    return found, messages


def with_rows(order: Order, *rows: str) -> Order:
    order.path.write_text(FILE + "".join(f"{row}\n" for row in rows), encoding="utf-8")
    return order


def wall(written: str) -> Wall:
    return Wall(datetime.fromisoformat(written))


def test_every_message_gets_its_times(order: Order) -> None:
    start_ms = NOW_MS + HOUR_MS

    found, messages = timed(order, when=Instant(start_ms), validity_ms=HOUR_MS)

    expected = {(start_ms, start_ms + HOUR_MS, start_ms + HOUR_MS, None)}
    assert {(m.due_at, m.leave_by, m.expires_at, m.zones) for m in messages} == expected
    assert (found.messages, found.plan.starts_at, found.plan.moved) == (10, start_ms, 0)


def test_a_window_holds_where_the_recipient_is(order: Order) -> None:
    two = with_rows(order, "+4520000001,Ann,", "+12125550123,Bo,")

    found, messages = timed(two, when=Instant(NOW_MS), zone="Europe/Copenhagen", windows=OFFICE)

    due = {message.zones: message.due_at for message in messages}
    assert due == {"Europe/Copenhagen": NOW_MS, "America/New_York": NOW_MS + 6 * HOUR_MS}
    assert found.plan.moved == 1


def test_a_time_of_the_recipient_comes_when_it_has_come_in_every_zone_of_hers(order: Order) -> None:
    two = with_rows(order, "+4520000001,Ann,", "+77012345678,Bo,", "+61412345678,Cy,")

    found, messages = timed(two, when=wall("2027-03-02 09:00"), zone="recipient", is_dated=True)

    due = {message.msisdn[:3]: message.due_at for message in messages}
    day = NOW_MS - 8 * HOUR_MS + 24 * HOUR_MS
    assert due["+45"] == day + 8 * HOUR_MS
    assert due["+61"] == day + HOUR_MS  # in Perth, the last of Australia's cities
    assert found.plan.several >= 1


def test_times_of_a_column_are_sorted_by_minute_then_by_line(order: Order) -> None:
    column = open_time_column(order.path, "at")
    found, messages = timed(order, column=column, zone="Europe/Copenhagen", is_dated=True)

    keys = [((message.due_at or 0) // MINUTE_MS, message.line) for message in messages]
    assert keys == sorted(keys)
    assert found.messages == 10
    assert sum(map(len, batched(messages))) == 10
    assert len(list(batched(messages))) == len({minute for minute, _ in keys})


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ("+4520000001,Ann,", "time_missing"),
        ("+4520000001,Ann,soon", "time_unreadable"),
        ("+4520000001,Ann,2027-02-28 09:00", "time_past"),
        ("+4520000001,Ann,2031-02-28 09:00", "time_too_far"),
    ],
)
def test_a_row_whose_time_cannot_be_kept_is_refused(order: Order, row: str, code: str) -> None:
    bad = with_rows(order, row, "+4520000002,Bo,2027-03-02 09:00")
    found, _ = timed(bad, column=open_time_column(bad.path, "at"), zone="UTC", is_dated=True)

    assert (found.messages, dict(found.reasons)) == (1, {code: 1})
    assert found.problems[0].column == "at"


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ({"windows": OFFICE}, "zone_unknown"),
        ({"when": wall("2027-03-02 09:00"), "zone": "recipient"}, "zone_unknown"),
    ],
)
def test_a_row_whose_zone_nobody_knows_is_refused_where_that_matters(
    order: Order, facts: dict[str, Any], code: str
) -> None:
    satellite = with_rows(order, "+881612345678,Ann,", "+4520000002,Bo,")

    found, _ = timed(satellite, **facts)
    plain, _ = timed(satellite, when=Instant(NOW_MS + HOUR_MS))

    assert (found.messages, dict(found.reasons)) == (1, {code: 1})
    assert plain.messages == 2


def test_a_row_whose_zones_are_never_open_together_is_refused(order: Order) -> None:
    narrow = Windows(open=(Hours(opens=time(9), closes=time(9, 30)),))
    australia = with_rows(order, "+61412345678,Ann,", "+4520000002,Bo,")

    found, _ = timed(australia, windows=narrow)

    assert (found.messages, dict(found.reasons)) == (1, {"no_opening": 1})


def test_what_the_clocks_skip_is_told(order: Order) -> None:
    found, messages = timed(order, when=wall("2027-03-28 02:30"), zone="Europe/Copenhagen", is_dated=True)

    odd, n = found.plan.oddities.most_common()[0]
    assert (odd.local, odd.zone, odd.what, n) == ("2027-03-28 02:30", "Europe/Copenhagen", "gap", 10)
    assert odd.at_ms == messages[0].due_at == round(1000 * datetime(2027, 3, 28, 1, tzinfo=UTC).timestamp())


def test_a_spread_is_even_and_begins_at_once(order: Order) -> None:
    _, messages = timed(order, over_ms=HOUR_MS)

    due = [message.due_at or 0 for message in messages]
    assert due[0] == NOW_MS
    assert {later - earlier for earlier, later in pairwise(due)} == {HOUR_MS // 10}


def test_a_spread_that_the_rate_cannot_keep_is_refused(order: Order) -> None:
    slow = replace(order, account=account(rate="5/min"))

    with pytest.raises(InputError, match="at the rate of acme, 5/min, 10 parts take 2 min") as refused:
        timed(slow, over_ms=MINUTE_MS)

    assert refused.value.code == "over_too_short"


@pytest.mark.parametrize("can_take_over", [True, False])
def test_the_quiet_hours_of_a_fallback_count_where_it_can_take_over(
    order: Order, *, can_take_over: bool
) -> None:
    fallback, text = other(), "Hi" if can_take_over else "Привет"
    gsm_only = replace(fallback.capabilities, encodings=frozenset({Encoding.GSM_7}))
    fallback = replace(fallback, capabilities=gsm_only)
    quiet = Windows(quiet=fallback.provider.quiet)
    with_fallback = replace(order, fallback=fallback, template=text)

    found, messages = timed(with_fallback, when=Instant(NOW_MS), quiet=quiet)

    assert (found.fallback is not None) is can_take_over
    moved_ms = 2 * HOUR_MS if can_take_over else 0  # nine in Copenhagen is moved to eleven
    assert {message.due_at for message in messages} == {NOW_MS + moved_ms}


def test_what_a_gateway_would_send_in_quiet_hours_is_refused(order: Order) -> None:
    quiet = replace(order, account=account(quiet="21:00-08:00"), leaves_at=NOW_MS - 2 * HOUR_MS)

    found = preview(quiet)

    assert dict(found.reasons) == {"quiet_hours": 10}


# --- what is the same


def test_a_date_makes_it_another_content_and_a_count_from_now_does_not(order: Order) -> None:
    contents = [
        timed(order, when=Instant(NOW_MS + ahead_ms), is_dated=is_dated)[0].content
        for ahead_ms, is_dated in ((HOUR_MS, True), (2 * HOUR_MS, True), (HOUR_MS, False), (5, False))
    ]

    assert len({contents[0], contents[1], contents[2]}) == 3
    assert contents[2] == contents[3] == preview(order).content


def test_what_decides_about_times_is_of_the_fingerprint(order: Order) -> None:
    facts: list[dict[str, Any]] = [
        {"when": Instant(NOW_MS + HOUR_MS)},
        {"when": Instant(NOW_MS + 2 * HOUR_MS)},
        {"windows": OFFICE},
        {"validity_ms": HOUR_MS},
        {"over_ms": HOUR_MS},
    ]

    prints = Counter(timed(order, **each)[0].fingerprint for each in facts)

    assert len(prints) == len(facts)


def test_a_timing_is_made_again_of_what_is_kept(order: Order) -> None:
    timing = Timing(
        now_ms=NOW_MS,
        when=wall("2027-03-02 09:00"),
        is_dated=True,
        zone="recipient",
        windows=OFFICE,
        quiet=Windows(quiet=other().provider.quiet),
        validity_ms=HOUR_MS,
        over_ms=5 * HOUR_MS,
        late=Late.SKIP,
        shown_in="Europe/Copenhagen",
    )

    assert Timing.of_kept(timing.kept, path=order.path, late=Late.SKIP) == timing


def test_a_wall_time_of_a_column_needs_a_zone(order: Order) -> None:
    with pytest.raises(ConfigError, match="--zone"):
        timed(order, column=open_time_column(order.path, "at"))


# --- many


def many(n: int) -> Iterator[NewMessage]:
    for line in range(n):
        yield NewMessage(
            line=line,
            msisdn=f"+45{20_000_000 + line}",
            region="DK",
            text=None,
            encoding="gsm7",
            parts=1,
            price_micros=350_000,
            currency="DKK",
            due_at=NOW_MS + (line * 7919 % 10_007) * MINUTE_MS,
            zones="Europe/Copenhagen",
        )


def peak_of(n: int) -> int:
    """Return the most memory that planning so many messages takes."""
    tracemalloc.start()
    try:
        with closing(Spool()) as wanted, closing(Timetable()) as timetable:
            for message in many(n):
                wanted.add(message)
            planner = Planner(Timing(now_ms=NOW_MS, windows=OFFICE, zone="Europe/Copenhagen"), account())
            planner.conclude(wanted, timetable, is_fallback=False)
            assert sum(1 for _ in timetable) == n
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.slow
def test_memory_does_not_grow_with_the_messages() -> None:
    few, more = peak_of(3_000), peak_of(40_000)

    assert more < few + 2_000_000
