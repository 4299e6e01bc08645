"""Opt-outs: what is noted, what it keeps from leaving, and what a gateway says of itself."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, select, update

from tests.ledgers import (
    PROVIDER,
    assert_counts,
    batch,
    database_now,
    do,
    due_rows,
    lease,
    mark,
    record,
    release,
    result,
    rows,
    run_campaign,
    some_messages,
    states,
)
from worker.errors import ConfigError
from worker.ledger import optouts
from worker.ledger.engine import reading
from worker.ledger.models import CAMPAIGNS, MESSAGES, OPT_OUTS
from worker.ledger.optouts import NewOptOut
from worker.ledger.scopes import ALL, scope_named, scopes_of
from worker.states import MessageState, OptOutSource

M = MessageState
NUMBER = "+4520304000"  # of the first of ``some_messages``
OTHER = "+4520304001"


def stop(engine: Engine, *numbers: str, scope: str = ALL, at: int | None = None, hashed: bool = False) -> int:
    new = [
        NewOptOut(scope=scope, source=OptOutSource.OPERATOR, msisdn=number, at=at)
        for number in numbers or [NUMBER]
    ]
    return len(do(engine, optouts.add, new, keeps_numbers=not hashed))


def scopes(engine: Engine, number: str = NUMBER) -> list[str]:
    with reading(engine) as connection:
        return [each["scope"] for each in optouts.of_number(connection, number)]


def stopped(engine: Engine, numbers: Sequence[str], *, purpose: str, as_of: int | None = None) -> set[str]:
    with reading(engine) as connection:
        covers = scopes_of(purpose=purpose, sender="ACME")
        return optouts.stopped(connection, optouts.key_of(connection), numbers, covers, as_of=as_of)


# --- the list


def test_an_opt_out_is_noted_once(engine: Engine) -> None:
    news = [stop(engine), stop(engine), stop(engine, scope="purpose:marketing")]

    assert news == [1, 0, 1]
    assert scopes(engine) == [ALL, "purpose:marketing"]


@pytest.mark.parametrize(
    ("scope", "holds_for_marketing", "holds_for_reminders"),
    [
        (ALL, True, True),
        ("purpose:marketing", True, False),
        ("purpose:reminders", False, True),
        ("sender:acme", True, True),
        ("sender:other", False, False),
    ],
)
def test_an_opt_out_holds_for_its_scope(
    engine: Engine, scope: str, *, holds_for_marketing: bool, holds_for_reminders: bool
) -> None:
    stop(engine, scope=scope)

    found = [bool(stopped(engine, [NUMBER], purpose=name)) for name in ("marketing", "reminders")]

    assert found == [holds_for_marketing, holds_for_reminders]


def test_what_was_removed_comes_back_by_a_later_word_only(engine: Engine) -> None:
    stop(engine)
    before = database_now(engine) - 1000
    removed = do(engine, optouts.remove, [NUMBER])

    older, now = stop(engine, at=before), stop(engine)

    assert (removed, older, now) == (1, 0, 1)


def test_one_scope_is_removed_and_the_others_stay(engine: Engine) -> None:
    stop(engine)
    stop(engine, scope="purpose:marketing")

    do(engine, optouts.remove, [NUMBER], scopes=["purpose:marketing"])

    assert scopes(engine) == [ALL]


def test_it_is_told_what_held_at_an_earlier_time(engine: Engine) -> None:
    stop(engine)
    noted_at = database_now(engine)
    do(engine, optouts.remove, [NUMBER])
    stop(engine, OTHER)
    with reading(engine) as connection:
        query = select(OPT_OUTS.c.ended_at).where(OPT_OUTS.c.ended_at.is_not(None))
        ended_at = int(connection.execute(query).scalar_one() or 0)

    then = stopped(engine, [NUMBER, OTHER], purpose="marketing", as_of=min(noted_at, ended_at - 1))

    assert then == {NUMBER}
    assert stopped(engine, [NUMBER, OTHER], purpose="marketing") == {OTHER}


@pytest.mark.parametrize("hashed", [True, False])
def test_a_number_that_is_forgotten_stays_opted_out(engine: Engine, *, hashed: bool) -> None:
    stop(engine, hashed=hashed)

    n = do(engine, optouts.forget_number, NUMBER)

    with reading(engine) as connection:
        kept = connection.execute(select(OPT_OUTS)).mappings().one()
    assert n == (0 if hashed else 1)
    assert NUMBER not in map(str, kept.values())
    assert scopes(engine) == [ALL]


def test_all_numbers_are_forgotten(engine: Engine) -> None:
    stop(engine, NUMBER, OTHER)

    n, until = do(engine, optouts.forget_some, after="")
    rest = do(engine, optouts.forget_some, after=until or "")

    assert n == 2
    assert rest == (0, None)
    assert stopped(engine, [NUMBER, OTHER], purpose="marketing") == {NUMBER, OTHER}


def test_a_digest_depends_on_the_key_of_the_ledger() -> None:
    one, other = (optouts.digest(key * 32, NUMBER) for key in (b"a", b"b"))

    assert one != other
    assert len(one) == 64


@given(st.text(max_size=60))
def test_what_is_read_as_a_scope_is_read_as_the_same_again(written: str) -> None:
    try:
        scope = scope_named(written)
    except ConfigError:
        return

    assert scope_named(scope) == scope


@pytest.mark.parametrize("written", ["", "purpose", "purpose:", "sender:", "all:x", "purpose:all", "group:7"])
def test_what_is_no_scope_is_refused(written: str) -> None:
    with pytest.raises(ConfigError):
        scope_named(written)


# --- the mark


def test_what_opted_out_after_it_was_planned_is_suppressed_by_the_mark(engine: Engine) -> None:
    held = lease(engine, run_campaign(engine, 3))
    found = due_rows(engine, held)
    stop(engine)

    (marked,) = mark(engine, held, found)

    assert [row.msisdn for row in marked.rows] == [row.msisdn for row in found[1:]]
    assert states(engine) == ["suppressed", "submitting", "submitting"]
    assert rows(engine)[0]["code"] == "opted_out"
    assert_counts(engine)


def test_a_request_of_which_all_opted_out_is_dropped_and_its_batch_is_done(engine: Engine) -> None:
    batch_id = run_campaign(engine, 2)
    held = lease(engine, batch_id)
    found = due_rows(engine, held)
    stop(engine, NUMBER, OTHER)

    marked = mark(engine, held, found)

    assert marked == []
    assert release(engine, held)
    assert batch(engine, batch_id)["state"] == "done"
    assert states(engine) == ["suppressed"] * 2
    assert_counts(engine)


def test_a_stop_to_marketing_leaves_a_reminder_alone(engine: Engine) -> None:
    held = lease(engine, run_campaign(engine, 1))
    held = replace(held, stops=scopes_of(purpose="reminders", sender="ACME"))
    stop(engine, scope="purpose:marketing")

    (marked,) = mark(engine, held)

    assert len(marked.rows) == 1


def test_a_lease_takes_the_purpose_of_its_campaign(engine: Engine) -> None:
    batch_id = run_campaign(engine, 1)
    do(engine, lambda connection: connection.execute(update(CAMPAIGNS).values(purpose="reminders")))

    held = lease(engine, batch_id)

    assert held.stops == (ALL, "purpose:reminders", "sender:acme")


def test_a_confirmation_passes_the_mark(engine: Engine) -> None:
    batch_id = run_campaign(engine, 1)
    do(engine, lambda connection: connection.execute(update(CAMPAIGNS).values(purpose="confirmation")))
    stop(engine)

    (marked,) = mark(engine, lease(engine, batch_id))

    assert len(marked.rows) == 1


def test_a_group_of_the_gateway_is_nobody_s_number(engine: Engine) -> None:
    (message,) = some_messages(1)
    held = lease(engine, run_campaign(engine, 1, messages=[replace(message, msisdn="group:7", region="")]))
    stop(engine)

    (marked,) = mark(engine, held)

    assert len(marked.rows) == 1


def test_a_lease_tells_nobody_the_key(engine: Engine) -> None:
    held = lease(engine, run_campaign(engine, 1))

    assert held.stops_key
    assert "stops_key" not in repr(held)


# --- what gateways say


@pytest.mark.parametrize(("stops", "scope"), [("all", ALL), ("sender", "sender:acme")])
def test_what_a_gateway_refuses_as_opted_out_is_noted(engine: Engine, stops: str, scope: str) -> None:
    marked = mark(engine, lease(engine, run_campaign(engine, 1)))

    record(engine, *(result(each, M.SUPPRESSED, stops=stops) for each in marked))

    with reading(engine) as connection:
        (noted,) = optouts.of_number(connection, NUMBER)
    assert (noted["scope"], noted["source"], noted["provider"]) == (scope, "gateway", PROVIDER)
    assert states(engine) == ["suppressed"]


def test_the_same_word_again_does_not_undo_what_an_operator_removed(engine: Engine) -> None:
    marked = mark(engine, lease(engine, run_campaign(engine, 1)))
    ends = [result(each, M.SUPPRESSED, stops="all") for each in marked]
    record(engine, *ends)
    do(engine, optouts.remove, [NUMBER])

    record(engine, *ends)

    assert scopes(engine) == []


def test_a_list_of_digests_takes_no_number_from_a_gateway(engine: Engine) -> None:
    marked = mark(engine, lease(engine, run_campaign(engine, 1)))

    record(engine, *(result(each, M.SUPPRESSED, stops="all", keeps_number=False) for each in marked))

    with reading(engine) as connection:
        assert connection.scalars(select(OPT_OUTS.c.msisdn)).all() == [None]
        assert connection.scalars(select(MESSAGES.c.state)).all() == ["suppressed"]
