"""What became of a request to a group of the gateway's own, of which nobody knew."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest
from sqlalchemy import Engine

from tests.ledgers import (
    LOGIN,
    PROVIDER,
    assert_counts,
    due_rows,
    lease,
    mark,
    record,
    release,
    rows,
    run_campaign,
    some_messages,
    states,
)
from tests.sandbox.running import Sandbox
from worker.gateways.cpsms.adapter import Cpsms
from worker.gateways.http import Client
from worker.retry import Policy
from worker.sending.record import Judge
from worker.sending.submit import Gateway
from worker.settings import Timers
from worker.upkeep import Upkeep

TIMERS = Timers.model_validate({"settle": "1ms", "lookup": "1ms", "check": "1ms"})
JUDGE = Judge(policy=Policy(attempts=3, first_s=60, longest_s=600), random=lambda: 1.0)


@pytest.fixture
def client() -> Iterator[Client]:
    with ExitStack() as stack:
        client = Client(connections=2, timeout_s=2.0)
        stack.callback(client.close)
        yield client


@pytest.fixture
def group(sandbox: Sandbox) -> str:
    """Make a group of one number and return how it is written."""
    sandbox.set_faults(getlog_interval_s=0, dlr_outcome="none")
    number = sandbox.cpsms("POST", "addgroup", json={"groupName": "club"}).json()["success"]["groupId"]
    sandbox.cpsms("POST", "addcontact", json={"groupId": number, "phoneNumber": "4520304001"})
    return f"group:{number}"


@pytest.mark.parametrize(("fault", "state"), [("reset_after", "accepted"), ("error_500_before", "unknown")])
def test_the_gateway_has_it_when_it_knows_the_request(  # noqa: PLR0913 - one thing each
    engine: Engine, sandbox: Sandbox, client: Client, *, group: str, fault: str, state: str
) -> None:
    messages = [replace(each, msisdn=group, region="") for each in some_messages(1)]
    held = lease(engine, run_campaign(engine, messages=messages))
    (marked,) = mark(engine, held, due_rows(engine, held))
    adapter = Cpsms(base_url=f"{sandbox.url}/cpsms/v2", username="acme", secret="key")
    sandbox.set_faults(**{fault: True})
    reply = Gateway(adapter=adapter, client=client, options={}).submit(
        held, marked, before_write=lambda: None
    )
    sandbox.set_faults(**{fault: False})
    record(engine, JUDGE.ended(marked, reply).result)
    release(engine, held)
    before = states(engine)

    Upkeep(
        provider=PROVIDER, login=LOGIN, engine=engine, adapter=adapter, client=client, timers=TIMERS
    ).settle()

    assert (before, states(engine)) == (["unknown"], [state])
    assert rows(engine)[0]["msisdn"] == group
    assert_counts(engine)
