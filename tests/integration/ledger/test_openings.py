import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Engine, update

from tests.ledgers import (
    account_closed,
    ago,
    assert_counts,
    batch,
    change_batch,
    change_messages,
    database_now,
    do,
    lease,
    mark,
    not_sent,
    pause,
    record,
    release,
    rows,
    run_campaign,
    some_messages,
    states,
    try_lease,
    try_mark,
    unclear,
)
from worker.clock import instant
from worker.errors import ConfigError
from worker.ledger import openings, values
from worker.ledger.drafts import NewMessage
from worker.ledger.engine import reading, writing
from worker.ledger.models import CAMPAIGNS
from worker.states import SubmissionOutcome
from worker.timing.windows import Windows, parse_hours

HOUR_MS = 3_600_000


def window(engine: Engine, *, opens_in_h: float, for_h: float) -> Windows:
    """Give a window on the clocks of UTC, so far from now."""
    opens = instant(database_now(engine)) + timedelta(hours=opens_in_h)
    return Windows(open=(parse_hours(f"{opens:%H:%M}-{opens + timedelta(hours=for_h):%H:%M}"),))


def change_campaign(engine: Engine, **values: object) -> None:
    with writing(engine) as connection:
        connection.execute(update(CAMPAIGNS).values(**values))


def overdue(engine: Engine, *, messages: Sequence[NewMessage] = (), **facts: object) -> int:
    """Release a campaign whose messages were due an hour ago and could leave until a minute ago."""
    now = database_now(engine)
    times = {"due_at": now - HOUR_MS, "leave_by": now - 60_000, **facts}
    given = messages or some_messages(2)
    return run_campaign(engine, messages=[replace(each, **times) for each in given])  # type: ignore[arg-type]


def move_on(engine: Engine, batch_id: int) -> openings.Overdue:
    held = lease(engine, batch_id)
    done = do(engine, openings.move_on, batch_id)
    release(engine, held)
    return done


def overdue_batches(engine: Engine) -> list[int]:
    with reading(engine) as connection:
        return openings.overdue_batches(connection, limit=9)


def test_what_missed_its_opening_goes_to_the_next_one(engine: Engine) -> None:
    windows = window(engine, opens_in_h=2, for_h=3)
    batch_id = overdue(engine, zones="Etc/UTC")
    change_campaign(engine, windows=windows.to_json())

    done = move_on(engine, batch_id)

    opening = windows.opening(database_now(engine), ["Etc/UTC"])
    assert opening is not None
    assert done == openings.Overdue(moved=2)
    assert {(row["state"], row["due_at"], row["leave_by"]) for row in rows(engine)} == {
        ("queued", opening.opens_at, opening.closes_at)
    }
    found = batch(engine, batch_id)
    assert (found["state"], found["next_due_at"], found["leave_by"]) == (
        "open",
        opening.opens_at,
        opening.closes_at,
    )
    assert try_lease(engine, batch_id) is None
    assert_counts(engine)


@pytest.mark.parametrize(
    ("left_h", "state", "code"),
    [(1, "failed", "validity"), (2.5, "queued", None)],
    ids=["before the next opening", "within it"],
)
def test_validity_ends(engine: Engine, left_h: float, state: str, code: str | None) -> None:
    expires_at = database_now(engine) + int(left_h * HOUR_MS)
    batch_id = overdue(engine, zones="Etc/UTC", expires_at=expires_at)
    change_campaign(engine, windows=window(engine, opens_in_h=2, for_h=3).to_json())

    move_on(engine, batch_id)

    assert {(row["state"], row["code"]) for row in rows(engine)} == {(state, code)}
    if state == "queued":
        assert {row["leave_by"] for row in rows(engine)} == {expires_at}
    assert_counts(engine)


def test_without_windows_what_is_over_fails(engine: Engine) -> None:
    batch_id = overdue(engine)

    assert move_on(engine, batch_id) == openings.Overdue(failed=2)
    assert {(row["state"], row["code"]) for row in rows(engine)} == {("failed", "validity")}
    assert (batch(engine, batch_id)["state"], batch(engine, batch_id)["leave_by"]) == ("done", None)
    assert_counts(engine)


def test_windows_that_never_open_again_fail_what_missed_them(engine: Engine) -> None:
    batch_id = overdue(engine, zones="Etc/UTC")
    never = Windows(open=(parse_hours("09:00-10:00"),), quiet=(parse_hours("08:00-11:00"),))
    change_campaign(engine, windows=never.to_json())

    assert move_on(engine, batch_id) == openings.Overdue(failed=2)


def test_a_message_without_zones_of_its_own_has_its_campaigns(engine: Engine) -> None:
    batch_id = overdue(engine)
    windows = window(engine, opens_in_h=2, for_h=3)
    change_campaign(engine, windows=windows.to_json(), zone="Asia/Tokyo")

    move_on(engine, batch_id)

    opening = windows.opening(database_now(engine), ["Asia/Tokyo"])
    assert opening is not None
    assert {row["due_at"] for row in rows(engine)} == {opening.opens_at}


def test_a_retry_that_is_due_after_its_opening_is_not_made_earlier(engine: Engine) -> None:
    windows = window(engine, opens_in_h=2, for_h=3)
    now = database_now(engine)
    batch_id = overdue(engine, zones="Etc/UTC")
    change_campaign(engine, windows=windows.to_json())
    held = lease(engine, batch_id)
    change_messages(engine, due_at=now + 3 * HOUR_MS)

    do(engine, openings.move_on, batch_id)

    release(engine, held)
    assert {row["due_at"] for row in rows(engine)} == {now + 3 * HOUR_MS}
    assert batch(engine, batch_id)["next_due_at"] == now + 3 * HOUR_MS


def test_what_is_just_about_to_be_over_is_neither_marked_nor_left_behind(engine: Engine) -> None:
    held = lease(engine, run_campaign(engine))
    row_ids = [int(str(row["id"])) for row in rows(engine)]
    change_messages(engine, leave_by=ago(-300))

    marked = try_mark(engine, held, _as_due(row_ids))
    done = do(engine, openings.move_on, held.batch_id)

    assert (marked, done) == ([], openings.Overdue(failed=2))


def _as_due(ids: Sequence[int]) -> list[values.DueRow]:
    return [
        values.DueRow(
            id=number,
            msisdn="+4520304000",
            text="Hello",
            encoding="gsm7",
            parts=1,
            attempts=0,
            group_limit=None,
            leave_in_ms=None,
        )
        for number in ids
    ]


def test_who_works_a_batch_decides_about_what_is_over_of_it(engine: Engine) -> None:
    held = lease(engine, run_campaign(engine))
    change_messages(engine, leave_by=ago(1))

    assert do(engine, openings.tidy_held, held) == openings.Overdue(failed=2)
    assert batch(engine, held.batch_id)["state"] == "leased"
    assert_counts(engine)


def test_who_has_lost_its_batch_decides_nothing(engine: Engine) -> None:
    batch_id = run_campaign(engine)
    lost = lease(engine, batch_id)
    release(engine, lost)
    lease(engine, batch_id, owner="two")
    change_messages(engine, leave_by=ago(1))

    assert do(engine, openings.tidy_held, lost) == openings.Overdue()
    assert states(engine) == ["queued"] * 2


def test_of_a_campaign_that_was_paused_meanwhile_a_person_decides(engine: Engine) -> None:
    held = lease(engine, run_campaign(engine))
    change_messages(engine, leave_by=ago(1))
    pause(engine, held.campaign_id)

    assert do(engine, openings.tidy_held, held) == openings.Overdue()
    assert states(engine) == ["queued"] * 2


def test_every_overdue_message_has_one_fate_inside_its_windows(sqlite_engine: Engine) -> None:
    engine, chance = sqlite_engine, random.Random(7)  # noqa: S311 - not for secrets
    now = database_now(engine)
    windows = Windows(
        open=(parse_hours("09:00-20:00"), parse_hours("22:00-02:00")), quiet=(parse_hours("12:30-13:30"),)
    )
    names = ["Europe/Copenhagen", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"]
    messages = [
        replace(
            each,
            due_at=now - chance.randrange(HOUR_MS, 90 * HOUR_MS),
            leave_by=now + chance.randrange(-HOUR_MS, HOUR_MS),
            expires_at=chance.choice([None, now + chance.randrange(-HOUR_MS, 9 * HOUR_MS)]),
            zones=",".join(chance.sample(names, chance.choice([1, 1, 2]))),
        )
        for each in some_messages(100)
    ]
    batch_id = run_campaign(engine, messages=messages)
    change_campaign(engine, windows=windows.to_json(), due_at=now)
    before = rows(engine)

    done = move_on(engine, batch_id)

    fates = [_fate(old, new, windows, now=now) for old, new in zip(before, rows(engine), strict=True)]
    assert fates.count("wrong") == 0
    assert (fates.count("moved"), fates.count("failed")) == (done.moved, done.failed)
    assert min(fates.count(fate) for fate in ("moved", "failed", "kept")) > 0
    assert_counts(engine)


def _fate(old: dict[str, object], new: dict[str, object], windows: Windows, *, now: int) -> str:
    """Say what became of a message; ``wrong``: what must not be."""
    leave_by, expires_at = int(str(old["leave_by"])), old["expires_at"]
    zones = str(old["zones"]).split(",")
    if leave_by > now + 60_000:
        return "kept" if (new["due_at"], new["leave_by"]) == (old["due_at"], leave_by) else "wrong"
    opening = windows.opening(max(now, leave_by), zones)
    is_over = opening is None or (expires_at is not None and opening.opens_at >= int(str(expires_at)))
    if is_over or opening is None:
        return "failed" if (new["state"], new["code"]) == ("failed", "validity") else "wrong"
    ends = [at for at in (opening.closes_at, expires_at) if at is not None]
    is_right = (
        new["state"] == "queued"
        and abs(int(str(new["due_at"])) - opening.opens_at) < 60_000  # time passes while it is tested
        and new["leave_by"] == min(map(int, map(str, ends)), default=None)
    )
    return "moved" if is_right else "wrong"


# --- while nobody works on them


def tidy(engine: Engine) -> openings.Overdue:
    moved = failed = 0
    for batch_id in overdue_batches(engine):
        done = do(engine, openings.tidy, batch_id)
        moved, failed = moved + done.moved, failed + done.failed
    return openings.Overdue(moved=moved, failed=failed)


def test_a_closed_account_keeps_no_message_past_its_validity(engine: Engine) -> None:
    account_closed(engine)
    batch_id = overdue(engine)

    assert tidy(engine) == openings.Overdue(failed=2)
    assert (states(engine), batch(engine, batch_id)["state"]) == (["failed"] * 2, "done")
    assert overdue_batches(engine) == []
    assert_counts(engine)


def test_a_batch_is_looked_at_again_when_its_new_opening_is_over(engine: Engine) -> None:
    batch_id = overdue(engine, zones="Etc/UTC")
    change_campaign(engine, windows=window(engine, opens_in_h=2, for_h=3).to_json())
    tidy(engine)
    found = batch(engine, batch_id)

    assert found["leave_by"] == rows(engine)[0]["leave_by"]
    assert overdue_batches(engine) == []


@pytest.mark.parametrize("stop", ["pause", "lease"])
def test_what_somebody_works_on_or_decides_about_is_left_alone(engine: Engine, stop: str) -> None:
    batch_id = overdue(engine)
    if stop == "pause":
        pause(engine, 1)
    else:
        lease(engine, batch_id)

    found = overdue_batches(engine), do(engine, openings.tidy, batch_id)

    assert found == ([], openings.Overdue())
    assert states(engine) == ["queued"] * 2


def test_an_end_that_was_only_believed_changes_nothing_but_the_belief(engine: Engine) -> None:
    batch_id = run_campaign(engine)
    change_batch(engine, batch_id, leave_by=1)

    assert tidy(engine) == openings.Overdue()
    assert (states(engine), batch(engine, batch_id)["leave_by"]) == (["queued"] * 2, None)


def test_a_zone_that_nobody_knows_any_more_loses_nothing(engine: Engine) -> None:
    batch_id = overdue(engine, zones="Mars/Olympus")
    change_campaign(engine, windows=window(engine, opens_in_h=2, for_h=3).to_json())

    with pytest.raises(ConfigError, match="Mars/Olympus"):
        do(engine, openings.tidy, batch_id)

    assert states(engine) == ["queued"] * 2
    assert try_lease(engine, batch_id) is not None


def test_a_message_that_comes_back_brings_its_end(engine: Engine) -> None:
    now = database_now(engine)
    leave_by = now + HOUR_MS
    held = lease(engine, run_campaign(engine, messages=[replace(some_messages(1)[0], leave_by=leave_by)]))
    (marked,) = mark(engine, held)
    record(engine, unclear(marked))
    release(engine, held)
    between = batch(engine, held.batch_id)["leave_by"]

    record(engine, replace(not_sent(marked), outcome=SubmissionOutcome.NOT_SENT))

    assert (between, states(engine)) == (None, ["queued"])
    assert batch(engine, held.batch_id)["leave_by"] == leave_by
