from dataclasses import replace

import pytest
from sqlalchemy import Engine

from tests.ledgers import (
    LATE_MS,
    PROVIDER,
    a_campaign,
    ago,
    cancel,
    change_batch,
    change_messages,
    do,
    due_rows,
    hold,
    lease,
    mark,
    pause,
    reach,
    release,
    some_messages,
)
from worker.ledger import accounts, campaigns, hints, rates, turns
from worker.ledger.drafts import SourceCounts
from worker.ledger.engine import reading, writing
from worker.states import Lane

KEY = "0123456789abcdef"
TWIN = "acme-too"


def begin(
    engine: Engine, name: str, n_batches: int = 1, *, lane: Lane = Lane.BULK, via: str = PROVIDER
) -> list[int]:
    """Release a campaign of batches with one message each; return their ids."""
    with writing(engine) as connection:
        importer = campaigns.create(connection, replace(a_campaign(name), lane=lane, provider=via))
        before = set(batch_ids(engine))
        for _ in range(n_batches):
            importer = campaigns.add_batch(connection, importer, some_messages(1))
        counts = SourceCounts(rows=n_batches, duplicates=0, refused=0)
        campaigns.release(connection, importer, counts)
    return [each for each in batch_ids(engine) if each not in before]


def batch_ids(engine: Engine) -> list[int]:
    with reading(engine) as connection:
        found = connection.exec_driver_sql("SELECT id FROM batches ORDER BY id")
        return [int(row.id) for row in found]


def next_batch(engine: Engine, lane: Lane = Lane.BULK) -> int | None:
    with reading(engine) as connection:
        return turns.next_batch(connection, PROVIDER, lane=lane, late_ms=LATE_MS)


def work(engine: Engine, batch_id: int) -> None:
    """Have a batch worked to its end."""
    held = lease(engine, batch_id)
    do(engine, turns.note_served, held.campaign_id)
    mark(engine, held, due_rows(engine, held))


def test_campaigns_take_turns_whatever_their_size(engine: Engine) -> None:
    large, small = begin(engine, "large", 4), begin(engine, "small", 2)

    served = []
    while (found := next_batch(engine)) is not None:
        served.append(found)
        work(engine, found)

    assert served == [large[0], small[0], large[1], small[1], large[2], large[3]]


def test_a_campaign_that_nobody_works_for_goes_before_one_that_somebody_works_for(engine: Engine) -> None:
    first, second = begin(engine, "first", 3), begin(engine, "second", 3)
    do(engine, turns.note_served, 2)
    lease(engine, first[0])

    assert next_batch(engine) == second[0]


@pytest.mark.parametrize("stop", [pause, cancel])
def test_a_campaign_that_is_stopped_has_no_turn(engine: Engine, stop: object) -> None:
    begin(engine, "first")

    assert callable(stop)
    stop(engine, 1)

    assert next_batch(engine) is None


def test_what_is_not_due_has_no_turn(engine: Engine) -> None:
    (batch_id,) = begin(engine, "first")
    change_messages(engine, due_at=ago(-60_000))
    change_batch(engine, batch_id, next_due_at=ago(-60_000))

    assert next_batch(engine) is None


def test_a_held_account_has_no_turn(engine: Engine) -> None:
    begin(engine, "first")

    hold(engine, pause_ms=60_000)

    assert next_batch(engine) is None


def test_each_lane_has_turns_of_its_own(engine: Engine) -> None:
    (bulk,), (urgent,) = begin(engine, "bulk"), begin(engine, "urgent", lane=Lane.URGENT)

    assert (next_batch(engine), next_batch(engine, Lane.URGENT)) == (bulk, urgent)


def urgent_waits(engine: Engine) -> bool:
    with reading(engine) as connection:
        return turns.urgent_waits(connection, KEY, served=[PROVIDER, TWIN])


def share_account(engine: Engine) -> None:
    do(engine, rates.note_rates, {PROVIDER: (KEY, ""), TWIN: (KEY, "")})


@pytest.mark.parametrize(("lane", "waits"), [(Lane.BULK, False), (Lane.URGENT, True)])
def test_urgent_work_waits_through_any_provider_of_the_account(
    engine: Engine, lane: Lane, *, waits: bool
) -> None:
    share_account(engine)
    begin(engine, "first", lane=lane, via=TWIN)

    assert urgent_waits(engine) is waits


def test_urgent_work_waits_no_more_once_somebody_works_on_it_who_may_be_killed(engine: Engine) -> None:
    share_account(engine)
    (batch_id,) = begin(engine, "first", lane=Lane.URGENT)
    before = urgent_waits(engine)

    lease(engine, batch_id)

    assert (before, urgent_waits(engine)) == (True, False)


def test_urgent_work_of_a_provider_that_nobody_serves_any_more_stops_nobody(engine: Engine) -> None:
    do(engine, rates.note_rates, {PROVIDER: (KEY, ""), "renamed": (KEY, "")})
    begin(engine, "first", lane=Lane.URGENT, via="renamed")

    assert not urgent_waits(engine)


def test_urgent_work_that_cannot_leave_stops_nobody(engine: Engine) -> None:
    share_account(engine)
    begin(engine, "first", lane=Lane.URGENT, via=TWIN)

    do(engine, accounts.pause_account, TWIN, reason="lunch", author="ann")

    assert not urgent_waits(engine)


def test_urgent_work_of_another_account_stops_nobody(engine: Engine) -> None:
    do(engine, rates.note_rates, {PROVIDER: (KEY, ""), TWIN: ("another", "")})
    begin(engine, "first", lane=Lane.URGENT, via=TWIN)

    assert not urgent_waits(engine)


def test_hints_go_out_campaign_by_campaign(engine: Engine) -> None:
    large, small = begin(engine, "large", 3), begin(engine, "small", 2)

    with reading(engine) as connection:
        found = hints.due_for_hints(
            connection, PROVIDER, lane=Lane.BULK, reach=reach(horizon_ms=0, repeat_ms=10_000), limit=4
        )

    assert [each.id for each in found] == [large[0], small[0], large[1], small[1]]


def test_a_released_batch_goes_behind_the_other_campaign(engine: Engine) -> None:
    (first,), (second,) = begin(engine, "first"), begin(engine, "second")
    held = lease(engine, first)
    do(engine, turns.note_served, held.campaign_id)
    release(engine, held)

    assert next_batch(engine) == second
