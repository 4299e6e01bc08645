from dataclasses import replace

import pytest
from sqlalchemy import Engine, func, insert, select, update

from tests.ledgers import (
    LATE_MS,
    LOGIN,
    PROVIDER,
    a_campaign,
    account_closed,
    ago,
    assert_counts,
    change_account,
    database_now,
    do,
    lease,
    pause,
    reach,
    reference,
    release,
    rows,
    some_messages,
    states,
    try_lease,
)
from worker.ledger import accounts, campaigns, control, hints, missed, orders, turns
from worker.ledger.drafts import SourceCounts
from worker.ledger.engine import reading, writing
from worker.ledger.models import BATCHES, CAMPAIGNS, SUBMISSIONS
from worker.states import Lane, Late

HOUR_MS = 3_600_000


def scheduled(
    engine: Engine, *due_ago_ms: int, name: str = "spring", late: Late = Late.HOLD, n: int = 2
) -> list[int]:
    """Release a campaign of a batch for each time, as if that was long ago; return the batches."""
    now = database_now(engine)
    with writing(engine) as connection:
        draft = replace(a_campaign(name), late=late, zone="Asia/Tokyo")
        importer = campaigns.create(connection, draft)
        for ms in due_ago_ms:
            due = [replace(each, due_at=now - ms) for each in some_messages(n)]
            importer = campaigns.add_batch(connection, importer, due)
        number = importer.campaign_id
        rows_ = n * len(due_ago_ms)
        campaigns.release(connection, importer, SourceCounts(rows=rows_, duplicates=0, refused=0))
        campaign = update(CAMPAIGNS).where(CAMPAIGNS.c.id == number)
        connection.execute(campaign.values(due_at=now - max(due_ago_ms)))
        found = connection.scalars(select(BATCHES.c.id).where(BATCHES.c.campaign_id == number))
        return sorted(found)


def starts(engine: Engine) -> list[missed.MissedStart]:
    with reading(engine) as connection:
        return missed.missed_starts(connection, late_ms=LATE_MS)


def decided(engine: Engine) -> str:
    """Say what is thought of the one start that was missed."""
    found = starts(engine)
    return "none" if not found else "behind" if found[0].is_behind else found[0].late.value


def hinted(engine: Engine) -> list[int]:
    with reading(engine) as connection:
        found = hints.due_for_hints(connection, PROVIDER, lane=Lane.BULK, reach=reach(), limit=9)
    return [each.id for each in found]


def turn(engine: Engine) -> int | None:
    with reading(engine) as connection:
        return turns.next_batch(connection, PROVIDER, lane=Lane.BULK, late_ms=LATE_MS)


def leaves(engine: Engine, *ago_ms: int, provider: str = PROVIDER) -> None:
    """Have requests of another campaign's batch left so long ago."""
    (other,) = scheduled(engine, 0, name="other")
    values = {"provider": provider, "login": LOGIN, "batch_id": other, "fence": 1, "attempt": 1, "cost": 1}
    with writing(engine) as connection:
        for ms in ago_ms:
            row = {**values, "reference": reference(), "n_messages": 1, "started_at": ago(ms)}
            connection.execute(insert(SUBMISSIONS).values(**row, outcome="answered"))


def test_nothing_of_a_missed_start_is_leased_or_published(engine: Engine) -> None:
    (batch_id,) = scheduled(engine, 2 * HOUR_MS)

    assert try_lease(engine, batch_id) is None
    assert (hinted(engine), turn(engine)) == ([], None)
    assert decided(engine) == "hold"


def test_a_start_that_is_less_late_is_none(engine: Engine) -> None:
    (batch_id,) = scheduled(engine, HOUR_MS - 60_000)

    assert (hinted(engine), turn(engine), decided(engine)) == ([batch_id], batch_id, "none")
    assert try_lease(engine, batch_id) is not None


def test_a_campaign_that_is_to_be_sent_however_late_misses_nothing(engine: Engine) -> None:
    (batch_id,) = scheduled(engine, 2 * HOUR_MS, late=Late.SEND)

    assert decided(engine) == "none"
    assert try_lease(engine, batch_id) is not None


def test_an_import_that_took_for_ever_misses_nothing(engine: Engine) -> None:
    now = database_now(engine)
    with writing(engine) as connection:
        importer = campaigns.create(connection, a_campaign())
        old = [replace(each, due_at=now - 48 * HOUR_MS) for each in some_messages(2)]
        importer = campaigns.add_batch(connection, importer, old)
        campaigns.release(connection, importer, SourceCounts(rows=2, duplicates=0, refused=0))

    assert decided(engine) == "none"
    assert try_lease(engine, 1) is not None


def test_a_campaign_in_its_own_backlog_misses_nothing(engine: Engine) -> None:
    first, second = scheduled(engine, 3 * HOUR_MS, 3 * HOUR_MS)
    do(engine, turns.note_served, 1)
    release(engine, lease(engine, first))

    assert decided(engine) == "none"
    assert try_lease(engine, second) is not None


def test_what_is_due_in_time_waits_for_the_decision_about_what_is_not(engine: Engine) -> None:
    _old, new = scheduled(engine, 2 * HOUR_MS, 1000, late=Late.SKIP)

    before = try_lease(engine, new)
    skip(engine)

    assert before is None
    assert try_lease(engine, new) is not None


# --- hold


def hold(engine: Engine) -> bool:
    return do(engine, missed.hold, starts(engine)[0], late_ms=LATE_MS)


def campaign(engine: Engine, number: int = 1) -> dict[str, object]:
    with reading(engine) as connection:
        query = select(CAMPAIGNS).where(CAMPAIGNS.c.id == number)
        return dict(connection.execute(query).mappings().one())


def test_a_held_campaign_says_when_it_was_due_where_it_is_sent_to(engine: Engine) -> None:
    scheduled(engine, 2 * HOUR_MS)
    with writing(engine) as connection:
        connection.execute(update(BATCHES).values(next_due_at=1_700_000_000_000))
        connection.execute(update(CAMPAIGNS).values(due_at=1_700_000_000_000))

    assert hold(engine)

    found = campaign(engine)
    reason = "what was due at 2023-11-15 07:13 +09:00 was missed"
    assert (found["state"], found["reason"], found["author"]) == ("paused", reason, orders.OURSELVES)
    with reading(engine) as connection:
        (line,) = orders.of_campaign(connection, 1)
    assert (line["what"], line["author"], line["detail"]) == ("pause", orders.OURSELVES, reason)
    assert starts(engine) == []


@pytest.mark.parametrize("zone", [None, "recipient"])
def test_without_a_zone_it_says_so_in_utc(engine: Engine, zone: str | None) -> None:
    scheduled(engine, 2 * HOUR_MS)
    with writing(engine) as connection:
        connection.execute(update(BATCHES).values(next_due_at=1_700_000_000_000))
        connection.execute(update(CAMPAIGNS).values(zone=zone))

    hold(engine)

    assert campaign(engine)["reason"] == "what was due at 2023-11-14 22:13 +00:00 was missed"


def test_a_held_campaign_goes_on_when_it_is_resumed(engine: Engine) -> None:
    (batch_id,) = scheduled(engine, 2 * HOUR_MS)
    hold(engine)

    do(engine, control.resume, 1, author="ann")

    assert decided(engine) == "none"
    assert hinted(engine) == [batch_id]
    assert try_lease(engine, batch_id) is not None


def test_a_campaign_that_a_person_paused_past_its_time_goes_on_when_it_is_resumed(engine: Engine) -> None:
    (batch_id,) = scheduled(engine, 2 * HOUR_MS)
    pause(engine, 1)
    while_paused = decided(engine)

    do(engine, control.resume, 1, author="ann")

    assert (while_paused, decided(engine)) == ("none", "none")
    assert try_lease(engine, batch_id) is not None


def test_who_decides_second_decides_nothing(engine: Engine) -> None:
    scheduled(engine, 2 * HOUR_MS)
    (start,) = starts(engine)
    do(engine, missed.hold, start, late_ms=LATE_MS)

    assert not do(engine, missed.hold, start, late_ms=LATE_MS)
    do(engine, control.resume, 1, author="ann")
    assert not do(engine, missed.hold, start, late_ms=LATE_MS)


@pytest.mark.parametrize("by", ["trouble", "operator"])
def test_an_account_that_was_closed_across_the_start_misses_it(engine: Engine, by: str) -> None:
    scheduled(engine, 2 * HOUR_MS)
    if by == "trouble":
        account_closed(engine)
    else:
        do(engine, accounts.pause_account, PROVIDER, reason="lunch", author="ann")

    assert decided(engine) == "hold"


# --- skip


def skip(engine: Engine) -> int:
    (start,) = starts(engine)
    audit, n_skipped = missed.skip_audit(start), 0
    while (n := do(engine, missed.skip, start, audit, late_ms=LATE_MS)) is not None:
        n_skipped += n
    return n_skipped


def test_what_is_skipped_fails_batch_by_batch_with_one_line(engine: Engine) -> None:
    scheduled(engine, 3 * HOUR_MS, 2 * HOUR_MS, 1000, late=Late.SKIP)

    assert skip(engine) == 4
    assert states(engine) == ["failed"] * 4 + ["queued"] * 2
    assert {row["code"] for row in rows(engine)[:4]} == {"late"}
    with reading(engine) as connection:
        (line,) = orders.of_campaign(connection, 1)
    assert (line["what"], line["author"]) == ("skip", orders.OURSELVES)
    assert str(line["detail"]).startswith("4 messages, since what was due at 20")
    assert_counts(engine)


def test_what_is_due_later_in_a_batch_is_not_skipped(engine: Engine) -> None:
    scheduled(engine, 2 * HOUR_MS, late=Late.SKIP)
    with writing(engine) as connection:
        connection.exec_driver_sql("UPDATE messages SET due_at = due_at + 7200000 WHERE id = 2")

    assert skip(engine) == 1
    assert states(engine) == ["failed", "queued"]
    assert_counts(engine)


def test_after_an_outage_amid_a_campaign_only_what_it_missed_is_skipped(engine: Engine) -> None:
    sent, late, later = scheduled(engine, 5 * HOUR_MS, 3 * HOUR_MS, 2 * HOUR_MS, late=Late.SKIP)
    with writing(engine) as connection:
        connection.execute(update(BATCHES).where(BATCHES.c.id == sent).values(fence=1))
        connection.execute(update(CAMPAIGNS).values(served_at=ago(4 * HOUR_MS)))

    skip(engine)

    with reading(engine) as connection:
        failed = connection.scalars(select(BATCHES.c.id).where(BATCHES.c.failed > 0))
        assert sorted(failed) == [late, later]


# --- behind others


def test_a_campaign_behind_others_misses_nothing(engine: Engine) -> None:
    (batch_id,) = scheduled(engine, 2 * HOUR_MS)
    leaves(engine, HOUR_MS + 60_000, 30 * 60_000)

    between = try_lease(engine, batch_id)
    found = decided(engine)
    do(engine, missed.let_go_on, 1)

    assert (between, found, decided(engine)) == (None, "behind", "none")
    assert try_lease(engine, batch_id) is not None


@pytest.mark.parametrize(
    "ago_ms",
    [(1000,), (2 * HOUR_MS + 50 * 60_000, 1000), (4 * HOUR_MS,)],
    ids=["since a moment", "with a pause", "before"],
)
def test_others_that_did_not_leave_all_the_while_excuse_nothing(
    engine: Engine, ago_ms: tuple[int, ...]
) -> None:
    scheduled(engine, 3 * HOUR_MS)
    leaves(engine, *ago_ms)

    assert decided(engine) == "hold"


def test_what_left_through_another_account_excuses_nothing(engine: Engine) -> None:
    scheduled(engine, 2 * HOUR_MS)
    leaves(engine, HOUR_MS + 60_000, 30 * 60_000, provider="another")

    assert decided(engine) == "hold"


def test_what_left_through_the_same_account_by_another_name_excuses(engine: Engine) -> None:
    scheduled(engine, 2 * HOUR_MS)
    for name in (PROVIDER, "twin"):
        change_account(engine, name, account_key="0123456789abcdef")
    leaves(engine, HOUR_MS + 60_000, 30 * 60_000, provider="twin")

    assert decided(engine) == "behind"


def test_a_rate_that_is_used_up_excuses(engine: Engine) -> None:
    scheduled(engine, 20 * HOUR_MS)
    change_account(engine, throttled_until=ago(-HOUR_MS))

    assert decided(engine) == "behind"


def test_each_campaign_is_decided_about_by_itself(engine: Engine) -> None:
    scheduled(engine, 2 * HOUR_MS, name="one", late=Late.SKIP)
    scheduled(engine, 3 * HOUR_MS, name="two")

    found = {(start.campaign_id, start.late) for start in starts(engine)}

    assert found == {(1, Late.SKIP), (2, Late.HOLD)}
    with reading(engine) as connection:
        assert connection.scalar(select(func.count()).select_from(BATCHES)) == 2
