import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

import pytest
from sqlalchemy import Engine, event, select, update

from tests.ledgers import (
    PROVIDER,
    ago,
    assert_counts,
    change_batch,
    change_submissions,
    do,
    due_rows,
    earlier,
    lease,
    mark,
    record,
    release,
    result,
    rows,
    run_campaign,
    some_messages,
    states,
    submissions,
    sweep,
    unclear,
)
from worker.ledger import audit, deliveries, matching, messages, settling
from worker.ledger.engine import reading
from worker.ledger.matching import Pushed, Read, Told
from worker.ledger.models import PUSHED_REPORTS
from worker.ledger.tally import snapshot
from worker.ledger.values import Marked
from worker.states import MessageState, PushOutcome

M = MessageState
DAY_MS = 86_400_000


def pushed(reference: str | None = None, *, provider: str = PROVIDER) -> Pushed:
    return Pushed(
        provider=provider,
        reference=reference,
        method="POST",
        query="status=1&receiver=%2B45",
        content_type="application/json",
        body=b"\x00\xff{",
    )


def told(
    state: MessageState = M.DELIVERED, *, of: Marked | None = None, n: int = 0, **facts: str | int
) -> Told:
    """Say something of the message ``n`` of a request; of none, by the facts alone."""
    number = {"msisdn": of.rows[n].msisdn} if of else {}
    return Told(**{"state": state, **number, **facts})  # type: ignore[arg-type]  # of several types


def push(engine: Engine, call: Pushed, *said: Told) -> PushOutcome:
    """Keep a call and read it at once; return what became of it."""
    do(engine, deliveries.append, [call])
    (found,) = read_all(engine, *said)
    return found


def read_all(
    engine: Engine,
    *said: Told,
    providers: Sequence[str] = (PROVIDER,),
    logins: Mapping[str, str] | None = None,
) -> list[PushOutcome]:
    """Read all that is due, each of which says the same; return what became of them."""
    with reading(engine) as connection:
        kept = deliveries.to_read(connection, providers, limit=100)
        read = [Read(kept=each, told=said) for each in kept]
        found = matching.matches(connection, read, logins=logins or {})
    return list(do(engine, deliveries.conclude, read, found).elements())


def kept_rows(engine: Engine) -> list[dict[str, object]]:
    with reading(engine) as connection:
        found = connection.execute(select(PUSHED_REPORTS).order_by(PUSHED_REPORTS.c.id)).mappings()
        return [dict(row) for row in found]


def out(engine: Engine, n: int = 1, *, name: str = "spring") -> Marked:
    """Give a request with so many messages that is out."""
    (marked,) = mark(engine, lease(engine, run_campaign(engine, n, name=name)))
    return marked


def accepted(engine: Engine, n: int = 1, *, provider_ref: str | None = None) -> Marked:
    marked = out(engine, n)
    ended = replace(result(marked, M.ACCEPTED), provider_ref=provider_ref)
    record(engine, ended)
    return marked


# --- kept before they are read


def test_a_call_is_kept_as_it_came_and_is_read_once(engine: Engine) -> None:
    call = pushed("a" * 20)
    do(engine, deliveries.append, [call, call])

    with reading(engine) as connection:
        first, second = deliveries.to_read(connection, [PROVIDER], limit=100)
        others = deliveries.to_read(connection, ["other"], limit=100)
    read_all(engine)

    assert (first.pushed, second.pushed, others) == (call, call, [])
    assert read_all(engine) == []


def test_calls_of_all_that_are_read_come_by_their_age_and_those_of_nobody_are_left(engine: Engine) -> None:
    for name in ("two", PROVIDER, "gone", "two"):
        do(engine, deliveries.append, [pushed(provider=name)])
    do(
        engine,
        lambda connection: connection.execute(update(PUSHED_REPORTS).values(due_at=PUSHED_REPORTS.c.id)),
    )

    with reading(engine) as connection:
        some = deliveries.to_read(connection, [PROVIDER, "two"], limit=2)
        every = deliveries.to_read(connection, [PROVIDER, "two"], limit=100)
        none = deliveries.to_read(connection, [], limit=100)

    assert [[each.id for each in found] for found in (some, every, none)] == [[1, 2], [1, 2, 4], []]


def test_calls_of_a_provider_that_is_gone_are_not_looked_through(sqlite_engine: Engine) -> None:
    said: list[str] = []
    event.listen(sqlite_engine, "before_cursor_execute", lambda *given: said.append(given[2]), retval=False)
    do(sqlite_engine, deliveries.to_read, [PROVIDER, "two"], limit=100)
    query = next(each for each in said if "UNION ALL" in each)

    with sqlite_engine.connect() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}", (0,) * query.count("?"))

    steps = [row.detail for row in plan if "pushed_reports" in row.detail]
    assert steps
    assert all("provider=?" in step or "rowid=?" in step for step in steps)


def test_the_key_of_a_ledger_is_its_own_and_stays(engine: Engine) -> None:
    first, again = (do(engine, deliveries.receipts_key) for _ in range(2))

    assert len(first) == 32
    assert first == again


# --- which message is meant


def test_a_report_is_of_the_number_in_the_submission_that_the_address_names(engine: Engine) -> None:
    marked = accepted(engine, 3)

    verdict = push(engine, pushed(marked.reference), told(of=marked, n=1))

    assert verdict is PushOutcome.MATCHED
    assert states(engine) == ["accepted", "delivered", "accepted"]
    assert_counts(engine)


def test_a_report_may_name_the_submission_itself(engine: Engine) -> None:
    marked = accepted(engine)

    push(engine, pushed(), told(of=marked, reference=marked.reference))

    assert states(engine) == ["delivered"]


def test_a_report_may_name_the_gateways_own_id(engine: Engine) -> None:
    accepted(engine, provider_ref="918273")

    push(engine, pushed(), told(provider_ref="918273"))

    assert states(engine) == ["delivered"]


@pytest.mark.parametrize(("theirs", "verdict"), [("one", PushOutcome.MATCHED), ("two", PushOutcome.UNKNOWN)])
def test_a_report_may_be_of_what_another_provider_of_the_same_login_has_sent(
    engine: Engine, theirs: str, verdict: PushOutcome
) -> None:
    marked = accepted(engine)
    change_submissions(engine, login="one")
    do(engine, deliveries.append, [pushed(marked.reference, provider="sibling")])

    found = read_all(
        engine, told(of=marked), providers=["sibling"], logins={"sibling": theirs, PROVIDER: "one"}
    )

    assert found == [verdict]


def test_what_nobody_knows_the_login_of_is_of_its_provider_only(engine: Engine) -> None:
    marked = accepted(engine)
    change_submissions(engine, login=None)
    do(engine, deliveries.append, [pushed(marked.reference, provider="sibling")])

    assert read_all(engine, told(of=marked), providers=["sibling"]) == [PushOutcome.UNKNOWN]
    assert push(engine, pushed(marked.reference), told(of=marked)) is PushOutcome.MATCHED


@pytest.mark.parametrize(("recipient", "state"), [("group:7", "accepted"), ("contact:5", "delivered")])
@pytest.mark.parametrize("number", ["+4599999999", None])
def test_a_report_of_a_group_or_contact_names_a_number_that_we_do_not_know(
    engine: Engine, recipient: str, state: str, number: str | None
) -> None:
    message = replace(some_messages(1)[0], msisdn=recipient, region="")
    (marked,) = mark(engine, lease(engine, run_campaign(engine, messages=[message])))
    record(engine, unclear(marked))

    verdict = push(engine, pushed(marked.reference), told(msisdn=number) if number else told())

    assert verdict is PushOutcome.MATCHED
    assert states(engine) == [state]
    assert_counts(engine)


def test_what_one_member_got_is_not_said_of_the_group(engine: Engine) -> None:
    message = replace(some_messages(1)[0], msisdn="group:7", region="")
    (marked,) = mark(engine, lease(engine, run_campaign(engine, messages=[message])))
    record(engine, result(marked, M.ACCEPTED))

    verdicts = [
        push(engine, pushed(marked.reference), told(state, msisdn=f"+45999999{n}"))
        for n, state in enumerate([M.UNDELIVERED, M.DELIVERED, M.EXPIRED], 10)
    ]

    assert verdicts == [PushOutcome.MATCHED] * 3
    assert states(engine) == ["accepted"]


def unknown_reports(marked: Marked) -> list[tuple[Pushed, Told]]:
    ours = marked.reference
    return [
        (pushed(), told(of=marked)),  # a number alone
        (pushed("z" * 20), told(of=marked)),
        (pushed(ours), told(msisdn="+4599999999")),
        (pushed(ours), told()),  # of two
        (pushed(ours, provider="other"), told(of=marked)),
        (pushed(ours), told(of=marked, reference="z" * 20)),
        (pushed(), told(of=marked, provider_ref="x\0")),
        (pushed(), told(of=marked, provider_ref="7")),  # of two requests
    ]


@pytest.mark.parametrize("n", range(8))
def test_a_report_of_no_known_message_changes_nothing_and_is_kept(engine: Engine, n: int) -> None:
    marked = accepted(engine, 2, provider_ref="7")
    (twin,) = mark(engine, lease(engine, run_campaign(engine, 2, name="twin")))
    record(engine, replace(result(twin, M.ACCEPTED), provider_ref="7"))
    before = rows(engine), submissions(engine)
    call, said = unknown_reports(marked)[n]
    do(engine, deliveries.append, [call])

    (verdict,) = read_all(engine, said, providers=[PROVIDER, "other"])

    (kept,) = kept_rows(engine)
    assert verdict is PushOutcome.UNKNOWN
    assert (rows(engine), submissions(engine)) == before
    assert (kept["outcome"], kept["body"]) == ("unknown", call.body)


def test_what_cannot_be_read_is_kept_and_not_looked_at_again(engine: Engine) -> None:
    verdict = push(engine, pushed("a" * 20))

    (kept,) = kept_rows(engine)
    assert (verdict, kept["outcome"], kept["due_at"]) == (PushOutcome.UNREADABLE, "unreadable", None)


def test_a_report_that_came_before_the_gateways_id_was_known_is_read_again(engine: Engine) -> None:
    marked = out(engine)
    early = push(engine, pushed(), told(provider_ref="918273"))
    record(engine, replace(result(marked, M.ACCEPTED), provider_ref="918273"))
    at_once = read_all(engine, told(provider_ref="918273"))
    do(engine, lambda connection: connection.execute(update(PUSHED_REPORTS).values(due_at=0)))

    late = read_all(engine, told(provider_ref="918273"))

    assert (early, at_once, late) == (PushOutcome.UNKNOWN, [], [PushOutcome.MATCHED])
    assert states(engine) == ["delivered"]


@pytest.mark.parametrize(("age_ms", "is_over"), [(3 * DAY_MS - 60_000, False), (3 * DAY_MS, True)])
def test_a_report_of_no_known_message_is_given_up_after_three_days(
    engine: Engine, age_ms: int, *, is_over: bool
) -> None:
    do(engine, deliveries.append, [pushed("z" * 20)])
    change = update(PUSHED_REPORTS).values(received_at=ago(age_ms))
    do(engine, lambda connection: connection.execute(change))

    read_all(engine, told())

    (kept,) = kept_rows(engine)
    assert (kept["due_at"] is None) is is_over


def test_a_call_that_speaks_of_several_is_done_when_each_is_known(engine: Engine) -> None:
    marked = accepted(engine, 2)
    stranger = told(msisdn="+4599999999")

    half = push(engine, pushed(marked.reference), told(of=marked), stranger)
    whole = push(engine, pushed(marked.reference), told(of=marked), told(M.UNDELIVERED, of=marked, n=1))

    assert (half, whole) == (PushOutcome.UNKNOWN, PushOutcome.MATCHED)
    assert states(engine) == ["delivered", "undelivered"]


# --- what follows for the message


def test_a_report_settles_what_was_unknown(engine: Engine) -> None:
    marked = out(engine, 2)
    record(engine, unclear(marked))

    push(engine, pushed(marked.reference), told(of=marked, code="1", detail="delivered"))

    first, second = rows(engine)
    assert (first["state"], first["code"], first["detail"]) == ("delivered", "1", "delivered")
    assert (first["n_doubts"], second["state"]) == (0, "unknown")
    assert [each["outcome"] for each in submissions(engine)] == ["answered"]
    assert_counts(engine)


def test_a_report_is_quicker_than_the_answer_and_the_price_is_written_all_the_same(engine: Engine) -> None:
    marked = out(engine, 2)

    push(engine, pushed(marked.reference), told(of=marked))
    between = states(engine), [each["outcome"] for each in submissions(engine)]
    record(
        engine,
        result(marked, M.ACCEPTED, provider_ref="abc", billed_parts=1, billed_cost=Decimal("0.350")),
    )

    billed = [
        (row["state"], row["provider_ref"], row["billed_parts"], row["billed_cost"]) for row in rows(engine)
    ]
    assert between == (["delivered", "submitting"], ["open"])
    assert billed == [("delivered", "abc", 1, "0.350"), ("accepted", "abc", 1, "0.350")]
    assert [each["outcome"] for each in submissions(engine)] == ["answered"]
    assert_counts(engine)


def test_a_report_between_mark_and_sweep_leaves_nothing_that_does_not_add_up(engine: Engine) -> None:
    held = lease(engine, run_campaign(engine, 2))
    (marked,) = mark(engine, held)
    change_batch(engine, held.batch_id, lease_until=ago(1))
    push(engine, pushed(marked.reference), told(of=marked))

    sweep(engine)

    with snapshot(engine) as connection:
        problems = [each.code for each in audit.audit(connection).findings if each.is_problem]
    assert (states(engine), problems) == (["delivered", "unknown"], [])
    assert_counts(engine)


@pytest.mark.parametrize("end", [M.REJECTED, M.SUPPRESSED, M.QUEUED])
def test_a_report_counts_against_what_the_answer_said(engine: Engine, end: MessageState) -> None:
    marked = out(engine)
    record(engine, result(marked, end))

    push(engine, pushed(marked.reference), told(M.ACCEPTED, of=marked))

    assert states(engine) == ["accepted"]
    assert_counts(engine)


def test_a_report_of_an_earlier_request_is_proof_and_raises_the_alarm_while_another_is_out(
    engine: Engine,
) -> None:
    held = lease(engine, run_campaign(engine, 1))
    (first,) = mark(engine, held)
    record(engine, result(first, M.QUEUED))
    mark(engine, held)

    push(engine, pushed(first.reference), told(of=first))

    (row,) = rows(engine)
    assert (row["state"], row["is_doubled"], row["submission_id"]) == ("delivered", True, 1)
    assert earlier(engine) == [(1, 1), (1, 2)]


def test_a_report_settles_what_a_person_has_given_up(engine: Engine) -> None:
    marked = out(engine)
    record(engine, unclear(marked))
    do(engine, settling.settle, M.FAILED, author="ann")

    push(engine, pushed(marked.reference), told(of=marked))

    assert states(engine) == ["delivered"]


def test_what_was_reported_is_in_the_history_of_the_message(engine: Engine) -> None:
    marked = accepted(engine)
    push(engine, pushed(marked.reference), told(M.ACCEPTED, of=marked, code="4"))
    push(engine, pushed(marked.reference), told(of=marked, code="1", told_at=5))

    history = do(engine, messages.history, 1)

    said = [(each["state"], each["code"], each["told_at"]) for each in history["reports"]]
    assert said == [("accepted", "4", None), ("delivered", "1", 5)]


def say(engine: Engine, marked: Marked, state: MessageState | None) -> None:
    """Let the answer come, or a report."""
    if state is None:
        record(engine, result(marked, M.ACCEPTED, billed_parts=1))
    else:
        push(engine, pushed(marked.reference), told(state, of=marked))


def test_in_any_order_with_answer_and_repeats_reports_lead_to_the_same_ledger(sqlite_engine: Engine) -> None:
    ends = set()
    for order in itertools.permutations([None, M.ACCEPTED, M.EXPIRED, M.DELIVERED]):
        marked = out(sqlite_engine, name=f"{order}")
        for state in (*order, order[0]):
            say(sqlite_engine, marked, state)
        row = rows(sqlite_engine)[-1]
        ends.add((row["state"], row["billed_parts"], row["is_doubled"], row["n_doubts"]))

    assert ends == {("delivered", 1, False, 0)}
    assert_counts(sqlite_engine)


def test_reports_of_many_requests_are_written_at_once(engine: Engine) -> None:
    held = lease(engine, run_campaign(engine, messages=some_messages(20), n=20))
    marked = mark(engine, held, *([row] for row in due_rows(engine, held)))
    record(engine, *(result(each, M.ACCEPTED) for each in marked))
    release(engine, held)
    do(engine, deliveries.append, [pushed(each.reference) for each in marked])

    verdicts = read_all(engine, told())

    assert verdicts == [PushOutcome.MATCHED] * 20
    assert states(engine) == ["delivered"] * 20
    assert_counts(engine)
