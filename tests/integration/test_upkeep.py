import logging
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import ClassVar

import pytest
from sqlalchemy import Engine, event, update

from tests.conftest import free_port
from tests.contract.servers import Server, serving
from tests.ledgers import (
    LOGIN,
    PROVIDER,
    account,
    ago,
    assert_counts,
    change_account,
    change_messages,
    change_submissions,
    do,
    due_rows,
    lease,
    mark,
    record,
    release,
    rows,
    run_campaign,
    some_messages,
    states,
    submissions,
    try_lease,
)
from tests.sandbox.running import Sandbox, running_sandbox
from worker.gateways.base import Capabilities, HttpReply, HttpRequest, Lookup, Outcome, Question
from worker.gateways.cpsms.adapter import Cpsms
from worker.gateways.http import Client
from worker.ledger import accounts, trouble
from worker.ledger.drafts import NewMessage
from worker.ledger.engine import open_ledger, writing
from worker.ledger.models import BATCHES, SUBMISSIONS
from worker.retry import Policy
from worker.sending.record import Judge
from worker.sending.submit import Gateway
from worker.settings import Timers
from worker.upkeep import Upkeep

TIMERS = Timers.model_validate({"settle": "1ms", "lookup": "1ms", "check": "1ms"})
SLOW = Timers.model_validate({"settle": "1ms", "lookup": "60s"})
QUARANTINE_MS = int(1000 * TIMERS.quarantine)
JUDGE = Judge(policy=Policy(attempts=3, first_s=60, longest_s=600), random=lambda: 1.0)


@dataclass(frozen=True, kw_only=True)
class Telling(Cpsms):
    """A gateway whose log is complete: what it does not name it never had."""

    capabilities: ClassVar[Capabilities] = replace(
        Cpsms.capabilities, lookup=Lookup(interval_s=120.0, most_references=None, is_proof=True)
    )


@dataclass(frozen=True, kw_only=True)
class Shy(Cpsms):
    """A gateway that bears few calls that read."""

    capabilities: ClassVar[Capabilities] = replace(Cpsms.capabilities, check_interval_s=30.0)


def adapter_at(port: int, *, kind: type[Cpsms] = Cpsms, username: str = "acme") -> Cpsms:
    return kind(base_url=f"http://127.0.0.1:{port}/cpsms/v2", username=username, secret="key")


@pytest.fixture
def client() -> Iterator[Client]:
    with ExitStack() as stack:
        client = Client(connections=2, timeout_s=2.0)
        stack.callback(client.close)
        yield client


def keeper(engine: Engine, adapter: Cpsms, client: Client, *, timers: Timers = TIMERS) -> Upkeep:
    return Upkeep(
        provider=PROVIDER, login=LOGIN, engine=engine, adapter=adapter, client=client, timers=timers
    )


@dataclass(frozen=True, kw_only=True)
class Sender:
    """Sends whole campaigns, each in one request, as a worker would."""

    engine: Engine
    sandbox: Sandbox
    client: Client

    def send(
        self,
        name: str = "spring",
        *,
        fault: str | None = None,
        messages: tuple[NewMessage, ...] = (),
        username: str = "acme",
    ) -> int:
        """Send a campaign of two messages to a gateway with a fault; return its batch."""
        if fault:
            self.sandbox.set_faults(**{fault: True})
        held = lease(self.engine, run_campaign(self.engine, name=name, messages=messages))
        (marked,) = mark(self.engine, held, due_rows(self.engine, held))
        adapter = adapter_at(self.sandbox.port, username=username)
        gateway = Gateway(adapter=adapter, client=self.client, options={})
        reply = gateway.submit(held, marked, before_write=lambda: None)
        record(self.engine, JUDGE.ended(marked, reply).result)
        release(self.engine, held)
        if fault:
            self.sandbox.set_faults(**{fault: False})
        return held.batch_id


@pytest.fixture
def sender(engine: Engine, sandbox: Sandbox, client: Client) -> Sender:
    sandbox.set_faults(getlog_interval_s=0, dlr_outcome="none")
    return Sender(engine=engine, sandbox=sandbox, client=client)


def later(engine: Engine, *, minutes: int = 2) -> None:
    """Let time pass for everything that is asked about."""
    ms = 60_000 * minutes
    change_account(engine, asked_at=0)
    change_submissions(engine, asked_at=None, missing_at=ago(ms))


def pass_quarantine(engine: Engine) -> None:
    change_messages(engine, changed_at=ago(QUARANTINE_MS))


# --- asking what became of requests


@pytest.mark.parametrize("fault", ["reset_after", "error_500_after", "malformed", "hang_after"])
def test_what_the_gateway_has_is_found_with_its_own_count(
    engine: Engine, sender: Sender, client: Client, fault: str
) -> None:
    text = 40 * "Grüße, "
    long = tuple(replace(each, text=text, parts=2) for each in some_messages(2))
    sender.send(messages=long, fault=fault)
    before = states(engine)

    n_settled = keeper(engine, adapter_at(sender.sandbox.port), client).settle()

    assert (before, n_settled) == (["unknown"] * 2, 2)
    (reference,) = {str(each["reference"]) for each in submissions(engine)}
    found = {(r["state"], r["code"], r["billed_parts"], r["provider_ref"]) for r in rows(engine)}
    assert found == {("accepted", "found", 2, reference)}
    assert [float(str(row["billed_cost"])) for row in rows(engine)] == [2.0, 2.0]
    assert [each["outcome"] for each in submissions(engine)] == ["answered"]
    assert_counts(engine)


def test_of_a_request_that_the_gateway_took_in_part_that_part_is_found(
    engine: Engine, sender: Sender, client: Client
) -> None:
    sender.sandbox.set_faults(refuse_numbers=["01"])
    sender.send(fault="error_500_after")

    keeper(engine, adapter_at(sender.sandbox.port), client).settle()

    assert states(engine) == ["accepted", "unknown"]
    assert [each["outcome"] for each in submissions(engine)] == ["unknown"]
    assert_counts(engine)


def test_the_gateway_is_asked_once_in_an_interval_however_many_look_after_it(
    engine: Engine, sender: Sender, client: Client
) -> None:
    sender.send(fault="error_500_before")
    n_before = sender.sandbox.stats()["requests"]
    adapter = adapter_at(sender.sandbox.port)
    keepers = [keeper(engine, adapter, client, timers=SLOW) for _ in range(2)]

    for each in 2 * keepers:
        change_submissions(engine, asked_at=None)
        each.settle()

    assert sender.sandbox.stats()["requests"] - n_before == 1


def test_nothing_is_asked_while_nothing_is_unknown(engine: Engine, sender: Sender, client: Client) -> None:
    sender.send()
    n_before = sender.sandbox.stats()["requests"]

    n_settled = keeper(engine, adapter_at(sender.sandbox.port), client).settle()

    assert (n_settled, sender.sandbox.stats()["requests"] - n_before) == (0, 0)


def test_what_is_not_in_a_log_that_proves_nothing_stays_unknown(
    engine: Engine, sender: Sender, client: Client
) -> None:
    sender.send("lost", fault="error_500_before")
    sender.send("accepted")
    pass_quarantine(engine)
    asking = keeper(engine, adapter_at(sender.sandbox.port), client)

    for _ in range(3):
        later(engine)
        asking.settle()

    assert states(engine) == ["unknown"] * 2 + ["accepted"] * 2
    assert [each["n_missing"] for each in submissions(engine)] == [0, 0]


def test_what_is_not_in_a_log_that_is_proof_is_queued_again_after_two_answers(
    engine: Engine, sender: Sender, client: Client
) -> None:
    batch_id = sender.send("lost", fault="error_500_before")
    sender.send("accepted")
    pass_quarantine(engine)
    asking = keeper(engine, adapter_at(sender.sandbox.port, kind=Telling), client)
    first = asking.settle()
    between = states(engine)
    later(engine)

    second = asking.settle()

    assert (first, between) == (0, ["unknown"] * 2 + ["accepted"] * 2)
    assert (second, states(engine)) == (2, ["queued"] * 2 + ["accepted"] * 2)
    assert try_lease(engine, batch_id) is not None
    assert_counts(engine)


def test_two_answers_at_once_prove_nothing(engine: Engine, sender: Sender, client: Client) -> None:
    sender.send("lost", fault="error_500_before")
    sender.send("accepted")
    pass_quarantine(engine)
    asking = keeper(engine, adapter_at(sender.sandbox.port, kind=Telling), client)

    for _ in range(3):
        change_account(engine, asked_at=0)
        change_submissions(engine, asked_at=None)
        asking.settle()

    assert states(engine)[:2] == ["unknown"] * 2


def test_nothing_is_proven_before_the_quarantine_is_over(
    engine: Engine, sender: Sender, client: Client
) -> None:
    sender.send("lost", fault="error_500_before")
    sender.send("accepted")
    asking = keeper(engine, adapter_at(sender.sandbox.port, kind=Telling), client)

    for _ in range(3):
        asking.settle()
        later(engine)

    assert states(engine)[:2] == ["unknown"] * 2


def forget(sandbox: Sandbox) -> None:
    """Have the gateway's log lost, as at a wrong address."""
    sandbox.reset()
    sandbox.set_faults(getlog_interval_s=0)


def test_a_log_that_does_not_even_name_what_was_accepted_proves_nothing(
    engine: Engine, sender: Sender, client: Client
) -> None:
    sender.send("lost", fault="error_500_before")
    sender.send("accepted")
    pass_quarantine(engine)
    forget(sender.sandbox)
    asking = keeper(engine, adapter_at(sender.sandbox.port, kind=Telling), client)

    for _ in range(3):
        asking.settle()
        later(engine)

    assert states(engine)[:2] == ["unknown"] * 2
    assert [each["n_missing"] for each in submissions(engine)] == [0, 0]


def test_without_anything_that_was_ever_accepted_nothing_is_proven(
    engine: Engine, sender: Sender, client: Client
) -> None:
    sender.send("lost", fault="error_500_before")
    pass_quarantine(engine)
    asking = keeper(engine, adapter_at(sender.sandbox.port, kind=Telling), client)

    for _ in range(3):
        asking.settle()
        later(engine)

    assert states(engine) == ["unknown"] * 2


def settle_often(engine: Engine, sender: Sender, client: Client, *, kind: type[Cpsms] = Telling) -> None:
    """Ask so often, and so long after all that was sent, that any proof would count."""
    pass_quarantine(engine)
    asking = keeper(engine, adapter_at(sender.sandbox.port, kind=kind), client)
    for _ in range(3):
        later(engine)
        asking.settle()


def test_what_is_younger_than_all_that_was_accepted_stays_unknown_until_something_is_accepted_later(
    engine: Engine, sender: Sender, client: Client
) -> None:
    sender.send("earlier")
    sender.send("lost", fault="error_500_before")
    settle_often(engine, sender, client)
    alone = states(engine)

    sender.send("later")
    settle_often(engine, sender, client)

    assert alone == ["accepted"] * 2 + ["unknown"] * 2
    assert states(engine) == ["accepted"] * 2 + ["queued"] * 2 + ["accepted"] * 2
    assert_counts(engine)


def test_of_two_that_are_asked_about_at_once_only_the_one_before_an_accepted_one_is_proven_missing(
    engine: Engine, sender: Sender, client: Client
) -> None:
    sender.send("first", fault="error_500_before")
    sender.send("accepted")
    sender.send("last", fault="error_500_before")

    settle_often(engine, sender, client)

    assert states(engine) == ["queued"] * 2 + ["accepted"] * 2 + ["unknown"] * 2


def test_what_another_login_took_is_not_proven_missing_by_the_present_one(
    engine: Engine, sender: Sender, client: Client
) -> None:
    sender.send("taken", fault="error_500_after", username="former")
    change_submissions(engine, login="former")
    sender.send("accepted")

    settle_often(engine, sender, client)

    assert states(engine) == ["unknown"] * 2 + ["accepted"] * 2
    assert len(sender.sandbox.accepted()) == 4


def test_what_the_gateway_has_named_in_part_is_not_proven_missing_when_it_forgets_it(
    engine: Engine, sender: Sender, client: Client
) -> None:
    sender.sandbox.set_faults(refuse_numbers=["01"])
    sender.send(fault="error_500_after")
    keeper(engine, adapter_at(sender.sandbox.port, kind=Telling), client).settle()
    forget(sender.sandbox)
    sender.send("accepted")

    settle_often(engine, sender, client)

    assert states(engine) == ["accepted", "unknown"] + ["accepted"] * 2


class Nodding(Telling):
    """A gateway that knows every request, and names no number of it."""

    def hear(
        self,
        questions: Sequence[Question],
        reply: HttpReply,  # noqa: ARG002 - whatever it is
    ) -> Mapping[str, Mapping[str, Outcome]] | None:
        """Know them all."""
        return {question.reference: {} for question in questions}


def test_what_the_gateway_has_known_without_a_name_is_not_proven_missing_when_it_forgets_it(
    engine: Engine, sender: Sender, client: Client
) -> None:
    sender.send("known", fault="error_500_before")
    sender.send("accepted")
    settle_often(engine, sender, client, kind=Nodding)

    settle_often(engine, sender, client)

    assert states(engine) == ["unknown"] * 2 + ["accepted"] * 2


def test_what_went_to_a_group_is_not_proven_missing(engine: Engine, sender: Sender, client: Client) -> None:
    to_group = replace(some_messages(1)[0], msisdn="group:7", region="")
    sender.send("lost", fault="error_500_before", messages=(to_group,))
    sender.send("accepted")

    settle_often(engine, sender, client)

    assert states(engine) == ["unknown"] + ["accepted"] * 2


@pytest.mark.parametrize("path", ["", "elsewhere"])
def test_an_answer_that_is_no_log_changes_nothing(
    engine: Engine, sender: Sender, client: Client, path: str
) -> None:
    sender.send("accepted")
    sender.send("lost", fault="error_500_after")
    pass_quarantine(engine)
    lost_way = Telling(base_url=f"{sender.sandbox.url}/{path}", username="acme", secret="key")

    n_settled = keeper(engine, lost_way, client).settle()

    assert (n_settled, states(engine)[2:]) == (0, ["unknown"] * 2)


def test_a_gateway_that_is_away_is_asked_again_another_time(
    engine: Engine, sender: Sender, client: Client
) -> None:
    sender.send(fault="error_500_after")
    away = keeper(engine, adapter_at(free_port()), client).settle()
    later(engine)

    n_settled = keeper(engine, adapter_at(sender.sandbox.port), client).settle()

    assert (away, n_settled) == (0, 2)


def hang_up(server: Server, connection: socket.socket) -> None:
    """Read a request and say nothing."""
    server.read(connection)


def lose_two_apart(engine: Engine, sender: Sender, *, minutes: int) -> None:
    """Send two requests of which nobody knows, the first so long before the second."""
    sender.send("early", fault="error_500_after")
    change_submissions(engine, started_at=ago(60_000 * minutes))
    sender.send("late", fault="error_500_after")


def asked(engine: Engine) -> int:
    """Return how many requests were asked about, and let the time of the next call come."""
    n_asked = sum(each["asked_at"] is not None for each in submissions(engine))
    later(engine)
    return n_asked


def test_after_a_call_that_came_to_nothing_the_next_covers_half_the_time(
    engine: Engine, sender: Sender, client: Client
) -> None:
    lose_two_apart(engine, sender, minutes=7)
    with serving(hang_up) as server:
        adapter = Cpsms(base_url=server.url, username="acme", secret="key")
        asking = keeper(engine, adapter, client)
        n_asked = []
        for _ in range(2):
            asking.settle()
            n_asked.append(asked(engine))

    assert n_asked == [2, 1]


def test_after_some_calls_that_were_answered_the_next_covers_more_time_again(
    engine: Engine, sender: Sender, client: Client
) -> None:
    lose_two_apart(engine, sender, minutes=7)
    forget(sender.sandbox)
    asking = keeper(engine, adapter_at(sender.sandbox.port), client)
    assert asking.ear is not None
    with serving(hang_up) as server:
        asking.ear.adapter = Cpsms(base_url=server.url, username="acme", secret="key")
        asking.settle()
        asked(engine)
    asking.ear.adapter = adapter_at(sender.sandbox.port)

    n_asked = []
    for _ in range(7):
        asking.settle()
        n_asked.append(asked(engine))

    assert n_asked == [1, 1, 1, 1, 1, 2, 2]


def test_that_an_answer_is_no_log_is_said(
    engine: Engine, sender: Sender, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    sender.send("lost", fault="error_500_after")

    keeper(engine, adapter_at(sender.sandbox.port, username="bad"), client).settle()

    said = [(each.getMessage(), vars(each)["status"]) for each in caplog.records]
    assert said == [("gateway asked in vain", 401)]


# --- checking an account that is closed


def close(engine: Engine, *, is_refused: bool = True) -> int:
    """Close the account, its check due at once; return a batch that waits for it."""
    batch_id = run_campaign(engine)
    do(
        engine,
        trouble.close_account,
        PROVIDER,
        check_in_ms=0,
        check_ms=0,
        reason="no credit",
        is_refused=is_refused,
    )
    assert try_lease(engine, batch_id) is None
    return batch_id


def test_an_account_opens_when_it_has_credit_again(engine: Engine, sandbox: Sandbox, client: Client) -> None:
    batch_id = close(engine)
    checking = keeper(engine, adapter_at(sandbox.port), client)
    sandbox.set_faults(out_of_credit=True)
    checking.check()
    without = try_lease(engine, batch_id)

    sandbox.set_faults(out_of_credit=False)
    checking.check()

    assert without is None
    assert try_lease(engine, batch_id) is not None


@pytest.mark.parametrize(("kind", "n_checks"), [(Cpsms, 2), (Shy, 1)])
def test_an_account_is_not_checked_more_often_than_its_gateway_bears(
    engine: Engine, sandbox: Sandbox, client: Client, kind: type[Cpsms], n_checks: int
) -> None:
    close(engine)
    sandbox.set_faults(out_of_credit=True)
    checking = keeper(engine, adapter_at(sandbox.port, kind=kind), client)

    assert sum([checking.check(), checking.check()]) == n_checks


def test_an_account_opens_when_its_login_is_right(engine: Engine, sandbox: Sandbox, client: Client) -> None:
    batch_id = close(engine)
    keeper(engine, adapter_at(sandbox.port, username="bad"), client).check()
    with_bad_login = try_lease(engine, batch_id)

    keeper(engine, adapter_at(sandbox.port), client).check()

    assert with_bad_login is None
    assert try_lease(engine, batch_id) is not None


@pytest.mark.parametrize(("is_refused", "opens"), [(True, False), (False, True)])
def test_that_a_gateway_answers_is_enough_unless_it_refused_the_account(
    engine: Engine, sandbox: Sandbox, client: Client, *, is_refused: bool, opens: bool
) -> None:
    batch_id = close(engine, is_refused=is_refused)
    sandbox.set_faults(out_of_credit=True)

    keeper(engine, adapter_at(sandbox.port), client).check()

    assert (try_lease(engine, batch_id) is not None) is opens


def test_an_account_opens_when_somebody_listens_again(engine: Engine, client: Client) -> None:
    batch_id, port = close(engine, is_refused=False), free_port()
    checking = keeper(engine, adapter_at(port), client)
    checking.check()
    while_away = try_lease(engine, batch_id)

    with running_sandbox("--port", str(port)):
        checking.check()

    assert while_away is None
    assert try_lease(engine, batch_id) is not None


def test_a_check_is_made_by_one_of_two(engine: Engine, sandbox: Sandbox, client: Client) -> None:
    close(engine)
    sandbox.set_faults(out_of_credit=True)
    change_account(engine, check_at=ago(1), check_ms=60_000)
    checking = [keeper(engine, adapter_at(sandbox.port), client) for _ in range(2)]

    assert [each.check() for each in checking] == [True, False]
    assert sandbox.stats()["requests"] == 1


def test_an_account_that_is_open_is_not_checked(engine: Engine, sandbox: Sandbox, client: Client) -> None:
    run_campaign(engine)

    assert not keeper(engine, adapter_at(sandbox.port), client).check()
    assert sandbox.stats()["requests"] == 0


def test_a_check_opens_nothing_that_an_operator_paused(
    engine: Engine, sandbox: Sandbox, client: Client
) -> None:
    batch_id = close(engine)
    do(engine, accounts.pause_account, PROVIDER, reason="invoice", author="ann")

    keeper(engine, adapter_at(sandbox.port), client).check()

    assert try_lease(engine, batch_id) is None
    assert account(engine)["check_at"] is None


# --- rounds


def test_a_round_checks_and_asks(engine: Engine, sender: Sender, client: Client) -> None:
    sender.send("lost", fault="error_500_after")
    batch_id = close(engine)

    keeper(engine, adapter_at(sender.sandbox.port), client).round()

    assert states(engine)[:2] == ["accepted"] * 2
    assert try_lease(engine, batch_id) is not None


@pytest.fixture
def ledger_that_is_away() -> Iterator[Engine]:
    engine = open_ledger(f"postgresql+psycopg://nobody@127.0.0.1:{free_port()}/nothing")
    yield engine
    engine.dispose()


def test_a_round_without_a_ledger_is_for_another_time(
    ledger_that_is_away: Engine, sandbox: Sandbox, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        keeper(ledger_that_is_away, adapter_at(sandbox.port), client).round()

    assert caplog.messages == ["upkeep failed"]
    assert sandbox.stats()["requests"] == 0


# --- asking what arrived

FOLLOWING = Timers.model_validate({"lookup": "1ms", "check": "1ms", "follow": "1ms"})


@dataclass(frozen=True, kw_only=True)
class OneByOne(Telling):
    """A gateway with a complete log of which one call tells one request."""

    capabilities: ClassVar[Capabilities] = replace(
        Telling.capabilities,
        lookup=Lookup(interval_s=120.0, most_references=1, is_proof=True, tells_delivery=True),
    )

    def hear(
        self, questions: Sequence[Question], reply: HttpReply
    ) -> Mapping[str, Mapping[str, Outcome]] | None:
        """Refuse what one call cannot carry."""
        (question,) = questions
        return super().hear([question], reply)


def keep_following(engine: Engine) -> None:
    """Let all that was accepted be due."""
    change_messages(engine, changed_at=ago(60_000))
    with writing(engine) as connection:
        connection.execute(update(BATCHES).where(BATCHES.c.accepted > 0).values(follow_at=0))
    change_account(engine, asked_at=0)
    change_submissions(engine, asked_at=None)


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ("delivered", "delivered"),
        ("failed", "undelivered"),
        ("abandoned", "expired"),
        ("buffered", "accepted"),
    ],
)
def test_what_arrived_is_asked_of_the_gateway(
    engine: Engine, sender: Sender, client: Client, said: str, state: str
) -> None:
    sender.sandbox.set_faults(dlr_outcome=said, dlr_delay_ms=0)
    sender.send("first")
    sender.send("second")
    keep_following(engine)

    n_told = keeper(engine, adapter_at(sender.sandbox.port), client, timers=FOLLOWING).follow()

    assert states(engine) == [state] * 4
    assert n_told == (0 if state == "accepted" else 4)
    assert_counts(engine)


def test_what_arrived_is_asked_one_by_one_where_a_call_carries_one(
    engine: Engine, sender: Sender, client: Client
) -> None:
    sender.sandbox.set_faults(dlr_delay_ms=0, dlr_outcome="delivered")
    sender.send("first")
    sender.send("second")
    keep_following(engine)
    asking = keeper(engine, adapter_at(sender.sandbox.port, kind=OneByOne), client, timers=FOLLOWING)

    n_told = []
    for _ in range(4):
        change_account(engine, asked_at=0)
        n_told.append(asking.follow())

    assert sorted(n_told) == [0, 0, 2, 2]
    assert states(engine) == ["delivered"] * 4


def test_what_is_unknown_is_asked_about_first(engine: Engine, sender: Sender, client: Client) -> None:
    sender.sandbox.set_faults(dlr_delay_ms=0, dlr_outcome="delivered")
    sender.send("accepted")
    sender.send("lost", fault="error_500_after")
    keep_following(engine)
    timers = Timers.model_validate({"settle": "1ms", "lookup": "60s", "check": "1ms", "follow": "1ms"})

    keeper(engine, adapter_at(sender.sandbox.port), client, timers=timers).round()

    assert states(engine) == ["accepted", "accepted", "delivered", "delivered"]


def test_a_gateway_that_does_not_tell_is_not_asked_what_arrived(
    engine: Engine, sender: Sender, client: Client
) -> None:
    sender.sandbox.set_faults(dlr_delay_ms=0, dlr_outcome="delivered")
    sender.send()
    keep_following(engine)

    n_told = keeper(engine, adapter_at(sender.sandbox.port, kind=Telling), client, timers=FOLLOWING).follow()

    assert (n_told, states(engine)) == (0, ["accepted"] * 2)


def test_proof_of_nothing_takes_two_calls_where_one_carries_one_request(
    engine: Engine, sender: Sender, client: Client
) -> None:
    batch_id = sender.send("lost", fault="error_500_before")
    sender.send("accepted")
    pass_quarantine(engine)
    asking = keeper(engine, adapter_at(sender.sandbox.port, kind=OneByOne), client)

    n_settled = []
    for _ in range(2):
        n_settled.append(asking.settle())
        later(engine)

    assert n_settled == [0, 2]
    assert states(engine) == ["queued"] * 2 + ["accepted"] * 2
    assert try_lease(engine, batch_id) is not None


# --- whose turn it is

ONE_CALL = Timers.model_validate({"settle": "1ms", "lookup": "60s", "check": "1ms", "follow": "1ms"})


def test_who_had_the_last_call_lets_the_other_go_first(
    engine: Engine, sender: Sender, client: Client
) -> None:
    sender.send("accepted")
    sender.send("lost", fault="error_500_before")
    keeping = keeper(engine, adapter_at(sender.sandbox.port), client, timers=ONE_CALL)

    asked_about = []
    for _ in range(4):
        keep_following(engine)
        keeping.round()
        asked_about.append([each["id"] for each in submissions(engine) if each["asked_at"] is not None])

    assert asked_about == [[2], [1], [2], [1]]


def test_after_a_call_in_vain_nobody_has_missed_a_round(
    engine: Engine, sender: Sender, client: Client
) -> None:
    sender.sandbox.set_faults(dlr_delay_ms=0, dlr_outcome="delivered")
    sender.send()
    keep_following(engine)
    keeping = keeper(engine, adapter_at(sender.sandbox.port, username="bad"), client, timers=FOLLOWING)
    assert keeping.ear is not None
    in_vain = keeping.follow()
    keeping.ear.adapter = adapter_at(sender.sandbox.port)
    change_account(engine, asked_at=0)

    n_told = keeping.follow()

    assert (in_vain, n_told) == (0, 2)


def send_two_apart(engine: Engine, sender: Sender) -> None:
    """Send two campaigns that are delivered, and of which no call covers both."""
    sender.sandbox.set_faults(dlr_delay_ms=0, dlr_outcome="delivered")
    sender.send("early")
    sender.send("late")
    with writing(engine) as connection:
        early = update(SUBMISSIONS).where(SUBMISSIONS.c.id == 1)
        connection.execute(early.values(started_at=ago(3_600_000)))
    keep_following(engine)


@dataclass(frozen=True, kw_only=True)
class Forgetful(Cpsms):
    """A gateway whose log of longer ago cannot be read."""

    def hear(
        self, questions: Sequence[Question], reply: HttpReply
    ) -> Mapping[str, Mapping[str, Outcome]] | None:
        """Fail about what was sent longer ago."""
        if any(question.sent_at_s < time.time() - 1800 for question in questions):
            return None
        return super().hear(questions, reply)


def test_what_is_asked_about_in_vain_stops_none_of_the_others(
    engine: Engine, sender: Sender, client: Client
) -> None:
    send_two_apart(engine, sender)
    keeping = keeper(engine, adapter_at(sender.sandbox.port, kind=Forgetful), client, timers=FOLLOWING)

    n_told = []
    for _ in range(3):
        n_told.append(keeping.follow())
        change_account(engine, asked_at=0)

    assert n_told == [0, 2, 0]
    assert states(engine) == ["accepted"] * 2 + ["delivered"] * 2


@dataclass(frozen=True, kw_only=True)
class Slow(Cpsms):
    """A gateway that takes a minute to answer."""

    engine: Engine

    def hear(
        self, questions: Sequence[Question], reply: HttpReply
    ) -> Mapping[str, Mapping[str, Outcome]] | None:
        """Let the call have begun long ago."""
        change_account(self.engine, asked_at=ago(60_000))
        return super().hear(questions, reply)


def test_the_time_to_the_next_call_counts_from_the_end_of_a_call(
    engine: Engine, sender: Sender, client: Client
) -> None:
    sender.send()
    keep_following(engine)
    before_ms = account(engine)["now"]
    slow = Slow(base_url=f"{sender.sandbox.url}/cpsms/v2", username="acme", secret="key", engine=engine)

    keeper(engine, slow, client, timers=FOLLOWING).follow()

    assert account(engine)["asked_at"] >= before_ms


def test_nothing_is_looked_for_while_no_call_may_be_made(
    engine: Engine, sender: Sender, client: Client
) -> None:
    sender.send("accepted")
    sender.send("lost", fault="error_500_after")
    keep_following(engine)
    change_account(engine, asked_at=ago(0))
    said: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *given: said.append(given[2]))
    keeping = keeper(engine, adapter_at(sender.sandbox.port), client, timers=ONE_CALL)

    keeping.settle()
    keeping.follow()

    assert said
    assert all("messages" not in statement and "batches" not in statement for statement in said)


@dataclass(frozen=True, kw_only=True)
class Odd(Cpsms):
    """A gateway whose adapter fails on one request."""

    reference: str

    def ask(self, questions: Sequence[Question]) -> HttpRequest:
        """Fail on it."""
        if any(question.reference == self.reference for question in questions):
            raise RuntimeError
        return super().ask(questions)


def test_what_fails_in_a_round_stops_nothing_else(engine: Engine, sender: Sender, client: Client) -> None:
    sender.sandbox.set_faults(dlr_delay_ms=0, dlr_outcome="delivered")
    sender.send("accepted")
    sender.send("lost", fault="error_500_after")
    keep_following(engine)
    adapter = Odd(
        base_url=f"{sender.sandbox.url}/cpsms/v2",
        username="acme",
        secret="key",
        reference=str(submissions(engine)[1]["reference"]),
    )
    keeping = keeper(engine, adapter, client, timers=FOLLOWING.model_copy(update={"settle": 0.001}))

    keeping.round()

    assert states(engine) == ["delivered"] * 2 + ["unknown"] * 2
