"""What every adapter takes back, what it reads in delivery reports, and how it logs in."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.contract.cases import (
    ANNA,
    PROVIDER_REF,
    REFERENCE,
    TEXT,
    CancelCase,
    Contract,
    LoginCase,
    ReportCase,
    reply,
    submission,
)
from tests.contract.contracts import contracts_that, each_case, each_contract
from worker.errors import ConfigError
from worker.gateways.base import HttpReply, Outcome, Push, Taken, Verdict
from worker.states import PROVEN

STATUSES = st.integers(100, 999) | st.sampled_from([200, 201, 401, 402, 404, 409, 429, 500])
QUERIES = st.dictionaries(
    st.sampled_from(["status", "receiver", "msisdn", "smsid", "order_id", "recipient", "delivered", "x"]),
    st.sampled_from(["1", "2", "150", "DLVRD", ANNA[1:], ANNA, REFERENCE, "", "%", "\u0661"])
    | st.text(max_size=5),
    max_size=6,
).map(lambda given: "&".join(f"{name}={value}" for name, value in given.items()))

has_login = contracts_that(lambda contract: contract.adapter.login)
# --- taking back


@contracts_that(lambda contract: not contract.cancels)
def test_gateway_that_takes_nothing_back_is_not_asked_to(contract: Contract) -> None:
    with pytest.raises(ConfigError):
        contract.adapter.cancel(reference=REFERENCE, provider_ref=PROVIDER_REF)


@contracts_that(lambda contract: contract.cancels)
def test_what_is_kept_is_taken_back_by_what_names_it(contract: Contract) -> None:
    fields = contract.fields_of(contract.adapter.cancel(reference=REFERENCE, provider_ref=PROVIDER_REF))

    assert contract.cancel_fields
    assert {name: fields.get(name) for name in contract.cancel_fields} == contract.cancel_fields


@each_case("cancels")
def test_reply_to_a_cancelling_means_what_its_case_says(contract: Contract, case: CancelCase) -> None:
    assert contract.adapter.read_cancel(case.reply) is case.taken


@each_contract
@given(status=STATUSES, data=st.data())
def test_only_a_success_gives_anything_back(contract: Contract, status: int, data: st.DataObject) -> None:
    taken = contract.adapter.read_cancel(reply(status, data.draw(contract.bodies)))

    assert taken is not Taken.BACK or status // 100 == 2


# --- reports


@each_case("reports")
def test_pushed_report_is_read_as_its_case_says(contract: Contract, case: ReportCase) -> None:
    assert tuple(contract.adapter.report(case.push)) == case.reports


@each_contract
@given(method=st.sampled_from(["GET", "POST", "PUT"]), query=QUERIES | st.text(max_size=30), data=st.data())
def test_any_push_is_read_without_an_error(
    contract: Contract, method: str, query: str, data: st.DataObject
) -> None:
    body = data.draw(contract.bodies | QUERIES.map(str.encode))
    reports = contract.adapter.report(Push(method=method, query=query, body=body))

    assert {report.delivery for report in reports} <= PROVEN
    assert not reports or contract.adapter.capabilities.pushes


# --- login


@each_case("logins")
def test_reply_to_a_login_means_what_its_case_says(contract: Contract, case: LoginCase) -> None:
    assert contract.adapter.login is not None
    found = contract.adapter.login.read(case.reply)

    if isinstance(found, Outcome):
        assert (found.verdict, case.session) == (case.verdict, None)
    else:
        assert (found, case.verdict) == (case.session, None)


@has_login
@given(status=STATUSES, data=st.data())
def test_any_reply_to_a_login_is_a_session_or_a_refusal(
    contract: Contract, status: int, data: st.DataObject
) -> None:
    assert contract.adapter.login is not None
    found = contract.adapter.login.read(reply(status, data.draw(contract.bodies)))

    assert (isinstance(found, str) and bool(found) and status // 100 == 2) or (
        isinstance(found, Outcome) and found.verdict in {Verdict.ACCOUNT, Verdict.RETRY, Verdict.AMBIGUOUS}
    )


@has_login
def test_refused_login_keeps_no_secret_that_the_gateway_echoes(contract: Contract) -> None:
    assert contract.adapter.login is not None
    replies = contract.echo(f"no: {' '.join(contract.secrets)} {ANNA}")

    shown = repr([contract.adapter.login.read(replace(answer, status=400)) for answer in replies])

    assert not any(hidden in shown for hidden in (*contract.secrets, ANNA[1:]))


@has_login
def test_signed_request_carries_the_session_and_does_not_show_it(contract: Contract) -> None:
    login = contract.adapter.login
    assert login is not None
    session = next(case.session for case in contract.logins if case.session)

    for kind, request in contract.requests.items():
        if kind != "login":
            signed = login.sign(request, session=session)
            assert signed != request
            assert (signed.method, signed.body) == (request.method, request.body)
            shown = repr(signed)
            assert not any(hidden in shown for hidden in (session, *contract.secrets, ANNA[1:], TEXT))


@each_case("over")
def test_end_of_a_session_is_seen_and_costs_no_attempt(contract: Contract, case: HttpReply) -> None:
    assert contract.adapter.login is not None

    assert contract.adapter.login.is_over(case)
    outcomes = contract.adapter.read(submission(*contract.several), case)
    assert {outcome.verdict for outcome in outcomes.values()} == {Verdict.LOGIN}


@has_login
@pytest.mark.parametrize("status", [400, 402, 409, 429, 500, 503])
def test_session_lives_on_after_other_replies(contract: Contract, status: int) -> None:
    assert contract.adapter.login is not None

    assert not contract.adapter.login.is_over(contract.good)
    assert not contract.adapter.login.is_over(reply(status))
