import sqlite3
from contextlib import closing

import pytest
from sqlalchemy import Engine, text

from tests.ledgers import (
    PROVIDER,
    do,
    due_rows,
    hold,
    import_campaign,
    lease,
    lose,
    mark,
    pause,
    record,
    release,
    result,
    run_campaign,
    sweep,
)
from worker.ledger import accounts, settling
from worker.ledger.audit import Audit, audit
from worker.ledger.engine import now_of, writing
from worker.ledger.findings import Finding
from worker.ledger.tally import snapshot
from worker.states import MessageState


def worked(engine: Engine) -> None:
    """Make a batch with an accepted, a submitting and a queued message, and another campaign."""
    held = lease(engine, run_campaign(engine, 3))
    rows = due_rows(engine, held)
    accepted, _ = mark(engine, held, rows[:1], rows[1:2])
    record(engine, result(accepted, MessageState.ACCEPTED))
    run_campaign(engine, 2, name="summer")


def damage(engine: Engine, statement: str) -> None:
    """Run a statement as somebody who thinks that no key and no counter binds him."""
    if engine.dialect.name == "sqlite":
        with closing(sqlite3.connect(str(engine.url.database))) as file, file:
            file.execute(statement)
    else:
        with engine.begin() as connection:
            connection.execute(text("SET LOCAL session_replication_role = replica"))
            connection.execute(text(statement))


def audited(engine: Engine) -> Audit:
    with snapshot(engine) as connection:
        return audit(connection)


def problems(engine: Engine) -> dict[str, Finding]:
    return {finding.code: finding for finding in audited(engine).findings if finding.is_problem}


def notes(engine: Engine) -> dict[str, Finding]:
    return {finding.code: finding for finding in audited(engine).findings if not finding.is_problem}


def test_what_is_being_worked_adds_up(engine: Engine) -> None:
    worked(engine)

    found = audited(engine)

    assert found.findings == ()
    assert found.n_leases == 1
    assert [campaign.messages for campaign in found.campaigns] == [3, 2]
    assert +found.campaigns[0].counts == {"accepted": 1, "submitting": 1, "queued": 1}
    assert +found.providers[PROVIDER] == {"accepted": 1, "submitting": 1, "queued": 3}


def test_an_empty_ledger_adds_up(engine: Engine) -> None:
    found = audited(engine)

    assert found.findings == ()
    assert found.oldest_due_at is None


def test_that_an_earlier_request_is_proven_while_the_next_one_is_out_breaks_nothing(engine: Engine) -> None:
    (first,) = lose(engine, 1)
    do(engine, settling.settle, MessageState.QUEUED, author="ann")
    mark(engine, lease(engine, 1))

    record(engine, result(first, MessageState.ACCEPTED))

    assert problems(engine) == {}


@pytest.mark.parametrize(
    ("code", "named", "statement"),
    [
        ("wrong_counter", "batch 1 counts 2 accepted", "UPDATE batches SET accepted = 2 WHERE id = 1"),
        ("wrong_counter", "batch 1 counts 1 queued", "DELETE FROM messages WHERE id = 3"),
        ("rows_lost", "campaign 1 has 3 rows", "DELETE FROM messages WHERE id = 3"),
        ("rows_lost", "campaign 2 has 3 rows", "UPDATE campaigns SET n_rows = 3 WHERE id = 2"),
        ("queued_in_done", "batch 2", "UPDATE batches SET state = 'done' WHERE id = 2"),
        ("late_batch", "batch 2", "UPDATE batches SET next_due_at = next_due_at + 1 WHERE id = 2"),
        ("unleased_submitting", "batch 1 is open", "UPDATE batches SET state = 'open' WHERE id = 1"),
        ("endless_lease", "batch 1", "UPDATE batches SET lease_until = NULL WHERE id = 1"),
        ("strange_provider", "batch 2", "UPDATE batches SET provider = 'other' WHERE id = 2"),
        ("strange_messages", "batch 1", "UPDATE messages SET campaign_id = 2 WHERE id = 3"),
        ("open_submission", "request 2", "UPDATE messages SET state = 'unknown' WHERE id = 2"),
        ("closed_submitting", "message 2", "UPDATE submissions SET outcome = 'answered' WHERE id = 2"),
        ("proven_unsent", "message 1", "UPDATE messages SET submission_id = NULL WHERE id = 1"),
        ("submission_missing", "message 1", "DELETE FROM submissions WHERE id = 1"),
        ("crowded_submission", "request 1", "UPDATE messages SET submission_id = 1 WHERE id = 3"),
        ("doubled", "message 1", "UPDATE messages SET is_doubled = TRUE WHERE id = 1"),
    ],
)
def test_damage_is_found_and_named(engine: Engine, code: str, named: str, statement: str) -> None:
    worked(engine)

    damage(engine, statement)

    assert problems(engine)[code].words.startswith(named)


def test_a_fallback_of_the_campaign_is_no_strange_provider(engine: Engine) -> None:
    worked(engine)

    damage(engine, "UPDATE campaigns SET fallback = 'other' WHERE id = 2")
    damage(engine, "UPDATE batches SET provider = 'other' WHERE id = 2")

    assert "strange_provider" not in problems(engine)


def test_of_much_damage_of_one_kind_a_few_are_named_and_the_rest_is_counted(engine: Engine) -> None:
    for n in range(8):
        run_campaign(engine, 1, name=f"campaign {n}")

    damage(engine, "UPDATE batches SET accepted = 1")

    found = [finding.words for finding in audited(engine).findings if finding.is_problem]
    assert len(found) == 6
    assert found[-1] == "and so 3 times more (wrong_counter)"


def test_of_many_damaged_messages_a_few_are_named(engine: Engine) -> None:
    run_campaign(engine, 8)

    damage(engine, "UPDATE messages SET is_doubled = TRUE")

    assert problems(engine)["doubled"].words.startswith("messages 1, 2, 3, 4, 5 and more: ")


@pytest.mark.parametrize(
    ("code", "named", "statement"),
    [
        (
            "held_batch",
            "batch 2 of campaign 2 is held: worn",
            "UPDATE batches SET state = 'held', reason = 'worn' WHERE id = 2",
        ),
        (
            "unswept_lease",
            "the lease of batch 1 ran out 2 min ago",
            "UPDATE batches SET lease_until = lease_until - 170000",
        ),
    ],
)
def test_a_batch_that_needs_a_person_is_noted(engine: Engine, code: str, named: str, statement: str) -> None:
    worked(engine)

    damage(engine, statement)

    assert notes(engine)[code].words.startswith(named)


def test_a_lease_that_ran_out_a_moment_ago_is_left_to_the_sweep(engine: Engine) -> None:
    worked(engine)

    damage(engine, "UPDATE batches SET lease_until = lease_until - 60000")

    assert audited(engine).findings == ()


def test_an_interrupted_import_is_noted_and_claims_no_sums(engine: Engine) -> None:
    import_campaign(engine)
    assert audited(engine).findings == ()

    damage(engine, "UPDATE campaigns SET importing_until = 0")

    assert [finding.code for finding in audited(engine).findings] == ["import_interrupted"]


@pytest.mark.parametrize(
    ("state", "code", "said"),
    [
        ("cancelled", "cancel_interrupted", "2 messages of it are queued"),
        ("discarded", "discard_interrupted", "2 messages of it are there"),
    ],
)
def test_an_interrupted_end_is_noted(engine: Engine, state: str, code: str, said: str) -> None:
    run_campaign(engine)

    damage(engine, f"UPDATE campaigns SET state = '{state}'")  # noqa: S608 - a table of ours

    assert said in notes(engine)[code].words


def test_a_paused_campaign_is_noted_with_its_reason(engine: Engine) -> None:
    run_campaign(engine)

    pause(engine, 1)

    assert notes(engine)["paused_campaign"].words == "campaign 1 is paused: wrong text"


def test_a_provider_that_takes_nothing_is_noted_with_its_reason(engine: Engine) -> None:
    run_campaign(engine)

    hold(engine, pause_ms=60_000)

    assert notes(engine)["account_waiting"].words == f"provider {PROVIDER} takes nothing now: out of credit"


def test_a_paused_provider_is_noted_with_who_paused_it(engine: Engine) -> None:
    with writing(engine) as connection:
        accounts.pause_account(connection, PROVIDER, reason="price talks", author="ann")

    assert notes(engine)["account_paused"].words == f"provider {PROVIDER} was paused by ann: price talks"


def test_unknown_messages_are_counted_by_provider_with_the_oldest_age(engine: Engine) -> None:
    worked(engine)
    damage(engine, "UPDATE batches SET lease_until = 0 WHERE id = 1")
    sweep(engine)
    damage(engine, "UPDATE messages SET changed_at = changed_at - 3600000 WHERE state = 'unknown'")

    words = notes(engine)["unknown"].words

    assert words == f"unknown messages of {PROVIDER}: 1, the oldest for 60 min"
    assert problems(engine) == {}


def grown_old(engine: Engine) -> None:
    """Let two minutes pass over everything."""
    damage(engine, "UPDATE batches SET next_due_at = next_due_at - 121000")
    damage(engine, "UPDATE messages SET due_at = due_at - 121000")
    damage(engine, "UPDATE submissions SET started_at = started_at - 121000")


def test_reports_that_nobody_reads_are_noted(engine: Engine) -> None:
    row = "('acme', {at}, 'GET', '', '', '', {at})"
    now = do(engine, now_of)
    columns = "provider, received_at, method, query, content_type, body, due_at"
    for at in (now - 120_000, now):
        damage(engine, f"INSERT INTO pushed_reports ({columns}) VALUES {row.format(at=at)}")  # noqa: S608 - of constants

    assert "reads: 1" in notes(engine)["unread_reports"].words


def test_due_work_that_nobody_takes_is_noted(engine: Engine) -> None:
    run_campaign(engine)

    grown_old(engine)

    found = audited(engine)
    assert [finding.code for finding in found.findings] == ["no_worker"]
    assert found.oldest_due_at is not None
    assert found.now - found.oldest_due_at >= 121_000


def test_due_work_behind_a_leased_batch_is_in_good_hands(engine: Engine) -> None:
    run_campaign(engine)
    lease(engine, run_campaign(engine, name="summer"))

    grown_old(engine)

    assert audited(engine).findings == ()


def test_due_work_is_in_good_hands_when_something_left_just_now(engine: Engine) -> None:
    held = lease(engine, run_campaign(engine, 3))
    first, *_ = due_rows(engine, held)
    (marked,) = mark(engine, held, [first])
    record(engine, result(marked, MessageState.ACCEPTED))
    release(engine, held)
    grown_old(engine)
    assert "no_worker" in notes(engine)

    damage(engine, "UPDATE submissions SET started_at = started_at + 121000")

    assert "no_worker" not in notes(engine)


def test_work_of_a_paused_campaign_does_not_wait_for_a_worker(engine: Engine) -> None:
    run_campaign(engine)
    pause(engine, 1)

    grown_old(engine)

    found = audited(engine)
    assert [finding.code for finding in found.findings] == ["paused_campaign"]
    assert found.oldest_due_at is None


def test_a_snapshot_does_not_see_what_is_written_meanwhile(engine: Engine) -> None:
    held = lease(engine, run_campaign(engine, 3))
    with snapshot(engine) as connection:
        before = audit(connection)

        mark(engine, held)

        after = audit(connection)
    assert after.campaigns == before.campaigns
    assert +after.campaigns[0].counts == {"queued": 3}
    assert after.findings == ()
