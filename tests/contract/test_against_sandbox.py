"""The adapter against the simulator, over real sockets: what was accepted is what is heard afterwards."""

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal

import pytest

from tests.contract.cases import ANNA, BO, CARL, REFERENCE, submission
from tests.sandbox.running import Sandbox
from worker.clock import Stamp
from worker.errors import OutcomeUnknown
from worker.gateways.base import HttpRequest, Outcome, Question, Verdict
from worker.gateways.cpsms import Cpsms
from worker.gateways.http import LOOKUP_BODY_LIMIT, Client

REFUSED = "+4520304099"
QUESTION = Question(reference=REFERENCE, recipients=(ANNA,), sent_at_s=0.0)


@pytest.fixture
def client() -> Iterator[Client]:
    client = Client(connections=1, timeout_s=1.0)
    yield client
    client.close()


@pytest.fixture
def adapter(sandbox: Sandbox) -> Cpsms:
    return adapter_of(sandbox)


def adapter_of(sandbox: Sandbox, *, username: str = "acme") -> Cpsms:
    return Cpsms(base_url=f"{sandbox.url}/cpsms/v2", username=username, secret="key")


def submit(adapter: Cpsms, client: Client, *recipients: str) -> Mapping[str, Outcome]:
    asked = submission(*recipients)
    return adapter.read(asked, client.exchange(adapter.build(asked)))


def silent(adapter: Cpsms, client: Client, *recipients: str) -> bool:
    """Submit and say whether nobody can tell what became of it."""
    try:
        outcomes = submit(adapter, client, *recipients)
    except OutcomeUnknown:
        return True
    return {outcome.verdict for outcome in outcomes.values()} == {Verdict.AMBIGUOUS}


def ask(adapter: Cpsms, client: Client, *recipients: str) -> set[str] | None:
    question = Question(reference=REFERENCE, recipients=recipients, sent_at_s=Stamp.now().wall)
    reply = client.exchange(adapter.ask([question]), body_limit=LOOKUP_BODY_LIMIT)
    heard = adapter.hear([question], reply)
    return None if heard is None else set(heard.get(REFERENCE, {}))


@pytest.mark.parametrize("fault", ["reset_after", "hang_after", "error_500_after", "malformed"])
def test_exactly_the_accepted_recipients_are_heard_after_a_silent_acceptance(
    sandbox: Sandbox, adapter: Cpsms, client: Client, fault: str
) -> None:
    sandbox.set_faults(refuse_numbers=[REFUSED[-4:]])
    sandbox.send([CARL[1:], "4520304052"], reference="of-somebody-else", message="not ours")
    sandbox.set_faults(**{fault: 1})

    assert silent(adapter, client, ANNA, BO, REFUSED)
    heard = ask(adapter, client, ANNA, BO, REFUSED, CARL)
    assert heard == {line["msisdn"] for line in sandbox.accepted() if line["reference"] == REFERENCE}
    assert heard == {ANNA, BO}


@pytest.mark.parametrize("fault", ["reset_before", "hang_before", "error_500_before"])
def test_nothing_is_heard_of_a_request_that_was_not_accepted(
    sandbox: Sandbox, adapter: Cpsms, client: Client, fault: str
) -> None:
    sandbox.set_faults(**{fault: 1})

    assert silent(adapter, client, ANNA, BO)
    assert ask(adapter, client, ANNA, BO) == set()


@pytest.mark.parametrize("status", [409, 429])
def test_question_that_comes_too_early_says_nothing(
    sandbox: Sandbox, adapter: Cpsms, client: Client, status: int
) -> None:
    sandbox.set_faults(getlog_error=status)
    submit(adapter, client, ANNA)

    assert [ask(adapter, client, ANNA) for _ in range(2)] == [{ANNA}, None]


def test_log_beyond_the_usual_size_is_heard_whole(sandbox: Sandbox, adapter: Cpsms, client: Client) -> None:
    for start in range(20_000_000, 20_002_000, 500):
        sandbox.send([f"45{number}" for number in range(start, start + 500)])
    submit(adapter, client, ANNA, BO)

    assert ask(adapter, client, ANNA, BO) == {ANNA, BO}


@pytest.mark.parametrize("credit_format", ["danish", "plain"])
def test_account_in_good_order_is_well_and_shows_its_balance(
    sandbox: Sandbox, adapter: Cpsms, client: Client, credit_format: str
) -> None:
    sandbox.set_faults(credit_format=credit_format)

    found = adapter.read_check(client.exchange(adapter.check()))

    assert (found.is_well, found.reason, found.balance) == (True, None, Decimal("9843.40"))


def test_account_without_credit_is_not_well(sandbox: Sandbox, adapter: Cpsms, client: Client) -> None:
    sandbox.set_faults(out_of_credit=True)

    found = adapter.read_check(client.exchange(adapter.check()))

    assert (found.is_well, found.reason) == (False, "the credit is used up")
    assert found.balance == 0


def test_account_that_is_not_let_in_is_not_well(sandbox: Sandbox, client: Client) -> None:
    stranger = adapter_of(sandbox, username="bad")

    found = stranger.read_check(client.exchange(stranger.check()))

    assert (found.is_well, found.reason) == (False, "401: the credentials are wrong")


@pytest.mark.parametrize("fault", ["malformed", "error_500_before", "error_500_after", "refuse_429"])
def test_faulty_answers_to_calls_that_read_prove_nothing(
    sandbox: Sandbox, adapter: Cpsms, client: Client, fault: str
) -> None:
    submit(adapter, client, ANNA)
    sandbox.set_faults(reads=True, **{fault: True})

    found = adapter.read_check(client.exchange(adapter.check()))

    assert not found.is_well
    assert ask(adapter, client, ANNA) is None


@pytest.mark.parametrize("fault", ["hang_before", "hang_after", "reset_before", "reset_after"])
@pytest.mark.parametrize(
    "build", [Cpsms.check, lambda adapter: adapter.ask([QUESTION])], ids=["check", "ask"]
)
def test_silence_befalls_calls_that_read(
    sandbox: Sandbox, client: Client, fault: str, build: Callable[[Cpsms], HttpRequest]
) -> None:
    sandbox.set_faults(reads=True, **{fault: True})

    with pytest.raises(OutcomeUnknown):
        client.exchange(build(adapter_of(sandbox)))


@pytest.mark.parametrize(
    "knobs",
    [{}, {"multi_status": False}, {"generation": "2016"}, {"generation": "draft"}],
    ids=["2017", "under 200", "2016", "draft"],
)
def test_credit_that_ends_within_a_request_accepts_the_first_and_halts_the_account_for_the_rest(
    sandbox: Sandbox, adapter: Cpsms, client: Client, knobs: dict[str, object]
) -> None:
    sandbox.set_faults(credit=2, credit_stops="within", refuse_numbers=[REFUSED[-4:]], **knobs)

    outcomes = submit(adapter, client, ANNA, REFUSED, BO, CARL)

    assert {msisdn: outcome.verdict for msisdn, outcome in outcomes.items()} == {
        ANNA: Verdict.ACCEPTED,
        REFUSED: Verdict.RECIPIENT,
        BO: Verdict.ACCEPTED,
        CARL: Verdict.ACCOUNT,
    }
    assert [line["msisdn"] for line in sandbox.accepted()] == [ANNA, BO]
