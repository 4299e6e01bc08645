import pytest
from sqlalchemy import Engine

from tests.ledgers import (
    PROVIDER,
    do,
    due_rows,
    lease,
    mark,
    record,
    release,
    result,
    run_campaign,
    unclear,
)
from worker.ledger import control, orders, refusals, reports
from worker.ledger.batches import Lease
from worker.ledger.engine import reading
from worker.ledger.refusals import Refused
from worker.sending.record import Ended
from worker.sending.refusals import Refusals
from worker.settings import Campaigns
from worker.states import MessageState

M = MessageState
RULE = Campaigns(pause_refused="50%", pause_refused_of=8)  # type: ignore[arg-type]  # as it is written


def answer(engine: Engine, held: Lease, *states: MessageState) -> list[Ended]:
    """Send the next messages, one in each request, and record what became of them."""
    found = due_rows(engine, held)[: len(states)]
    marked = mark(engine, held, *([row] for row in found))
    results = [
        result(each, state, code="12" if state is M.REJECTED else None)
        for each, state in zip(marked, states, strict=True)
    ]
    record(engine, *results)
    return [Ended(result=each) for each in results]


def look(engine: Engine, *, campaign_id: int = 1, n: int = 8) -> Refused:
    with reading(engine) as connection:
        return refusals.last_outcomes(connection, campaign_id, PROVIDER, n=n)


def state_of(engine: Engine) -> tuple[str, str | None]:
    with reading(engine) as connection:
        found = reports.report(connection, 1)
    return found.state, found.reason


def test_of_the_last_outcomes_those_that_were_refused_for_good_are_counted(engine: Engine) -> None:
    held = lease(engine, run_campaign(engine, 6))

    answer(engine, held, M.ACCEPTED, M.REJECTED, M.QUEUED, M.REJECTED)

    assert look(engine) == Refused(n_outcomes=3, n_refused=2, code="12")


def test_what_nobody_knows_is_no_outcome(engine: Engine) -> None:
    held = lease(engine, run_campaign(engine, 3))
    (marked,) = mark(engine, held, due_rows(engine, held)[:1])
    record(engine, unclear(marked))
    answer(engine, held, M.REJECTED)

    assert look(engine) == Refused(n_outcomes=1, n_refused=1, code="12")


def test_only_the_newest_requests_are_looked_at(engine: Engine) -> None:
    held = lease(engine, run_campaign(engine, 12))
    answer(engine, held, *[M.REJECTED] * 6)
    answer(engine, held, *[M.ACCEPTED] * 6)

    assert look(engine, n=4).n_refused <= 1  # those of one millisecond have no order
    assert look(engine, n=12).n_refused == 6


def test_those_of_another_campaign_do_not_count(engine: Engine) -> None:
    held = lease(engine, run_campaign(engine, 2))
    other = lease(engine, run_campaign(engine, 2, name="autumn"), owner="two")
    answer(engine, held, M.ACCEPTED)
    answer(engine, other, M.REJECTED)

    assert look(engine).n_refused == 0
    assert look(engine, campaign_id=2).n_refused == 1


def test_after_a_person_has_let_it_go_on_only_what_came_since_counts(engine: Engine) -> None:
    held = lease(engine, run_campaign(engine, 6))
    answer(engine, held, M.REJECTED, M.REJECTED)
    do(engine, control.pause, 1, reason="why", author="ann")
    do(engine, control.resume, 1, author="ann")

    after_resume = look(engine)
    answer(engine, held, M.REJECTED)

    assert after_resume.n_outcomes == 0
    assert look(engine).n_outcomes <= 1  # it may be the very millisecond of the resume


def test_a_campaign_of_which_too_much_is_refused_is_paused_with_the_figures(engine: Engine) -> None:
    held = lease(engine, run_campaign(engine, 9))
    ends = answer(engine, held, *[M.REJECTED] * 5, *[M.ACCEPTED] * 3)

    is_paused = Refusals(rule=RULE).note(engine, held, ends)

    reason = "5 of the last 8 messages were refused, most with code 12: see `bulksend campaign show 1`"
    with reading(engine) as connection:
        noted = [(row["author"], row["what"], row["detail"]) for row in orders.of_campaign(connection, 1)]
    assert is_paused
    assert state_of(engine) == ("paused", reason)
    assert noted == [("bulksend", "pause", reason)]


@pytest.mark.parametrize(
    ("states", "rule"),
    [
        ([M.REJECTED] * 4 + [M.ACCEPTED] * 4, RULE),
        ([M.REJECTED], RULE),
        ([M.REJECTED] * 8, Campaigns(pause_refused="off", pause_refused_of=8)),  # type: ignore[arg-type]
        ([M.ACCEPTED] * 8, RULE),
    ],
    ids=["no more than the share", "too few", "switched off", "none"],
)
def test_otherwise_it_runs_on(engine: Engine, states: list[MessageState], rule: Campaigns) -> None:
    held = lease(engine, run_campaign(engine, 9))
    ends = answer(engine, held, *states)

    is_paused = Refusals(rule=rule).note(engine, held, ends)

    assert not is_paused
    assert state_of(engine)[0] == "running"


def test_it_is_looked_at_once_a_second(engine: Engine) -> None:
    held = lease(engine, run_campaign(engine, 9))
    one = Refusals(rule=RULE)
    one.note(engine, held, answer(engine, held, M.REJECTED))

    ends = answer(engine, held, *[M.REJECTED] * 7)

    assert not one.note(engine, held, ends)
    assert Refusals(rule=RULE).note(engine, held, ends)


def test_a_campaign_that_is_done_meanwhile_is_left_alone(engine: Engine) -> None:
    held = lease(engine, run_campaign(engine, 8))
    ends = answer(engine, held, *[M.REJECTED] * 8)
    release(engine, held)

    is_paused = Refusals(rule=RULE).note(engine, held, ends)

    assert not is_paused
    assert state_of(engine) == ("done", None)
