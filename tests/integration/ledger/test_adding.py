from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from sqlalchemy import Engine, select, update

from producer import adding as use_case
from producer import campaigns as orders_to
from tests.ledgers import (
    a_campaign,
    ago,
    assert_counts,
    do,
    due_rows,
    import_campaign,
    lease,
    mark,
    record,
    release,
    result,
    rows,
    run_campaign,
    some_messages,
    try_lease,
)
from worker.errors import InputError, LedgerError
from worker.ledger import adding, control, letting, notices, orders, reports, rescheduling
from worker.ledger.adding import Addition, Ground
from worker.ledger.audit import Audit, audit
from worker.ledger.campaigns import Importer
from worker.ledger.drafts import NewMessage, SourceCounts
from worker.ledger.engine import reading, writing
from worker.ledger.half_moved import Wish
from worker.ledger.models import BATCHES, CAMPAIGNS
from worker.ledger.rebatching import NewTimes, Placed
from worker.ledger.reports import CampaignReport
from worker.states import MessageState

ADDITION = Addition(content="abc", counts=SourceCounts(rows=5, duplicates=1, refused=1), author="ann")


def ground(engine: Engine) -> Ground:
    with reading(engine) as connection:
        return adding.ground(connection, 1)


def later_messages(n: int = 3) -> list[NewMessage]:
    """Make messages to numbers that the first file does not have."""
    return [replace(each, msisdn=f"+45306070{at:02}") for at, each in enumerate(some_messages(n))]


def told() -> use_case.Told:
    return use_case.Told(on_cleared=lambda _: None, on_messages=lambda _: None)


def add(engine: Engine, addition: Addition = ADDITION) -> None:
    use_case.add(engine, ground(engine), later_messages(), addition, told=told())


def begin(engine: Engine) -> Importer:
    found = ground(engine)
    return do(engine, adding.begin, found)


def write(engine: Engine, importer: Importer) -> Importer:
    return do(engine, adding.add_batches, importer, [later_messages()])


def let_in(engine: Engine, importer: Importer) -> None:
    found = Ground(id=1, campaign=a_campaign(), last=0)
    do(engine, adding.let_in, importer, found, ADDITION)


def report(engine: Engine) -> CampaignReport:
    with reading(engine) as connection:
        return reports.report(connection, 1)


def audited(engine: Engine) -> Audit:
    with reading(engine) as connection:
        return audit(connection)


def codes(engine: Engine) -> set[str]:
    return {finding.code for finding in audited(engine).findings}


def die(engine: Engine) -> None:
    """Let the right of whoever adds run out."""
    with writing(engine) as connection:
        connection.execute(update(CAMPAIGNS).values(importing_until=ago(1)))


def test_what_is_added_is_due_and_counted_and_noted(engine: Engine) -> None:
    run_campaign(engine)

    add(engine)

    found = report(engine)
    with reading(engine) as connection:
        (noted,) = orders.of_campaign(connection, 1)
        added = connection.scalars(select(BATCHES.c.id).order_by(BATCHES.c.id)).all()[-1]
    assert (found.rows, found.duplicates, found.refused, found.messages) == (7, 1, 1, 5)
    assert (noted["author"], noted["what"]) == ("ann", "add")
    assert noted["detail"] == "3 messages of 5 rows (1 duplicate, 1 refused)"
    assert try_lease(engine, added) is not None
    assert not [each for each in audited(engine).findings if each.is_problem]
    assert_counts(engine)


def test_nothing_of_it_is_due_or_counted_or_given_an_order_before_all_of_it_is_there(engine: Engine) -> None:
    run_campaign(engine)
    write(engine, begin(engine))

    with reading(engine) as connection:
        batch_id = connection.scalars(select(BATCHES.c.id).where(BATCHES.c.is_added)).one()
        parts, _ = reports.totals(connection, 1)
    do(engine, control.pause, 1, reason="why", author="ann")
    resumed = orders_to.resume(engine, 1, author="ann")

    found = report(engine)
    assert try_lease(engine, batch_id) is None
    assert (found.messages, found.n_held, found.is_stuck, parts) == (2, 0, False, 2)
    assert resumed.n_opened == 0
    assert codes(engine) == set()


def test_a_campaign_that_is_done_runs_again(engine: Engine) -> None:
    held = lease(engine, run_campaign(engine))
    (marked,) = mark(engine, held, due_rows(engine, held))
    record(engine, result(marked, MessageState.ACCEPTED))
    release(engine, held)
    was = report(engine).state

    add(engine)

    assert (was, report(engine).state) == ("done", "running")


def test_a_campaign_that_is_paused_stays_so(engine: Engine) -> None:
    run_campaign(engine)
    do(engine, control.pause, 1, reason="why", author="ann")

    add(engine)

    assert (report(engine).state, report(engine).messages) == ("paused", 5)


@pytest.mark.parametrize("step", ["begun", "written", "about to be let in"])
def test_of_a_file_that_is_being_added_to_a_campaign_that_is_cancelled_nothing_is_released(
    engine: Engine, step: str
) -> None:
    run_campaign(engine)
    importer = begin(engine)
    if step != "begun":
        importer = write(engine, importer)

    n_cancelled = orders_to.cancel(engine, 1, author="ann")
    go_on: Callable[[Engine, Importer], object] = let_in if step == "about to be let in" else write
    with pytest.raises(LedgerError, match="was cancelled meanwhile: nothing was added"):
        go_on(engine, importer)

    assert n_cancelled == 2
    assert [row["state"] for row in rows(engine)] == ["cancelled"] * 2
    assert codes(engine) == set()
    assert_counts(engine)


def test_what_a_killed_program_has_left_behind_is_named_and_gives_way_to_the_next_try(engine: Engine) -> None:
    run_campaign(engine)
    write(engine, begin(engine))
    while_alive = codes(engine)
    die(engine)
    after_death = codes(engine)

    add(engine)

    assert (while_alive, after_death, codes(engine)) == (set(), {"addition_interrupted"}, set())
    assert report(engine).messages == len(rows(engine)) == 5


def test_what_was_left_behind_in_a_campaign_that_was_cancelled_is_removed_by_cancelling_again(
    engine: Engine,
) -> None:
    run_campaign(engine)
    write(engine, begin(engine))
    do(engine, control.cancel, 1, author="ann")  # and killed
    die(engine)

    orders_to.cancel(engine, 1, author="ann")

    assert len(rows(engine)) == 2
    assert codes(engine) == set()


def let_in_and_die(engine: Engine) -> None:
    """Add the file as a program that is killed before it has opened any batch of it."""
    let_in(engine, write(engine, begin(engine)))


def test_what_was_let_in_counts_before_it_is_open(engine: Engine) -> None:
    run_campaign(engine)
    let_in_and_die(engine)
    do(engine, control.pause, 1, reason="why", author="ann")

    found = report(engine)

    with reading(engine) as connection:
        parts, _ = reports.totals(connection, 1)
        there = adding.there(connection, 1, [each.msisdn for each in later_messages()])
    assert (found.rows, found.messages, found.n_held, parts) == (7, 5, 0, 5)
    assert len(there) == 3
    assert codes(engine) == {"paused_campaign"}
    assert_counts(engine)


def test_what_was_let_in_is_opened_by_the_next_tick(engine: Engine) -> None:
    run_campaign(engine)
    let_in_and_die(engine)

    with reading(engine) as connection:
        found = letting.half_open(connection)
    n_opened = [do(engine, letting.open_some, 1) for _ in range(2)]

    with reading(engine) as connection:
        left = letting.half_open(connection)
    assert (found, n_opened, left) == (1, [1, None], None)
    assert try_lease(engine, 2) is not None


def test_what_was_let_in_is_not_cleared_by_who_adds_next(engine: Engine) -> None:
    run_campaign(engine)
    let_in_and_die(engine)
    others = [replace(each, msisdn=f"+45406070{at:02}") for at, each in enumerate(some_messages(2))]

    use_case.add(engine, ground(engine), others, replace(ADDITION, content="def"), told=told())

    assert report(engine).messages == len(rows(engine)) == 7
    assert try_lease(engine, 2) is not None
    assert_counts(engine)


def test_nobody_begins_to_add_before_what_was_let_in_is_open(engine: Engine) -> None:
    run_campaign(engine)
    let_in_and_die(engine)

    with pytest.raises(InputError, match="is being added to campaign 1 at this moment"):
        begin(engine)


def test_what_was_let_in_is_cancelled_with_its_campaign(engine: Engine) -> None:
    run_campaign(engine)
    let_in_and_die(engine)

    n_cancelled = orders_to.cancel(engine, 1, author="ann")

    assert n_cancelled == 5
    assert [row["state"] for row in rows(engine)] == ["cancelled"] * 5
    assert codes(engine) == set()
    assert_counts(engine)


def test_what_was_let_in_is_rescheduled_with_its_campaign_and_held_no_more(engine: Engine) -> None:
    run_campaign(engine)
    let_in_and_die(engine)

    do(engine, rescheduling.begin, 1, Wish(words="--by 2h", target={}), author="bob")
    n = do(engine, rescheduling.move_some, 1, in_2031)
    ended = do(engine, rescheduling.end, 1, author="bob")

    with reading(engine) as connection:
        found = connection.execute(
            select(BATCHES.c.state, BATCHES.c.queued).where(BATCHES.c.queued > 0)
        ).all()
    assert (n, ended) == (5, rescheduling.Ended(moved=5, is_running=True))
    assert [tuple(row) for row in found] == [("open", 5)]


def in_2031(_: Placed) -> NewTimes:
    return NewTimes(due_at=1_930_000_000_000, leave_by=None, expires_at=None, zones=None)


def test_a_campaign_is_not_done_while_what_was_let_in_is_not_open(engine: Engine) -> None:
    held = lease(engine, run_campaign(engine))
    (marked,) = mark(engine, held, due_rows(engine, held))
    record(engine, result(marked, MessageState.ACCEPTED))
    release(engine, held)
    with writing(engine) as connection:
        connection.execute(update(CAMPAIGNS).values(notice_at=0))
    let_in_and_die(engine)

    with reading(engine) as connection:
        state, _ = reports.state_at(connection, 1)
        noticed = notices.due(connection)
    assert (report(engine).state, state, noticed) == ("running", "running", None)


def test_two_do_not_add_at_once(engine: Engine) -> None:
    run_campaign(engine)
    begin(engine)

    with pytest.raises(InputError, match="is being added to campaign 1 at this moment"):
        begin(engine)


def test_who_was_taken_for_dead_adds_nothing_any_more(engine: Engine) -> None:
    run_campaign(engine)
    importer = begin(engine)
    die(engine)
    begin(engine)

    with pytest.raises(LedgerError, match="added to by another program"):
        write(engine, importer)


def test_numbers_that_came_after_they_were_compared_are_not_added_twice(engine: Engine) -> None:
    run_campaign(engine)
    found = ground(engine)
    add(engine)

    with pytest.raises(InputError, match="was added to, or rescheduled, meanwhile"):
        do(engine, adding.begin, found)


def test_the_numbers_of_the_campaign_are_known_but_not_those_left_behind_nor_of_others(
    engine: Engine,
) -> None:
    run_campaign(engine)
    run_campaign(engine, messages=later_messages(), name="autumn")
    write(engine, begin(engine))
    numbers = [each.msisdn for each in [*some_messages(3), *later_messages()]]

    with reading(engine) as connection:
        found = adding.there(connection, 1, numbers)

    assert found == {"+4520304000", "+4520304001"}


def test_the_same_file_is_refused_for_one_campaign_once_it_is_in(engine: Engine) -> None:
    run_campaign(engine)
    run_campaign(engine, name="autumn")
    do(engine, adding.require_new, 1, "abc")
    add(engine)

    do(engine, adding.require_new, 2, "abc")
    with pytest.raises(InputError, match="was added to campaign 1 before"):
        do(engine, adding.require_new, 1, "abc")


@pytest.mark.parametrize("is_cancelled", [True, False])
def test_a_campaign_that_is_not_on_its_way_takes_nothing(engine: Engine, *, is_cancelled: bool) -> None:
    if is_cancelled:
        run_campaign(engine)
        orders_to.cancel(engine, 1, author="ann")
    else:
        import_campaign(engine)

    with pytest.raises(InputError, match="cannot be added to"):
        ground(engine)


def test_a_campaign_of_reminders_takes_nothing(engine: Engine) -> None:
    run_campaign(engine)
    with writing(engine) as connection:
        connection.execute(update(CAMPAIGNS).values(series="visits"))

    with pytest.raises(InputError, match="bulksend remind"):
        ground(engine)


def interrupted() -> Iterator[NewMessage]:
    yield from later_messages()
    raise KeyboardInterrupt


def test_ctrl_c_leaves_nothing_behind_and_the_next_try_need_not_wait(engine: Engine) -> None:
    run_campaign(engine)

    with pytest.raises(KeyboardInterrupt):
        use_case.add(engine, ground(engine), interrupted(), ADDITION, told=told())
    add(engine)

    assert report(engine).messages == len(rows(engine)) == 5
    assert codes(engine) == set()


def test_its_end_is_told_where_somebody_wants_to_know(engine: Engine) -> None:
    run_campaign(engine)

    add(engine, replace(ADDITION, wants_notice=True))

    with reading(engine) as connection:
        notice_at = connection.scalar(select(CAMPAIGNS.c.notice_at))
    assert notice_at is not None


def test_what_is_added_to_a_campaign_that_was_rescheduled_begins_with_what_is_left_of_it(
    engine: Engine,
) -> None:
    run_campaign(engine)
    with writing(engine) as connection:
        connection.execute(update(BATCHES).values(next_due_at=2**50))
        orders.note(connection, rescheduling.RESCHEDULED, author="ann", campaign_id=1)

    found = ground(engine)

    assert found.starts_at == 2**50


def test_what_is_compared_with_a_campaign_that_is_rescheduled_then_is_not_let_in(engine: Engine) -> None:
    run_campaign(engine)
    importer = write(engine, begin(engine))
    do(engine, rescheduling.begin, 1, Wish(words="--by 2h", target={}), author="bob")

    with pytest.raises(InputError, match="was rescheduled meanwhile, so nothing was added"):
        let_in(engine, importer)
    with pytest.raises(InputError, match="is being rescheduled: finish that first"):
        ground(engine)
