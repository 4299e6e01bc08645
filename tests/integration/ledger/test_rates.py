from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import Engine, event, update

from tests.ledgers import (
    FALLBACK,
    PROVIDER,
    a_campaign,
    account,
    ago,
    batch,
    change_account,
    change_submissions,
    do,
    due_rows,
    hold,
    lease,
    mark,
    not_sent,
    only_batch,
    reach,
    record,
    release,
    result,
    run_campaign,
    some_messages,
    try_lease,
    unclear,
)
from worker.ledger import accounts, campaigns, hints, interrupted, rates, reports
from worker.ledger.engine import reading, writing
from worker.ledger.models import CAMPAIGNS, SUBMISSIONS
from worker.ledger.rates import CELLS, History
from worker.ledger.values import Marked, SubmissionResult
from worker.states import Lane, MessageState
from worker.waiting import within

KEY, OTHER_KEY = "0123456789abcdef", "fedcba9876543210"
TWIN = "acme-uk"
MINUTE, DAY = 60, 86_400
WHY = "5/min"


def note(engine: Engine, rate: str, *providers: str, key: str = KEY) -> None:
    """Note the rate of the settings for providers of one account, by default the only one."""
    noted = dict.fromkeys(providers or [PROVIDER], (key, rate))
    do(engine, rates.note_rates, noted)


def order(engine: Engine, rate: str | None, *providers: str) -> list[str]:
    return do(engine, rates.order_rate, providers or [PROVIDER], rate, author="ann")


def effective(engine: Engine, provider: str = PROVIDER) -> str | None:
    with reading(engine) as connection:
        return rates.effective(connection, provider)


def throttle(engine: Engine, wait_ms: int = 60_000, *, rate: str | None = WHY) -> None:
    do(engine, rates.note_throttled, KEY, wait_ms=wait_ms, reason=WHY, rate=rate)


def standing(engine: Engine, provider: str = PROVIDER) -> accounts.AccountStanding:
    with reading(engine) as connection:
        return accounts.standings(connection)[provider]


# --- the rate in force


def test_of_a_provider_that_nobody_noted_no_rate_is_known(engine: Engine) -> None:
    change_account(engine, not_before=0)

    assert (effective(engine), effective(engine, "nobody")) == (None, None)


@pytest.mark.parametrize("rate", ["50/s", ""])
def test_the_rate_of_the_settings_holds(engine: Engine, rate: str) -> None:
    note(engine, rate)

    assert effective(engine) == rate


def test_an_ordered_rate_wins_until_it_is_reset(engine: Engine) -> None:
    note(engine, "50/s")
    order(engine, "20/s")
    ordered = effective(engine)
    order(engine, None)

    assert (ordered, effective(engine)) == ("20/s", "50/s")


def test_a_rate_may_be_ordered_before_any_worker_has_run(engine: Engine) -> None:
    order(engine, "20/s")

    assert effective(engine) == "20/s"


def test_a_worker_that_starts_does_not_undo_an_order(engine: Engine) -> None:
    order(engine, "20/s")
    note(engine, "50/s")

    assert effective(engine) == "20/s"
    assert (standing(engine).file_rate, standing(engine).rate_author) == ("50/s", "ann")


def test_a_rate_holds_for_every_provider_of_the_account_and_no_other(engine: Engine) -> None:
    note(engine, "50/s", PROVIDER, TWIN)
    note(engine, "50/s", FALLBACK, key=OTHER_KEY)

    changed = order(engine, "20/s", PROVIDER)

    assert changed == [PROVIDER, TWIN]
    assert [effective(engine, name) for name in (PROVIDER, TWIN, FALLBACK)] == ["20/s", "20/s", "50/s"]


def test_the_newest_settings_hold_for_the_whole_account(engine: Engine) -> None:
    note(engine, "50/s", PROVIDER)

    note(engine, "20/s", TWIN)

    assert effective(engine, PROVIDER) == "20/s"


def test_a_provider_that_joins_an_account_takes_over_its_order(engine: Engine) -> None:
    note(engine, "50/s", PROVIDER)
    order(engine, "20/s", PROVIDER)

    note(engine, "50/s", TWIN)

    assert (effective(engine, TWIN), standing(engine, TWIN).rate_author) == ("20/s", "ann")


def test_a_provider_that_gets_another_login_keeps_its_order(engine: Engine) -> None:
    note(engine, "50/s")
    order(engine, "20/s")

    note(engine, "50/s", key=OTHER_KEY)

    assert effective(engine) == "20/s"


def test_accounts_without_a_key_share_nothing(engine: Engine) -> None:
    change_account(engine, PROVIDER, not_before=0)
    change_account(engine, FALLBACK, not_before=0)

    changed = order(engine, "20/s", PROVIDER)

    assert changed == [PROVIDER]
    assert effective(engine, FALLBACK) is None


def test_what_is_noted_again_writes_nothing(engine: Engine) -> None:
    note(engine, "50/s", PROVIDER, TWIN)
    written: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *given: written.append(given[2]))

    note(engine, "50/s", PROVIDER, TWIN)

    assert written
    assert not [each for each in written if each.startswith(("UPDATE", "INSERT"))]


# --- throttled


def hinted(engine: Engine) -> list[int]:
    """Return the batches that a hint would be published for."""
    with reading(engine) as connection:
        found = hints.due_for_hints(
            connection, PROVIDER, lane=Lane.BULK, reach=reach(horizon_ms=0, repeat_ms=60_000), limit=9
        )
    return [each.id for each in found]


def test_nothing_of_a_throttled_account_is_leased_or_published(engine: Engine) -> None:
    batch_id = run_campaign(engine)
    note(engine, WHY)

    throttle(engine)

    assert try_lease(engine, batch_id) is None
    assert hinted(engine) == []


def test_a_throttled_account_goes_on_by_itself(engine: Engine) -> None:
    batch_id = run_campaign(engine)
    note(engine, WHY)
    throttle(engine, wait_ms=1500)
    before = hinted(engine)

    assert before == []
    assert within(5, lambda: hinted(engine) == [batch_id])
    assert try_lease(engine, batch_id) is not None


def test_what_has_a_slot_is_marked_though_the_account_is_throttled(engine: Engine) -> None:
    held = lease(engine, run_campaign(engine))
    note(engine, WHY)

    throttle(engine)

    assert len(mark(engine, held, due_rows(engine, held))) == 1


def test_every_provider_of_a_throttled_account_waits_and_no_other(engine: Engine) -> None:
    note(engine, WHY, PROVIDER, TWIN)
    note(engine, WHY, FALLBACK, key=OTHER_KEY)

    throttle(engine)

    assert standing(engine, TWIN).throttled_until == account(engine, PROVIDER)["throttled_until"]
    assert standing(engine, FALLBACK).throttled_until is None


def test_a_throttled_account_is_open_and_says_why_it_waits(engine: Engine) -> None:
    note(engine, WHY)

    throttle(engine)

    found, kept = standing(engine), account(engine)
    assert (found.state, found.reason, found.throttled_reason) == ("open", None, WHY)
    assert 50_000 < kept["throttled_until"] - kept["now"] <= 60_000


@pytest.mark.parametrize(("first_ms", "then_ms"), [(60_000, 20_000), (20_000, 60_000)])
def test_the_newest_word_about_the_wait_holds(engine: Engine, first_ms: int, then_ms: int) -> None:
    note(engine, WHY)
    throttle(engine, wait_ms=first_ms)

    throttle(engine, wait_ms=then_ms)

    kept = account(engine)
    assert then_ms - 10_000 < kept["throttled_until"] - kept["now"] <= then_ms


def test_another_rate_ends_the_wait(engine: Engine) -> None:
    batch_id = run_campaign(engine)
    note(engine, WHY, PROVIDER, TWIN)
    throttle(engine)

    order(engine, "20/s", TWIN)

    assert hinted(engine) == [batch_id]
    assert standing(engine).throttled_until is None


@pytest.mark.parametrize(("rate", "key"), [("20/s", KEY), (WHY, OTHER_KEY)])
def test_other_settings_end_the_wait(engine: Engine, rate: str, key: str) -> None:
    batch_id = run_campaign(engine)
    note(engine, WHY)
    throttle(engine)

    note(engine, rate, key=key)

    assert hinted(engine) == [batch_id]
    assert standing(engine).throttled_until is None


def test_the_same_settings_again_do_not_end_the_wait(engine: Engine) -> None:
    note(engine, WHY)
    throttle(engine)

    note(engine, WHY)

    assert standing(engine).throttled_until is not None


def test_an_old_word_about_a_former_rate_does_not_undo_an_order(engine: Engine) -> None:
    note(engine, WHY)
    order(engine, "20/s")

    throttle(engine, rate=WHY)

    assert standing(engine).throttled_until is None


def test_hints_that_are_out_are_forgotten_while_nothing_can_be_leased(engine: Engine) -> None:
    batch_id = run_campaign(engine)
    note(engine, WHY)
    do(engine, hints.note_published, [batch_id])

    throttle(engine, wait_ms=1)

    assert within(5, lambda: hinted(engine) == [batch_id])


def test_a_running_campaign_says_what_it_waits_for_and_nobody_is_to_blame(engine: Engine) -> None:
    run_campaign(engine)
    note(engine, WHY)

    throttle(engine)

    with reading(engine) as connection:
        found = reports.report(connection, 1)
    assert (found.reason, found.is_provider_held, found.is_stuck) == (WHY, False, False)


def test_a_pause_after_a_refusal_holds_every_provider_of_the_account(engine: Engine) -> None:
    note(engine, WHY, PROVIDER, TWIN)
    note(engine, WHY, FALLBACK, key=OTHER_KEY)

    hold(engine, pause_ms=60_000, reason="429")

    states = [standing(engine, name).state for name in (PROVIDER, TWIN, FALLBACK)]
    assert states == ["waiting", "waiting", "open"]


# --- what has left


def history(engine: Engine, *windows_s: int, unit: str = "parts", key: str = KEY) -> History:
    with reading(engine) as connection:
        return rates.history(connection, key, unit=unit, windows_s=windows_s or (MINUTE,))


def units(found: History, window_s: int = MINUTE) -> int:
    return sum(n for _, n in found.windows[window_s])


def send(engine: Engine, *, name: str = "spring", parts: int = 2) -> None:
    """Send three messages in two requests, the second of one message, and have them accepted."""
    messages = [replace(each, parts=parts) for each in some_messages(3)]
    held = lease(engine, run_campaign(engine, 3, name=name, messages=messages))
    found = due_rows(engine, held)
    marked = mark(engine, held, found[:2], found[2:])
    record(engine, *(result(each, MessageState.ACCEPTED) for each in marked))
    release(engine, held)


def test_of_an_account_that_has_sent_nothing_there_is_no_history(engine: Engine) -> None:
    note(engine, WHY)

    assert history(engine) == History(windows={MINUTE: ()}, last_age_ms=None)


@pytest.mark.parametrize(("unit", "n"), [("parts", 6), ("messages", 3), ("requests", 2)])
def test_what_has_left_is_counted_as_the_provider_counts(engine: Engine, unit: str, n: int) -> None:
    note(engine, WHY)

    send(engine)

    assert units(history(engine, unit=unit)) == n


def test_what_has_left_through_any_provider_of_the_account_counts(engine: Engine) -> None:
    note(engine, WHY, PROVIDER, TWIN)
    note(engine, WHY, FALLBACK, key=OTHER_KEY)
    send(engine)
    change_submissions(engine, provider=TWIN)

    assert units(history(engine)) == 6
    assert units(history(engine, key=OTHER_KEY)) == 0


def test_what_may_have_left_counts_and_what_has_not_does_not(engine: Engine) -> None:
    note(engine, WHY)
    held = lease(engine, run_campaign(engine, 3))
    unknown, unsent, out = mark(engine, held, *([row] for row in due_rows(engine, held)))
    record(engine, unclear(unknown), not_sent(unsent))

    assert out.reference
    assert units(history(engine)) == 2


def test_a_window_ends_where_it_ends(engine: Engine) -> None:
    note(engine, WHY)
    send(engine)
    change_submissions(engine, started_at=ago(70_000))

    found = history(engine, MINUTE, DAY)

    assert (units(found, MINUTE), units(found, DAY)) == (0, 6)


def test_an_age_is_told_as_young_as_it_can_be(engine: Engine) -> None:
    note(engine, WHY)
    send(engine)
    change_submissions(engine, started_at=ago(30_000))

    found = history(engine)

    ((age_ms, n),) = found.windows[MINUTE]
    assert 29_000 <= age_ms < 40_000
    assert n == 6


def accepted(marked: Marked) -> SubmissionResult:
    return result(marked, MessageState.ACCEPTED)


@pytest.mark.parametrize(
    ("end", "is_seen"), [(None, True), (unclear, True), (not_sent, False), (accepted, False)]
)
def test_the_youngest_age_is_that_of_what_may_still_be_under_way(
    engine: Engine, end: Callable[[Marked], SubmissionResult] | None, *, is_seen: bool
) -> None:
    note(engine, WHY)
    marked = mark(engine, lease(engine, run_campaign(engine, 1)))
    record(engine, *(map(end, marked) if end else ()))

    assert (history(engine).last_age_ms is not None) is is_seen


def add_submissions(engine: Engine, n: int, *, apart_ms: int) -> None:
    """Add one-part requests to the first batch, the youngest marked now."""
    now = account(engine)["now"]
    same = {"provider": PROVIDER, "batch_id": 1, "fence": 1, "attempt": 1, "n_messages": 1, "cost": 1}
    rows = [{**same, "reference": f"{i:020}", "started_at": now - i * apart_ms} for i in range(n)]
    with writing(engine) as connection:
        connection.execute(SUBMISSIONS.insert(), rows)


@pytest.mark.parametrize("window_s", [MINUTE, DAY])
def test_a_window_is_told_in_so_many_cells_however_much_was_sent(engine: Engine, window_s: int) -> None:
    note(engine, WHY)
    run_campaign(engine)
    add_submissions(engine, 2000, apart_ms=window_s)  # twice the window

    cells = history(engine, window_s).windows[window_s]

    ages = [age_ms for age_ms, _ in cells]
    assert CELLS - 1 <= len(cells) <= CELLS + 1
    assert ages == sorted(ages)
    assert 900 <= sum(n for _, n in cells) <= 1020


def test_the_history_is_found_by_an_index(sqlite_engine: Engine) -> None:
    note(sqlite_engine, WHY)
    asked: list[tuple[str, object]] = []
    event.listen(sqlite_engine, "before_cursor_execute", lambda *given: asked.append((given[2], given[3])))
    history(sqlite_engine)
    about = [(query, given) for query, given in asked if "FROM submissions" in query]

    with reading(sqlite_engine) as connection:
        plans = [str(connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {q}", g).all()) for q, g in about]  # type: ignore[arg-type]

    assert len(plans) == 2
    assert all("ix_submissions_provider_started_at" in plan for plan in plans)


# --- lanes


def import_urgent(engine: Engine) -> campaigns.Importer:
    with writing(engine) as connection:
        importer = campaigns.create(connection, replace(a_campaign(), lane=Lane.URGENT))
        return campaigns.add_batch(connection, importer, some_messages(1))


def campaign_lane(engine: Engine, campaign_id: int) -> Lane:
    with reading(engine) as connection:
        return reports.report(connection, campaign_id).lane


def test_a_campaign_is_in_the_bulk_lane_and_so_is_its_batch(engine: Engine) -> None:
    batch_id = run_campaign(engine)

    assert (campaign_lane(engine, 1), batch(engine, batch_id)["lane"]) == (Lane.BULK, Lane.BULK)


def test_the_batches_of_an_urgent_campaign_are_urgent(engine: Engine) -> None:
    importer = import_urgent(engine)

    with reading(engine) as connection:
        batch_id = only_batch(connection, importer.campaign_id)
    assert campaign_lane(engine, importer.campaign_id) is Lane.URGENT
    assert batch(engine, batch_id)["lane"] == Lane.URGENT


def test_an_interrupted_campaign_keeps_its_lane(engine: Engine) -> None:
    importer = import_urgent(engine)
    with writing(engine) as connection:
        connection.execute(update(CAMPAIGNS).values(importing_until=0))
        found = interrupted.find(connection, importer.campaign_id)

    assert found.lane is Lane.URGENT
