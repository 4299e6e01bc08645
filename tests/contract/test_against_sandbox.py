"""Every adapter against its simulator, over real sockets: what was accepted is what is heard afterwards."""

from collections.abc import Callable, Iterator

import pytest

from tests.contract.cases import ANNA, BO, CARL, PROVIDER_REF, REFERENCE, SENDER, TEXT
from tests.contract.lines import PREFIXES, Line, line_to
from tests.sandbox.running import Sandbox
from worker.clock import Stamp
from worker.errors import OutcomeUnknown
from worker.gateways import GATEWAYS, make_adapter
from worker.gateways.base import Capabilities, Outcome, Taken, Verdict
from worker.gateways.http import Client
from worker.states import MessageState

REFUSED = "+4520304099"
BAD_NUMBER = "+4599990001"  # these choose their own outcome, see the simulator's help
AHEAD_S = 7200
DELIVERIES = {
    "+4599990010": MessageState.DELIVERED,
    "+4599990011": MessageState.UNDELIVERED,
    "+4599990014": None,
}


@pytest.fixture
def client() -> Iterator[Client]:
    client = Client(connections=1, timeout_s=1.0)
    yield client
    client.close()


@pytest.fixture
def line(request: pytest.FixtureRequest, sandbox: Sandbox, client: Client) -> Line:
    line = line_to(request.param, sandbox=sandbox, client=client)
    line.session = line.begin()  # before any fault is set
    return line


def gateways_that(has: Callable[[Capabilities], bool]) -> pytest.MarkDecorator:
    """Join a line to each gateway of which this holds."""
    names = [name for name in sorted(GATEWAYS) if has(GATEWAYS[name].capabilities) and name in PREFIXES]
    return pytest.mark.parametrize("line", names, indirect=True)


each_gateway = gateways_that(lambda _has: True)
gateways_that_tell = gateways_that(lambda has: has.lookup is not None)
gateways_that_take_back = gateways_that(lambda has: has.cancel_ahead_s is not None)
gateways_that_show_the_account = pytest.mark.parametrize(
    "line",
    [
        name
        for name in sorted(GATEWAYS.keys() & PREFIXES.keys())
        if make_adapter(name, username="acme", secret="key").check()
    ],
    indirect=True,
)


def several(line: Line) -> tuple[str, ...]:
    return (ANNA, BO, CARL)[: line.adapter.capabilities.max_recipients]


def test_every_gateway_has_a_simulator() -> None:
    assert GATEWAYS.keys() <= PREFIXES.keys()


@each_gateway
def test_submission_is_accepted_as_it_was_meant(line: Line) -> None:
    outcomes = line.submit(*several(line))

    assert {outcome.verdict for outcome in outcomes.values()} == {Verdict.ACCEPTED}
    assert [(each["msisdn"], each["text"], each["sender"]) for each in line.accepted()] == [
        (msisdn, TEXT, SENDER) for msisdn in several(line)
    ]


@each_gateway
def test_bad_number_costs_the_others_nothing(line: Line) -> None:
    numbers = (*several(line)[:-1], BAD_NUMBER)
    outcomes = line.submit(*numbers)

    verdicts = {msisdn: outcome.verdict for msisdn, outcome in outcomes.items()}
    if Verdict.SPLIT in verdicts.values():
        assert set(verdicts.values()) == {Verdict.SPLIT}
        assert line.numbers() == []
        assert line.submit(BAD_NUMBER)[BAD_NUMBER].verdict is Verdict.RECIPIENT
    else:
        assert verdicts[BAD_NUMBER] is Verdict.RECIPIENT
        assert line.numbers() == list(numbers[:-1])


@pytest.mark.parametrize("gateway", sorted(GATEWAYS.keys() & PREFIXES.keys()))
def test_account_that_is_not_let_in_is_halted_before_anything_is_accepted(
    gateway: str, sandbox: Sandbox, client: Client
) -> None:
    stranger = line_to(gateway, sandbox=sandbox, client=client, username="bad")
    login = stranger.adapter.login
    if login is None:
        outcomes = stranger.submit(*several(stranger))
        assert {outcome.verdict for outcome in outcomes.values()} == {Verdict.ACCOUNT}
    else:
        refusal = login.read(stranger.client.exchange(login.request()))
        assert isinstance(refusal, Outcome)
        assert refusal.verdict is Verdict.ACCOUNT

    assert stranger.accepted() == []


@each_gateway
def test_account_without_credit_is_halted(line: Line) -> None:
    line.set_faults(out_of_credit=True)

    outcomes = line.submit(*several(line))

    assert {outcome.verdict for outcome in outcomes.values()} == {Verdict.ACCOUNT}
    assert line.accepted() == []


@each_gateway
def test_refusal_for_being_too_quick_is_throttled(line: Line) -> None:
    line.set_faults(refuse_429=1, retry_after_s=7)
    outcomes = line.submit(*several(line))

    assert {(each.verdict, each.retry_after_s) for each in outcomes.values()} == {(Verdict.THROTTLED, 7.0)}
    assert line.accepted() == []


@each_gateway
@pytest.mark.parametrize("fault", ["reset_after", "hang_after", "error_500_after", "malformed"])
def test_silent_acceptance_is_unknown(line: Line, fault: str) -> None:
    line.set_faults(**{fault: 1})

    assert line.is_silent(*several(line))
    assert line.numbers() == list(several(line))


@gateways_that_tell
@pytest.mark.parametrize("fault", ["reset_after", "hang_after", "error_500_after", "malformed"])
def test_exactly_the_accepted_recipients_are_heard_after_a_silent_acceptance(line: Line, fault: str) -> None:
    line.set_faults(**{fault: 1})
    line.is_silent(*several(line))

    heard = line.ask(*several(line), REFUSED)

    assert heard is not None
    assert set(heard) == set(several(line))


@gateways_that_tell
@pytest.mark.parametrize("fault", ["reset_before", "hang_before", "error_500_before"])
def test_nothing_is_heard_of_a_request_that_was_not_accepted(line: Line, fault: str) -> None:
    line.set_faults(**{fault: 1})

    assert line.is_silent(*several(line))
    heard = line.ask(*several(line))

    assert line.adapter.capabilities.lookup is not None
    assert heard == {} or (heard is None and not line.adapter.capabilities.lookup.is_proof)


@gateways_that_tell
@pytest.mark.parametrize(("msisdn", "delivery"), DELIVERIES.items())
def test_look_up_tells_the_delivery(line: Line, msisdn: str, delivery: MessageState | None) -> None:
    line.set_faults(dlr_delay_ms=0)
    line.submit(msisdn)

    heard = line.ask(msisdn)

    assert heard is not None
    assert heard[msisdn].delivery is delivery


@gateways_that_take_back
def test_what_is_kept_can_be_taken_back_once(line: Line) -> None:
    kept = line.submit(*several(line), leaves_at_s=Stamp.now().wall + AHEAD_S)
    provider_ref = kept[ANNA].provider_ref
    request = line.adapter.cancel(reference=REFERENCE, provider_ref=provider_ref)

    taken = [line.adapter.read_cancel(line.call(request)) for _ in range(2)]

    assert taken[0] is Taken.BACK
    assert taken[1] is not Taken.BACK
    assert {outcome.verdict for outcome in kept.values()} == {Verdict.ACCEPTED}


@gateways_that_take_back
def test_what_is_not_kept_is_not_taken_back(line: Line) -> None:
    request = line.adapter.cancel(reference=REFERENCE, provider_ref=PROVIDER_REF)

    assert line.adapter.read_cancel(line.call(request)) is not Taken.BACK


@gateways_that_show_the_account
def test_account_in_good_order_is_well_and_shows_its_balance(line: Line) -> None:
    found = line.check()

    assert (found.is_well, found.reason) == (True, None)
    assert found.balance is not None
    assert found.balance > 0
    assert found.unit


@gateways_that_show_the_account
def test_account_without_credit_is_not_well(line: Line) -> None:
    line.set_faults(out_of_credit=True)

    found = line.check()

    assert not found.is_well
    assert found.balance == 0


@gateways_that_show_the_account
@pytest.mark.parametrize("fault", ["malformed", "error_500_before", "error_500_after", "refuse_429"])
def test_faulty_answers_to_a_check_are_not_well(line: Line, fault: str) -> None:
    line.set_faults(reads=True, **{fault: True})

    assert not line.check().is_well


@gateways_that_show_the_account
@pytest.mark.parametrize("fault", ["hang_before", "hang_after", "reset_before", "reset_after"])
def test_silence_befalls_checks(line: Line, fault: str) -> None:
    line.set_faults(reads=True, **{fault: True})

    with pytest.raises(OutcomeUnknown):
        line.check()


@gateways_that_tell
@pytest.mark.parametrize("fault", ["malformed", "error_500_before", "error_500_after", "refuse_429"])
def test_faulty_answers_to_a_question_say_nothing(line: Line, fault: str) -> None:
    line.submit(*several(line))
    line.set_faults(reads=True, **{fault: True})

    assert line.ask(*several(line)) is None


@gateways_that_tell
@pytest.mark.parametrize("fault", ["hang_before", "hang_after", "reset_before", "reset_after"])
def test_silence_befalls_questions(line: Line, fault: str) -> None:
    line.submit(*several(line))
    line.set_faults(reads=True, **{fault: True})

    with pytest.raises(OutcomeUnknown):
        line.ask(*several(line))
