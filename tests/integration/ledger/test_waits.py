from dataclasses import replace

import pytest
from sqlalchemy import Engine

from tests.ledgers import (
    PROVIDER,
    a_campaign,
    account,
    ago,
    batch,
    change_account,
    change_batch,
    do,
    due_rows,
    hold,
    lease,
    mark,
    pause,
    some_messages,
)
from worker.ledger import campaigns, rates, reports, tally, waits
from worker.ledger.drafts import SourceCounts
from worker.ledger.engine import now_of, reading, writing
from worker.ledger.reports import CampaignReport
from worker.states import Lane, MessageState

KEY = "0123456789abcdef"
TWIN = "acme-too"


@pytest.fixture(autouse=True)
def _accounts(engine: Engine) -> None:
    do(engine, rates.note_rates, {PROVIDER: (KEY, "5/min"), TWIN: (KEY, "5/min"), "other": ("another", "")})


def begin(engine: Engine, name: str, *, lane: Lane = Lane.BULK, via: str = PROVIDER) -> int:
    """Release a campaign of two messages in one batch; return the number, which both have."""
    with writing(engine) as connection:
        importer = campaigns.create(connection, replace(a_campaign(name), lane=lane, provider=via))
        importer = campaigns.add_batch(connection, importer, some_messages(2))
        campaigns.release(connection, importer, SourceCounts(rows=2, duplicates=0, refused=0))
    return importer.campaign_id


def told(engine: Engine, campaign_id: int = 1) -> CampaignReport:
    with reading(engine) as connection:
        return waits.told(connection, reports.report(connection, campaign_id))


def test_a_campaign_that_nobody_has_begun_with_waits_for_nothing_that_is_known(engine: Engine) -> None:
    begin(engine, "first")

    assert (told(engine).reason, told(engine).until) == (None, None)


@pytest.mark.parametrize("is_begun", [False, True])
def test_it_waits_for_urgent_work_of_its_account(engine: Engine, *, is_begun: bool) -> None:
    first = begin(engine, "first")
    begin(engine, "second", lane=Lane.URGENT, via=TWIN)
    if is_begun:
        lease(engine, first)

    assert told(engine).reason == waits.URGENT
    assert told(engine, 2).reason is None


def test_it_does_not_wait_for_urgent_work_of_another_account(engine: Engine) -> None:
    begin(engine, "first")
    begin(engine, "second", lane=Lane.URGENT, via="other")

    assert told(engine).reason is None


@pytest.mark.parametrize(("via", "reason"), [(PROVIDER, waits.TURN), (TWIN, waits.TURN), ("other", None)])
def test_it_waits_while_another_of_its_account_has_its_turn(
    engine: Engine, via: str, reason: str | None
) -> None:
    begin(engine, "first")
    second = begin(engine, "second", via=via)

    lease(engine, second)

    assert told(engine).reason == reason
    assert told(engine, 2).reason is None


def test_what_is_tried_again_later_is_told_with_the_time(engine: Engine) -> None:
    first = begin(engine, "first")
    change_batch(engine, first, next_due_at=ago(-60_000), fence=1)

    found = told(engine)

    assert (found.reason, found.until) == (waits.AGAIN, batch(engine, first)["next_due_at"])


def test_what_was_never_begun_with_is_scheduled(engine: Engine) -> None:
    first = begin(engine, "first")
    change_batch(engine, first, next_due_at=ago(-60_000))

    assert told(engine).reason == waits.SCHEDULED


def test_a_limit_that_is_used_up_is_told_with_the_time(engine: Engine) -> None:
    begin(engine, "first")
    begin(engine, "second", lane=Lane.URGENT)
    do(engine, rates.note_throttled, KEY, wait_ms=60_000, reason="5/min is used up", rate="5/min")

    found = told(engine)

    assert (found.reason, found.rate) == ("5/min is used up", "5/min")
    assert found.until == account(engine)["throttled_until"]


def test_a_pause_of_the_account_is_told_with_its_end(engine: Engine) -> None:
    begin(engine, "first")
    hold(engine, pause_ms=60_000, reason="too quick")

    found = told(engine)

    assert (found.reason, found.until) == ("too quick", account(engine)["not_before"])


def test_a_provider_that_is_paused_by_hand_goes_on_at_no_known_time(engine: Engine) -> None:
    begin(engine, "first")
    hold(engine, pause_ms=60_000)
    change_account(engine, paused_by="ann", paused_reason="lunch")

    assert (told(engine).reason, told(engine).until) == ("lunch", None)


def test_a_campaign_that_is_paused_says_why_and_no_more(engine: Engine) -> None:
    begin(engine, "first")
    begin(engine, "second", lane=Lane.URGENT)
    hold(engine, pause_ms=60_000)

    pause(engine, 1)

    assert (told(engine).reason, told(engine).until) == ("wrong text", None)


def test_a_campaign_whose_last_messages_are_out_waits_for_nobody(engine: Engine) -> None:
    held = lease(engine, begin(engine, "first"))
    mark(engine, held, due_rows(engine, held))
    begin(engine, "second", lane=Lane.URGENT)

    assert told(engine).reason is None


# --- sums by provider


def test_what_is_queued_and_urgent_is_counted_by_provider(engine: Engine) -> None:
    begin(engine, "first")
    begin(engine, "second", lane=Lane.URGENT, via=TWIN)

    assert do(engine, tally.urgent_by_provider) == {TWIN: 2}


def test_requests_are_out_from_their_mark_to_their_end(engine: Engine) -> None:
    held = lease(engine, begin(engine, "first"))
    before = do(engine, tally.requests_out)

    one, other = due_rows(engine, held)
    mark(engine, held, [one], [other])

    assert (before, do(engine, tally.requests_out)) == ({}, {PROVIDER: 2})


def test_the_oldest_that_waits_is_known_by_provider(engine: Engine) -> None:
    first, second = begin(engine, "first"), begin(engine, "second")
    paused, empty, later = begin(engine, "paused"), begin(engine, "empty", via=TWIN), begin(engine, "later")
    for each in (paused, empty):
        change_batch(engine, each, next_due_at=ago(60_000))
    change_batch(engine, first, next_due_at=ago(30_000))
    lease(engine, first)
    change_batch(engine, second, next_due_at=ago(10_000))
    pause(engine, paused)
    change_batch(engine, empty, queued=0, **{MessageState.CANCELLED.value: 2})
    change_batch(engine, later, next_due_at=ago(-60_000))

    with reading(engine) as connection:
        found, now = tally.waiting_since(connection), now_of(connection)

    assert found == {PROVIDER: batch(engine, first)["next_due_at"]}
    assert 30_000 <= now - found[PROVIDER] < 60_000
