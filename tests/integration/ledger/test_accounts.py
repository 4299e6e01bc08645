from collections.abc import Callable

import pytest
from sqlalchemy import Engine

from tests.ledgers import (
    PROVIDER,
    account,
    ago,
    batch,
    change_account,
    do,
    due_rows,
    hold,
    lease,
    mark,
    reach,
    record,
    release,
    result,
    run_campaign,
    sweep,
    try_lease,
    try_mark,
    unclear,
)
from worker.ledger import accounts, hints, trouble
from worker.ledger.engine import reading
from worker.ledger.values import Stop
from worker.states import Lane, MessageState
from worker.waiting import within

CHECK_MS = 10_000
CLEAR, UNCLEAR = True, False


def close(engine: Engine, *, check_in_ms: int = 0, check_ms: int = CHECK_MS, is_refused: bool = True) -> None:
    do(
        engine,
        trouble.close_account,
        PROVIDER,
        check_in_ms=check_in_ms,
        check_ms=check_ms,
        reason="no credit",
        is_refused=is_refused,
    )


def note(engine: Engine, *clear: bool, has_taken: bool = False, batch_id: int = 999) -> None:
    """Count answers to requests of a batch."""
    answers = trouble.Answers(batch_id=batch_id, clear=clear, has_taken=has_taken)
    do(engine, trouble.note_answers, PROVIDER, answers, check_ms=CHECK_MS)


def brake(engine: Engine) -> None:
    """Brake the account."""
    note(engine, UNCLEAR, UNCLEAR, UNCLEAR)
    assert account(engine)["brake_ms"] > 0


def check(engine: Engine, *, reason: str | None = None) -> None:
    """Make the check that is due, or will be; it finds trouble if there is a reason."""
    do(engine, trouble.note_check, PROVIDER, trouble=reason)


def pause(engine: Engine) -> None:
    do(engine, accounts.pause_account, PROVIDER, reason="invoice", author="ann")


def resume(engine: Engine) -> None:
    do(engine, accounts.resume_account, PROVIDER)


def is_open(engine: Engine) -> bool:
    """Say whether a batch of the account could be leased."""
    return bool(hinted(engine))


def hinted(engine: Engine) -> list[int]:
    """Return the batches that a hint would be published for."""
    with reading(engine) as connection:
        found = hints.due_for_hints(
            connection, PROVIDER, lane=Lane.BULK, reach=reach(horizon_ms=0, repeat_ms=60_000), limit=9
        )
    return [each.id for each in found]


def standing(engine: Engine) -> accounts.AccountStanding:
    with reading(engine) as connection:
        return accounts.standings(connection)[PROVIDER]


def next_check_ms(engine: Engine) -> int:
    """Return how long it is until the next check; it was set at most 5 s ago, however slow the machine."""
    found = account(engine)
    return -(-int(found["check_at"] - found["now"]) // 5000) * 5000


# --- a pause


def test_an_account_that_nothing_was_noted_of_is_open(engine: Engine) -> None:
    run_campaign(engine)

    assert is_open(engine)


def test_a_pause_ends_by_itself(engine: Engine) -> None:
    run_campaign(engine)
    hold(engine, pause_ms=1500)
    before = is_open(engine)

    assert not before
    assert within(5, lambda: is_open(engine))
    assert (standing(engine).state, standing(engine).reason) == ("open", None)


def test_a_pause_that_lasts_is_waited_for(engine: Engine) -> None:
    hold(engine, pause_ms=60_000, reason="the gateway asked for a pause")

    found = standing(engine)

    assert (found.state, found.reason) == ("waiting", "the gateway asked for a pause")
    assert found.until == account(engine)["not_before"]


# --- trouble


def test_an_account_in_trouble_is_closed_until_a_check_succeeds(engine: Engine) -> None:
    run_campaign(engine)
    close(engine)
    check(engine, reason="still none")
    before = is_open(engine)

    check(engine)

    assert (before, is_open(engine)) == (False, True)


def test_trouble_is_shown_with_its_reason_and_its_next_check(engine: Engine) -> None:
    close(engine, check_in_ms=60_000)

    found = standing(engine)

    assert (found.state, found.reason, found.until) == (
        "trouble",
        "no credit",
        account(engine)["check_at"],
    )
    assert found.since == account(engine)["closed_since"]


def test_a_check_is_due_at_its_time_and_not_before(engine: Engine) -> None:
    close(engine, check_in_ms=60_000)
    before = do(engine, trouble.is_check_due, PROVIDER), do(engine, trouble.claim_check, PROVIDER)

    change_account(engine, check_at=ago(1))

    assert before == (False, None)
    assert do(engine, trouble.is_check_due, PROVIDER)


def test_a_check_that_is_due_is_made_by_one(engine: Engine) -> None:
    close(engine)

    claimed = [do(engine, trouble.claim_check, PROVIDER) for _ in range(2)]

    assert [check is not None for check in claimed] == [True, False]


@pytest.mark.parametrize("is_refused", [True, False])
def test_whoever_checks_is_told_whether_the_gateway_refused_the_account(
    engine: Engine, *, is_refused: bool
) -> None:
    close(engine, is_refused=is_refused)

    assert do(engine, trouble.claim_check, PROVIDER) == trouble.Check(is_refused=is_refused)


def test_a_braked_account_was_not_refused_even_if_it_once_was(engine: Engine) -> None:
    close(engine)
    check(engine)
    brake(engine)
    change_account(engine, check_at=ago(1))

    assert do(engine, trouble.claim_check, PROVIDER) == trouble.Check(is_refused=False)


def test_a_check_that_was_claimed_and_never_made_is_due_again_after_a_minute(engine: Engine) -> None:
    close(engine)
    do(engine, trouble.claim_check, PROVIDER)

    assert next_check_ms(engine) == 60_000


@pytest.mark.parametrize("check_in_ms", [0, 60_000])
def test_the_first_check_is_made_when_it_is_wished(engine: Engine, check_in_ms: int) -> None:
    close(engine, check_in_ms=check_in_ms)

    assert next_check_ms(engine) == check_in_ms


def test_a_check_in_vain_is_repeated_after_the_interval(engine: Engine) -> None:
    close(engine, check_in_ms=60_000, check_ms=70_000)

    check(engine, reason="still none")

    assert next_check_ms(engine) == 70_000


def test_more_trouble_does_not_put_the_check_off(engine: Engine) -> None:
    close(engine, check_in_ms=30_000)

    close(engine, check_in_ms=60_000)

    assert next_check_ms(engine) == 30_000


def test_an_account_that_is_closed_again_before_it_took_anything_is_checked_half_as_often(
    engine: Engine,
) -> None:
    close(engine)
    found = []
    for _ in range(3):
        check(engine)
        close(engine)
        found.append(next_check_ms(engine))

    assert found == [20_000, 40_000, 80_000]


def test_no_two_checks_are_more_than_five_minutes_apart(engine: Engine) -> None:
    close(engine)
    for _ in range(10):
        check(engine)
        close(engine)

    assert next_check_ms(engine) == 300_000


def test_an_account_that_took_a_message_is_checked_as_at_first(engine: Engine) -> None:
    close(engine)
    check(engine)
    note(engine, CLEAR, has_taken=True)

    close(engine)

    assert next_check_ms(engine) == 0


def test_an_answer_that_took_nothing_does_not_reset_the_checks(engine: Engine) -> None:
    close(engine)
    check(engine)
    note(engine, CLEAR)

    close(engine)

    assert next_check_ms(engine) == 20_000


def test_an_account_that_was_open_for_long_is_checked_as_at_first(engine: Engine) -> None:
    close(engine)
    check(engine)
    change_account(engine, not_before=ago(600_001))

    close(engine)

    assert next_check_ms(engine) == 0


def test_trouble_that_is_over_for_long_is_not_taken_up_by_what_follows_a_pause(engine: Engine) -> None:
    close(engine)
    check(engine)
    change_account(engine, closed_since=ago(3_600_000), not_before=ago(600_001))
    hold(engine, pause_ms=1000, reason="the gateway asked for a pause")

    close(engine)

    found = account(engine)
    assert found["now"] - found["closed_since"] < 60_000
    assert next_check_ms(engine) == 0


@pytest.mark.parametrize("is_closed", [True, False])
def test_a_pause_does_not_make_trouble_younger(engine: Engine, *, is_closed: bool) -> None:
    close(engine)
    change_account(engine, closed_since=ago(50_000))
    if not is_closed:
        check(engine)

    hold(engine, pause_ms=1000, reason="the gateway asked for a pause")

    found = account(engine)
    assert found["now"] - found["closed_since"] >= 50_000


def test_an_account_is_closed_since_it_first_took_nothing(engine: Engine) -> None:
    close(engine)
    change_account(engine, closed_since=ago(50_000))
    check(engine)

    close(engine)

    found = account(engine)
    assert found["now"] - found["closed_since"] >= 50_000


def test_a_late_acceptance_does_not_open_an_account_in_trouble(engine: Engine) -> None:
    run_campaign(engine)
    close(engine)

    note(engine, CLEAR, has_taken=True)

    assert not is_open(engine)
    assert account(engine)["closed_since"] is not None


def test_a_check_does_not_end_a_pause_that_the_gateway_asked_for(engine: Engine) -> None:
    run_campaign(engine)
    hold(engine, pause_ms=60_000, reason="the gateway asked for a pause")
    close(engine)

    check(engine)

    assert not is_open(engine)


# --- the brake


def test_two_answers_that_cannot_be_read_brake_nothing(engine: Engine) -> None:
    run_campaign(engine)

    note(engine, UNCLEAR, UNCLEAR)

    assert is_open(engine)
    assert standing(engine).n_ambiguous == 2


@pytest.mark.parametrize("answers", [[3 * [UNCLEAR]], 3 * [[UNCLEAR]], [[CLEAR, *3 * [UNCLEAR]]]])
def test_three_in_a_row_brake_the_account(engine: Engine, answers: list[list[bool]]) -> None:
    run_campaign(engine)

    found = []
    for each in answers:
        note(engine, *each)
        found.append(standing(engine).state)

    assert found == ["open"] * (len(answers) - 1) + ["braked"]
    assert not is_open(engine)
    assert "three in a row" in (standing(engine).reason or "")


@pytest.mark.parametrize(
    "answers",
    [[[UNCLEAR, UNCLEAR, CLEAR, UNCLEAR]], [2 * [UNCLEAR], [CLEAR], 2 * [UNCLEAR]]],
)
def test_a_clear_answer_in_between_begins_the_count_anew(engine: Engine, answers: list[list[bool]]) -> None:
    run_campaign(engine)

    for each in answers:
        note(engine, *each)

    assert is_open(engine)


def test_the_pause_of_the_brake_doubles_from_5_s_to_5_min(engine: Engine) -> None:
    batch_id = run_campaign(engine)
    brake(engine)
    found = [next_check_ms(engine)]
    for _ in range(7):
        check(engine)
        held = lease(engine, batch_id)
        note(engine, UNCLEAR, batch_id=batch_id)
        release(engine, held)
        found.append(next_check_ms(engine))

    assert found == [5000, 10_000, 20_000, 40_000, 80_000, 160_000, 300_000, 300_000]


def test_a_braked_account_is_checked_again_in_the_usual_interval(engine: Engine) -> None:
    brake(engine)

    check(engine, reason="502")

    assert next_check_ms(engine) == CHECK_MS


def test_what_was_under_way_when_the_brake_began_does_not_lengthen_it(engine: Engine) -> None:
    brake(engine)

    note(engine, UNCLEAR, UNCLEAR, UNCLEAR)

    assert next_check_ms(engine) == 5000


def test_what_was_under_way_when_the_brake_began_counts_no_more_when_it_comes_after_the_check(
    engine: Engine,
) -> None:
    tried = run_campaign(engine)
    brake(engine)
    check(engine)
    lease(engine, tried)

    note(engine, UNCLEAR, UNCLEAR, UNCLEAR)

    assert is_braked_for(engine, tried)


def test_a_clear_answer_to_what_was_under_way_when_the_brake_began_does_not_end_it(engine: Engine) -> None:
    tried = run_campaign(engine)
    brake(engine)
    change_account(engine, closed_since=ago(50_000))
    check(engine)
    lease(engine, tried)

    note(engine, CLEAR, has_taken=True)

    found = account(engine)
    assert is_braked_for(engine, tried)
    assert found["now"] - found["closed_since"] >= 50_000


def test_a_clear_answer_to_what_was_under_way_does_not_spare_the_account_a_longer_brake(
    engine: Engine,
) -> None:
    tried = run_campaign(engine)
    brake(engine)
    check(engine)
    lease(engine, tried)
    note(engine, CLEAR)

    note(engine, UNCLEAR, batch_id=tried)

    assert next_check_ms(engine) == 10_000


@pytest.mark.parametrize("is_refused", [True, False])
def test_what_is_closed_is_braked_too_and_keeps_its_trouble(engine: Engine, *, is_refused: bool) -> None:
    run_campaign(engine)
    close(engine, check_in_ms=60_000, check_ms=90_000, is_refused=is_refused)
    change_account(engine, closed_since=ago(50_000))
    before = account(engine)

    brake(engine)

    kept = ("check_at", "check_ms", "closed_since", "is_refused", "reason")
    after = account(engine)
    assert [after[name] for name in kept] == [before[name] for name in kept]
    assert after["brake_ms"] == 5000


def test_what_only_waits_is_braked_and_checked(engine: Engine) -> None:
    hold(engine, pause_ms=60_000, reason="the gateway asked for a pause")

    brake(engine)

    assert (next_check_ms(engine), standing(engine).state) == (5000, "braked")


def test_what_was_braked_while_it_was_closed_is_tried_with_one_batch(engine: Engine) -> None:
    first, second = (run_campaign(engine, name=name) for name in "ab")
    close(engine)
    brake(engine)
    check(engine)
    lease(engine, first)

    assert try_lease(engine, second) is None


def test_the_brake_of_what_is_closed_again_is_not_made_longer(engine: Engine) -> None:
    tried = run_campaign(engine)
    brake(engine)
    check(engine)
    lease(engine, tried)
    close(engine)

    note(engine, UNCLEAR, batch_id=tried)

    assert account(engine)["brake_ms"] == 5000


def is_braked_for(engine: Engine, batch_id: int) -> bool:
    """Say whether the account is open, and tried with messages of this batch."""
    found = account(engine)
    return found["check_at"] is None and found["brake_ms"] > 0 and found["trial_batch_id"] == batch_id


def test_a_braked_account_takes_the_messages_of_one_batch(engine: Engine) -> None:
    first, second = (run_campaign(engine, name=name) for name in "ab")
    brake(engine)
    check(engine)
    lease(engine, first)

    assert try_lease(engine, second) is None


def test_a_batch_that_was_leased_before_the_brake_is_not_marked_after_it(engine: Engine) -> None:
    held = lease(engine, run_campaign(engine))
    found = due_rows(engine, held)
    brake(engine)
    check(engine)

    assert try_mark(engine, held, found) is Stop.CONTROL


def test_the_batch_that_is_tried_is_marked(engine: Engine) -> None:
    batch_id = run_campaign(engine)
    brake(engine)
    check(engine)
    held = lease(engine, batch_id)

    assert len(mark(engine, held)) == 1


def test_after_an_answer_that_cannot_be_read_the_batch_that_was_tried_is_marked_no_more(
    engine: Engine,
) -> None:
    batch_id = run_campaign(engine)
    brake(engine)
    check(engine)
    held = lease(engine, batch_id)
    (marked,) = mark(engine, held, due_rows(engine, held)[:1])
    record(engine, unclear(marked))
    note(engine, UNCLEAR, batch_id=batch_id)
    check(engine)

    assert try_mark(engine, held, due_rows(engine, held)) is Stop.CONTROL


@pytest.mark.parametrize("is_lost", [True, False])
def test_another_batch_is_tried_when_the_first_was_given_back_or_lost(
    engine: Engine, *, is_lost: bool
) -> None:
    first, second = (run_campaign(engine, name=name) for name in "ab")
    brake(engine)
    check(engine)
    if is_lost:
        lease(engine, first, lease_ms=-1)
        assert sweep(engine) == 1
    else:
        release(engine, lease(engine, first))

    held = lease(engine, second)

    assert len(mark(engine, held)) == 1


def test_after_a_clear_answer_everything_goes_on_at_once(engine: Engine) -> None:
    first, second = (run_campaign(engine, name=name) for name in "ab")
    old = lease(engine, run_campaign(engine, name="c"))
    brake(engine)
    check(engine)
    lease(engine, first)

    note(engine, CLEAR, batch_id=first)

    assert try_lease(engine, second) is not None
    assert len(mark(engine, old)) == 1
    assert standing(engine).state == "open"


def test_a_clear_answer_to_what_is_tried_leaves_it_to_the_check_to_open_what_is_closed(
    engine: Engine,
) -> None:
    tried = run_campaign(engine)
    run_campaign(engine, name="other")
    brake(engine)
    check(engine)
    lease(engine, tried)
    close(engine)
    note(engine, CLEAR, batch_id=tried)
    before = is_open(engine)

    check(engine)

    assert (before, is_open(engine)) == (False, True)


def test_trouble_says_whether_there_is_anything_to_count(engine: Engine) -> None:
    fresh = do(engine, trouble.trouble_of, PROVIDER)
    note(engine, UNCLEAR)
    counting = do(engine, trouble.trouble_of, PROVIDER)
    note(engine, UNCLEAR, UNCLEAR)
    braked = do(engine, trouble.trouble_of, PROVIDER)
    resume(engine)

    assert (fresh.is_counting, counting.is_counting, braked.is_counting) == (False, True, True)
    assert (counting.is_braked, braked.is_braked) == (False, True)
    assert not do(engine, trouble.trouble_of, PROVIDER).is_braked


# --- an operator


def test_what_an_operator_paused_stays_so_whatever_a_check_finds(engine: Engine) -> None:
    run_campaign(engine)
    close(engine)
    pause(engine)

    check(engine)

    assert not is_open(engine)
    assert (standing(engine).state, standing(engine).reason, standing(engine).author) == (
        "paused",
        "invoice",
        "ann",
    )


def test_nothing_is_marked_of_what_an_operator_paused(engine: Engine) -> None:
    held = lease(engine, run_campaign(engine))
    found = due_rows(engine, held)
    pause(engine)

    assert try_mark(engine, held, found) is Stop.CONTROL


@pytest.mark.parametrize(
    "shut",
    [pause, brake, close, lambda engine: hold(engine, pause_ms=60_000)],
    ids=["pause", "brake", "close", "hold"],
)
def test_a_resume_lifts_whatever_closed_it(engine: Engine, shut: Callable[[Engine], None]) -> None:
    first, second = (run_campaign(engine, name=name) for name in "ab")
    shut(engine)
    before = is_open(engine)

    resume(engine)

    assert not before
    assert len(mark(engine, lease(engine, first))) == len(mark(engine, lease(engine, second))) == 1
    assert standing(engine) == accounts.AccountStanding(provider=PROVIDER, state="open")


def test_after_a_resume_an_account_is_checked_and_braked_as_at_first(engine: Engine) -> None:
    brake(engine)
    close(engine)
    resume(engine)

    close(engine)
    checked_in_ms = next_check_ms(engine)
    resume(engine)
    brake(engine)

    assert (checked_in_ms, next_check_ms(engine)) == (0, 5000)


def test_another_account_is_none_of_its_business(engine: Engine) -> None:
    run_campaign(engine)

    do(engine, accounts.pause_account, "another", reason="invoice", author="ann")

    assert is_open(engine)


# --- hints


@pytest.mark.parametrize(
    "turn",
    [pause, brake, close, resume, lambda engine: hold(engine, pause_ms=60_000)],
    ids=["pause", "brake", "close", "resume", "hold"],
)
def test_hints_that_are_out_are_forgotten_when_an_account_is_closed_or_opened(
    engine: Engine, turn: Callable[[Engine], None]
) -> None:
    batch_id = run_campaign(engine)
    do(engine, hints.note_published, [batch_id])

    turn(engine)

    assert (batch(engine, batch_id)["published_at"], batch(engine, batch_id)["n_hints"]) == (None, 0)


def test_hints_that_found_nothing_are_published_again_after_a_check(engine: Engine) -> None:
    batch_id = run_campaign(engine)
    close(engine)
    do(engine, hints.note_published, [batch_id])

    check(engine)

    assert hinted(engine) == [batch_id]


def test_a_check_in_vain_forgets_no_hint(engine: Engine) -> None:
    batch_id = run_campaign(engine)
    close(engine)
    do(engine, hints.note_published, [batch_id])

    check(engine, reason="still none")

    assert batch(engine, batch_id)["n_hints"] == 1


def test_an_acceptance_that_is_recorded_does_not_open_what_is_closed(engine: Engine) -> None:
    held = lease(engine, run_campaign(engine, 1))
    (marked,) = mark(engine, held)
    close(engine)

    record(engine, result(marked, MessageState.ACCEPTED))

    assert standing(engine).state == "trouble"
