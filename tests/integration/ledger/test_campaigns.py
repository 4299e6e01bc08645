from dataclasses import replace

import pytest
from sqlalchemy import Engine, update

from tests import ledgers
from tests.ledgers import (
    TEXT,
    a_campaign,
    assert_counts,
    cancel,
    due_rows,
    import_campaign,
    importer_of,
    lease,
    mark,
    pause,
    reach,
    record,
    result,
    run_campaign,
    some_messages,
    try_lease,
    unclear,
)
from worker.errors import InputError, LedgerError
from worker.ledger import accounts, campaigns, hints, interrupted, messages, reports
from worker.ledger.drafts import BATCH_ROWS, SourceCounts, batched, together
from worker.ledger.engine import reading, writing
from worker.ledger.models import CAMPAIGNS
from worker.states import Lane, MessageState

COUNTS = SourceCounts(rows=5, duplicates=1, refused=2)


def report(engine: Engine, campaign_id: int) -> reports.CampaignReport:
    with reading(engine) as connection:
        return reports.report(connection, campaign_id)


def only_batch(engine: Engine, campaign_id: int) -> int:
    with reading(engine) as connection:
        return ledgers.only_batch(connection, campaign_id)


def let_importer_die(engine: Engine) -> None:
    with writing(engine) as connection:
        connection.execute(update(CAMPAIGNS).values(importing_until=0))


def take_over(engine: Engine) -> campaigns.Importer:
    with writing(engine) as connection:
        return interrupted.take_over(connection, 1)[0]


def test_nothing_is_due_while_importing(engine: Engine) -> None:
    batch_id = only_batch(engine, import_campaign(engine))

    with reading(engine) as connection:
        due = hints.due_for_hints(
            connection, "acme", lane=Lane.BULK, reach=reach(horizon_ms=10_000, repeat_ms=10_000), limit=9
        )

    assert due == []
    assert try_lease(engine, batch_id) is None


def test_a_released_campaign_reports_its_rows_and_runs(engine: Engine) -> None:
    importer = importer_of(engine, 2)
    campaign_id = importer.campaign_id

    with writing(engine) as connection:
        campaigns.release(connection, importer, COUNTS)

    found = report(engine, campaign_id)
    assert (found.rows, found.duplicates, found.refused, found.messages) == (5, 1, 2, 2)
    assert (found.state, found.counts[MessageState.QUEUED]) == ("running", 2)
    assert try_lease(engine, only_batch(engine, campaign_id)) is not None
    assert_counts(engine)


def test_an_importer_whose_place_was_taken_adds_nothing_and_releases_nothing(engine: Engine) -> None:
    first = importer_of(engine)
    let_importer_die(engine)
    take_over(engine)

    with pytest.raises(LedgerError, match="put away, or taken over"), writing(engine) as late:
        campaigns.add_batch(late, first, some_messages(1))

    with pytest.raises(LedgerError, match="put away, or taken over"), writing(engine) as late:
        campaigns.release(late, first, COUNTS)


def test_an_importer_whose_place_was_taken_puts_nothing_away(engine: Engine) -> None:
    first = importer_of(engine)
    let_importer_die(engine)
    take_over(engine)

    with writing(engine) as late:
        is_ours = campaigns.abandon(late, replace(first, until=0))
        campaigns.let_go(late, replace(first, until=0))

    assert not is_ours
    assert (report(engine, 1).state, report(engine, 1).is_interrupted) == ("importing", False)


def test_a_batch_keeps_its_importer_alive(engine: Engine) -> None:
    importer = replace(importer_of(engine), until=0)
    let_importer_die(engine)
    with writing(engine) as connection:
        campaigns.add_batch(connection, importer, some_messages(1))

    with pytest.raises(InputError, match="is being imported at this moment"):
        take_over(engine)


def test_an_importer_puts_away_what_it_began_though_its_last_commit_is_news_to_it(engine: Engine) -> None:
    first = importer_of(engine)
    with writing(engine) as connection:
        campaigns.add_batch(connection, first, some_messages(1))

    with writing(engine) as connection:
        assert campaigns.abandon(connection, first)

    assert report(engine, 1).state == "discarded"


def test_the_price_at_the_fallback_is_kept_only_where_the_campaign_has_one(engine: Engine) -> None:
    priced = [replace(some_messages(1)[0], fallback_micros=40_000, fallback_currency="GBP")]
    for fallback in ("acme-uk", None):
        with writing(engine) as connection:
            importer = campaigns.create(connection, replace(a_campaign(), fallback=fallback))
            campaigns.add_batch(connection, importer, priced)

    kept = [(row["fallback_micros"], row["fallback_currency"]) for row in ledgers.rows(engine)]

    assert kept == [(40_000, "GBP"), (None, None)]


def test_a_campaign_is_done_when_no_row_can_leave_and_not_before(engine: Engine) -> None:
    held = lease(engine, run_campaign(engine, 2))
    first, second = mark(engine, held, *([row] for row in due_rows(engine, held)))
    record(engine, result(first, MessageState.ACCEPTED))
    before = report(engine, held.campaign_id)

    record(engine, result(second, MessageState.REJECTED))

    assert (before.state, before.is_done) == ("running", False)
    after = report(engine, held.campaign_id)
    assert (after.state, after.is_done) == ("done", True)


def test_totals_sum_parts_and_prices_over_the_rows(engine: Engine) -> None:
    campaign_id = import_campaign(engine, 3)

    with reading(engine) as connection:
        parts, cost = reports.totals(connection, campaign_id)

    assert (parts, cost.render()) == (3, {"DKK": "1.05"})


def test_what_was_refused_or_cancelled_is_ordered_and_costs_nothing(engine: Engine) -> None:
    held = lease(engine, run_campaign(engine, 5))
    accepted, refused, unknown = mark(engine, held, *([row] for row in due_rows(engine, held)[:3]))
    record(engine, result(accepted, MessageState.ACCEPTED), result(refused, MessageState.REJECTED))
    record(engine, unclear(unknown))
    cancel(engine, held.campaign_id)

    with reading(engine) as connection:
        (ordered, ordered_cost), (sent, cost) = reports.sums(connection, held.campaign_id)

    assert (ordered, ordered_cost.render()) == (5, {"DKK": "1.75"})
    assert (sent, cost.render()) == (2, {"DKK": "0.70"})


def test_a_paused_campaign_shows_why_and_by_whom_it_stands(engine: Engine) -> None:
    run_campaign(engine)

    pause(engine, 1)

    assert (report(engine, 1).state, report(engine, 1).reason) == ("paused", "wrong text")


def test_a_campaign_that_is_over_is_not_paused(engine: Engine) -> None:
    run_campaign(engine)
    cancel(engine, 1)

    with pytest.raises(InputError, match="is cancelled and cannot be paused"):
        pause(engine, 1)


def test_a_campaign_of_a_held_account_shows_the_reason(engine: Engine) -> None:
    run_campaign(engine)
    with writing(engine) as connection:
        accounts.hold_account(connection, "acme", pause_ms=60_000, reason="out of credit")

    assert report(engine, 1).reason == "out of credit"


def test_codes_count_what_was_not_accepted(engine: Engine) -> None:
    held = lease(engine, run_campaign(engine, 2))
    first, second = mark(engine, held, *([row] for row in due_rows(engine, held)))
    record(engine, result(first, MessageState.ACCEPTED, code="fine"))
    record(engine, result(second, MessageState.REJECTED, code="bad"))

    with reading(engine) as connection:
        assert reports.codes(connection, 1) == {"bad": 1}


@pytest.mark.parametrize("number", [7, 10**30, -1])
def test_a_campaign_that_is_not_there_is_said_so(engine: Engine, number: int) -> None:
    with pytest.raises(InputError, match=f"There is no campaign {number}:"):
        report(engine, number)


@pytest.mark.parametrize("written", ["7", "9" * 5000, "+4599999999", "Ada", "²"])
def test_a_message_that_is_not_there_is_said_so(engine: Engine, written: str) -> None:
    import_campaign(engine)

    with pytest.raises(InputError) as caught, reading(engine) as connection:
        messages.history(connection, messages.resolve(connection, written))

    assert caught.value.code == "no_such_message"


def test_the_history_of_a_message_has_its_text_and_its_submissions_in_order(engine: Engine) -> None:
    held = lease(engine, run_campaign(engine, 1))
    (first,) = mark(engine, held)
    record(engine, result(first, MessageState.QUEUED))
    (second,) = mark(engine, held)
    record(engine, result(second, MessageState.ACCEPTED))

    with reading(engine) as connection:
        history = messages.history(connection, messages.resolve(connection, "+4520304000"))

    assert history["text"] == TEXT
    assert [each["reference"] for each in history["submissions"]] == [first.reference, second.reference]


def test_an_empty_list_of_campaigns(engine: Engine) -> None:
    with reading(engine) as connection:
        assert reports.reports(connection, limit=5) == []


def test_the_newest_campaigns_come_first(engine: Engine) -> None:
    for name in ("a", "b", "c"):
        import_campaign(engine, name=name)

    with reading(engine) as connection:
        assert [each.name for each in reports.reports(connection, limit=2)] == ["c", "b"]


def test_a_campaign_counts_as_worked_from_its_first_lease_on(engine: Engine) -> None:
    batch_id = run_campaign(engine)
    with reading(engine) as connection:
        before = reports.has_been_worked(connection, 1)

    lease(engine, batch_id)

    with reading(engine) as connection:
        assert (before, reports.has_been_worked(connection, 1)) == (False, True)


def test_a_stream_of_messages_is_cut_into_batches() -> None:
    chunks = list(batched(some_messages(1) * (BATCH_ROWS + 1)))

    assert [len(chunk) for chunk in chunks] == [BATCH_ROWS, 1]


def test_as_many_batches_are_written_together_as_one_transaction_takes() -> None:
    chunks = together(batched(some_messages(1) * (2 * BATCH_ROWS + 1)), rows=2 * BATCH_ROWS)

    assert [list(map(len, some)) for some in chunks] == [[BATCH_ROWS, BATCH_ROWS], [1]]


def test_a_campaign_of_which_only_held_batches_are_left_says_why_and_is_stuck(engine: Engine) -> None:
    batch_id = ledgers.run_campaign(engine)
    ledgers.change_batch(engine, batch_id, state="held", reason="its worker was lost")

    found = report(engine, 1)

    assert (found.state, found.reason, found.is_stuck) == ("running", "its worker was lost", True)


def test_a_finished_campaign_does_not_speak_of_its_providers_trouble(engine: Engine) -> None:
    ledgers.change_batch(engine, ledgers.run_campaign(engine), queued=0, state="done")
    with writing(engine) as connection:
        accounts.hold_account(connection, ledgers.PROVIDER, pause_ms=60_000, reason="out of credit")

    found = report(engine, 1)

    assert (found.state, found.reason) == ("done", None)
