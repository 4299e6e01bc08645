"""Batches one after the other in one process: no part of the limit goes unused, and nothing is lost."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

import pytest
from sqlalchemy import Engine

from tests.integration.test_sending import Imagined, MakeDesk, make_desk
from tests.ledgers import PROVIDER, assert_counts, batch, do, run_campaign, some_messages, states
from tests.outages import away
from worker.errors import LedgerError
from worker.gateways.base import HttpReply, HttpRequest
from worker.ledger import rates
from worker.ledger.drafts import NewMessage
from worker.sending.run import Relay
from worker.sending.tempo import LOOK_S
from worker.waiting import within

__all__ = ["make_desk"]

DEADLINE_S = 10.0
FIRST, SECOND, BESIDE = "+4520304000", "+4520304001", "+4520304002"


@dataclass
class Slow(Imagined):
    """A gateway that accepts one message at a time; its first answer comes when it may."""

    may_answer: threading.Event = field(default_factory=threading.Event)
    came: list[list[str]] = field(default_factory=list)
    on_first: Callable[[], object] = lambda: None
    on_second: Callable[[], object] = lambda: None

    def exchange(self, request: HttpRequest, *, before_write: Callable[[], None] | None = None) -> HttpReply:
        """Answer as CPSMS would."""
        assert before_write is not None
        before_write()
        to = json.loads(request.body)["to"]
        numbers = [f"+{number}" for number in (to if isinstance(to, list) else [to])]
        self.came.append(numbers)
        if FIRST in numbers:
            self.on_first()
            assert self.may_answer.wait(DEADLINE_S)
        else:
            self.on_second()
        if len(numbers) > 1:
            refusal = {"error": {"code": 400, "message": "a recipient is not valid"}}
            return HttpReply(status=400, headers={}, body=json.dumps(refusal).encode())
        return HttpReply(status=200, headers={}, body=json.dumps({"success": [{"to": to}]}).encode())


def of(*numbers: str) -> list[NewMessage]:
    return [replace(each, msisdn=msisdn) for each, msisdn in zip(some_messages(2), numbers, strict=False)]


def two_batches(engine: Engine) -> tuple[int, int]:
    first, second = (run_campaign(engine, 1, name=msisdn, messages=of(msisdn)) for msisdn in (FIRST, SECOND))
    return first, second


def test_the_next_batch_leaves_while_the_last_answer_to_another_is_to_come(
    engine: Engine, make_desk: MakeDesk
) -> None:
    first, second = two_batches(engine)
    gateway = Slow()
    gateway.on_second = gateway.may_answer.set

    with Relay(make_desk(client=gateway, width=4)) as relay:
        assert relay.send(first)
        assert batch(engine, first)["state"] == "leased"
        assert relay.send(second)

    assert gateway.came == [[FIRST], [SECOND]]
    assert states(engine) == ["accepted", "accepted"]
    assert [batch(engine, each)["state"] for each in (first, second)] == ["done", "done"]
    assert_counts(engine)


def test_a_batch_is_given_back_with_its_last_answer_while_another_is_worked(
    engine: Engine, make_desk: MakeDesk
) -> None:
    first, second = two_batches(engine)
    gateway = Slow()

    def first_is_given_back() -> None:
        gateway.may_answer.set()
        assert within(DEADLINE_S, lambda: batch(engine, first)["state"] == "done")

    gateway.on_second = first_is_given_back
    with Relay(make_desk(client=gateway, width=4)) as relay:
        assert relay.send(first)
        assert relay.send(second)

    assert states(engine) == ["accepted", "accepted"]


def test_what_comes_back_to_be_sent_of_the_last_batch_is_sent(engine: Engine, make_desk: MakeDesk) -> None:
    batch_id = run_campaign(engine, 2, messages=of(FIRST, BESIDE))
    gateway = Slow()
    gateway.may_answer.set()

    with Relay(make_desk(client=gateway, width=4)) as relay:
        assert relay.send(batch_id)

    assert gateway.came[0] == [FIRST, BESIDE]
    assert sorted(gateway.came[1:]) == [[FIRST], [BESIDE]]
    assert states(engine) == ["accepted", "accepted"]
    assert_counts(engine)


def test_what_comes_back_of_a_batch_before_the_last_waits_in_it_for_the_next_lease(
    engine: Engine, make_desk: MakeDesk
) -> None:
    first = run_campaign(engine, 2, messages=of(FIRST, BESIDE))
    second = run_campaign(engine, 1, name="second", messages=of(SECOND))
    gateway = Slow()
    gateway.on_second = gateway.may_answer.set

    with Relay(make_desk(client=gateway, width=4)) as relay:
        assert relay.send(first)
        assert relay.send(second)

    assert states(engine) == ["queued", "queued", "accepted"]
    assert [batch(engine, each)["state"] for each in (first, second)] == ["open", "done"]
    assert_counts(engine)


def test_outcomes_of_both_wait_for_a_ledger_that_goes_away_between_them(
    engine: Engine, make_desk: MakeDesk
) -> None:
    first, second = two_batches(engine)
    gateway = Slow()
    with ExitStack() as outage:

        def go_away() -> None:
            outage.enter_context(away(engine))
            gateway.may_answer.set()
            threading.Timer(0.5, outage.close).start()

        gateway.on_second = go_away
        with Relay(make_desk(client=gateway, width=4)) as relay:
            assert relay.send(first)
            assert relay.send(second)

    assert gateway.came == [[FIRST], [SECOND]]
    assert states(engine) == ["accepted", "accepted"]
    assert [batch(engine, each)["state"] for each in (first, second)] == ["done", "done"]
    assert_counts(engine)


@pytest.mark.parametrize("error", [LedgerError("gone"), KeyboardInterrupt()])
def test_whatever_goes_wrong_between_two_batches_the_first_is_recorded_and_given_back(
    engine: Engine, make_desk: MakeDesk, error: BaseException
) -> None:
    first, _ = two_batches(engine)
    gateway = Slow()

    def send_one_and_fail() -> None:
        with Relay(make_desk(client=gateway)) as relay:
            assert relay.send(first)
            threading.Timer(0.1, gateway.may_answer.set).start()
            raise error

    with pytest.raises(type(error)):
        send_one_and_fail()
    assert states(engine) == ["accepted", "queued"]
    assert batch(engine, first)["state"] == "done"
    assert_counts(engine)


def test_a_batch_whose_plan_is_made_anew_for_another_rate_is_sent_before_the_next(
    engine: Engine, make_desk: MakeDesk
) -> None:
    batch_id = run_campaign(engine, 2, messages=of(FIRST, BESIDE))
    gateway = Slow()

    def is_slowed() -> None:
        do(engine, rates.order_rate, [PROVIDER], "10/s", author="ann")
        threading.Timer(2 * LOOK_S, gateway.may_answer.set).start()

    gateway.on_first = is_slowed
    with Relay(make_desk(client=gateway, width=1, max_recipients=1)) as relay:
        assert relay.send(batch_id)
        queued = states(engine).count("queued")

    assert queued == 0
    assert gateway.came == [[FIRST], [BESIDE]]
    assert_counts(engine)


def test_a_batch_that_is_not_to_be_worked_ends_nothing(engine: Engine, make_desk: MakeDesk) -> None:
    first, second = two_batches(engine)
    gateway = Slow()
    gateway.on_second = gateway.may_answer.set

    with Relay(make_desk(client=gateway, width=4)) as relay:
        assert relay.send(first)
        assert not relay.send(first)
        assert relay.send(second)

    assert states(engine) == ["accepted", "accepted"]
