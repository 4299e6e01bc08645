"""The adapters of both Txty gateways against their simulators: every setting of what no document says."""

import math
import queue
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.contract.cases import ANNA, BO, REFERENCE, SECOND_REFERENCE, SENDER, TEXT, submission
from tests.contract.lines import Line, line_to
from tests.sandbox.running import Sandbox
from tests.sandbox.txty_client import TxtyV4, receiving
from worker.clock import Stamp
from worker.gateways.base import Push, Question, Verdict
from worker.gateways.http import Client
from worker.gateways.txty_v4.outbox import FOUND_ALIKE
from worker.ledger.batches import Lease
from worker.ledger.values import DueRow, Marked
from worker.sending.submit import Gateway
from worker.states import Lane, MessageState
from worker.text.segments import Encoding
from worker.waiting import within

BAD, NO_CREDIT = "+4599990001", "+4599990003"
UNLISTED = "+4599990021"

V6_SETTINGS: list[dict[str, Any]] = [
    {},
    {"arrays": "null"},
    {"arrays": "empty"},
    {"login": "query", "unauthorized_body": "error"},
    {"afford_status": 402},
    {"error_status": 200, "afford_status": 200},
    {"error_status": 500, "afford_status": 500},
]
V4_SETTINGS: list[dict[str, Any]] = [
    {},
    {"error_status": 400},
    {"error_status": 404},
    {"has_dialcode": False},
    {"clock": "copenhagen"},
]


@pytest.fixture
def client() -> Iterator[Client]:
    client = Client(connections=1, timeout_s=1.0)
    yield client
    client.close()


@pytest.fixture
def v6(sandbox: Sandbox, client: Client) -> Line:
    return line_to("txty_v6", sandbox=sandbox, client=client)


@pytest.fixture
def v4(sandbox: Sandbox, client: Client) -> Line:
    return line_to("txty_v4", sandbox=sandbox, client=client)


def verdict(line: Line, msisdn: str, **changes: object) -> Verdict:
    return line.submit(msisdn, **changes)[msisdn].verdict


def question(reference: str = REFERENCE, **changes: object) -> Question:
    plain: dict[str, object] = {
        "reference": reference,
        "recipients": (ANNA,),
        "sent_at_s": Stamp.now().wall,
        "sender": SENDER,
        "texts": (TEXT,),
    }
    return Question(**(plain | changes))  # type: ignore[arg-type]  # the fields of Question


def lease_of(leaves_at: int) -> Lease:
    return Lease(
        batch_id=1,
        fence=1,
        campaign_id=1,
        provider="acme",
        sender=SENDER,
        text=TEXT,
        options={},
        lane=Lane.BULK,
        leaves_at=leaves_at,
    )


def request_of(msisdn: str) -> Marked:
    row = DueRow(
        id=1,
        msisdn=msisdn,
        text=TEXT,
        encoding="gsm7",
        parts=1,
        attempts=0,
        group_limit=None,
        leave_in_ms=None,
    )
    return Marked(reference=REFERENCE, rows=(row,))


def heard(line: Line, *questions: Question) -> dict[str, set[str]]:
    found = line.adapter.hear(questions, line.call(line.adapter.ask(questions)))
    assert found is not None
    return {reference: set(outcomes) for reference, outcomes in found.items()}


# --- v6


@pytest.mark.parametrize("knobs", V6_SETTINGS, ids=str)
def test_v6_is_understood_with_every_setting(v6: Line, knobs: dict[str, Any]) -> None:
    v6.set_faults(**knobs)

    assert verdict(v6, ANNA) is Verdict.ACCEPTED
    assert verdict(v6, BAD) is Verdict.RECIPIENT
    assert verdict(v6, NO_CREDIT) is Verdict.ACCOUNT
    assert verdict(v6, ANNA, sender="A B") is Verdict.CAMPAIGN
    assert v6.numbers() == [ANNA]


def test_v6_takes_every_option_a_time_and_our_reference(v6: Line) -> None:
    options = {"premium": True, "flash": True, "silent": True}
    outcome = v6.submit(
        ANNA,
        options=options,
        text="Hej \u2603",
        encoding=Encoding.UCS_2,
        leaves_at_s=Stamp.now().wall + 3600,
    )[ANNA]

    assert (outcome.verdict, outcome.parts, outcome.cost) == (Verdict.ACCEPTED, 1, Decimal("0.2"))
    (line,) = v6.accepted()
    assert (line["reference"], line["text"]) == (REFERENCE, "Hej \u2603")


@pytest.mark.parametrize(("login", "wanted"), [("basic", "basic"), ("basic", "any"), ("query", "query")])
def test_v6_login_is_a_dialect(sandbox: Sandbox, client: Client, login: str, wanted: str) -> None:
    line = line_to("txty_v6", sandbox=sandbox, client=client, login=login)
    line.set_faults(login=wanted)

    assert verdict(line, ANNA) is Verdict.ACCEPTED


def test_v6_wrong_login_halts_the_account(sandbox: Sandbox, client: Client) -> None:
    line = line_to("txty_v6", sandbox=sandbox, client=client, login="basic")
    line.set_faults(login="query")

    assert verdict(line, ANNA) is Verdict.ACCOUNT


def test_v6_schedule_that_its_own_time_has_reached_is_sent_without_one(v6: Line) -> None:
    v6.set_faults(refuse_past=True)
    leaves_at_s = math.ceil(Stamp.now().wall + 0.2)  # it is written in whole seconds
    held = lease_of(1000 * leaves_at_s)

    def late() -> None:
        within(5, lambda: Stamp.now().wall > leaves_at_s, every_s=0.05)

    with closing(Client(connections=1, timeout_s=10.0)) as patient:
        gateway = Gateway(adapter=v6.adapter, client=patient, options={})
        first = gateway.submit(held, request_of(ANNA), before_write=late)
        second = gateway.submit(held, request_of(ANNA), before_write=lambda: None)

    assert isinstance(first, dict)
    assert isinstance(second, dict)
    assert (first[ANNA].verdict, first[ANNA].code) == (Verdict.RETRY, "SCHEDULED_INVALID")
    assert second[ANNA].verdict is Verdict.ACCEPTED
    assert v6.numbers() == [ANNA]


# --- v4


@pytest.mark.parametrize("knobs", V4_SETTINGS, ids=str)
def test_v4_is_understood_with_every_setting(v4: Line, knobs: dict[str, Any]) -> None:
    v4.set_faults(**knobs)

    outcome = v4.submit(ANNA)[ANNA]
    assert (outcome.verdict, outcome.parts, outcome.cost) == (Verdict.ACCEPTED, 1, Decimal("0.2"))
    assert v4.numbers() == [ANNA]


@pytest.mark.parametrize("error_status", [200, 400, 422])
def test_v4_refusals_are_classed_by_their_names(v4: Line, error_status: int) -> None:
    v4.set_faults(error_status=error_status)

    assert verdict(v4, BAD) is Verdict.RECIPIENT
    assert verdict(v4, NO_CREDIT) is Verdict.ACCOUNT
    assert verdict(v4, ANNA, text="a" * 1531) is Verdict.TEXT
    assert v4.numbers() == []


def test_v4_refusals_without_a_telling_name_are_of_the_campaign(v4: Line) -> None:
    v4.set_faults(refusals="plain")

    assert verdict(v4, BAD) is Verdict.RECIPIENT
    assert verdict(v4, ANNA, text="a" * 1531) is Verdict.CAMPAIGN


@pytest.mark.parametrize("clock", ["utc", "copenhagen"])
def test_v4_keeps_a_message_until_its_time_by_either_clock(
    sandbox: Sandbox, client: Client, clock: str
) -> None:
    line = line_to("txty_v4", sandbox=sandbox, client=client, clock=clock)
    line.set_faults(clock=clock)
    leaves_at_s = int(Stamp.now().wall) + 7200
    line.submit(ANNA, leaves_at_s=float(leaves_at_s))

    (row,) = TxtyV4(sandbox).outbox()
    ahead_s = row["scheduled"] - leaves_at_s
    assert ahead_s == 0 if clock == "utc" else ahead_s in {3600, 7200}


@pytest.mark.parametrize("clock", ["utc", "copenhagen"])
def test_v4_finds_a_message_by_either_clock_and_marks_it_as_alike(
    sandbox: Sandbox, client: Client, clock: str
) -> None:
    line = line_to("txty_v4", sandbox=sandbox, client=client, clock=clock)
    line.set_faults(clock=clock)
    sent = line.submit(ANNA)[ANNA]

    found = line.ask(ANNA)

    assert found is not None
    assert (found[ANNA].code, found[ANNA].provider_ref) == (FOUND_ALIKE, sent.provider_ref)


@pytest.mark.parametrize("knobs", [{}, {"scheduled_sent": "asked"}])
def test_v4_finds_a_message_that_it_keeps_by_its_time(v4: Line, knobs: dict[str, Any]) -> None:
    v4.set_faults(**knobs)
    leaves_at_s = Stamp.now().wall + 7200
    v4.submit(ANNA, leaves_at_s=leaves_at_s)

    assert heard(v4, question(sent_at_s=leaves_at_s)) == {REFERENCE: {ANNA}}
    assert heard(v4, question()) == {}


def test_v4_does_not_find_by_another_clock_than_its_own(v4: Line) -> None:
    v4.set_faults(clock="copenhagen")
    v4.submit(ANNA)

    assert v4.ask(ANNA) == {}


@pytest.mark.parametrize("knobs", [{"search_in": "text"}, {"outbox_rows": 0}])
def test_v4_outbox_that_shows_too_little_proves_nothing(v4: Line, knobs: dict[str, Any]) -> None:
    v4.submit(ANNA)
    v4.set_faults(**knobs)

    assert v4.ask(ANNA) == {}


def test_v4_message_that_its_outbox_does_not_keep_is_not_found(v4: Line) -> None:
    v4.submit(UNLISTED)

    assert v4.ask(UNLISTED) == {}


def test_v4_finds_none_of_two_that_are_alike(v4: Line) -> None:
    v4.submit(ANNA)
    v4.submit(ANNA)

    assert v4.ask(ANNA) == {}


def test_v4_never_gives_one_row_to_two_messages(v4: Line) -> None:
    v4.submit(ANNA)

    assert heard(v4, question(), question(SECOND_REFERENCE)) == {}


def test_v4_tells_messages_apart_by_text_sender_and_time(v4: Line) -> None:
    v4.submit(ANNA)
    v4.submit(ANNA, text="Another")
    v4.submit(BO)

    assert heard(v4, question()) == {REFERENCE: {ANNA}}
    assert heard(v4, question(sender="ACME2")) == {}
    assert heard(v4, replace(question(), sent_at_s=Stamp.now().wall - 600)) == {}


@pytest.mark.parametrize("group_reply", ["one", "list"])
def test_v4_sends_to_its_own_groups_and_contacts(v4: Line, sandbox: Sandbox, group_reply: str) -> None:
    panel = TxtyV4(sandbox)
    panel.do("group/create", name="All")
    for number in (ANNA[1:], BO[1:]):
        panel.do("contact/create", fullname="A", msisdn=number)
    for contact in (100, 101):
        panel.do("contact/addgroup", contact=contact, group=100)
    v4.set_faults(group_reply=group_reply)

    to_group = v4.submit("group:100")["group:100"]
    to_contact = v4.submit("contact:101")["contact:101"]

    assert (to_group.verdict, to_group.parts, to_group.cost) == (Verdict.ACCEPTED, 2, Decimal("0.4"))
    assert to_contact.verdict is Verdict.ACCEPTED
    assert v4.numbers() == [ANNA, BO, BO]
    assert verdict(v4, "group:7") is Verdict.RECIPIENT


@pytest.mark.parametrize(
    ("knobs", "delivery", "code"),
    [
        ({}, MessageState.DELIVERED, "150"),
        ({"clock": "copenhagen"}, MessageState.DELIVERED, "150"),
        ({"dlr_outcome": "failed", "failed_status": 12}, MessageState.UNDELIVERED, "12"),
        ({"dlr_outcome": "abandoned"}, MessageState.UNDELIVERED, "99"),
        ({"dlr_outcome": "failed", "failed_status": 120}, MessageState.ACCEPTED, "120"),
    ],
    ids=str,
)
def test_v4_callback_names_the_message(
    sandbox: Sandbox, client: Client, knobs: dict[str, Any], delivery: MessageState, code: str
) -> None:
    line = line_to("txty_v4", sandbox=sandbox, client=client, clock=knobs.get("clock", "utc"))
    line.set_faults(dlr_delay_ms=0, **knobs)
    with receiving() as receiver:
        outcome = line.submit(ANNA, dlr_url=receiver.url)[ANNA]
        (report,) = line.adapter.report(pushed(receiver.seen))

    assert (report.delivery, report.code) == (delivery, code)
    assert (report.msisdn, report.provider_ref) == (ANNA, outcome.provider_ref)
    if delivery is MessageState.DELIVERED:
        assert report.at_s is not None
        assert abs(report.at_s - Stamp.now().wall) < 10


def pushed(seen: "queue.Queue[str]") -> Push:
    method, _, target = seen.get(timeout=5).partition(" ")
    return Push(method=method, query=urlsplit(target).query)


def test_v4_check_shows_what_the_account_pays(v4: Line) -> None:
    found = v4.check()

    assert (found.balance, found.unit) == (Decimal("9843.4"), "DKK")
    assert found.abilities[0] == "Denmark (+45): 0.2 DKK a message"
    assert found.abilities[-1] == "Other countries: 0.6 DKK a message"


def test_v4_wrong_login_is_told_without_what_the_gateway_echoes(sandbox: Sandbox, client: Client) -> None:
    line = line_to("txty_v4", sandbox=sandbox, client=client, username="bad")

    found = line.check()

    assert (found.is_well, found.reason) == (False, "USER_NOT_FOUND")


def test_v4_request_has_no_key_in_its_address(v4: Line) -> None:
    requests = [v4.adapter.build(submission(ANNA)), v4.adapter.check(), v4.adapter.ask([question()])]

    assert all(request is not None and "key" not in urlsplit(request.url).query for request in requests)
