"""What every adapter writes for a submission, and what it refuses before anything is written."""

import re

import pytest

from tests.contract.cases import (
    ANNA,
    BO,
    DLR_URL,
    HOST,
    LEAVES_AT_S,
    REFERENCE,
    TEXT,
    BuildCase,
    Contract,
    OptionCase,
    RefusalCase,
    submission,
)
from tests.contract.contracts import each_case, each_contract
from worker.errors import ConfigError
from worker.gateways.base import HttpRequest, Submission
from worker.text.segments import Encoding


def written(contract: Contract, request: HttpRequest) -> str:
    return str(list(contract.fields_of(request).values()))


def refused(contract: Contract, asked: Submission, *, named: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(named)) as raised:
        contract.adapter.build(asked)

    hidden = (*contract.secrets, ANNA[1:], TEXT, "1" * 16, DLR_URL)
    assert not any(each in str(raised.value) for each in hidden)


@each_case("builds")
def test_request_has_the_fields_of_its_case(contract: Contract, case: BuildCase) -> None:
    fields = contract.fields_of(contract.adapter.build(case.submission))

    assert {name: fields.get(name) for name in case.fields} == case.fields
    assert set(case.absent).isdisjoint(fields)


@each_case("refusals")
def test_submission_that_this_gateway_cannot_carry_is_refused_by_name(
    contract: Contract, case: RefusalCase
) -> None:
    refused(contract, case.submission, named=case.named)


@each_case("options")
def test_option_is_carried_with_its_values_and_refused_by_name_with_others(
    contract: Contract, case: OptionCase
) -> None:
    for value in case.carried:
        contract.adapter.build(submission(**{"options": {case.name: value}, **case.changes}))

    for value in case.refused:
        refused(contract, submission(**{"options": {case.name: value}, **case.changes}), named=case.name)


@each_contract
@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"options": {"colour": "red"}}, "colour"),
        ({"recipients": ()}, "recipient"),
        ({"recipients": (ANNA, "group:7")}, "recipient"),
        ({"recipients": ("planet:7",)}, "recipient"),
        ({"recipients": (f"{ANNA}:7",)}, "recipient"),
        ({"recipients": ("group:",)}, "group"),
    ],
)
def test_submission_that_no_gateway_can_carry_is_refused_by_name(
    contract: Contract, changes: dict[str, object], named: str
) -> None:
    refused(contract, submission(**changes), named=named)


@each_contract
def test_submission_beyond_the_capabilities_is_refused_by_name(contract: Contract) -> None:
    has = contract.adapter.capabilities
    cases: list[tuple[bool, dict[str, object], str]] = [
        (True, {"sender": "x" * (has.max_sender_alnum + 1)}, "sender"),
        (True, {"sender": "1" * (has.max_sender_digits + 1)}, "sender"),
        (contract.needs_sender, {"sender": ""}, "sender"),
        (has.max_recipients > 2, {"recipients": (ANNA, BO, ANNA)}, "number"),
        ("group" not in has.targets, {"recipients": ("group:7",)}, "group"),
        ("contact" not in has.targets, {"recipients": ("contact:7",)}, "contact"),
        (not has.schedules, {"leaves_at_s": LEAVES_AT_S}, "time"),
        (not has.differs, {"texts": (TEXT,), "text": ""}, "texts"),
        (has.differs, {"texts": (TEXT, TEXT), "text": ""}, "text"),
    ]
    cases.extend(
        (encoding not in has.encodings, {"encoding": encoding}, f"encoding {encoding}")
        for encoding in Encoding
    )
    cases.extend(
        (True, {"text": "x" * (limit + 1), "encoding": encoding}, str(limit))
        for encoding, limit in has.max_characters.items()
    )

    for is_beyond, changes, named in cases:
        if is_beyond:
            refused(contract, submission(**changes), named=named)


@each_contract
def test_longest_sender_is_carried(contract: Contract) -> None:
    has = contract.adapter.capabilities

    for sender in ("E" * has.max_sender_alnum, "1" * has.max_sender_digits):
        assert sender in written(contract, contract.adapter.build(submission(sender=sender)))


@each_contract
def test_as_many_recipients_as_allowed_are_carried_and_not_one_more(contract: Contract) -> None:
    numbers = [f"+4520{n:06}" for n in range(contract.max_recipients + 1)]
    contract.adapter.build(submission(*numbers[:-1]))

    refused(contract, submission(*numbers), named=f"more than {contract.max_recipients}")


@each_contract
def test_reference_is_sent_where_the_gateway_takes_one(contract: Contract) -> None:
    fields = contract.fields_of(contract.adapter.build(submission(ANNA)))

    assert (REFERENCE in fields.values()) == contract.carries_reference


@each_contract
def test_requests_go_to_the_gateways_address_and_the_same_ones_twice(contract: Contract) -> None:
    assert contract.requests == contract.requests
    assert all(request.url.startswith(f"{HOST}/") for request in contract.requests.values())
    assert all(request.url.isascii() and request.url.isprintable() for request in contract.requests.values())


@each_contract
def test_no_value_shows_secret_number_or_text(contract: Contract) -> None:
    shown = repr((contract.adapter, submission(ANNA), contract.requests, contract.good, contract.asked))

    assert not any(hidden in shown for hidden in (*contract.secrets, ANNA, ANNA[1:], TEXT))
