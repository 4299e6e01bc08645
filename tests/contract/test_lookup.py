import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.contract.cases import (
    ANNA,
    BO,
    CARL,
    QUESTIONS,
    REFERENCE,
    SECOND_REFERENCE,
    AskCase,
    CheckCase,
    Contract,
    HearCase,
    reply,
    says,
)
from tests.contract.test_adapters import BODIES, CONTRACTS, each_contract
from worker.gateways.base import Verdict

CHECKS = [pytest.param(c, case, id=f"{c.adapter.name}: {case.name}") for c in CONTRACTS for case in c.checks]
ASKS = [pytest.param(c, case, id=f"{c.adapter.name}: {case.name}") for c in CONTRACTS for case in c.asks]
HEARS = [pytest.param(c, case, id=f"{c.adapter.name}: {case.name}") for c in CONTRACTS for case in c.hears]

STATUSES = st.integers(100, 999) | st.sampled_from([200, 401, 402, 429])
REFERENCES = st.sampled_from([REFERENCE, SECOND_REFERENCE, "", "another", None, 7])
NUMBERS = st.sampled_from([ANNA, ANNA[1:], int(ANNA), BO, CARL, CARL[1:], "45", None])
ODD = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.lists(st.none())
ROWS = st.fixed_dictionaries(
    {"userReference": REFERENCES | ODD, "to": NUMBERS | ODD},
    optional={"smsAmount": ODD, "pointPrice": ODD, "timeSent": ODD},
)
LOGS = st.lists(ROWS | ODD, max_size=6).map(lambda rows: json.dumps(rows).encode())

OURS = [(question.reference, msisdn) for question in QUESTIONS for msisdn in question.recipients]
ANY = [(reference, msisdn) for reference in (REFERENCE, SECOND_REFERENCE, "x") for msisdn in (ANNA, BO, CARL)]


def pairs(heard: object) -> set[tuple[str, str]]:
    assert isinstance(heard, dict)
    return {(reference, msisdn) for reference, outcomes in heard.items() for msisdn in outcomes}


@each_contract
def test_gateway_says_how_it_can_be_asked(contract: Contract) -> None:
    assert contract.adapter.capabilities.lookup == contract.lookup


@each_contract
def test_check_only_reads_and_shows_no_secret(contract: Contract) -> None:
    request = contract.adapter.check()

    assert request is not None
    assert (request.method, request.body) == ("GET", b"")
    assert not any(secret in repr(request) for secret in contract.secrets)


@pytest.mark.parametrize(("contract", "case"), CHECKS)
def test_check_finds_what_its_case_says(contract: Contract, case: CheckCase) -> None:
    found = contract.adapter.read_check(case.reply)

    assert (found.is_well, found.reason, found.balance) == (case.reason is None, case.reason, case.balance)


@each_contract
@given(status=STATUSES, body=BODIES)
def test_any_reply_to_a_check_is_well_or_has_a_reason(contract: Contract, status: int, body: bytes) -> None:
    found = contract.adapter.read_check(reply(status, body))

    assert found.is_well == (found.reason is None)


@each_contract
def test_reason_keeps_no_secret_or_number_that_the_gateway_echoes(contract: Contract) -> None:
    echo = f"no: {ANNA} {' '.join(contract.secrets)} \x1b[2J" + "x" * 999
    reason = contract.adapter.read_check(says(401, {"error": {"code": echo, "message": echo}})).reason

    assert reason is not None
    assert len(reason) < 250
    assert not any(hidden in reason for hidden in (*contract.secrets, ANNA[1:], "\x1b"))


@pytest.mark.parametrize(("contract", "case"), ASKS)
def test_questions_are_asked_at_the_address_of_their_case(contract: Contract, case: AskCase) -> None:
    request = contract.adapter.ask(case.questions)

    assert (request.method, request.url, request.body) == ("GET", case.url, b"")


@each_contract
def test_question_shows_no_number_and_asking_no_secret(contract: Contract) -> None:
    shown = repr((QUESTIONS, contract.adapter.ask(QUESTIONS)))

    assert not any(hidden in shown for hidden in (*contract.secrets, ANNA[1:]))


@pytest.mark.parametrize(("contract", "case"), HEARS)
def test_reply_lets_hear_what_its_case_says(contract: Contract, case: HearCase) -> None:
    heard = contract.adapter.hear(QUESTIONS, case.reply)

    assert (heard is None) == (case.heard is None)
    if heard is None or case.heard is None:
        return
    assert pairs(heard) == pairs(case.heard)
    assert all(
        case.heard[reference][msisdn].is_met_by(heard[reference][msisdn])
        for reference, msisdn in pairs(heard)
    )


@each_contract
def test_heard_recipient_has_the_reference_that_a_sent_one_has(contract: Contract) -> None:
    case = next(case for case in contract.hears if case.heard)
    heard = contract.adapter.hear(QUESTIONS, case.reply)

    assert heard is not None
    assert {outcome.provider_ref for outcome in heard[REFERENCE].values()} == {REFERENCE}


@each_contract
@given(status=STATUSES, body=LOGS | BODIES)
def test_nothing_is_heard_that_was_not_asked(contract: Contract, status: int, body: bytes) -> None:
    heard = contract.adapter.hear(QUESTIONS, reply(status, body))

    assert heard is None or pairs(heard) <= set(OURS)
    assert all(
        outcome.verdict is Verdict.ACCEPTED
        for outcomes in (heard or {}).values()
        for outcome in outcomes.values()
    )


@each_contract
@given(known=st.lists(st.sampled_from(ANY), max_size=12), n_asked=st.integers(1, 2))
def test_exactly_what_is_both_asked_and_in_the_log_is_heard(
    contract: Contract, known: list[tuple[str, str]], n_asked: int
) -> None:
    rows = [{"userReference": reference, "to": msisdn[1:]} for reference, msisdn in known]
    asked = QUESTIONS[:n_asked]

    heard = contract.adapter.hear(asked, says(200, rows))

    wanted = {(question.reference, msisdn) for question in asked for msisdn in question.recipients}
    assert pairs(heard) == wanted & set(known)


@each_contract
def test_same_number_in_two_questions_is_heard_for_the_one_that_the_log_names(contract: Contract) -> None:
    asked = (QUESTIONS[0], replace(QUESTIONS[1], recipients=(ANNA,)))
    heard = contract.adapter.hear(asked, says(200, [{"userReference": SECOND_REFERENCE, "to": ANNA[1:]}]))

    assert pairs(heard) == {(SECOND_REFERENCE, ANNA)}
