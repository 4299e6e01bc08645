"""Which requests a gateway is to give back, when it is told, and what is noted of it."""

from dataclasses import dataclass, field, replace

import pytest
from sqlalchemy import Engine, event

from tests.keeping import (
    HALF_AN_HOUR_MS,
    NONSENSE,
    OBEYS,
    SOON_MS,
    TOO_LATE,
    Answering,
    all_steps,
    handed_over,
    schedule,
    taker,
    takings,
)
from tests.ledgers import (
    FALLBACK,
    LOGIN,
    PROVIDER,
    ago,
    assert_counts,
    cancel,
    change_submissions,
    do,
    lease,
    lose,
    mark,
    only_batch,
    record,
    release,
    result,
    run_campaign,
    states,
    submissions,
)
from worker.errors import ConfigError, NotSent
from worker.gateways.base import HttpRequest
from worker.gateways.cpsms.adapter import Cpsms
from worker.ledger import control, kept, settling, taking
from worker.ledger.engine import now_of, reading
from worker.states import MessageState, Taking
from worker.taking import rest_s

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
MONTH_MS = 30 * 24 * HOUR_MS
M = MessageState


@dataclass
class Looks:
    """The statements that a database was asked, and how it would look each of them up."""

    engine: Engine
    asked: list[tuple[str, object]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Begin."""
        event.listen(self.engine, "before_cursor_execute", self._note)

    def _note(self, *given: object) -> None:
        self.asked.append((str(given[2]), given[3]))

    def at_wishes(self) -> list[str]:
        """Return the plans of those that look for wishes."""
        about = [each for each in self.asked if "taking_at" in each[0]]
        with reading(self.engine) as connection:
            return [
                str(connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}", given).all())  # type: ignore[arg-type]
                for query, given in about
            ]


def settle(engine: Engine, target: MessageState) -> None:
    """Settle what is unknown as a person does."""
    while do(engine, settling.settle, target, author="ann", campaign_id=1) is not None:
        pass


def cancel_all(engine: Engine) -> None:
    """Cancel a campaign with what is queued of it."""
    cancel(engine, 1)
    while do(engine, control.cancel_rows, 1) is not None:
        pass


def resent(engine: Engine) -> None:
    """Hand a message over in a request of which nobody knows, then in another on a person's order."""
    lose(engine, 1)
    settle(engine, M.QUEUED)
    with reading(engine) as connection:
        batch_id = only_batch(connection, 1)
    held = lease(engine, batch_id)
    (again,) = mark(engine, held)
    record(engine, result(again, M.ACCEPTED))
    release(engine, held)
    schedule(engine)


# --- where they are looked for


def test_wishes_are_looked_for_in_the_batches_of_what_is_cancelled(sqlite_engine: Engine) -> None:
    handed_over(sqlite_engine)
    cancel(sqlite_engine, 1)
    looks = Looks(sqlite_engine)

    all_steps(taker(sqlite_engine, Answering([NONSENSE])))

    plans = looks.at_wishes()
    assert any("ix_submissions_batch_id" in plan for plan in plans)
    assert not any(
        "ix_submissions_provider_started_at" in plan or "SCAN submissions" in plan for plan in plans
    )


def test_where_all_was_given_back_no_request_is_looked_at(sqlite_engine: Engine) -> None:
    handed_over(sqlite_engine)
    cancel(sqlite_engine, 1)
    all_steps(taker(sqlite_engine, Answering([OBEYS])))
    looks = Looks(sqlite_engine)

    all_steps(taker(sqlite_engine, Answering([])))

    assert looks.asked
    assert not [query for query, _ in looks.asked if "FROM submissions" in query]


def test_doubts_are_found_by_an_index_of_their_own(sqlite_engine: Engine) -> None:
    resent(sqlite_engine)
    cancel(sqlite_engine, 1)
    all_steps(taker(sqlite_engine, Answering([OBEYS, NONSENSE])))
    looks = Looks(sqlite_engine)

    all_steps(taker(sqlite_engine, Answering([])))

    (plan,) = looks.at_wishes()
    assert "ix_messages_in_doubt" in plan
    assert "SCAN submissions" not in plan


def test_what_went_to_the_fallback_and_was_accepted_before_is_taken_back(engine: Engine) -> None:
    held = lease(engine, run_campaign(engine, 1, fallback=FALLBACK))
    (marked,) = mark(engine, held)
    record(engine, result(marked, M.QUEUED, gives_up=True))
    record(engine, result(marked, M.ACCEPTED))
    release(engine, held)
    schedule(engine)
    cancel_all(engine)

    assert all_steps(taker(engine, Answering([OBEYS]))) == [1]
    assert states(engine) == ["cancelled"]
    assert_counts(engine)


# --- requests of which nobody knows, whose message is elsewhere


def test_an_earlier_request_that_may_be_kept_is_taken_back_too(engine: Engine) -> None:
    resent(engine)
    cancel(engine, 1)
    gateway = Answering([OBEYS, OBEYS])

    assert sorted(all_steps(taker(engine, gateway, quarantine_s=0))) == [0, 1]
    asked = {request.url.rpartition("/")[2] for request in gateway.asked}
    assert asked == {each["reference"] for each in submissions(engine)}
    assert (states(engine), takings(engine)) == (["cancelled"], ["back"] * 2)
    assert_counts(engine)


def test_what_was_settled_as_failed_may_be_kept(engine: Engine) -> None:
    lose(engine, 1)
    settle(engine, M.FAILED)
    schedule(engine)
    cancel(engine, 1)

    assert all_steps(taker(engine, Answering([OBEYS]), quarantine_s=0)) == [0]
    assert (states(engine), takings(engine)) == (["failed"], ["back"])


def test_what_was_to_be_sent_again_and_was_cancelled_instead_may_be_kept(engine: Engine) -> None:
    lose(engine, 1)
    settle(engine, M.QUEUED)
    schedule(engine)
    cancel_all(engine)

    assert all_steps(taker(engine, Answering([OBEYS]), quarantine_s=0)) == [0]
    assert (states(engine), takings(engine)) == (["cancelled"], ["back"])


def test_a_request_that_was_refused_before_is_not_asked_for(engine: Engine) -> None:
    held = lease(engine, run_campaign(engine, 1))
    (first,) = mark(engine, held)
    record(engine, result(first, M.QUEUED))
    (again,) = mark(engine, held)
    record(engine, result(again, M.ACCEPTED))
    schedule(engine)
    cancel(engine, 1)

    assert all_steps(taker(engine, Answering([OBEYS]))) == [1]
    assert takings(engine) == [None, "back"]


def test_an_earlier_request_that_may_be_kept_still_is_told(engine: Engine) -> None:
    resent(engine)
    cancel(engine, 1)
    all_steps(taker(engine, Answering([OBEYS, NONSENSE])))

    with reading(engine) as connection:
        standing = kept.standing(connection, 1)

    assert (standing.back, dict(standing.kept)) == (1, {})
    assert dict(standing.doubtful) == {(PROVIDER, Taking.UNCLEAR): 1}


# --- what is believed


def test_nothing_there_long_before_the_time_does_not_mean_that_it_is_too_late(engine: Engine) -> None:
    handed_over(engine)
    cancel(engine, 1)

    all_steps(taker(engine, Answering([TOO_LATE])))

    assert takings(engine) == ["unclear"]


def told_by_another(engine: Engine) -> None:
    """Let another taker tell the gateway once more, which obeys, and be killed before it notes that."""

    def die() -> None:
        raise KeyboardInterrupt

    change_submissions(engine, taking_at=ago(2 * MINUTE_MS))
    with pytest.raises(KeyboardInterrupt):
        taker(engine, Answering([OBEYS], before=die)).step()


def test_nothing_there_may_mean_that_another_has_taken_it_back(engine: Engine) -> None:
    handed_over(engine, ahead_ms=SOON_MS)
    cancel(engine, 1)

    taker(engine, Answering([TOO_LATE], before=lambda: told_by_another(engine))).step()

    assert takings(engine) == ["unclear"]


def test_who_did_not_reach_the_gateway_does_not_undo_what_another_has_told_it(engine: Engine) -> None:
    def fail() -> None:
        told_by_another(engine)
        raise NotSent("away")

    handed_over(engine)
    cancel(engine, 1)

    taker(engine, Answering([OBEYS], before=fail)).step()

    assert takings(engine) == ["unclear"]


def test_who_read_a_wish_long_ago_does_not_claim_it(engine: Engine) -> None:
    handed_over(engine)
    cancel(engine, 1)
    with reading(engine) as connection:
        wish = taking.next_wish(connection, PROVIDER, login=LOGIN, again_ms=0, ahead_ms=0)
    assert wish is not None
    change_submissions(engine, taken="unclear", taking_at=ago(HOUR_MS))

    assert do(engine, taking.claim, wish) is None


@pytest.mark.parametrize(("check_s", "timeout_s", "rests_s"), [(5, 10, 15), (60, 10, 60)])
def test_a_wish_rests_for_longer_than_a_call_may_last(
    check_s: float, timeout_s: float, rests_s: float
) -> None:
    assert rest_s(check_s, timeout_s=timeout_s) == rests_s


# --- how often it is told


@pytest.mark.parametrize(
    ("ended_ms", "told_ms", "ahead_ms", "is_due"),
    [
        (8 * MINUTE_MS, 50_000, MONTH_MS, False),
        (8 * MINUTE_MS, 70_000, MONTH_MS, True),
        (MONTH_MS, 50 * MINUTE_MS, MONTH_MS, False),
        (MONTH_MS, 70 * MINUTE_MS, MONTH_MS, True),
        (MONTH_MS, 70_000, 8 * MINUTE_MS, True),
        (MONTH_MS, 4000, 8000, False),
    ],
)
def test_what_is_unclear_is_told_less_often_in_time_and_more_often_near_the_end(
    engine: Engine, ended_ms: int, told_ms: int, ahead_ms: int, *, is_due: bool
) -> None:
    handed_over(engine, ahead_ms=ahead_ms)
    cancel(engine, 1)
    change_submissions(engine, ended_at=ago(ended_ms), taking_at=ago(told_ms), taken="unclear")

    with reading(engine) as connection:
        wish = taking.next_wish(connection, PROVIDER, login=LOGIN, again_ms=5000, ahead_ms=0)

    assert (wish is not None) is is_due


@pytest.mark.parametrize(("told_ms", "is_due"), [(-1000, False), (3000, False), (6000, True)])
def test_by_a_persons_order_it_is_told_at_once_and_only_once(
    engine: Engine, told_ms: int, *, is_due: bool
) -> None:
    handed_over(engine, ahead_ms=MONTH_MS)
    cancel(engine, 1)
    change_submissions(engine, ended_at=ago(MONTH_MS), taking_at=ago(told_ms), taken="unclear")

    with reading(engine) as connection:
        wish = taking.next_wish(
            connection, PROVIDER, login=LOGIN, again_ms=5000, ahead_ms=0, since=now_of(connection)
        )

    assert (wish is not None) is is_due


class Nameless(Cpsms):
    """A gateway that takes back only what it has given an id."""

    def cancel(self, *, reference: str, provider_ref: str | None) -> HttpRequest:
        """Refuse."""
        raise ConfigError(f"submission {reference} has no id, {provider_ref}")


def test_what_has_no_id_to_be_told_by_is_not_noted_as_told_and_rests(engine: Engine) -> None:
    handed_over(engine)
    cancel(engine, 1)
    gateway = Answering([])

    step = taker(engine, gateway, kind=Nameless).step()
    after = all_steps(taker(engine, gateway, kind=Nameless))

    assert step is not None
    assert (step.is_nameless, after, takings(engine)) == (True, [], [None])


def test_what_could_not_be_told_is_told_as_soon_as_the_gateway_is_there(engine: Engine) -> None:
    def fail() -> None:
        raise NotSent("away")

    handed_over(engine, ahead_ms=HALF_AN_HOUR_MS)
    cancel(engine, 1)
    change_submissions(engine, ended_at=ago(MONTH_MS))
    away = taker(engine, Answering([], before=fail))

    assert all_steps(away) == [0]
    assert all_steps(replace(away, client=Answering([OBEYS]))) == [2]  # type: ignore[arg-type]
