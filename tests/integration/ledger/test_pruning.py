import threading
from dataclasses import replace

import pytest
from sqlalchemy import Engine, event, insert, select, update

from producer import pruning
from tests.ledgers import (
    PROVIDER,
    assert_counts,
    do,
    due_rows,
    import_campaign,
    lease,
    mark,
    record,
    release,
    result,
    run_campaign,
    some_messages,
    states,
    unclear,
)
from tests.traces import found_in_files, found_in_tables
from worker.errors import InputError
from worker.ledger import adding, cleaning, deliveries, orders, reached, retrying, settling
from worker.ledger import pruning as ledger_pruning
from worker.ledger.audit import audit
from worker.ledger.drafts import NewMessage
from worker.ledger.engine import now_of, reading, writing
from worker.ledger.gone import digest, numbers_key
from worker.ledger.matching import Pushed
from worker.ledger.models import CAMPAIGNS, MESSAGES, PUSHED_REPORTS, REMINDERS, SUBMISSIONS
from worker.states import MessageState

DAY_MS = 86_400_000
OLD_MS = 90 * DAY_MS


def personal(n: int) -> list[NewMessage]:
    """Make messages whose texts and rows tell whom they are to."""
    return [
        replace(each, text=f"Dear Ada{i:05}", msisdn=f"+4520{i:06}", cells=f'["Ada{i:05}","4520{i:06}"]')
        for i, each in enumerate(some_messages(1) * n)
    ]


def secrets_of(n: int) -> list[str]:
    """Return what must be gone; fewer digits could stand in one of as many digests by chance."""
    return [word for i in range(n) for word in (f"Ada{i:05}", f"4520{i:06}")]


def send_some(engine: Engine, n: int = 4, *, name: str = "spring") -> int:
    """Send a campaign: the first is unknown, the second rejected, the rest accepted; return its id."""
    held = lease(engine, run_campaign(engine, messages=personal(n), n=n, name=name))
    rows = iter(mark(engine, held, *([row] for row in due_rows(engine, held))))
    record(engine, unclear(next(rows)))
    record(engine, result(next(rows), MessageState.REJECTED, code="400", detail="Ada00001 is no member"))
    record(engine, *(result(each, MessageState.ACCEPTED) for each in rows))
    release(engine, held)
    return held.campaign_id


def age(engine: Engine, days: int = 100) -> None:
    """Let everything in the ledger be as old as that."""
    past = days * DAY_MS
    with writing(engine) as connection:
        connection.execute(update(CAMPAIGNS).values(created_at=CAMPAIGNS.c.created_at - past))
        connection.execute(update(MESSAGES).values(changed_at=MESSAGES.c.changed_at - past))
        connection.execute(update(PUSHED_REPORTS).values(received_at=PUSHED_REPORTS.c.received_at - past))


def push(engine: Engine, body: str) -> None:
    pushed = Pushed(
        provider=PROVIDER, reference=None, method="POST", query="", content_type="x", body=body.encode()
    )
    do(engine, deliveries.append, [pushed])


def prune(engine: Engine, older_ms: int = OLD_MS) -> pruning.Pruned:
    found = pruning.look(engine, older_ms=older_ms)
    return pruning.prune(engine, found, older_ms=older_ms, author="operator")


def pruned_at(engine: Engine, campaign_id: int) -> int | None:
    with reading(engine) as connection:
        query = select(CAMPAIGNS.c.pruned_at).where(CAMPAIGNS.c.id == campaign_id)
        found: int | None = connection.scalar(query)
        return found


def test_what_is_old_is_in_no_column_and_in_no_byte_afterwards(engine: Engine) -> None:
    n = 600
    send_some(engine, n)
    push(engine, "to=4520000001&name=Ada00001")
    age(engine)
    words = secrets_of(n)
    assert found_in_tables(engine, words[:4])

    done = prune(engine)
    cleaning.rewrite(engine)

    assert (done.campaigns, done.messages, done.pushes) == (1, n, 1)
    assert found_in_tables(engine, words) == set()
    engine.dispose()
    assert found_in_files(engine, words) == set()


def test_states_counts_prices_and_times_stay_and_all_adds_up(engine: Engine) -> None:
    campaign_id = send_some(engine)
    before = states(engine)
    age(engine)

    prune(engine)

    assert states(engine) == before
    assert_counts(engine)
    with reading(engine) as connection:
        assert [each for each in audit(connection).findings if each.is_problem] == []
        kept = connection.execute(
            select(MESSAGES.c.parts, MESSAGES.c.price_micros, MESSAGES.c.currency).distinct()
        ).all()
    assert [tuple(row) for row in kept] == [(1, 350_000, "DKK")]
    assert (pruned_at(engine, campaign_id) or 0) > 0


def test_a_number_leaves_the_same_digest_everywhere(engine: Engine) -> None:
    send_some(engine, 2)
    send_some(engine, 2, name="summer")
    age(engine)

    prune(engine)

    with reading(engine) as connection:
        key = numbers_key(connection)
        kept = list(connection.scalars(select(MESSAGES.c.msisdn).order_by(MESSAGES.c.id)))
    ours = [digest(key, f"+4520{i:06}") for i in range(2)]
    assert kept == [*ours, *ours]


def test_another_ledger_has_another_digest_of_the_same_number(
    sqlite_engine: Engine, postgres_engine: Engine
) -> None:
    keys = [do(engine, numbers_key) for engine in (sqlite_engine, postgres_engine)]

    digests = {digest(key, "+4520304050") for key in keys}

    assert len(digests) == 2


def test_what_has_changed_lately_or_is_not_over_stays(engine: Engine) -> None:
    changed, queued, importing = send_some(engine), "queued", "importing"
    run_campaign(engine, messages=personal(2), name=queued)
    import_campaign(engine, messages=personal(2), name=importing)
    age(engine)
    with writing(engine) as connection:
        last = select(MESSAGES.c.id).where(MESSAGES.c.campaign_id == changed).limit(1).scalar_subquery()
        connection.execute(
            update(MESSAGES)
            .where(MESSAGES.c.id == last)
            .values(changed_at=MESSAGES.c.changed_at + 50 * DAY_MS)
        )

    done = prune(engine)

    assert (done.campaigns, done.messages) == (0, 0)
    assert prune(engine, older_ms=30 * DAY_MS).campaigns == 1


def test_pruning_again_changes_nothing_and_says_so_once(engine: Engine) -> None:
    campaign_id = send_some(engine)
    age(engine)
    prune(engine)
    since = pruned_at(engine, campaign_id)

    done = prune(engine)

    assert (done.campaigns, done.messages, done.pushes) == (0, 0, 0)
    assert pruned_at(engine, campaign_id) == since
    with reading(engine) as connection:
        noted = [row for row in orders.of_campaign(connection, campaign_id) if row["what"] == orders.PRUNE]
    assert [(row["author"], row["detail"]) for row in noted] == [("operator", "4 messages")]


def test_an_interrupted_pruning_is_gone_on_with(engine: Engine) -> None:
    n = 700
    campaign_id = send_some(engine, n)
    age(engine)

    def stop(_n: int) -> None:
        raise KeyboardInterrupt

    found = pruning.look(engine, older_ms=OLD_MS)
    with pytest.raises(KeyboardInterrupt):
        pruning.prune(engine, found, older_ms=OLD_MS, author="operator", on_rows=stop)
    assert pruned_at(engine, campaign_id) == 0

    done = prune(engine)

    assert (done.campaigns, done.messages) == (1, n - 300)
    assert found_in_tables(engine, secrets_of(n)) == set()


def test_what_was_pruned_is_never_queued_again(engine: Engine) -> None:
    campaign_id = send_some(engine)
    age(engine)
    prune(engine)

    with pytest.raises(InputError, match="was pruned"):
        do(engine, retrying.retry_some, campaign_id, retrying.RETRIABLE, after=0)
    with pytest.raises(InputError, match="was pruned"):
        do(engine, adding.ground, campaign_id)
    do(engine, settling.settle, MessageState.QUEUED, author="operator", campaign_id=campaign_id)

    assert MessageState.QUEUED not in states(engine)
    assert states(engine)[0] == MessageState.CANCELLED  # it was unknown, and was to be sent again
    assert_counts(engine)


def test_a_retry_that_comes_first_keeps_its_campaign_out_of_it(engine: Engine) -> None:
    campaign_id = send_some(engine)
    age(engine)
    found = pruning.look(engine, older_ms=OLD_MS)
    do(engine, retrying.retry_some, campaign_id, retrying.RETRIABLE, after=0)

    done = pruning.prune(engine, found, older_ms=OLD_MS, author="operator")

    assert done.left_out == [campaign_id]
    assert pruned_at(engine, campaign_id) is None


@pytest.mark.postgres
def test_a_retry_under_way_is_waited_for(postgres_engine: Engine) -> None:
    engine = postgres_engine
    campaign_id = send_some(engine)
    age(engine)
    begun: list[bool] = []

    def begin() -> None:
        begun.append(do(engine, ledger_pruning.begin, campaign_id, older_ms=OLD_MS))

    with writing(engine) as connection:
        retrying.retry_some(connection, campaign_id, retrying.RETRIABLE, after=0)
        other = threading.Thread(target=begin)
        other.start()
        other.join(0.3)
        assert other.is_alive()
    other.join(10)

    assert begun == [False]


def test_a_late_word_about_what_was_pruned_does_not_queue_it(engine: Engine) -> None:
    held = lease(engine, run_campaign(engine, messages=personal(1), n=1))
    (marked,) = mark(engine, held)
    record(engine, unclear(marked))
    release(engine, held)
    age(engine)
    prune(engine)

    record(engine, result(marked, MessageState.QUEUED))

    assert states(engine) == [MessageState.CANCELLED]


def test_words_of_gateways_about_old_messages_are_gone(engine: Engine) -> None:
    send_some(engine)
    with writing(engine) as connection:
        connection.execute(update(SUBMISSIONS).values(detail="Ada00001 has moved"))
    age(engine)

    prune(engine)

    assert found_in_tables(engine, ["Ada00001"]) == set()


def test_what_a_gateway_keeps_until_its_time_is_not_over_before(engine: Engine) -> None:
    campaign_id = send_some(engine)
    age(engine)
    leaves_at = update(CAMPAIGNS).values(leaves_at=CAMPAIGNS.c.created_at + 200 * DAY_MS)
    with writing(engine) as connection:
        connection.execute(leaves_at)

    done = prune(engine)

    assert (done.campaigns, done.messages) == (0, 0)
    assert pruned_at(engine, campaign_id) is None


def test_nobody_waits_while_all_messages_are_looked_at(engine: Engine) -> None:
    campaign_id = send_some(engine)
    age(engine)
    said: list[str] = []

    def note(*args: object) -> None:
        said.append(str(args[2]))

    with writing(engine) as connection:
        event.listen(connection, "before_cursor_execute", note)
        is_marked = ledger_pruning.begin(connection, campaign_id, older_ms=OLD_MS)

    assert is_marked
    assert [statement for statement in said if "messages" in statement] == []


def test_a_pruned_campaign_is_counted_where_it_may_have_reached_somebody_lately(engine: Engine) -> None:
    send_some(engine)
    age(engine)
    prune(engine)

    with reading(engine) as connection:
        now = now_of(connection)
        lately = reached.n_pruned(connection, since=now - DAY_MS)
        later = reached.n_pruned(connection, since=now + DAY_MS)

    assert (lately, later) == (1, 0)


def test_reminders_are_known_until_their_appointments_are_over(engine: Engine) -> None:
    campaign_id = send_some(engine)
    age(engine)
    with writing(engine) as connection:
        number = connection.scalars(select(MESSAGES.c.id)).first()
        connection.execute(update(CAMPAIGNS).values(series="week"))
        slot = {"series": "week", "key": "k", "before_ms": DAY_MS, "message_id": number}
        connection.execute(insert(REMINDERS).values(**slot, version=now_of(connection) + DAY_MS))

    before = prune(engine)
    with writing(engine) as connection:
        connection.execute(update(REMINDERS).values(version=REMINDERS.c.version - 2 * DAY_MS))
    after = prune(engine)

    assert (before.campaigns, after.campaigns) == (0, 1)
    assert pruned_at(engine, campaign_id)
