"""What every adapter reads in the answer to a submission."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.contract.cases import (
    ANNA,
    HOST,
    REFERENCE,
    TEXT,
    CodeCase,
    Contract,
    ReadCase,
    reply,
    submission,
)
from tests.contract.contracts import each_case, each_contract
from worker.gateways.base import HttpReply, Outcome, Verdict
from worker.gateways.replies import telling, words

GARBLED = [
    b"",
    b"{",
    b"{}",
    b"null",
    b"[]",
    b'"OK"',
    b"OK",
    b"<html>ok</html>",
    b"\xff\xfe\x00",
    b"[" * 60_000,
    b"<a>" * 20_000,
    b"1e99999999999999999999",
]
UNKNOWN_STATUSES = [100, 199, 204, 299, 302, 399, 418, 422, 451, 499, 505, 520, 599, 777, 999]
SENT_AGAIN = {Verdict.RETRY, Verdict.THROTTLED, Verdict.LOGIN, Verdict.SPLIT}
STATUSES = st.integers(100, 999) | st.sampled_from([200, 201, 207, 400, 401, 402, 404, 429, 500, 503])
PAUSES: list[tuple[dict[str, str], float | None]] = [
    ({}, None),
    ({"retry_after": "7"}, 7.0),
    ({"retry_after": " 1.5 "}, 1.5),
    ({"retry_after": "soon"}, None),
    ({"retry_after": "-3"}, None),
    ({"retry_after": "999999999"}, 86_400.0),
    ({"retry_after": "9" * 400}, None),
    ({"retry_after": "Sun, 22 Nov 2026 08:00:30 GMT", "date": "Sun, 22 Nov 2026 08:00:00 GMT"}, 30.0),
    ({"retry_after": "Sun, 22 Nov 2026 07:00:00 GMT", "date": "Sun, 22 Nov 2026 08:00:00 GMT"}, 0.0),
    ({"retry_after": "Sun, 22 Nov 2026 08:00:30 GMT"}, None),
]


def read(contract: Contract, answer: HttpReply, *recipients: str) -> Mapping[str, Outcome]:
    return contract.adapter.read(submission(*recipients), answer)


def verdicts(outcomes: Mapping[str, Outcome]) -> set[Verdict]:
    return {outcome.verdict for outcome in outcomes.values()}


@each_case("reads")
def test_reply_means_what_its_case_says(contract: Contract, case: ReadCase) -> None:
    outcomes = contract.adapter.read(submission(*case.expected, **case.changes), case.reply)

    assert outcomes.keys() == case.expected.keys()
    assert all(case.expected[msisdn].is_met_by(outcome) for msisdn, outcome in outcomes.items()), outcomes


@each_case("codes")
def test_documented_refusal_has_its_class_alone_and_among_several_and_keeps_its_words(
    contract: Contract, case: CodeCase
) -> None:
    alone = read(contract, case.reply, ANNA)
    among = read(contract, case.reply, *contract.several)

    assert verdicts(alone) == {case.alone}
    assert {outcome.code for outcome in alone.values()} == {case.code}
    assert all(case.detail in (outcome.detail or "") for outcome in alone.values())
    if len(contract.several) > 1:
        assert verdicts(among) == {case.among or case.alone}


@each_contract
def test_accepted_recipient_has_a_reference_to_ask_for(contract: Contract) -> None:
    outcome = read(contract, contract.good, ANNA)[ANNA]

    assert outcome.verdict is Verdict.ACCEPTED
    assert outcome.provider_ref


@each_contract
@pytest.mark.parametrize("body", GARBLED, ids=[repr(body[:20]) for body in GARBLED])
def test_garbled_success_is_ambiguous_for_all(contract: Contract, body: bytes) -> None:
    outcomes = read(contract, reply(contract.good.status, body), *contract.several)

    assert tuple(outcomes) == contract.several
    assert verdicts(outcomes) == {Verdict.AMBIGUOUS}


@each_contract
def test_success_that_is_cut_anywhere_is_ambiguous(contract: Contract) -> None:
    body = contract.good.body.strip()
    cuts = [replace(contract.good, body=body[:octets]) for octets in range(len(body))]

    assert {verdict for cut in cuts for verdict in verdicts(read(contract, cut, ANNA))} == {Verdict.AMBIGUOUS}


@each_case("strange")
def test_success_with_an_unknown_word_is_ambiguous(contract: Contract, case: HttpReply) -> None:
    assert verdicts(read(contract, case, *contract.several)) == {Verdict.AMBIGUOUS}


@each_contract
@pytest.mark.parametrize(("headers", "retry_after_s"), PAUSES)
def test_too_many_requests_is_throttled_for_the_pause_that_was_asked_for(
    contract: Contract, headers: dict[str, str], retry_after_s: float | None
) -> None:
    outcomes = read(contract, reply(429, b"", **headers), *contract.several)

    assert {(outcome.verdict, outcome.retry_after_s) for outcome in outcomes.values()} == {
        (Verdict.THROTTLED, retry_after_s)
    }


@each_contract
@pytest.mark.parametrize("status", UNKNOWN_STATUSES)
def test_unknown_status_accepts_nothing_and_lets_nothing_be_sent_again(
    contract: Contract, status: int
) -> None:
    refusals = {Verdict.CAMPAIGN} if 400 <= status < 500 else set()
    outcomes = read(contract, reply(status), *contract.several)

    assert verdicts(outcomes) <= {Verdict.AMBIGUOUS, Verdict.BUG} | refusals


@each_contract
@pytest.mark.parametrize("status", [500, 502, 504])
def test_bare_server_error_is_ambiguous_and_so_is_an_accepting_one_not_refused(
    contract: Contract, status: int
) -> None:
    assert verdicts(read(contract, reply(status), *contract.several)) == {Verdict.AMBIGUOUS}
    assert verdicts(read(contract, replace(contract.good, status=status), ANNA)) <= {
        Verdict.AMBIGUOUS,
        Verdict.ACCEPTED,
    }


@each_contract
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirection_is_our_fault(contract: Contract, status: int) -> None:
    answer = reply(status, b"", location=f"{HOST}/elsewhere")

    assert verdicts(read(contract, answer, *contract.several)) == {Verdict.BUG}


@each_contract
@given(status=STATUSES, data=st.data())
def test_any_reply_has_one_outcome_for_each_recipient(
    contract: Contract, status: int, data: st.DataObject
) -> None:
    answer = reply(status, data.draw(contract.bodies))
    targets = [f"{kind}:7" for kind in sorted(contract.adapter.capabilities.targets)]

    for recipients in (contract.several, *((target,) for target in targets)):
        assert tuple(read(contract, answer, *recipients)) == recipients


@each_contract
def test_outcome_keeps_no_secret_number_or_text_that_the_gateway_echoes(contract: Contract) -> None:
    numbers = f"{ANNA} {ANNA[1:]} 20 30 40 50 20.30.40.50 2030\u200b4050"
    replies = contract.echo(f"no: {numbers} {TEXT} {' '.join(contract.secrets)} \x1b[2J")

    shown = repr([read(contract, answer, ANNA)[ANNA] for answer in replies])

    hidden = (*contract.secrets, "20304050", "20 30 40 50", "20.30.40.50", TEXT, "\\x1b")
    assert {answer.status // 100 for answer in replies} >= {2, 4}
    assert not any(each in shown for each in hidden), shown


@each_contract
def test_words_of_the_gateway_are_kept_trimmed(contract: Contract) -> None:
    replies = contract.echo("Not\n acceptable " + "x" * 999)
    details = {read(contract, answer, ANNA)[ANNA].detail or "" for answer in replies}

    assert {detail[:16] for detail in details if len(detail) == 200} == {"Not acceptable x"}
    assert max(map(len, details)) == 200


@each_contract
def test_shortest_secret_is_kept_from_sight(contract: Contract) -> None:
    adapter = replace(contract.adapter, secret="q7z")  # type: ignore[type-var]  # it is a dataclass
    replies = contract.echo('the key q7z and (q7z) and "q7z"')

    shown = repr([adapter.read(submission(ANNA), answer)[ANNA] for answer in replies])

    assert "***" in shown
    assert "q7z" not in shown.replace(REFERENCE, "")


def test_secret_that_holds_another_is_hidden_whole() -> None:
    assert words("no: abcdef and cd", hide=("cd", "abcdef")) == "no: *** and ***"


def test_short_text_does_not_blot_out_words() -> None:
    assert telling(["Hi", "", "Hello!"]) == ("Hello!",)
