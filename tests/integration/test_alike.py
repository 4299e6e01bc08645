"""Asking a gateway that does not know our references: by its ids, else by likeness, never by another's."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest
from sqlalchemy import Engine

from tests.integration.test_upkeep import FOLLOWING, JUDGE, TIMERS, keep_following
from tests.ledgers import (
    LOGIN,
    PROVIDER,
    change_account,
    change_messages,
    change_submissions,
    due_rows,
    lease,
    mark,
    record,
    release,
    rows,
    run_campaign,
    some_messages,
)
from tests.sandbox.running import Sandbox
from worker.gateways.http import Client
from worker.gateways.txty_v4.adapter import TxtyV4
from worker.sending.submit import Gateway
from worker.upkeep import Upkeep


@pytest.fixture
def client() -> Iterator[Client]:
    with closing(Client(connections=1, timeout_s=2.0)) as made:
        yield made


@pytest.fixture
def adapter(sandbox: Sandbox) -> TxtyV4:
    return TxtyV4(base_url=f"{sandbox.url}/txty-v4", username="acme", secret="key", dialect={})


def befall(sandbox: Sandbox, **faults: object) -> None:
    answer = sandbox.session.post(f"{sandbox.url}/_sandbox/faults", json={"txty_v4": faults}, timeout=5)
    answer.raise_for_status()


def send(engine: Engine, adapter: TxtyV4, client: Client, name: str) -> None:
    """Send the same text to the same number, in a campaign of its own."""
    message = replace(some_messages(1)[0], text="The same text")
    held = lease(engine, run_campaign(engine, 1, name=name, messages=(message,)))
    (marked,) = mark(engine, held, due_rows(engine, held))
    reply = Gateway(adapter=adapter, client=client, options={}).submit(
        held, marked, before_write=lambda: None
    )
    record(engine, JUDGE.ended(marked, reply).result)
    release(engine, held)


def keeper(engine: Engine, adapter: TxtyV4, client: Client) -> Upkeep:
    return Upkeep(
        provider=PROVIDER, login=LOGIN, engine=engine, adapter=adapter, client=client, timers=TIMERS
    )


def follow(engine: Engine, adapter: TxtyV4, client: Client) -> None:
    """Ask once about each of what was accepted, and see that it is over."""
    keep_following(engine)
    asking = replace(keeper(engine, adapter, client), timers=FOLLOWING)
    for _ in range(2 * len(rows(engine))):
        change_account(engine, asked_at=0)
        asking.follow()


def told(engine: Engine) -> list[tuple[str, str]]:
    return [(str(row["state"]), str(row["code"])) for row in rows(engine)]


def test_what_looks_the_same_is_taken_for_it_and_called_so(
    engine: Engine, sandbox: Sandbox, adapter: TxtyV4, client: Client
) -> None:
    befall(sandbox, error_500_after=1)
    send(engine, adapter, client, "spring")
    before = told(engine)

    n_settled = keeper(engine, adapter, client).settle()

    assert [state for state, _ in before] == ["unknown"]
    assert (n_settled, told(engine)) == (1, [("accepted", "found_alike")])


def test_what_is_known_to_be_another_message_is_not_taken_for_it(
    engine: Engine, sandbox: Sandbox, adapter: TxtyV4, client: Client
) -> None:
    send(engine, adapter, client, "spring")
    befall(sandbox, reset_before=1)
    send(engine, adapter, client, "summer")

    n_settled = keeper(engine, adapter, client).settle()

    assert n_settled == 0
    assert [state for state, _ in told(engine)] == ["accepted", "unknown"]


def ids(engine: Engine) -> list[object]:
    return [row["provider_ref"] for row in rows(engine)]


def test_what_looks_the_same_and_has_another_id_says_nothing_of_a_message(
    engine: Engine, sandbox: Sandbox, adapter: TxtyV4, client: Client
) -> None:
    befall(sandbox, dlr_outcome="delivered", dlr_delay_ms=0)
    send(engine, adapter, client, "spring")
    change_submissions(engine, provider_ref="5")  # what the outbox has is somebody else's
    change_messages(engine, provider_ref="5")

    follow(engine, adapter, client)

    assert [state for state, _ in told(engine)] == ["accepted"]
    assert ids(engine) == ["5"]


def test_each_of_two_that_look_the_same_is_followed_by_its_id(
    engine: Engine, sandbox: Sandbox, adapter: TxtyV4, client: Client
) -> None:
    befall(sandbox, dlr_outcome="delivered", dlr_delay_ms=0)
    send(engine, adapter, client, "spring")
    send(engine, adapter, client, "summer")
    before = ids(engine)

    follow(engine, adapter, client)

    assert told(engine) == [("delivered", "found")] * 2
    assert ids(engine) == before


def test_what_is_unclear_and_has_an_id_is_found_by_it_among_what_looks_the_same(
    engine: Engine, adapter: TxtyV4, client: Client
) -> None:
    send(engine, adapter, client, "spring")
    send(engine, adapter, client, "summer")
    first_id, second_id = ids(engine)
    change_messages(engine, state="unknown")
    change_submissions(engine, outcome="unknown")
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE batches SET accepted = 0, unknown = 1")

    for _ in range(2):
        change_account(engine, asked_at=0)
        change_submissions(engine, asked_at=None)
        keeper(engine, adapter, client).settle()

    assert told(engine) == [("accepted", "found")] * 2
    assert ids(engine) == [first_id, second_id]
