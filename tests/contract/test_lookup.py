"""What every adapter asks beside submissions: for its account, and what became of our references."""

from collections.abc import Mapping
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
)
from tests.contract.contracts import contracts_that, each_case, each_contract
from worker.errors import ConfigError
from worker.gateways.base import Verdict
from worker.states import PROVEN, MessageState

STATUSES = st.integers(100, 999) | st.sampled_from([200, 201, 401, 402, 404, 409, 429, 500])
DELIVERIES = PROVEN - {MessageState.ACCEPTED}
ANY = [(reference, msisdn) for reference in (REFERENCE, SECOND_REFERENCE, "x") for msisdn in (ANNA, BO, CARL)]
has_lookup = contracts_that(lambda contract: contract.lookup)


def pairs(heard: Mapping[str, Mapping[str, object]] | None) -> set[tuple[str, str]]:
    assert heard is not None
    return {(reference, msisdn) for reference, outcomes in heard.items() for msisdn in outcomes}


# --- the account


@each_contract
def test_check_only_reads(contract: Contract) -> None:
    request = contract.adapter.check()

    assert request is None or request.method == contract.read_method


@each_case("checks")
def test_check_finds_what_its_case_says(contract: Contract, case: CheckCase) -> None:
    found = contract.adapter.read_check(case.reply)

    assert (found.is_well, found.reason, found.balance) == (case.reason is None, case.reason, case.balance)
    assert found.unit == (None if case.balance is None else contract.unit)
    assert found.abilities == case.abilities


@each_contract
@given(status=STATUSES, data=st.data())
def test_any_reply_to_a_check_is_well_or_has_a_reason(
    contract: Contract, status: int, data: st.DataObject
) -> None:
    found = contract.adapter.read_check(reply(status, data.draw(contract.bodies)))

    assert found.is_well == (found.reason is None)


@each_contract
def test_reason_keeps_no_secret_or_number_that_the_gateway_echoes(contract: Contract) -> None:
    replies = contract.echo(f"no: {ANNA} {' '.join(contract.secrets)} \x1b[2J" + "x" * 999)

    for answer in replies:
        reason = contract.adapter.read_check(answer).reason
        assert reason is not None
        assert len(reason) < 250
        assert not any(hidden in reason for hidden in (*contract.secrets, ANNA[1:], "\x1b"))


# --- what became of a submission


@each_case("asks")
def test_questions_are_asked_at_the_address_of_their_case(contract: Contract, case: AskCase) -> None:
    request = contract.adapter.ask(case.questions)
    fields = contract.fields_of(request) if case.fields else {}

    assert (request.method, request.url) == (contract.read_method, case.url)
    assert {name: fields.get(name) for name in case.fields} == case.fields


@contracts_that(lambda contract: contract.lookup is None)
def test_gateway_that_cannot_be_asked_is_not_and_says_nothing(contract: Contract) -> None:
    with pytest.raises(ConfigError):
        contract.adapter.ask(QUESTIONS[:1])

    assert contract.adapter.hear(QUESTIONS[:1], contract.good) is None


@each_case("hears")
def test_reply_lets_hear_what_its_case_says(contract: Contract, case: HearCase) -> None:
    heard = contract.adapter.hear(case.questions, case.reply)

    assert (heard is None) == (case.heard is None)
    if heard is None or case.heard is None:
        return
    assert heard.keys() == case.heard.keys()
    assert pairs(heard) == pairs(case.heard)
    assert all(
        case.heard[reference][msisdn].is_met_by(heard[reference][msisdn])
        for reference, msisdn in pairs(heard)
    ), heard


@has_lookup
def test_heard_recipient_has_a_reference_of_the_gateway(contract: Contract) -> None:
    assert contract.knows is not None
    heard = contract.adapter.hear(contract.asked, contract.knows(contract.asked, [(REFERENCE, ANNA)]))

    assert heard is not None
    assert heard[REFERENCE][ANNA].provider_ref


@has_lookup
@given(status=STATUSES, data=st.data())
def test_nothing_is_heard_that_was_not_asked(contract: Contract, status: int, data: st.DataObject) -> None:
    heard = contract.adapter.hear(contract.asked, reply(status, data.draw(contract.bodies))) or {}

    assert pairs(heard) <= {(each.reference, msisdn) for each in contract.asked for msisdn in each.recipients}
    outcomes = [outcome for said in heard.values() for outcome in said.values()]
    assert {outcome.verdict for outcome in outcomes} <= {Verdict.ACCEPTED}
    assert contract.lookup is not None
    told = DELIVERIES if contract.lookup.tells_delivery else frozenset()
    assert {outcome.delivery for outcome in outcomes} <= told | {None}


@has_lookup
@given(known=st.lists(st.sampled_from(ANY), max_size=12), n_asked=st.integers(1, 2))
def test_exactly_what_is_both_asked_and_known_is_heard(
    contract: Contract, known: list[tuple[str, str]], n_asked: int
) -> None:
    assert contract.lookup is not None
    assert contract.knows is not None
    asked = contract.asked[:n_asked]

    heard = contract.adapter.hear(asked, contract.knows(asked, known))

    wanted = {(question.reference, msisdn) for question in asked for msisdn in question.recipients}
    if contract.lookup.is_alike:  # a gateway that does not know references cannot tell two alike apart
        assert pairs(heard) <= wanted
    else:
        assert pairs(heard) == wanted & set(known)


@contracts_that(lambda contract: len(contract.asked) > 1)
def test_same_number_in_two_questions_is_heard_for_the_one_that_the_gateway_names(contract: Contract) -> None:
    assert contract.knows is not None
    asked = (QUESTIONS[0], replace(QUESTIONS[1], recipients=(ANNA,)))
    heard = contract.adapter.hear(asked, contract.knows(asked, [(SECOND_REFERENCE, ANNA)]))

    assert pairs(heard) == {(SECOND_REFERENCE, ANNA)}
