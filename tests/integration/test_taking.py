"""Taking back what a gateway keeps until its time."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import ClassVar

import pytest
from sqlalchemy import Engine, update

from tests.conftest import free_port
from tests.keeping import (
    NONSENSE,
    OBEYS,
    REST_S,
    SOON_MS,
    TOO_LATE,
    Answering,
    Keeping,
    all_steps,
    handed_over,
    schedule,
    taker,
    takings,
)
from tests.ledgers import (
    LOGIN,
    PROVIDER,
    ago,
    assert_counts,
    cancel,
    change_submissions,
    due_rows,
    half_answered,
    lease,
    mark,
    record,
    release,
    result,
    rows,
    run_campaign,
    states,
    submissions,
    unclear,
)
from tests.sandbox.running import Sandbox
from worker.gateways.base import Capabilities
from worker.gateways.cpsms.adapter import Cpsms
from worker.gateways.http import Client
from worker.ledger import kept, taking
from worker.ledger.engine import reading, writing
from worker.ledger.models import CAMPAIGNS
from worker.ledger.values import Marked
from worker.retry import Policy
from worker.sending.record import Judge
from worker.sending.submit import Gateway
from worker.settings import Timers
from worker.states import MessageState, SubmissionOutcome, Taking
from worker.upkeep import Upkeep
from worker.waiting import within

CPSMS_LIMIT_S = Cpsms.capabilities.cancel_ahead_s or 0.0
JUDGE = Judge(policy=Policy(attempts=3, first_s=60, longest_s=600), random=lambda: 1.0)


# --- whom it concerns


def test_what_is_given_back_is_cancelled(engine: Engine) -> None:
    marked = handed_over(engine)
    cancel(engine, 1)
    gateway = Answering([OBEYS])

    assert all_steps(taker(engine, gateway)) == [2]
    assert [(row["state"], row["code"]) for row in rows(engine)] == [("cancelled", "taken_back")] * 2
    assert takings(engine) == ["back"]
    assert gateway.asked[0].url.endswith(marked.reference)
    assert_counts(engine)


def test_of_a_campaign_that_goes_on_nothing_is_taken_back(engine: Engine) -> None:
    handed_over(engine)

    assert all_steps(taker(engine, Answering([]))) == []


def test_another_login_is_not_told(engine: Engine) -> None:
    handed_over(engine)
    change_submissions(engine, login="former")
    cancel(engine, 1)

    assert all_steps(taker(engine, Answering([]))) == []
    assert takings(engine) == [None]


@pytest.mark.parametrize("ahead_ms", [0, -1000])
def test_what_has_left_is_not_asked_for(engine: Engine, ahead_ms: int) -> None:
    handed_over(engine, ahead_ms=ahead_ms)
    cancel(engine, 1)

    assert all_steps(taker(engine, Answering([]))) == []


def test_what_was_given_no_time_is_not_asked_for(engine: Engine) -> None:
    handed_over(engine)
    with writing(engine) as connection:
        connection.execute(update(CAMPAIGNS).values(leaves_at=None))
    cancel(engine, 1)

    assert all_steps(taker(engine, Answering([]))) == []


def test_a_request_that_is_out_is_waited_for(engine: Engine) -> None:
    held = lease(engine, run_campaign(engine, 2))
    (marked,) = mark(engine, held)
    schedule(engine)
    cancel(engine, 1)
    gateway = Answering([OBEYS])

    before = all_steps(taker(engine, gateway))
    record(engine, result(marked, MessageState.ACCEPTED))

    assert (before, all_steps(taker(engine, gateway))) == ([], [2])
    assert_counts(engine)


def test_only_what_the_gateway_took_is_cancelled(engine: Engine) -> None:
    held = lease(engine, run_campaign(engine, 3))
    (marked,) = mark(engine, held)
    record(engine, half_answered(marked))
    record(engine, result(Marked(reference=marked.reference, rows=marked.rows[:1]), MessageState.REJECTED))
    release(engine, held)
    schedule(engine)
    cancel(engine, 1)

    assert all_steps(taker(engine, Answering([OBEYS]))) == [2]
    assert states(engine) == ["rejected", "cancelled", "cancelled"]
    assert [row["n_doubts"] for row in rows(engine)] == [0, 0, 0]
    assert_counts(engine)


def test_a_gateway_that_gives_nothing_back_is_not_told(engine: Engine) -> None:
    handed_over(engine)
    cancel(engine, 1)

    assert not taker(engine, Answering([]), kind=Keeping).is_able
    assert all_steps(taker(engine, Answering([]), kind=Keeping)) == []


# --- what it answers


def test_what_is_too_late_stays_accepted_and_is_not_asked_for_again(engine: Engine) -> None:
    handed_over(engine, ahead_ms=SOON_MS)
    cancel(engine, 1)

    assert all_steps(taker(engine, Answering([TOO_LATE]), again_s=0)) == [0]
    assert (states(engine), takings(engine)) == (["accepted"] * 2, ["too_late"])


def test_what_is_unclear_is_asked_for_again_after_a_rest(engine: Engine) -> None:
    handed_over(engine)
    cancel(engine, 1)
    gateway = Answering([NONSENSE, OBEYS])

    first = all_steps(taker(engine, gateway))
    unclear_ = takings(engine)
    change_submissions(engine, taking_at=ago(int(1000 * REST_S)))

    assert (first, unclear_, states(engine)) == ([0], ["unclear"], ["accepted"] * 2)
    assert all_steps(taker(engine, gateway)) == [2]
    assert states(engine) == ["cancelled"] * 2


def test_after_an_unclear_answer_nothing_there_may_mean_that_it_was_given_back(engine: Engine) -> None:
    handed_over(engine, ahead_ms=SOON_MS)
    cancel(engine, 1)
    all_steps(taker(engine, Answering([NONSENSE])))
    change_submissions(engine, taking_at=None)

    all_steps(taker(engine, Answering([TOO_LATE])))

    assert (states(engine), takings(engine)) == (["accepted"] * 2, ["unclear"])


def test_a_gateway_that_is_away_was_not_told(engine: Engine) -> None:
    handed_over(engine)
    cancel(engine, 1)
    with ExitStack() as stack:
        client = Client(connections=1, timeout_s=2)
        stack.callback(client.close)
        adapter = Cpsms(base_url=f"http://127.0.0.1:{free_port()}/v2", username="acme", secret="key")
        away = replace(taker(engine, client), adapter=adapter)

        assert all_steps(away) == [0]
    assert (states(engine), takings(engine)) == (["accepted"] * 2, [None])


def test_what_nobody_knew_is_settled_when_it_is_given_back(engine: Engine) -> None:
    held = lease(engine, run_campaign(engine, 2))
    (marked,) = mark(engine, held)
    record(engine, unclear(marked))
    release(engine, held)
    schedule(engine)
    cancel(engine, 1)

    assert all_steps(taker(engine, Answering([OBEYS]), quarantine_s=0)) == [2]
    assert states(engine) == ["cancelled"] * 2
    assert [row["n_doubts"] for row in rows(engine)] == [0, 0]
    assert [each["outcome"] for each in submissions(engine)] == ["answered"]
    assert_counts(engine)


def test_a_request_of_which_nobody_knows_may_still_be_on_its_way(engine: Engine) -> None:
    held = lease(engine, run_campaign(engine, 2))
    (marked,) = mark(engine, held)
    record(engine, unclear(marked))
    schedule(engine, ahead_ms=SOON_MS)
    cancel(engine, 1)

    all_steps(taker(engine, Answering([TOO_LATE])))

    assert (states(engine), takings(engine)) == (["unknown"] * 2, ["unclear"])


# --- a gateway that may say that it gave back what it has not got


class Seeing(Cpsms):
    """A gateway that says so only of what it has."""

    capabilities: ClassVar[Capabilities] = replace(Cpsms.capabilities, cancels_blindly=False)


def nobody_knows(engine: Engine) -> Marked:
    """Hand a campaign over in one request, of which nobody knows whether it came; cancel the campaign."""
    held = lease(engine, run_campaign(engine, 2))
    (marked,) = mark(engine, held)
    record(engine, unclear(marked))
    release(engine, held)
    schedule(engine)
    cancel(engine, 1)
    return marked


def test_of_a_request_of_which_nobody_knows_its_success_is_not_believed_at_once(engine: Engine) -> None:
    nobody_knows(engine)

    assert all_steps(taker(engine, Answering([OBEYS]))) == [0]
    assert (states(engine), takings(engine)) == (["unknown"] * 2, ["unclear"])
    assert_counts(engine)


@pytest.mark.parametrize(("age_s", "is_believed"), [(898, False), (901, True)])
def test_it_is_believed_when_the_request_cannot_be_on_its_way_any_more(
    engine: Engine, age_s: int, *, is_believed: bool
) -> None:
    nobody_knows(engine)
    change_submissions(engine, ended_at=ago(1000 * age_s))

    assert all_steps(taker(engine, Answering([OBEYS]))) == [2 if is_believed else 0]


def test_it_is_believed_when_the_gateway_has_told_that_the_request_is_there(engine: Engine) -> None:
    marked = nobody_knows(engine)
    first = all_steps(taker(engine, Answering([OBEYS])))
    record(engine, result(marked, MessageState.ACCEPTED))
    change_submissions(engine, taking_at=ago(int(1000 * REST_S)))

    assert first == [0]
    assert all_steps(taker(engine, Answering([OBEYS]))) == [2]
    assert states(engine) == ["cancelled"] * 2


def test_a_gateway_that_says_so_only_of_what_it_has_is_believed_at_once(engine: Engine) -> None:
    nobody_knows(engine)

    assert all_steps(taker(engine, Answering([OBEYS]), kind=Seeing)) == [2]


# --- what is nearer than its gateway gives anything back

NEAR_MS = 300_000


class Telling(Cpsms):
    """A gateway that gives back until the end, and says itself when it is too late."""

    capabilities: ClassVar[Capabilities] = replace(Cpsms.capabilities, cancel_ahead_s=0.0)


def test_a_gateway_with_a_limit_is_not_told_past_it(engine: Engine) -> None:
    handed_over(engine, ahead_ms=NEAR_MS)
    cancel(engine, 1)

    assert all_steps(taker(engine, Answering([]), again_s=0)) == [0]
    assert (states(engine), takings(engine)) == (["accepted"] * 2, ["too_late"])


def test_its_clock_may_be_a_minute_before_ours(engine: Engine) -> None:
    handed_over(engine, ahead_ms=int(1000 * (CPSMS_LIMIT_S + 59)))
    cancel(engine, 1)

    all_steps(taker(engine, Answering([])))

    assert takings(engine) == ["too_late"]


def test_a_gateway_without_a_limit_is_told_until_the_end(engine: Engine) -> None:
    handed_over(engine, ahead_ms=30_000)
    cancel(engine, 1)

    assert all_steps(taker(engine, Answering([OBEYS]), kind=Telling)) == [2]


def test_past_its_limit_it_stays_unclear_what_becomes_of_what_nobody_knew(engine: Engine) -> None:
    held = lease(engine, run_campaign(engine, 2))
    (marked,) = mark(engine, held)
    record(engine, unclear(marked))
    schedule(engine, ahead_ms=NEAR_MS)
    cancel(engine, 1)

    assert all_steps(taker(engine, Answering([]), again_s=0)) == [0]
    assert (states(engine), takings(engine)) == (["unknown"] * 2, ["unclear"])


def test_what_was_unclear_before_its_limit_stays_so_past_it(engine: Engine) -> None:
    handed_over(engine)
    cancel(engine, 1)
    all_steps(taker(engine, Answering([NONSENSE])))
    change_submissions(engine, taking_at=None)
    schedule(engine, ahead_ms=NEAR_MS)

    assert all_steps(taker(engine, Answering([]))) == []
    assert (states(engine), takings(engine)) == (["accepted"] * 2, ["unclear"])


def test_a_success_that_came_past_the_limit_is_unclear(engine: Engine) -> None:
    handed_over(engine, ahead_ms=int(1000 * (CPSMS_LIMIT_S + 61)))
    cancel(engine, 1)
    gateway = Answering([OBEYS], before=lambda: bool(within(1.1, lambda: False)))

    assert all_steps(taker(engine, gateway)) == [0]
    assert (states(engine), takings(engine)) == (["accepted"] * 2, ["unclear"])


def test_what_was_given_back_before_stays_so_past_the_limit_whatever_a_late_report_says(
    engine: Engine,
) -> None:
    marked = handed_over(engine)
    cancel(engine, 1)
    all_steps(taker(engine, Answering([OBEYS])))
    schedule(engine, ahead_ms=NEAR_MS)
    buffered = replace(result(marked, MessageState.ACCEPTED, code="4"), outcome=SubmissionOutcome.OPEN)

    assert record(engine, buffered) == 0
    assert all_steps(taker(engine, Answering([]))) == []
    assert [(row["state"], row["code"]) for row in rows(engine)] == [("cancelled", "taken_back")] * 2
    assert_counts(engine)


# --- whoever is killed, late or at the same time


def test_whoever_is_killed_while_it_asks_leaves_it_unclear(engine: Engine) -> None:
    def die() -> None:
        raise KeyboardInterrupt

    handed_over(engine)
    cancel(engine, 1)

    with pytest.raises(KeyboardInterrupt):
        taker(engine, Answering([OBEYS], before=die)).step()

    assert (states(engine), takings(engine)) == (["accepted"] * 2, ["unclear"])


def test_an_acceptance_that_comes_late_does_not_bring_it_back(engine: Engine) -> None:
    marked = nobody_knows(engine)
    all_steps(taker(engine, Answering([OBEYS]), quarantine_s=0))
    schedule(engine, ahead_ms=-1000)

    assert record(engine, result(marked, MessageState.ACCEPTED)) == 0
    assert states(engine) == ["cancelled"] * 2
    assert_counts(engine)


def test_what_arrived_although_it_was_given_back_is_told(engine: Engine) -> None:
    marked = handed_over(engine)
    cancel(engine, 1)
    all_steps(taker(engine, Answering([OBEYS])))

    record(engine, replace(result(marked, MessageState.DELIVERED), outcome=SubmissionOutcome.OPEN))

    assert states(engine) == ["delivered"] * 2
    assert_counts(engine)


def test_of_two_who_see_the_wish_one_tells_the_gateway(engine: Engine) -> None:
    handed_over(engine)
    cancel(engine, 1)
    with reading(engine) as connection:
        wish = taking.next_wish(connection, PROVIDER, login=LOGIN, again_ms=1000, ahead_ms=0)
    assert wish is not None

    claims = []
    for _ in range(2):
        with writing(engine) as connection:
            claims.append(taking.claim(connection, wish))

    assert [claim is not None for claim in claims] == [True, False]


def test_where_it_all_stands_is_told_by_provider_and_answer(engine: Engine) -> None:
    handed_over(engine, 3, ahead_ms=SOON_MS)
    cancel(engine, 1)
    all_steps(taker(engine, Answering([TOO_LATE])))

    with reading(engine) as connection:
        standing = kept.standing(connection, 1)
        providers = kept.providers(connection, 1)

    assert dict(standing.kept) == {(PROVIDER, Taking.TOO_LATE): 3}
    assert (standing.back, standing.submitting, standing.is_over, providers) == (0, 0, False, [PROVIDER])


# --- a real gateway


@pytest.fixture
def client() -> Iterator[Client]:
    with ExitStack() as stack:
        client = Client(connections=1, timeout_s=2.0)
        stack.callback(client.close)
        yield client


def hand_in(engine: Engine, sandbox: Sandbox, client: Client) -> Upkeep:
    """Send a campaign, in one request, to be kept; cancel it, and return who takes it back."""
    batch_id = run_campaign(engine, 3)
    schedule(engine)
    held = lease(engine, batch_id)
    (marked,) = mark(engine, held, due_rows(engine, held))
    adapter = Cpsms(base_url=f"{sandbox.url}/cpsms/v2", username="acme", secret="key")
    gateway = Gateway(adapter=adapter, client=client, options={})
    record(engine, JUDGE.ended(marked, gateway.submit(held, marked, before_write=lambda: None)).result)
    release(engine, held)
    return Upkeep(
        provider=PROVIDER, login=LOGIN, engine=engine, adapter=adapter, client=client, timers=Timers()
    )


def test_upkeep_takes_back_from_the_gateway_what_was_handed_over(
    engine: Engine, sandbox: Sandbox, client: Client
) -> None:
    upkeep = hand_in(engine, sandbox, client)
    accepted = states(engine)
    cancel(engine, 1)

    assert upkeep.take_back() == 3
    assert (accepted, states(engine)) == (["accepted"] * 3, ["cancelled"] * 3)
    assert sandbox.stats()["cancelled"] == 3
    assert_counts(engine)


def test_a_request_that_the_gateway_takes_after_it_was_told_is_not_called_cancelled(
    engine: Engine, sandbox: Sandbox, client: Client
) -> None:
    sandbox.set_faults(latency_ms=3000, delete_nothing=200)
    upkeep = hand_in(engine, sandbox, client)
    cancel(engine, 1)
    n_back = upkeep.take_back()
    n_before = sandbox.stats()["accepted"]

    assert within(10, lambda: sandbox.stats()["accepted"] == 3)
    assert (n_before, n_back) == (0, 0)
    assert (states(engine), takings(engine)) == (["unknown"] * 3, ["unclear"])
