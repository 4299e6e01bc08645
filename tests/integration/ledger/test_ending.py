"""When a campaign ends, as `campaign show` tells it."""

from dataclasses import replace

import pytest
from sqlalchemy import Engine, update

from producer.schedule.ending import ends_at
from tests.ledgers import (
    PROVIDER,
    ago,
    change_submissions,
    database_now,
    do,
    due_rows,
    hold,
    lease,
    mark,
    pause,
    record,
    release,
    result,
    run_campaign,
    schedule,
    some_messages,
)
from worker.ledger import rates, reports, waits
from worker.ledger.drafts import NewMessage
from worker.ledger.engine import reading, writing
from worker.ledger.models import CAMPAIGNS
from worker.states import MessageState
from worker.timing.windows import Windows, parse_hours

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
SLACK_MS = 60_000
"""So long a test may take between two looks at the clock."""


@pytest.fixture(autouse=True)
def _rate(engine: Engine) -> None:
    do(engine, rates.note_rates, {PROVIDER: ("0123456789abcdef", "1/s")})


def ending(engine: Engine) -> int | None:
    with reading(engine) as connection:
        return ends_at(connection, waits.told(connection, reports.report(connection, 1)), None)


def left(engine: Engine, n: int, *, of: int) -> None:
    """Let some messages of a campaign have left half a minute ago; the others are due for an hour."""
    now = database_now(engine)
    held = lease(engine, run_campaign(engine, of, messages=late(of, now=now)))
    (marked,) = mark(engine, held, due_rows(engine, held)[:n])
    record(engine, result(marked, MessageState.ACCEPTED))
    release(engine, held)
    change_submissions(engine, started_at=ago(30_000), ended_at=ago(29_000))


def late(n: int, *, now: int) -> list[NewMessage]:
    return [replace(each, due_at=now - HOUR_MS) for each in some_messages(n)]


def test_what_is_scheduled_ends_not_before_it_is_due(engine: Engine) -> None:
    tomorrow = database_now(engine) + DAY_MS
    schedule(engine, [tomorrow, tomorrow + HOUR_MS])

    assert ending(engine) == tomorrow + HOUR_MS


def test_what_falls_due_at_one_time_leaves_at_the_rate_of_its_provider(engine: Engine) -> None:
    tomorrow = database_now(engine) + DAY_MS
    schedule(engine, [tomorrow] * 61)

    assert ending(engine) == tomorrow + 60_000


def test_what_is_too_much_for_its_opening_ends_in_the_next(engine: Engine) -> None:
    opens_at = (database_now(engine) // DAY_MS + 2) * DAY_MS + 9 * HOUR_MS
    closes_at = opens_at + 60_000
    run_campaign(
        engine,
        90,
        messages=[
            replace(each, due_at=opens_at, leave_by=closes_at, zones="UTC") for each in some_messages(90)
        ],
    )
    windows = Windows(open=(parse_hours("09:00-09:01"),)).to_json()
    with writing(engine) as connection:
        connection.execute(update(CAMPAIGNS).values(windows=windows))

    assert ending(engine) == opens_at + DAY_MS + 29_000


def test_what_is_late_ends_at_the_pace_of_the_last_minute(engine: Engine) -> None:
    left(engine, 3, of=9)  # one in ten seconds

    now = database_now(engine)
    found = ending(engine)

    assert found is not None
    assert 50_000 <= found - now <= 50_000 + 3 * SLACK_MS


def test_nobody_can_say_when_what_is_late_ends_of_which_nothing_leaves(engine: Engine) -> None:
    run_campaign(engine, 2, messages=late(2, now=database_now(engine)))

    assert ending(engine) is None


@pytest.mark.parametrize("is_begun", [False, True])
def test_nobody_can_say_when_a_paused_campaign_ends(engine: Engine, *, is_begun: bool) -> None:
    if is_begun:
        left(engine, 3, of=9)
    else:
        schedule(engine, [database_now(engine) + DAY_MS])
    pause(engine, 1)

    assert ending(engine) is None


def test_nobody_can_say_when_a_campaign_ends_whose_provider_is_held(engine: Engine) -> None:
    left(engine, 3, of=9)
    hold(engine, pause_ms=HOUR_MS)

    assert ending(engine) is None


def test_what_is_done_ended_with_its_last_request(engine: Engine) -> None:
    left(engine, 9, of=9)

    found = ending(engine)

    assert found is not None
    assert 29_000 <= database_now(engine) - found <= 29_000 + SLACK_MS


def test_what_its_gateway_keeps_ends_when_that_lets_it_go(engine: Engine) -> None:
    left(engine, 9, of=9)
    leaves_at = database_now(engine) + HOUR_MS
    with writing(engine) as connection:
        connection.execute(update(CAMPAIGNS).values(leaves_at=leaves_at))

    assert ending(engine) == leaves_at
