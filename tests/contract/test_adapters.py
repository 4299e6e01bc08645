import json
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.contract.cases import (
    ANNA,
    BO,
    CARL,
    REFERENCE,
    TEXT,
    BuildCase,
    Contract,
    ReadCase,
    reply,
    submission,
)
from tests.contract.cases_cpsms import CPSMS
from worker.errors import ConfigError
from worker.gateways import GATEWAYS
from worker.gateways.base import HttpReply, Outcome, Submission, Verdict

CONTRACTS = [CPSMS]

BUILDS = [pytest.param(c, case, id=f"{c.adapter.name}: {case.name}") for c in CONTRACTS for case in c.builds]
READS = [pytest.param(c, case, id=f"{c.adapter.name}: {case.name}") for c in CONTRACTS for case in c.reads]

each_contract = pytest.mark.parametrize("contract", [pytest.param(c, id=c.adapter.name) for c in CONTRACTS])

GARBLED = [
    b"",
    b"{",
    b"null",
    b"[]",
    b'"OK"',
    b"OK",
    b"<html>ok</html>",
    b"\xff\xfe\x00",
    b"[" * 60_000,
    b"1e99999999999999999999",
]
UNKNOWN_STATUSES = [100, 199, 204, 299, 302, 399, 418, 422, 451, 499, 505, 520, 599, 777, 999]

WORDS = st.sampled_from(
    ["success", "error", "to", "code", "message", "errorCode", "errMsg", "cost", "price", "smsAmount"]
)
NUMBERS = st.sampled_from(["4520304050", "+4520304051", "45", 4520304050, 400, 402, "E001"])
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | NUMBERS
DOCUMENTS = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=5),
    max_leaves=20,
)
BODIES = DOCUMENTS.map(lambda document: json.dumps(document).encode()) | st.binary(max_size=80)


def verdicts(outcomes: Mapping[str, Outcome]) -> set[Verdict]:
    return {outcome.verdict for outcome in outcomes.values()}


def read(contract: Contract, answer: HttpReply, asked: Submission) -> Mapping[str, Outcome]:
    return contract.adapter.read(asked, answer)


def test_every_gateway_has_its_contract() -> None:
    assert {contract.adapter.name for contract in CONTRACTS} == set(GATEWAYS)


@pytest.mark.parametrize(("contract", "case"), BUILDS)
def test_request_has_the_fields_of_its_case(contract: Contract, case: BuildCase) -> None:
    fields = contract.fields_of(contract.adapter.build(case.submission))

    assert {name: fields.get(name) for name in case.fields} == case.fields
    assert set(case.absent).isdisjoint(fields)


@pytest.mark.parametrize(("contract", "case"), READS)
def test_reply_means_what_its_case_says(contract: Contract, case: ReadCase) -> None:
    outcomes = read(contract, case.reply, submission(*case.expected))

    assert outcomes.keys() == case.expected.keys()
    assert all(case.expected[msisdn].is_met_by(outcome) for msisdn, outcome in outcomes.items()), outcomes


@each_contract
def test_accepted_recipient_has_a_reference_to_ask_for(contract: Contract) -> None:
    outcome = read(contract, reply(200, contract.good_body), submission(ANNA))[ANNA]

    assert outcome.verdict is Verdict.ACCEPTED
    assert outcome.provider_ref


@each_contract
@pytest.mark.parametrize("body", GARBLED)
def test_garbled_success_is_ambiguous_for_all(contract: Contract, body: bytes) -> None:
    outcomes = read(contract, reply(200, body), submission(ANNA, BO))

    assert outcomes.keys() == {ANNA, BO}
    assert verdicts(outcomes) == {Verdict.AMBIGUOUS}


@each_contract
@pytest.mark.parametrize(
    ("headers", "retry_after_s"),
    [
        ({}, None),
        ({"retry_after": "7"}, 7.0),
        ({"retry_after": " 1.5 "}, 1.5),
        ({"retry_after": "soon"}, None),
        ({"retry_after": "-3"}, None),
        ({"retry_after": "999999999"}, 86_400.0),
        ({"retry_after": "9" * 400}, None),
        (
            {"retry_after": "Sun, 22 Nov 2026 08:00:30 GMT", "date": "Sun, 22 Nov 2026 08:00:00 GMT"},
            30.0,
        ),
        (
            {"retry_after": "Sun, 22 Nov 2026 07:00:00 GMT", "date": "Sun, 22 Nov 2026 08:00:00 GMT"},
            0.0,
        ),
        ({"retry_after": "Sun, 22 Nov 2026 08:00:30 GMT"}, None),
    ],
)
def test_too_many_requests_is_throttled_for_the_pause_that_was_asked_for(
    contract: Contract, headers: dict[str, str], retry_after_s: float | None
) -> None:
    outcome = read(contract, reply(429, b"", **headers), submission(ANNA))[ANNA]

    assert (outcome.verdict, outcome.retry_after_s) == (Verdict.THROTTLED, retry_after_s)


@each_contract
@pytest.mark.parametrize("status", UNKNOWN_STATUSES)
def test_unknown_status_accepts_nothing(contract: Contract, status: int) -> None:
    outcomes = read(contract, reply(status), submission(ANNA, BO))

    assert verdicts(outcomes) <= {Verdict.AMBIGUOUS, Verdict.BUG}


@each_contract
@given(status=st.integers(100, 999) | st.sampled_from([200, 207, 400, 402, 429, 500]), body=BODIES)
def test_any_reply_has_one_outcome_for_each_recipient(contract: Contract, status: int, body: bytes) -> None:
    outcomes = read(contract, reply(status, body), submission(ANNA, BO, CARL))

    assert list(outcomes) == [ANNA, BO, CARL]


@each_contract
def test_no_value_shows_secret_number_or_text(contract: Contract) -> None:
    asked = submission(ANNA)
    shown = repr((contract.adapter, asked, contract.adapter.build(asked), reply(200, contract.good_body)))

    assert not any(hidden in shown for hidden in (*contract.secrets, ANNA, ANNA[1:], TEXT))


@each_contract
@pytest.mark.parametrize("status", [200, 207, 400, 402, 500])
def test_outcome_keeps_no_secret_number_or_text_that_the_gateway_echoes(
    contract: Contract, status: int
) -> None:
    numbers = f"{ANNA} {ANNA[1:]} 20 30 40 50 20.30.40.50 2030\u200b4050"
    echo = f"no: {numbers} {TEXT} {' '.join(contract.secrets)} \x1b[2J"
    error = {"code": echo, "message": echo}

    shown = "".join(
        repr(read(contract, reply(status, json.dumps({"error": each}).encode()), submission(ANNA))[ANNA])
        for each in (error, error | {"to": ANNA}, echo)
    )

    hidden = (*contract.secrets, "20304050", "20 30 40 50", "20.30.40.50", TEXT, "\\x1b")
    assert not any(each in shown for each in hidden), shown


@each_contract
def test_words_of_the_gateway_are_kept_trimmed(contract: Contract) -> None:
    error = {"error": {"code": 406, "message": "Not\n acceptable " + "x" * 999}}
    outcome = read(contract, reply(406, json.dumps(error).encode()), submission(ANNA))[ANNA]

    assert outcome.code == "406"
    assert outcome.detail is not None
    assert outcome.detail.startswith("Not acceptable x")
    assert len(outcome.detail) == 200


@each_contract
@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"options": {"colour": "red"}}, "colour"),
        ({"options": {"flash": "perhaps"}}, "flash"),
        ({"sender": ""}, "sender"),
        ({"sender": "TwelveLetter"}, "sender"),
        ({"sender": "1" * 16}, "sender"),
        ({"recipients": ()}, "recipient"),
        ({"recipients": (ANNA, BO, ANNA)}, "number"),
    ],
)
def test_submission_that_cannot_be_carried_is_refused_by_name(
    contract: Contract, changes: dict[str, object], named: str
) -> None:
    with pytest.raises(ConfigError, match=named) as raised:
        contract.adapter.build(submission(**changes))

    assert not any(hidden in str(raised.value) for hidden in (*contract.secrets, ANNA[1:], TEXT, "1" * 16))


@each_contract
@pytest.mark.parametrize("sender", ["ElevenChars", "1" * 15])
def test_longest_sender_is_carried(contract: Contract, sender: str) -> None:
    fields = contract.fields_of(contract.adapter.build(submission(sender=sender)))

    assert sender in fields.values()


@each_contract
def test_as_many_recipients_as_allowed_are_carried_and_not_one_more(contract: Contract) -> None:
    numbers = [f"+4520{n:06}" for n in range(contract.max_recipients + 1)]
    contract.adapter.build(submission(*numbers[:-1]))

    with pytest.raises(ConfigError, match=str(contract.max_recipients)):
        contract.adapter.build(submission(*numbers))


@each_contract
def test_reference_is_sent(contract: Contract) -> None:
    fields = contract.fields_of(contract.adapter.build(submission(ANNA)))

    assert REFERENCE in fields.values()
