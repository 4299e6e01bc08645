import threading
from dataclasses import replace

import pytest
from sqlalchemy import Engine, select, update

from producer import people
from tests.ledgers import (
    LEASE_MS,
    LOGIN,
    PROVIDER,
    TEXT,
    a_campaign,
    assert_counts,
    do,
    due_rows,
    import_campaign,
    intentions,
    lease,
    mark,
    record,
    release,
    result,
    rows,
    run_campaign,
    some_messages,
    states,
    try_mark,
    unclear,
)
from tests.traces import found_in_files, found_in_tables
from worker.errors import InputError
from worker.ledger import campaigns, cleaning, deliveries, intent, optouts, orders, retrying
from worker.ledger.audit import audit
from worker.ledger.drafts import NewMessage, SourceCounts
from worker.ledger.engine import reading, writing
from worker.ledger.matching import Pushed
from worker.ledger.models import CAMPAIGNS, PUSHED_REPORTS
from worker.ledger.optouts import NewOptOut
from worker.states import MessageState, OptOutSource

ADA = "+4520990000"
BOB = "+4520990001"
WORDS = ["20990000", "Ada"]


def to_both(text: str | None = "Dear") -> list[NewMessage]:
    """Make a message to Ada and one to Bob."""
    ada, bob = some_messages(2)
    return [
        replace(ada, msisdn=ADA, text=text and f"{text} Ada", cells='["Ada","20990000"]'),
        replace(bob, msisdn=BOB, text=text and f"{text} Bob", cells='["Bob","20990001"]'),
    ]


def erase(engine: Engine, *, patience_s: float = 0.1) -> people.Erasure:
    return people.erase(engine, ADA, author="operator", patience_s=patience_s, on_wait=lambda _n: None)


def push(engine: Engine, body: str, *, query: str = "") -> None:
    pushed = Pushed(
        provider=PROVIDER, reference=None, method="POST", query=query, content_type="x", body=body.encode()
    )
    do(engine, deliveries.append, [pushed])


def raw_reports(engine: Engine) -> list[tuple[str, bytes]]:
    with reading(engine) as connection:
        found = connection.execute(select(PUSHED_REPORTS.c.query, PUSHED_REPORTS.c.body))
        return [(row.query, bytes(row.body)) for row in found]


def test_a_number_and_its_texts_are_in_no_column_and_in_no_byte_afterwards(engine: Engine) -> None:
    held = lease(engine, run_campaign(engine, messages=to_both()))
    to_ada, to_bob = mark(engine, held, *([row] for row in due_rows(engine, held)))
    record(engine, result(to_ada, MessageState.ACCEPTED, detail="Ada has it"))
    record(engine, result(to_bob, MessageState.ACCEPTED))
    release(engine, held)
    push(engine, "to=4520990000&status=1", query="to=%2B4520990000")
    assert len(found_in_tables(engine, WORDS)) > 3

    done = erase(engine)
    cleaning.rewrite(engine)

    assert (done.messages, done.cancelled, done.on_their_way) == (1, 0, 0)
    assert found_in_tables(engine, WORDS) == set()
    assert {"messages.text: Bob", "messages.msisdn: 20990001"} <= found_in_tables(engine, ["Bob", "20990001"])
    engine.dispose()
    assert found_in_files(engine, WORDS) == set()


def test_what_is_queued_is_cancelled_and_all_adds_up(engine: Engine) -> None:
    run_campaign(engine, messages=to_both())

    done = erase(engine)

    assert (done.messages, done.cancelled) == (1, 1)
    assert states(engine) == ["cancelled", "queued"]
    assert [row["code"] for row in rows(engine)] == ["erased", None]
    assert_counts(engine)
    with reading(engine) as connection:
        assert [each for each in audit(connection).findings if each.is_problem] == []


def test_what_is_on_its_way_stays_until_its_outcome_is_known(engine: Engine) -> None:
    held = lease(engine, run_campaign(engine, messages=to_both()))
    (marked,) = mark(engine, held)

    first = erase(engine)
    record(engine, result(marked, MessageState.ACCEPTED))
    second = erase(engine)

    assert (first.messages, first.on_their_way) == (0, 1)
    assert (second.messages, second.on_their_way) == (1, 0)
    assert states(engine) == ["accepted", "accepted"]


def test_it_waits_for_what_is_on_its_way(engine: Engine) -> None:
    held = lease(engine, run_campaign(engine, messages=to_both()))
    (marked,) = mark(engine, held)
    done: list[people.Erasure] = []
    waits = threading.Event()

    def run() -> None:
        done.append(
            people.erase(engine, ADA, author="operator", patience_s=20, on_wait=lambda _n: waits.set())
        )

    other = threading.Thread(target=run)
    other.start()
    assert waits.wait(10)
    record(engine, result(marked, MessageState.ACCEPTED))
    other.join(20)

    assert [each.messages for each in done] == [1]
    assert found_in_tables(engine, WORDS) == set()


def test_what_a_worker_has_read_is_not_marked_after_it(engine: Engine) -> None:
    held = lease(engine, run_campaign(engine, messages=to_both()))
    planned = due_rows(engine, held)

    erase(engine)
    marked = try_mark(engine, held, planned)

    assert isinstance(marked, list)
    assert [row.msisdn for each in marked for row in each.rows] == [BOB]


@pytest.mark.postgres
def test_a_mark_under_way_is_waited_for(postgres_engine: Engine) -> None:
    engine = postgres_engine
    held = lease(engine, run_campaign(engine, messages=to_both()))
    planned = due_rows(engine, held)
    done: list[people.Erasure] = []

    with writing(engine) as connection:
        intent.mark(connection, held, intentions(planned), lease_ms=LEASE_MS, login=LOGIN)
        other = threading.Thread(target=lambda: done.append(erase(engine)))
        other.start()
        other.join(0.3)
        assert other.is_alive()
    other.join(10)

    assert [(each.messages, each.on_their_way) for each in done] == [(0, 1)]


def test_a_number_in_many_messages_is_erased_everywhere(engine: Engine) -> None:
    (one,) = some_messages(1)
    n = 700
    run_campaign(engine, messages=[replace(one, msisdn=ADA, text=f"Ada {i}") for i in range(n)], n=n)

    done = erase(engine)

    assert done.messages == n
    assert found_in_tables(engine, WORDS) == set()
    assert_counts(engine)


def test_the_text_of_a_campaign_to_nobody_else_goes_too(engine: Engine) -> None:
    with writing(engine) as connection:
        new = replace(a_campaign(text="Dear Ada"), reading={"path": "Ada.csv"})
        importer = campaigns.create(connection, new)
        importer = campaigns.add_batch(connection, importer, to_both(None)[:1])
        campaigns.release(connection, importer, SourceCounts(rows=1, duplicates=0, refused=0))

    erase(engine)

    assert found_in_tables(engine, WORDS) == set()


def test_the_text_of_a_campaign_to_others_stays(engine: Engine) -> None:
    run_campaign(engine, messages=to_both(None))

    erase(engine)

    with reading(engine) as connection:
        assert connection.scalar(select(CAMPAIGNS.c.text)) == TEXT


def test_nothing_is_done_while_the_number_is_being_imported(engine: Engine) -> None:
    import_campaign(engine, messages=to_both())

    with pytest.raises(InputError, match="is being imported"):
        erase(engine)

    assert {"messages.msisdn: 20990000"} <= found_in_tables(engine, WORDS)


def test_what_was_erased_is_not_retried(engine: Engine) -> None:
    held = lease(engine, run_campaign(engine, messages=to_both()))
    (marked,) = mark(engine, held)
    record(engine, result(marked, MessageState.REJECTED))
    release(engine, held)
    erase(engine)

    found = do(engine, retrying.retriable, held.campaign_id, retrying.RETRIABLE)
    do(engine, retrying.retry_some, held.campaign_id, retrying.RETRIABLE, after=0)

    assert (found.n, found.n_gone) == (1, 1)
    assert states(engine) == ["rejected", "queued"]


def test_a_late_word_does_not_queue_what_was_erased(engine: Engine) -> None:
    held = lease(engine, run_campaign(engine, messages=to_both()))
    (marked,) = mark(engine, held)
    record(engine, unclear(marked))
    erase(engine)

    record(engine, result(marked, MessageState.QUEUED))

    assert states(engine) == ["cancelled", "queued"]
    assert_counts(engine)


def test_only_the_number_goes_from_a_report_that_is_to_be_read_again(engine: Engine) -> None:
    push(engine, "4520990000=1&4520990001=2")

    done = erase(engine)

    assert done.pushes == 1
    assert raw_reports(engine) == [("", b"0000000000=1&4520990001=2")]


def test_erasing_again_finds_nothing(engine: Engine) -> None:
    run_campaign(engine, messages=to_both())
    erase(engine)

    assert erase(engine) == people.Erasure(leftover=erase(engine).leftover)


def test_the_order_is_noted_and_does_not_say_whose_it_was(engine: Engine) -> None:
    held = lease(engine, run_campaign(engine, messages=to_both()))

    erase(engine)

    with reading(engine) as connection:
        (noted,) = orders.of_campaign(connection, held.campaign_id)
    assert (noted["author"], noted["what"], noted["detail"]) == ("operator", "erase", "1 message")


def test_everything_on_a_number_is_shown_before(engine: Engine) -> None:
    held = lease(engine, run_campaign(engine, messages=to_both()))
    (marked,) = mark(engine, held)
    record(engine, result(marked, MessageState.ACCEPTED))
    push(engine, "to=4520990000")
    push(engine, "to=4520990001")

    found = people.everything(engine, ADA)

    (message,) = found["messages"]
    assert (message["text"], message["cells"]) == ("Dear Ada", ("Ada", "20990000"))
    assert [each["reference"] for each in message["submissions"]] == [marked.reference]
    assert [each["body"] for each in found["pushed_reports"]] == ["to=4520990000"]
    assert "Bob" not in str(found)


def test_a_number_that_has_only_opted_out_goes_from_the_list(engine: Engine) -> None:
    new = NewOptOut(scope="all", source=OptOutSource.OPERATOR, msisdn=ADA)
    do(engine, optouts.add, [new], keeps_numbers=True)

    done = erase(engine)

    assert (done.messages, done.opt_outs) == (0, 1)
    assert found_in_tables(engine, [ADA]) == set()


def test_what_a_gateway_keeps_until_its_time_is_told_of(engine: Engine) -> None:
    held_now = lease(engine, run_campaign(engine, messages=to_both()))
    record(engine, *(result(each, MessageState.ACCEPTED) for each in mark(engine, held_now)))
    with writing(engine) as connection:
        connection.execute(update(CAMPAIGNS).values(leaves_at=CAMPAIGNS.c.created_at + 86_400_000))

    assert people.held(engine, ADA).n_kept == 1


def test_what_a_number_opted_out_of_is_shown_and_holds_after_the_erasure(engine: Engine) -> None:
    new = NewOptOut(scope="purpose:marketing", source=OptOutSource.REPLY, msisdn=ADA)
    do(engine, optouts.add, [new], keeps_numbers=True)
    run_campaign(engine, messages=to_both())

    shown = people.everything(engine, ADA)["opt_outs"]
    erase(engine)

    assert [(each["scope"], each["source"]) for each in shown] == [("purpose:marketing", "reply")]
    assert found_in_tables(engine, WORDS) == set()
    with reading(engine) as connection:
        assert [each["scope"] for each in optouts.of_number(connection, ADA)] == ["purpose:marketing"]
        assert optouts.of_number(connection, BOB) == []
