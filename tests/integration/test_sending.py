import itertools
import json
import logging
import sqlite3
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar, Protocol

import pytest
from sqlalchemy import Engine, select, update

from tests.conftest import free_port
from tests.ledgers import (
    LOGIN,
    PROVIDER,
    account,
    ago,
    assert_counts,
    batch,
    change_batch,
    change_messages,
    do,
    lease,
    pause,
    rows,
    run_campaign,
    some_messages,
    states,
    submissions,
    try_lease,
)
from tests.outages import away
from tests.paces import ACCOUNT, pace_of
from tests.sandbox.running import Sandbox
from worker.clock import elapsed_s
from worker.errors import TooLate
from worker.gateways import make_adapter
from worker.gateways.base import Capabilities, HttpReply, HttpRequest, Outcome, Submission, Verdict
from worker.gateways.cpsms.adapter import Cpsms
from worker.gateways.http import Client
from worker.ledger import accounts, rates, reports, trouble
from worker.ledger.drafts import NewMessage
from worker.ledger.engine import now_ms, reading, writing
from worker.ledger.models import CAMPAIGNS
from worker.ledger.reports import CampaignReport
from worker.retry import Policy
from worker.sending.desk import Desk
from worker.sending.record import Judge
from worker.sending.run import send_batch
from worker.sending.submit import Exchanger, Gateway
from worker.sending.work import new_reference
from worker.sending.write import write_kept
from worker.settings import Timers
from worker.throttle.call import Ask, Grant
from worker.throttle.limits import LEAVES_WITHIN_US, SECOND_US, Limit, Limits
from worker.throttle.throttle import Throttle
from worker.waiting import within

TIMEOUT_S = 5.0
PATIENT = Timers().model_copy(update={"mark_to_write": 5.0})  # a test machine may be slow
NOISE_S = 0.2  # from one statement to the next on a busy machine
POLICY = Policy(attempts=3, first_s=60, longest_s=600)
SHORT_SLICE = PATIENT.model_copy(update={"slice": 0.0})


class MakeDesk(Protocol):
    """Makes what a worker process has; by default it speaks to the simulator."""

    def __call__(  # noqa: D102, PLR0913 - each is one thing that a test may want otherwise
        self,
        *,
        port: int | None = None,
        client: Exchanger | None = None,
        width: int = 2,
        max_recipients: int = 500,
        timers: Timers | None = None,
        limits: Limits | None = None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> Desk: ...


@pytest.fixture
def make_desk(engine: Engine, sandbox: Sandbox, redis_url: str, tmp_path: Path) -> Iterator[MakeDesk]:
    with ExitStack() as stack:

        def make(  # noqa: PLR0913 - as above
            *,
            port: int | None = None,
            client: Exchanger | None = None,
            width: int = 2,
            max_recipients: int = 500,
            timers: Timers | None = None,
            limits: Limits | None = None,
            should_stop: Callable[[], bool] = lambda: False,
        ) -> Desk:
            url = f"http://127.0.0.1:{port or sandbox.port}/cpsms/v2"
            adapter = make_adapter("cpsms", base_url=url, username="acme", secret="key")
            ours = Client(connections=width, timeout_s=TIMEOUT_S)
            stack.callback(ours.close)
            return Desk(
                engine=engine,
                owner="test",
                login=LOGIN,
                gateway=Gateway(adapter=adapter, client=client or ours, options={}),
                pool=stack.enter_context(ThreadPoolExecutor(width)),
                pace=stack.enter_context(pace_of(redis_url, mark_s=(timers or PATIENT).mark_to_write)),
                limits=limits or Limits(rates=(), guard_s=0.0, connections=width),
                unit="parts",
                max_recipients=max_recipients,
                timers=timers or PATIENT,
                judge=Judge(policy=POLICY, random=lambda: 1.0),
                folder=tmp_path / "kept",
                providers=[PROVIDER],
                should_stop=should_stop,
            )

        yield make


@pytest.fixture
def make_sqlite_desk(
    sqlite_engine: Engine, sandbox: Sandbox, redis_url: str, tmp_path: Path
) -> Iterator[Callable[[], Desk]]:
    with ExitStack() as stack:

        def make() -> Desk:
            url = f"http://127.0.0.1:{sandbox.port}/cpsms/v2"
            client = Client(connections=2, timeout_s=TIMEOUT_S)
            stack.callback(client.close)
            adapter = make_adapter("cpsms", base_url=url, username="acme", secret="key")
            return Desk(
                engine=sqlite_engine,
                owner="test",
                login=LOGIN,
                gateway=Gateway(adapter=adapter, client=client, options={}),
                pool=stack.enter_context(ThreadPoolExecutor(2)),
                pace=stack.enter_context(pace_of(redis_url)),
                limits=Limits(rates=(), guard_s=0.0, connections=2),
                unit="parts",
                max_recipients=1,
                timers=PATIENT,
                judge=Judge(policy=POLICY, random=lambda: 1.0),
                folder=tmp_path / "kept",
                providers=[PROVIDER],
                should_stop=lambda: False,
            )

        yield make


def report(engine: Engine, campaign_id: int = 1) -> CampaignReport:
    with reading(engine) as connection:
        return reports.report(connection, campaign_id)


def sent(sandbox: Sandbox) -> Counter[tuple[object, ...]]:
    return Counter((each["msisdn"], each["text"], each["parts"]) for each in sandbox.accepted())


def in_ledger(engine: Engine, state: str = "accepted") -> Counter[tuple[object, ...]]:
    found = [row for row in rows(engine) if row["state"] == state]
    return Counter((row["msisdn"], row["text"] or "Hello", row["parts"]) for row in found)


def long_messages() -> list[NewMessage]:
    text = "[long] " + 30 * "Grüße, "
    return [replace(message, text=text, parts=2) for message in some_messages(30)[10:20]]


def cyrillic_messages() -> list[NewMessage]:
    found = some_messages(30, text="Привет 👍")[20:]
    return [replace(message, encoding="ucs2") for message in found]


# --- what should happen


def test_what_the_gateway_accepted_is_what_the_ledger_says(
    engine: Engine, sandbox: Sandbox, make_desk: MakeDesk
) -> None:
    messages = [*some_messages(10), *long_messages(), *cyrillic_messages()]
    batch_id = run_campaign(engine, messages=messages)

    n_requests = send_batch(make_desk(max_recipients=4), batch_id)

    assert n_requests == 9
    assert sent(sandbox) == in_ledger(engine)
    assert sandbox.stats()["accepted"] == 30
    assert report(engine).state == "done"
    assert batch(engine, batch_id)["state"] == "done"
    assert_counts(engine)


def test_a_repeated_hint_makes_no_request(engine: Engine, sandbox: Sandbox, make_desk: MakeDesk) -> None:
    batch_id = run_campaign(engine)
    send_batch(make_desk(), batch_id)

    assert send_batch(make_desk(), batch_id) == 0
    assert sandbox.stats()["requests"] == 1


def test_a_batch_that_another_worker_has_makes_no_request(
    engine: Engine, sandbox: Sandbox, make_desk: MakeDesk
) -> None:
    batch_id = run_campaign(engine)
    lease(engine, batch_id, owner="another")

    assert send_batch(make_desk(), batch_id) == 0
    assert sandbox.stats()["requests"] == 0


def test_a_number_that_comes_twice_is_sent_in_two_requests(
    engine: Engine, sandbox: Sandbox, make_desk: MakeDesk
) -> None:
    batch_id = run_campaign(engine, messages=some_messages(1) * 2)

    assert send_batch(make_desk(), batch_id) == 2
    assert sent(sandbox) == in_ledger(engine)


def test_requests_go_out_side_by_side_but_no_more_than_the_width(
    engine: Engine, sandbox: Sandbox, make_desk: MakeDesk
) -> None:
    sandbox.set_faults(latency_ms=30)
    batch_id = run_campaign(engine, 12)

    send_batch(make_desk(width=3, max_recipients=1), batch_id)

    assert sandbox.stats()["at_once_most"] == 3


def test_a_submission_carries_its_reference_to_the_gateway(
    engine: Engine, sandbox: Sandbox, make_desk: MakeDesk
) -> None:
    send_batch(make_desk(max_recipients=1), run_campaign(engine, 3))

    references = {each["reference"] for each in sandbox.accepted()}
    assert references == {each["reference"] for each in submissions(engine)}
    assert references == {row["provider_ref"] for row in rows(engine)}


def test_references_are_long_random_words() -> None:
    references = {new_reference() for _ in range(1000)}

    assert len(references) == 1000
    assert all(len(each) == 20 and each.isalnum() and each.lower() == each for each in references)


# --- what some gateways can carry in one request


@dataclass(frozen=True, kw_only=True)
class Various(Cpsms):
    """A gateway that takes a text for each recipient; what it is given is kept."""

    capabilities: ClassVar[Capabilities] = replace(Cpsms.capabilities, differs=True)
    built: list[Submission] = field(default_factory=list)

    def build(self, submission: Submission) -> HttpRequest:
        """Keep it."""
        self.built.append(submission)
        return HttpRequest(method="POST", url=self.base_url, headers={}, body=b"{}")

    def read(self, submission: Submission, reply: HttpReply) -> Mapping[str, Outcome]:  # noqa: ARG002 - of the contract
        """Accept everything."""
        return dict.fromkeys(submission.recipients, Outcome(verdict=Verdict.ACCEPTED))


def various(desk: Desk) -> tuple[Desk, list[Submission]]:
    adapter = Various(base_url="http://127.0.0.1:9/v2", username="acme", secret="key")
    gateway = Gateway(adapter=adapter, client=Stubborn(200, b"{}"), options={})
    return replace(desk, gateway=gateway), adapter.built


def test_different_texts_share_a_request_where_the_gateway_can(engine: Engine, make_desk: MakeDesk) -> None:
    messages = [replace(each, text=f"Hi {n}") for n, each in enumerate(some_messages(3))]
    desk, built = various(make_desk(width=1))

    n_requests = send_batch(desk, run_campaign(engine, messages=[*messages, *cyrillic_messages()[:1]]))

    numbers = tuple(each.msisdn for each in messages)
    assert n_requests == 2
    assert (built[0].recipients, built[0].texts, built[0].text) == (numbers, ("Hi 0", "Hi 1", "Hi 2"), "")
    assert (built[1].texts, built[1].text) == (None, "Привет 👍")
    assert states(engine) == ["accepted"] * 4
    assert_counts(engine)


def test_one_text_for_all_is_given_once(engine: Engine, make_desk: MakeDesk) -> None:
    desk, built = various(make_desk(width=1))

    send_batch(desk, run_campaign(engine, 3))

    assert [(each.text, each.texts) for each in built] == [("Hello", None)]


def test_a_group_of_the_gateways_own_is_sent_to_in_a_request_of_its_own(
    engine: Engine, sandbox: Sandbox, make_desk: MakeDesk
) -> None:
    group = sandbox.cpsms("POST", "addgroup", json={"groupName": "club"}).json()["success"]["groupId"]
    for number in ("4520304001", "4520304002"):
        sandbox.cpsms("POST", "addcontact", json={"groupId": group, "phoneNumber": number})
    ours = [replace(each, msisdn=f"group:{group}", region="") for each in some_messages(1)]

    n_requests = send_batch(make_desk(), run_campaign(engine, messages=[*ours, *some_messages(3)[1:]]))

    assert n_requests == 2
    assert states(engine) == ["accepted"] * 3
    got = {each["msisdn"] for each in sandbox.accepted()}
    assert got == {"+4520304001", "+4520304002", *(each.msisdn for each in some_messages(3)[1:])}
    assert_counts(engine)


def test_a_schedule_and_an_address_for_reports_go_with_each_request(
    engine: Engine, make_desk: MakeDesk
) -> None:
    batch_id = run_campaign(engine, 2)
    with writing(engine) as connection:
        connection.execute(update(CAMPAIGNS).values(leaves_at=4_102_444_800_000))
    desk, built = various(make_desk(width=1))
    gateway = replace(desk.gateway, dlr_url=lambda reference: f"https://sms.example.org/{reference}")

    send_batch(replace(desk, gateway=gateway), batch_id)

    assert [each.leaves_at_s for each in built] == [4_102_444_800.0]
    assert built[0].dlr_url == f"https://sms.example.org/{built[0].reference}"


def test_what_is_late_for_its_time_leaves_at_once(engine: Engine, make_desk: MakeDesk) -> None:
    batch_id = run_campaign(engine, 2)
    with writing(engine) as connection:
        connection.execute(update(CAMPAIGNS).values(leaves_at=ago(1000)))
    desk, built = various(make_desk(width=1))

    send_batch(desk, batch_id)

    assert [each.leaves_at_s for each in built] == [None]


# --- what a gateway may do


def test_a_refused_number_is_rejected_and_the_others_are_accepted(
    engine: Engine, sandbox: Sandbox, make_desk: MakeDesk
) -> None:
    sandbox.set_faults(refuse_numbers=["01"])

    send_batch(make_desk(), run_campaign(engine, 3))

    assert states(engine) == ["accepted", "rejected", "accepted"]
    assert sent(sandbox) == in_ledger(engine)
    assert_counts(engine)


@pytest.mark.parametrize("fault", ["error_500_after", "reset_after", "malformed"])
def test_an_answer_that_is_none_is_unknown_and_never_sent_again(
    engine: Engine, sandbox: Sandbox, make_desk: MakeDesk, fault: str
) -> None:
    sandbox.set_faults(**{fault: True})
    batch_id = run_campaign(engine, 2)
    send_batch(make_desk(), batch_id)
    sandbox.set_faults(**{fault: False})

    again = send_batch(make_desk(), batch_id)

    assert (states(engine), again) == (["unknown"] * 2, 0)
    assert sent(sandbox) == in_ledger(engine, "unknown")
    assert_counts(engine)


def test_when_nobody_listens_all_is_queued_again_and_the_account_waits(
    engine: Engine, make_desk: MakeDesk
) -> None:
    batch_id = run_campaign(engine, 2)

    n_requests = send_batch(make_desk(port=free_port()), batch_id)

    assert (n_requests, submissions(engine)) == (0, [])
    assert [(row["state"], row["attempts"]) for row in rows(engine)] == [("queued", 0)] * 2
    assert "nothing was sent" in (report(engine).reason or "")
    assert try_lease(engine, batch_id) is None
    assert_counts(engine)


@pytest.mark.parametrize(
    ("faults", "reason"),
    [
        ({"refuse_429": True, "retry_after_s": 60}, "the gateway asked for a pause"),
        ({"out_of_credit": True}, "the gateway answered 402: not enough points"),
    ],
)
def test_an_account_in_trouble_is_held_and_its_messages_stay_queued(
    engine: Engine, sandbox: Sandbox, make_desk: MakeDesk, faults: dict[str, object], reason: str
) -> None:
    sandbox.set_faults(**faults)
    batch_id = run_campaign(engine, 2)

    n_requests = send_batch(make_desk(), batch_id)

    assert n_requests == 1
    assert [(row["state"], row["attempts"]) for row in rows(engine)] == [("queued", 0)] * 2
    assert report(engine).reason == reason
    assert send_batch(make_desk(), batch_id) == 0
    assert batch(engine, batch_id)["state"] == "open"
    assert_counts(engine)


class Imagined:
    """A gateway that is always near."""

    def open(self, url: str, *, n: int, pool: Executor, within_s: float | None = None) -> None:
        """Have nothing to open."""


@dataclass
class Picky(Imagined):
    """A gateway that refuses a whole request because of one bad number in it, without naming it."""

    bad: str
    sizes: list[int] = field(default_factory=list)

    def exchange(self, request: HttpRequest, *, before_write: Callable[[], None] | None = None) -> HttpReply:
        """Answer as CPSMS would."""
        assert before_write is not None
        before_write()
        to = json.loads(request.body)["to"]
        numbers = to if isinstance(to, list) else [to]
        self.sizes.append(len(numbers))
        if any(number.endswith(self.bad) for number in numbers):
            return self._reply(400, {"error": {"code": 400, "message": "a recipient is not valid"}})
        return self._reply(200, {"success": [{"to": number, "cost": 1} for number in numbers]})

    def _reply(self, status: int, document: object) -> HttpReply:
        return HttpReply(status=status, headers={}, body=json.dumps(document).encode())


@dataclass
class Stubborn(Imagined):
    """A gateway that answers everything with the same."""

    status: int
    body: bytes

    def exchange(self, request: HttpRequest, *, before_write: Callable[[], None] | None = None) -> HttpReply:
        """Answer."""
        assert request.body
        assert before_write is not None
        before_write()
        return HttpReply(status=self.status, headers={}, body=self.body)


def brake(engine: Engine) -> None:
    """Brake the account, and let the pause be over."""
    with writing(engine) as connection:
        answers = trouble.Answers(batch_id=0, clear=[False] * 3)
        trouble.note_answers(connection, PROVIDER, answers, check_ms=1000)
        trouble.note_check(connection, PROVIDER, trouble=None)


def test_a_request_refused_because_of_one_number_is_split_until_only_that_is_refused(
    engine: Engine, make_desk: MakeDesk
) -> None:
    picky = Picky(bad="05")

    send_batch(make_desk(client=picky, width=1), run_campaign(engine, 8))

    assert states(engine) == ["rejected" if number == 5 else "accepted" for number in range(8)]
    assert [row["attempts"] for row in rows(engine)] == [1] * 8
    assert picky.sizes == [8, 4, 4, 2, 2, 1, 1]
    assert_counts(engine)


# --- what an operator or the machine may do


def test_a_campaign_whose_sender_is_refused_is_paused_before_more_of_it_is_refused(
    engine: Engine, make_desk: MakeDesk
) -> None:
    refusal = b'{"error": {"code": 406, "message": "characters of the sender"}}'
    batch_id = run_campaign(engine, 5)

    send_batch(make_desk(client=Stubborn(406, refusal), width=1, max_recipients=1), batch_id)

    assert states(engine) == ["rejected"] + ["queued"] * 4
    assert (report(engine).state, report(engine).reason) == (
        "paused",
        "the gateway refused it with 406: characters of the sender",
    )
    assert_counts(engine)


@dataclass(frozen=True, kw_only=True)
class Wordy(Cpsms):
    """A gateway that refuses one text."""

    def read(self, submission: Submission, reply: HttpReply) -> Mapping[str, Outcome]:  # noqa: ARG002 - of the contract
        """Judge by the text."""
        verdict = Verdict.TEXT if submission.text == "bad" else Verdict.ACCEPTED
        return dict.fromkeys(submission.recipients, Outcome(verdict=verdict, code="TEXT_LONG"))


@pytest.mark.parametrize(
    ("text", "found", "state"),
    [
        (None, ["accepted", "rejected", "accepted"], "done"),
        ("bad", ["rejected", "queued", "queued"], "paused"),
    ],
)
def test_a_refused_text_pauses_a_campaign_that_has_no_other(
    engine: Engine, make_desk: MakeDesk, text: str | None, found: list[str], state: str
) -> None:
    texts = [text or each for each in ("a", "bad", "c")]
    batch_id = run_campaign(
        engine, messages=[replace(each, text=own) for each, own in zip(some_messages(3), texts, strict=True)]
    )
    with writing(engine) as connection:
        connection.execute(update(CAMPAIGNS).values(text=text))
    adapter = Wordy(base_url="http://127.0.0.1:9/v2", username="acme", secret="key")
    desk = make_desk(width=1, max_recipients=1)

    send_batch(
        replace(desk, gateway=Gateway(adapter=adapter, client=Stubborn(200, b"{}"), options={})), batch_id
    )

    assert (states(engine), report(engine).state) == (found, state)
    assert_counts(engine)


def test_texts_with_a_reserved_mark_are_sent_and_cost_the_others_nothing(
    engine: Engine, make_desk: MakeDesk
) -> None:
    texts = ["Hi Anna", "pay ${sum}", "Hi Bo"]
    messages = [replace(each, text=own) for each, own in zip(some_messages(3), texts, strict=True)]
    adapter = make_adapter("smsend", base_url="http://127.0.0.1:9/v1", username="acme", secret="key")
    client = Stubborn(201, b'{"result": "OK"}')
    desk = replace(make_desk(width=1), gateway=Gateway(adapter=adapter, client=client, options={}))

    n_requests = send_batch(desk, run_campaign(engine, messages=messages))

    assert (n_requests, states(engine)) == (2, ["accepted"] * 3)
    assert report(engine).state == "done"
    assert_counts(engine)


@dataclass
class RefusesSecond(Imagined):
    """A gateway that accepts the first request, and refuses the campaign once that is in the ledger."""

    is_recorded: Callable[[], bool]
    n_requests: Iterator[int] = field(default_factory=itertools.count)
    answered: threading.Event = field(default_factory=threading.Event)

    def exchange(self, request: HttpRequest, *, before_write: Callable[[], None] | None = None) -> HttpReply:
        """Answer as CPSMS would."""
        assert before_write is not None
        before_write()
        if next(self.n_requests) == 0:
            self.answered.set()
            body: object = {"success": [{"to": json.loads(request.body)["to"]}]}
            return HttpReply(status=200, headers={}, body=json.dumps(body).encode())
        assert within(10, self.is_recorded)
        body = {"error": {"code": 406, "message": "characters of the sender"}}
        return HttpReply(status=406, headers={}, body=json.dumps(body).encode())


def test_a_refusal_of_the_campaign_counts_although_the_batch_is_just_given_back(
    engine: Engine, make_desk: MakeDesk
) -> None:
    batch_id = run_campaign(engine, 5)
    gateway = RefusesSecond(is_recorded=lambda: "accepted" in states(engine))
    desk = make_desk(client=gateway, width=2, max_recipients=1, should_stop=gateway.answered.is_set)

    send_batch(desk, batch_id)

    assert sorted(states(engine)) == ["accepted"] + ["queued"] * 3 + ["rejected"]
    assert report(engine).state == "paused"


def test_three_answers_in_a_row_that_cannot_be_read_brake_the_account(
    engine: Engine, make_desk: MakeDesk
) -> None:
    batch_id = run_campaign(engine, 9)

    send_batch(make_desk(client=Stubborn(502, b""), width=1, max_recipients=1), batch_id)

    assert states(engine) == ["unknown"] * 3 + ["queued"] * 6
    assert "three in a row" in (report(engine).reason or "")
    assert try_lease(engine, batch_id) is None


def test_a_braked_account_is_tried_with_one_message(engine: Engine, make_desk: MakeDesk) -> None:
    batch_id = run_campaign(engine, 9)
    brake(engine)

    n_requests = send_batch(make_desk(client=Stubborn(502, b""), width=2), batch_id)

    assert (n_requests, states(engine)) == (1, ["unknown"] + ["queued"] * 8)
    assert try_lease(engine, batch_id) is None


def test_an_outcome_that_the_ledger_refuses_takes_no_other_and_no_connection_with_it(
    sqlite_engine: Engine, make_sqlite_desk: Callable[[], Desk]
) -> None:
    batch_id = run_campaign(sqlite_engine, 4)
    with writing(sqlite_engine) as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER poison BEFORE UPDATE OF state ON messages WHEN NEW.state = 'accepted' "
            "AND NEW.id = 2 BEGIN SELECT RAISE(ABORT, 'poison'); END"
        )
    desk = make_sqlite_desk()

    send_batch(desk, batch_id)

    assert "submitting" in states(sqlite_engine)
    assert states(sqlite_engine).count("accepted") >= 1
    assert "ledger refuses" in (report(sqlite_engine).reason or "")
    assert desk.pace.throttle.standing([ACCOUNT])[ACCOUNT].connections == 0


def test_when_the_one_message_is_answered_all_goes_on_at_once(
    engine: Engine, sandbox: Sandbox, make_desk: MakeDesk
) -> None:
    batch_id = run_campaign(engine, 9)
    brake(engine)

    n_requests = send_batch(make_desk(), batch_id)

    assert (n_requests, states(engine)) == (2, ["accepted"] * 9)
    assert sandbox.stats()["accepted"] == 9


def test_a_mark_that_is_too_old_is_taken_back_and_nobody_is_to_blame(
    engine: Engine, sandbox: Sandbox, make_desk: MakeDesk
) -> None:
    batch_id = run_campaign(engine, 2)
    hasty = Timers.model_validate({"mark_to_write": "0.001ms"})

    send_batch(make_desk(timers=hasty), batch_id)

    assert sandbox.stats()["accepted"] == 0
    assert [(row["state"], row["attempts"]) for row in rows(engine)] == [("queued", 0)] * 2
    assert report(engine).reason is None
    assert_counts(engine)


@dataclass
class Meanwhile(Imagined):
    """A gateway that accepts everything, and while it has the first request something else happens."""

    happens: Callable[[], object]
    n_requests: int = 0

    def exchange(self, request: HttpRequest, *, before_write: Callable[[], None] | None = None) -> HttpReply:
        """Answer as CPSMS would."""
        assert before_write is not None
        before_write()
        self.n_requests += 1
        if self.n_requests == 1:
            self.happens()
        body = {"success": [{"to": json.loads(request.body)["to"]}]}
        return HttpReply(status=200, headers={}, body=json.dumps(body).encode())


def test_after_a_pause_nothing_leaves_that_was_not_marked(engine: Engine, make_desk: MakeDesk) -> None:
    batch_id = run_campaign(engine, 5)
    gateway = Meanwhile(happens=lambda: pause(engine, 1))

    send_batch(make_desk(client=gateway, width=1, max_recipients=1), batch_id)

    assert gateway.n_requests == 1
    assert states(engine) == ["accepted"] + ["queued"] * 4
    assert batch(engine, batch_id)["state"] == "open"
    assert_counts(engine)


def test_a_bug_of_ours_leaves_the_message_unknown_and_prints_neither_number_nor_text(
    engine: Engine, make_desk: MakeDesk, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise ValueError("+4520304000 Hello")

    with caplog.at_level(logging.DEBUG):
        send_batch(make_desk(client=Meanwhile(happens=fail)), run_campaign(engine, 1))

    assert states(engine) == ["unknown"]
    assert "submission failed by a bug" in caplog.text
    assert "+4520304000" not in caplog.text
    assert "Hello" not in caplog.text


def test_parts_that_differ_from_the_preview_pause_the_campaign_and_nothing_is_sent(
    engine: Engine, sandbox: Sandbox, make_desk: MakeDesk
) -> None:
    messages = [*some_messages(1), *(replace(message, parts=2) for message in some_messages(2)[1:])]
    batch_id = run_campaign(engine, messages=messages)

    n_requests = send_batch(make_desk(), batch_id)

    assert (n_requests, sandbox.stats()["requests"]) == (0, 0)
    assert report(engine).state == "paused"
    assert report(engine).reason == "a text has another number of parts than was previewed"
    assert batch(engine, batch_id)["state"] == "open"
    assert_counts(engine)


def test_a_difference_found_by_two_workers_pauses_the_campaign_once(
    engine: Engine, make_desk: MakeDesk
) -> None:
    batch_id = run_campaign(engine, messages=[replace(some_messages(1)[0], parts=2)])
    paused: list[None] = []
    desk = make_desk(should_stop=lambda: bool(paused or paused.append(pause(engine, 1))))  # type: ignore[func-returns-value]

    assert send_batch(desk, batch_id) == 0
    assert batch(engine, batch_id)["state"] == "open"


def test_a_worker_that_is_to_stop_begins_nothing(
    engine: Engine, sandbox: Sandbox, make_desk: MakeDesk
) -> None:
    batch_id = run_campaign(engine)

    send_batch(make_desk(should_stop=lambda: True), batch_id)

    assert sandbox.stats()["requests"] == 0
    assert batch(engine, batch_id)["state"] == "open"


def test_a_worker_that_is_told_to_stop_ends_what_is_out_and_another_goes_on(
    engine: Engine, sandbox: Sandbox, make_desk: MakeDesk
) -> None:
    batch_id = run_campaign(engine, 6)
    asked: list[int] = []
    stopping = make_desk(
        width=2,
        max_recipients=1,
        should_stop=lambda: len(asked) > 0 or asked.append(1) is not None,  # type: ignore[func-returns-value]
    )
    first = send_batch(stopping, batch_id)
    between = states(engine)

    send_batch(make_desk(), batch_id)

    assert (first, between) == (2, ["accepted"] * 2 + ["queued"] * 4)
    assert sent(sandbox) == in_ledger(engine)
    assert sandbox.stats()["accepted"] == 6


def test_a_batch_gives_way_to_another_when_its_slice_is_used_up(engine: Engine, make_desk: MakeDesk) -> None:
    first, second = (run_campaign(engine, 4, name=name) for name in "ab")
    desk = make_desk(width=1, max_recipients=1, timers=SHORT_SLICE)

    n_requests = send_batch(desk, first)

    assert n_requests < 4
    assert batch(engine, first)["state"] == "open"
    assert send_batch(make_desk(), second) == 1
    assert_counts(engine)


def test_a_batch_that_nobody_waits_for_is_worked_to_its_end(engine: Engine, make_desk: MakeDesk) -> None:
    batch_id = run_campaign(engine, 4)

    send_batch(make_desk(width=1, max_recipients=1, timers=SHORT_SLICE), batch_id)

    assert states(engine) == ["accepted"] * 4


# --- what is refused for now


@dataclass(frozen=True, kw_only=True)
class Busy(Cpsms):
    """A gateway that says for each recipient: not now."""

    def read(self, submission: Submission, reply: HttpReply) -> Mapping[str, Outcome]:
        """Find the refusal of a passing kind, and the pause that it asks for."""
        not_now = Outcome(verdict=Verdict.RETRY, code=str(reply.status), retry_after_s=5.0)
        return dict.fromkeys(submission.recipients, not_now)


def busy(desk: Desk) -> Desk:
    adapter = Busy(base_url="http://127.0.0.1:1", username="acme", secret="key")
    return replace(desk, gateway=replace(desk.gateway, adapter=adapter))


def make_due(engine: Engine, batch_id: int) -> None:
    """Have what waits be due."""
    change_messages(engine, wait_ms=0)
    change_batch(engine, batch_id, next_due_at=1)


def test_what_is_refused_for_now_waits_as_long_as_its_retry_does(engine: Engine, make_desk: MakeDesk) -> None:
    batch_id = run_campaign(engine, 2)

    send_batch(busy(make_desk(client=Stubborn(503, b""))), batch_id)

    now = account_time(engine)
    waits_s = {round((int(str(row["due_at"])) - now) / 1000, -1) for row in rows(engine)}
    assert waits_s == {60}  # what the policy allows at most, and the 5 s that the gateway asked for
    assert {(row["state"], row["attempts"], row["code"]) for row in rows(engine)} == {("queued", 1, "503")}
    assert batch(engine, batch_id)["next_due_at"] == rows(engine)[0]["due_at"]
    assert try_lease(engine, batch_id) is None
    assert_counts(engine)


def account_time(engine: Engine) -> int:
    """Return the time of the database."""
    with reading(engine) as connection:
        return int(connection.execute(select(now_ms())).scalar_one())


def test_a_message_is_tried_as_often_as_the_policy_says_and_then_fails(
    engine: Engine, make_desk: MakeDesk
) -> None:
    batch_id = run_campaign(engine, 1)
    desk = busy(make_desk(client=Stubborn(503, b"")))

    n_requests = []
    for _ in range(POLICY.attempts + 1):
        make_due(engine, batch_id)
        n_requests.append(send_batch(desk, batch_id))

    assert n_requests == [1] * POLICY.attempts + [0]
    assert [(row["state"], row["attempts"]) for row in rows(engine)] == [("failed", POLICY.attempts)]
    assert_counts(engine)


def test_a_message_is_not_tried_again_when_its_time_would_be_over(
    engine: Engine, make_desk: MakeDesk
) -> None:
    batch_id = run_campaign(engine, 1)
    change_messages(engine, leave_by=ago(-4000))

    send_batch(busy(make_desk(client=Stubborn(503, b""))), batch_id)

    assert states(engine) == ["failed"]


def test_messages_whose_time_to_leave_is_over_fail_and_are_never_sent(
    engine: Engine, sandbox: Sandbox, make_desk: MakeDesk
) -> None:
    batch_id = run_campaign(engine, 2)
    change_messages(engine, leave_by=ago(1))

    send_batch(make_desk(), batch_id)

    assert [(row["state"], row["code"]) for row in rows(engine)] == [("failed", "validity")] * 2
    assert sandbox.stats()["requests"] == 0
    assert batch(engine, batch_id)["state"] == "done"
    assert_counts(engine)


def test_messages_whose_time_to_leave_is_not_over_are_sent(engine: Engine, make_desk: MakeDesk) -> None:
    batch_id = run_campaign(engine, 2)
    change_messages(engine, leave_by=ago(-60_000))

    send_batch(make_desk(), batch_id)

    assert states(engine) == ["accepted"] * 2


# --- what the account does meanwhile


def standing(engine: Engine) -> accounts.AccountStanding:
    with reading(engine) as connection:
        return accounts.standings(connection)[PROVIDER]


@pytest.mark.parametrize(
    ("faults", "state"),
    [({"refuse_429": True, "retry_after_s": 60}, "waiting"), ({"out_of_credit": True}, "trouble")],
)
def test_a_refusal_pauses_or_closes_the_account(
    engine: Engine, sandbox: Sandbox, make_desk: MakeDesk, faults: dict[str, object], state: str
) -> None:
    sandbox.set_faults(**faults)

    send_batch(make_desk(), run_campaign(engine, 2))

    assert standing(engine).state == state


def test_a_gateway_that_refuses_connections_is_in_trouble_and_checked_at_once(
    engine: Engine, make_desk: MakeDesk
) -> None:
    send_batch(make_desk(port=free_port()), run_campaign(engine, 2))

    found = account(engine)
    assert standing(engine).state == "trouble"
    assert found["check_at"] <= found["now"]


def test_an_account_that_took_a_message_has_nothing_behind_it(
    engine: Engine, sandbox: Sandbox, make_desk: MakeDesk
) -> None:
    batch_id = run_campaign(engine, 2)
    sandbox.set_faults(out_of_credit=True)
    send_batch(make_desk(), batch_id)
    sandbox.set_faults(out_of_credit=False)
    do(engine, trouble.note_check, PROVIDER, trouble=None)
    before = account(engine)["closed_since"]

    send_batch(make_desk(), batch_id)

    assert (before is None, account(engine)["closed_since"]) == (False, None)
    assert states(engine) == ["accepted"] * 2


# --- stopping


@dataclass
class Hanging(Imagined):
    """A gateway that takes a request and says nothing until the test is over."""

    has_request: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)

    def exchange(self, request: HttpRequest, *, before_write: Callable[[], None] | None = None) -> HttpReply:
        """Say nothing."""
        assert request.body
        assert before_write is not None
        before_write()
        self.has_request.set()
        self.over.wait(30)
        return HttpReply(status=502, headers={}, body=b"")


def test_a_worker_in_a_hurry_lets_go_of_what_is_out_and_gives_the_batch_back(
    engine: Engine, make_desk: MakeDesk
) -> None:
    gateway = Hanging()
    batch_id = run_campaign(engine, 5)
    told = gateway.has_request.is_set
    desk = make_desk(client=gateway, width=1, max_recipients=2, should_stop=told)

    try:
        send_batch(replace(desk, should_hurry=told), batch_id)

        assert not gateway.over.is_set()
        assert states(engine) == ["unknown"] * 2 + ["queued"] * 3
        assert batch(engine, batch_id)["state"] == "open"
        assert [each["outcome"] for each in submissions(engine)] == ["unknown"]
        assert desk.pace.throttle.standing([ACCOUNT])[ACCOUNT].in_use == 1  # it is still under way
        assert_counts(engine)
    finally:
        gateway.over.set()
        desk.pool.shutdown()
        desk.pace.release(desk.limits, n_out=0)


@pytest.mark.timeout(30)
def test_a_worker_that_is_told_to_stop_while_the_ledger_is_away_leaves_its_outcomes_on_disk(
    engine: Engine, make_desk: MakeDesk, tmp_path: Path
) -> None:
    batch_id = run_campaign(engine, 2)
    stopped = threading.Event()

    with ExitStack() as outage:

        def lose_ledger() -> None:
            outage.enter_context(away(engine))
            stopped.set()

        desk = make_desk(client=Meanwhile(happens=lose_ledger), max_recipients=1, width=1)
        send_batch(replace(desk, should_stop=stopped.is_set), batch_id)
    before = states(engine)

    write_kept(tmp_path / "kept", engine, providers=[PROVIDER])

    assert before == ["submitting", "queued"]
    assert states(engine) == ["accepted", "queued"]
    assert batch(engine, batch_id)["state"] == "leased"  # the sweep opens it
    assert_counts(engine)


def test_outcomes_wait_for_the_ledger_and_nothing_is_marked_meanwhile(
    engine: Engine, make_desk: MakeDesk, tmp_path: Path
) -> None:
    batch_id = run_campaign(engine, 3)

    with ExitStack() as outage:

        def lose_ledger() -> None:
            outage.enter_context(away(engine))
            timer = threading.Timer(0.5, outage.close)
            timer.start()

        gateway = Meanwhile(happens=lose_ledger)
        send_batch(make_desk(client=gateway, max_recipients=1, width=1), batch_id)

    assert states(engine) == ["accepted"] * 3
    assert gateway.n_requests == 3
    assert list((tmp_path / "kept").iterdir()) == []
    assert_counts(engine)


@dataclass
class LosesLedger(Imagined):
    """A gateway near which the ledger goes away, when connections are open and nothing is marked yet."""

    happens: Callable[[], object]

    def open(self, url: str, *, n: int, pool: Executor, within_s: float | None = None) -> None:
        """Have nothing to open, while it happens."""
        super().open(url, n=n, pool=pool, within_s=within_s)
        self.happens()

    def exchange(self, request: HttpRequest, *, before_write: Callable[[], None] | None = None) -> HttpReply:
        """Be sure that it does not come to this."""
        raise AssertionError(request, before_write)


def test_a_mark_that_the_ledger_does_not_answer_is_taken_back_and_nothing_leaves(
    engine: Engine, make_desk: MakeDesk, tmp_path: Path
) -> None:
    batch_id = run_campaign(engine, 2)

    with ExitStack() as outage:

        def lose_ledger() -> None:
            outage.enter_context(away(engine))
            threading.Timer(0.5, outage.close).start()

        n_requests = send_batch(make_desk(client=LosesLedger(happens=lose_ledger)), batch_id)

    assert (n_requests, submissions(engine)) == (0, [])
    assert [(row["state"], row["attempts"]) for row in rows(engine)] == [("queued", 0)] * 2
    assert batch(engine, batch_id)["state"] == "open"
    assert list((tmp_path / "kept").glob("*")) == []
    assert_counts(engine)


@dataclass
class Frozen(Imagined):
    """A gateway whose connection is written to only after the process has slept for longer than it may."""

    mark_to_write_s: float
    has_written: bool = False

    def exchange(self, request: HttpRequest, *, before_write: Callable[[], None] | None = None) -> HttpReply:
        """Wake up, and ask whether the mark still holds."""
        assert request.body
        assert before_write is not None
        woken = elapsed_s() + self.mark_to_write_s
        assert within(5, lambda: elapsed_s() > woken)
        before_write()
        self.has_written = True
        return HttpReply(status=200, headers={}, body=b"{}")


def test_a_process_that_slept_after_its_mark_writes_no_more(engine: Engine, make_desk: MakeDesk) -> None:
    batch_id = run_campaign(engine, 2)
    gateway = Frozen(mark_to_write_s=0.25)
    desk = make_desk(client=gateway, timers=Timers())

    send_batch(desk, batch_id)

    assert not gateway.has_written
    assert [(row["state"], row["attempts"], row["code"]) for row in rows(engine)] == [
        ("queued", 0, "not_sent")
    ] * 2
    assert [each["outcome"] for each in submissions(engine)] == ["not_sent"]
    with reading(engine) as connection:
        assert accounts.standings(connection) == {}
    assert_counts(engine)


@dataclass
class Stamping(Imagined):
    """A gateway that accepts everything and knows when it was written to."""

    written_s: list[float] = field(default_factory=list)

    def exchange(self, request: HttpRequest, *, before_write: Callable[[], None] | None = None) -> HttpReply:
        """Answer as CPSMS would."""
        assert before_write is not None
        before_write()
        self.written_s.append(elapsed_s())
        body = {"success": [{"to": json.loads(request.body)["to"]}]}
        return HttpReply(status=200, headers={}, body=json.dumps(body).encode())


class Granting(Throttle):
    """The throttle, with what it granted, and with what happens after its first departures."""

    def __init__(self, redis_url: str, *, happens: Callable[[], object]) -> None:
        super().__init__(redis_url)
        self.granted_s: list[float] = []
        self._happens = happens

    def reserve(self, ask: Ask) -> Grant:
        """Reserve departures, and let it happen."""
        grant = super().reserve(ask)
        is_first = bool(grant.departures) and not self.granted_s
        self.granted_s += map(grant.local_s, grant.departures)
        if is_first:
            self._happens()
        return grant


def test_by_a_longer_limit_too_nothing_leaves_long_after_its_departure(
    sqlite_engine: Engine, redis_url: str, make_sqlite_desk: Callable[[], Desk]
) -> None:
    batch_id = run_campaign(sqlite_engine, 5)
    path = str(sqlite_engine.url.database)
    other = sqlite3.connect(path, check_same_thread=False, isolation_level=None)

    def lock_ledger() -> None:
        other.execute("BEGIN IMMEDIATE")
        threading.Timer(1.0, other.execute, ["COMMIT"]).start()

    five = Limits(rates=(Limit(amount=5, window_s=60),), guard_s=0.0, connections=2)
    gateway, desk = Stamping(), make_sqlite_desk()
    with closing(other), closing(Granting(redis_url, happens=lock_ledger)) as throttle:
        pace = replace(desk.pace, account=uuid.uuid4().hex, throttle=throttle)
        desk = replace(desk, gateway=replace(desk.gateway, client=gateway), pace=pace, limits=five)

        send_batch(desk, batch_id)

    late_s = [min(left - at for at in throttle.granted_s if at <= left) for left in gateway.written_s]
    assert late_s
    assert max(late_s) <= LEAVES_WITHIN_US / SECOND_US + NOISE_S


A_DAY = Limits(rates=(Limit(amount=3, window_s=86_400),), guard_s=0.0, connections=2)


def test_when_a_limit_is_used_up_the_rest_is_given_back_and_nobody_sleeps_for_it(
    engine: Engine, sandbox: Sandbox, make_desk: MakeDesk
) -> None:
    batch_id = run_campaign(engine, 5)
    desk = make_desk(max_recipients=1, limits=A_DAY)
    desk = replace(desk, pace=replace(desk.pace, account=uuid.uuid4().hex))  # nothing of it has left
    do(engine, rates.note_rates, {PROVIDER: (desk.pace.account, "3/day")})
    began_s = elapsed_s()

    send_batch(desk, batch_id)

    assert elapsed_s() - began_s < A_DAY.rates[0].window_s / 1000
    assert sandbox.stats()["accepted"] == 3
    assert batch(engine, batch_id)["state"] == "open"
    assert "3/day is used up" in (report(engine).reason or "")
    assert try_lease(engine, batch_id) is None


@dataclass(kw_only=True)
class Startled(Stamping):
    """A gateway that accepts everything; something happens before the first byte."""

    happens: Callable[[], None]
    n_requests: Iterator[int] = field(default_factory=itertools.count)

    def exchange(self, request: HttpRequest, *, before_write: Callable[[], None] | None = None) -> HttpReply:
        """Answer as CPSMS would, if it does not happen before."""
        if next(self.n_requests) == 0:
            self.happens()
        return super().exchange(request, before_write=before_write)


def nothing(_engine: Engine) -> None:
    """Let nothing happen."""


def pause_first(engine: Engine) -> None:
    pause(engine, 1)


def lose_a_row(engine: Engine) -> None:
    with writing(engine) as connection:
        connection.exec_driver_sql("UPDATE messages SET leave_by = 1 WHERE id = 1")


def lose_ledger(engine: Engine) -> None:
    outage = ExitStack()
    outage.enter_context(away(engine))
    threading.Timer(0.5, outage.close).start()


def be_too_late(_engine: Engine) -> None:
    raise TooLate("no byte was written")


@pytest.mark.parametrize(
    ("before_mark", "before_byte"),
    [
        (pause_first, nothing),
        (lose_a_row, nothing),
        (lose_ledger, nothing),
        (nothing, be_too_late),
    ],
)
def test_what_was_reserved_of_a_longer_limit_and_did_not_leave_is_there_again(
    engine: Engine,
    redis_url: str,
    make_desk: MakeDesk,
    before_mark: Callable[[Engine], None],
    before_byte: Callable[[Engine], None],
) -> None:
    first, second = (run_campaign(engine, 3, name=name) for name in "ab")
    gateway = Startled(happens=lambda: before_byte(engine))
    desk = make_desk(client=gateway, limits=A_DAY)
    with closing(Granting(redis_url, happens=lambda: before_mark(engine))) as throttle:
        pace = replace(desk.pace, account=uuid.uuid4().hex, throttle=throttle)  # nothing of it has left

        send_batch(replace(desk, pace=pace), first)
        send_batch(replace(desk, pace=pace), second)

    assert len(gateway.written_s) == 3


def test_a_text_that_cannot_be_written_costs_the_others_neither_their_turn_nor_their_departure(
    engine: Engine, make_desk: MakeDesk
) -> None:
    texts = ["Hi Anna", "Hi Bo", "see %SHORT_LINK%"]
    messages = [replace(each, text=own) for each, own in zip(some_messages(3), texts, strict=True)]
    adapter = make_adapter("smsend", base_url="http://127.0.0.1:9/v1", username="acme", secret="key")
    gateway = Gateway(adapter=adapter, client=Stubborn(201, b'{"result": "OK"}'), options={})
    desk = make_desk(width=1, limits=replace(A_DAY, connections=1))
    pace = replace(desk.pace, account=uuid.uuid4().hex)  # nothing of it has left

    send_batch(replace(desk, gateway=gateway, pace=pace), run_campaign(engine, messages=messages))

    assert states(engine) == ["accepted", "accepted", "rejected"]
    assert [row["code"] for row in rows(engine)][2:] == ["cannot_carry"]
    assert_counts(engine)


def test_a_message_that_a_new_rate_never_lets_leave_pauses_its_campaign(
    engine: Engine, sandbox: Sandbox, make_desk: MakeDesk
) -> None:
    batch_id = run_campaign(engine, 1, messages=long_messages())
    desk = make_desk()
    do(engine, rates.note_rates, {PROVIDER: (desk.pace.account, "1/day")})

    send_batch(desk, batch_id)

    assert sandbox.stats()["requests"] == 0
    assert report(engine).state == "paused"
    assert "too low" in (report(engine).reason or "")
