"""The adapter of Text Marketer against the simulator: every setting of what no document says."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import pytest

from tests.contract.cases import ANNA, BO, CARL, REFERENCE, submission
from tests.contract.lines import Line, line_to
from tests.sandbox.running import Sandbox
from worker.clock import Stamp
from worker.gateways.base import Outcome, Taken, Verdict
from worker.gateways.http import Client
from worker.states import MessageState
from worker.waiting import within

STOPPED, BAD = "+4599990002", "+4599990001"
BRITISH = "+447700900123"
SETTINGS: list[dict[str, Any]] = [
    {},
    {"dtd": ""},
    {"dtd": "http://127.0.0.1:9/never-fetched"},
    {"owner": "textmarketer.biz"},
    {"queued": True},
    {"plain_errors": True},
    {"login_status": 400},
    {"login_status": 400, "dtd": ""},
]

each_setting = pytest.mark.parametrize("knobs", SETTINGS, ids=str)


@pytest.fixture
def client() -> Iterator[Client]:
    client = Client(connections=1, timeout_s=1.0)
    yield client
    client.close()


@pytest.fixture
def line(sandbox: Sandbox, client: Client) -> Line:
    return line_to("textmarketer", sandbox=sandbox, client=client)


def verdicts(outcomes: Mapping[str, Outcome]) -> set[Verdict]:
    return {outcome.verdict for outcome in outcomes.values()}


@each_setting
def test_acceptance_is_understood_in_every_setting(line: Line, knobs: dict[str, Any]) -> None:
    line.set_faults(dlr_delay_ms=0, **knobs)
    outcomes = line.submit(ANNA, BO, text="x" * 161)

    assert verdicts(outcomes) == {Verdict.ACCEPTED}
    assert {outcome.cost for outcome in outcomes.values()} == {Decimal(2)}
    assert [each["reference"] for each in line.accepted()] == [REFERENCE, REFERENCE]
    heard = line.ask(ANNA, BO)
    assert heard is not None
    assert {each.delivery for each in heard.values()} == {MessageState.DELIVERED}
    assert {each.provider_ref for each in heard.values()} == {outcomes[ANNA].provider_ref}


@each_setting
def test_wrong_login_halts_the_account_in_every_setting(
    sandbox: Sandbox, client: Client, knobs: dict[str, Any]
) -> None:
    stranger = line_to("textmarketer", sandbox=sandbox, client=client, username="bad")
    stranger.set_faults(**knobs)

    assert verdicts(stranger.submit(ANNA, BO)) == {Verdict.ACCOUNT}
    standing = stranger.check()
    assert (standing.is_well, standing.is_answered) == (False, False)
    assert "the user name or the password is wrong" in (standing.reason or "")


@pytest.mark.parametrize(
    ("knobs", "number", "verdict", "options"),
    [
        ({}, BAD, Verdict.RECIPIENT, {}),
        ({}, STOPPED, Verdict.OPTED_OUT, {"check_stop": True}),
        ({"international": False}, BO, Verdict.RECIPIENT, {}),
        ({"refuse_numbers": [BO[-4:]]}, BO, Verdict.RECIPIENT, {}),
    ],
)
def test_number_that_refuses_a_request_is_found_by_halving(
    line: Line, knobs: dict[str, Any], number: str, verdict: Verdict, options: dict[str, object]
) -> None:
    line.set_faults(**knobs)

    assert verdicts(line.submit(BRITISH, number, options=options)) == {Verdict.SPLIT}
    assert line.numbers() == []
    assert verdicts(line.submit(BRITISH, options=options)) == {Verdict.ACCEPTED}
    assert verdicts(line.submit(number, options=options)) == {verdict}


def test_number_that_is_left_out_in_silence_leaves_all_unknown_until_the_rows_tell(line: Line) -> None:
    line.set_faults(bad_number="skip")

    assert verdicts(line.submit(ANNA, BAD, BO)) == {Verdict.AMBIGUOUS}
    assert set(line.ask(ANNA, BAD, BO) or {}) == set(line.numbers()) == {ANNA, BO}


def test_extension_characters_that_count_once_cost_less_and_are_accepted(line: Line) -> None:
    line.set_faults(extension_units=1)
    outcomes = line.submit(ANNA, BO, text="\u20ac" * 100)

    assert {(each.verdict, each.cost) for each in outcomes.values()} == {(Verdict.ACCEPTED, Decimal(1))}


@pytest.mark.parametrize(
    ("knobs", "msisdn", "delivery"),
    [
        ({}, "+4599990010", MessageState.DELIVERED),
        ({}, "+4599990011", MessageState.UNDELIVERED),
        ({"failed_status": "REJECTED"}, "+4599990011", MessageState.UNDELIVERED),
        ({}, "+4599990012", MessageState.UNDELIVERED),
        ({}, "+4599990013", None),
        ({}, "+4599990014", None),
        ({"non_uk": True}, ANNA, None),
        ({"non_uk": True}, BRITISH, MessageState.DELIVERED),
    ],
)
def test_every_status_of_a_row_is_understood(
    line: Line, knobs: dict[str, Any], msisdn: str, delivery: MessageState | None
) -> None:
    line.set_faults(dlr_delay_ms=0, **knobs)
    line.submit(msisdn)

    heard = line.ask(msisdn)
    assert heard is not None
    assert (heard[msisdn].verdict, heard[msisdn].delivery) == (Verdict.ACCEPTED, delivery)


@pytest.mark.parametrize(("status", "heard"), [(404, None), (200, {})])
def test_message_without_a_row_yet_is_not_taken_for_unknown(
    line: Line, status: int, heard: dict[str, Outcome] | None
) -> None:
    line.set_faults(report_delay_ms=60_000, no_rows=status)
    line.submit(ANNA)

    assert line.ask(ANNA) == heard


@pytest.mark.parametrize("plain_errors", [False, True])
def test_limit_of_reading_stops_questions_and_checks_but_no_message(
    line: Line, *, plain_errors: bool
) -> None:
    line.set_faults(read_limit=1, plain_errors=plain_errors)
    line.submit(ANNA)

    assert line.ask(ANNA) is not None
    assert line.ask(ANNA) is None
    standing = line.check()
    assert (standing.is_well, standing.is_answered) == (False, True)
    assert verdicts(line.submit(BO)) == {Verdict.ACCEPTED}


def test_message_that_has_left_by_its_schedule_cannot_be_taken_back_and_has_its_row(line: Line) -> None:
    line.set_faults(dlr_delay_ms=0)
    outcomes = line.submit(ANNA, CARL, leaves_at_s=Stamp.now().wall + 0.5)
    early = line.ask(ANNA, CARL)

    assert within(5, lambda: bool(line.ask(ANNA, CARL)), every_s=0.1)
    request = line.adapter.cancel(reference=REFERENCE, provider_ref=outcomes[ANNA].provider_ref)
    assert line.adapter.read_cancel(line.call(request)) is Taken.TOO_LATE
    assert early is None
    assert set(line.ask(ANNA, CARL) or {}) == {ANNA, CARL}


def test_options_reach_the_gateway(line: Line) -> None:
    options = {"validity": "24", "check_stop": "true", "email": "me@example.org"}

    assert verdicts(line.submit(ANNA, options=options, sender="447777123123")) == {Verdict.ACCEPTED}
    refused = line.submit(ANNA, options={"email": "me@example.org"})[ANNA]
    assert (refused.verdict, refused.code) == (Verdict.CAMPAIGN, "31")


def test_no_credential_and_no_number_stands_in_an_address(line: Line) -> None:
    adapter = line.adapter
    requests = [
        adapter.build(submission(ANNA)),
        adapter.check(),
        adapter.cancel(reference="r", provider_ref="7"),
    ]

    addresses = " ".join(request.url for request in requests if request)
    assert not any(each in addresses for each in ("acme", "key", ANNA[1:]))
