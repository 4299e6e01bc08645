"""The smSend adapter against the simulator, with every setting of what no document says."""

import threading
from collections.abc import Iterator

import pytest

from tests.contract.cases import ANNA, BO, CARL, REFERENCE, SECOND_REFERENCE, submission
from tests.contract.lines import Line, line_to
from tests.sandbox.running import Sandbox
from tests.sandbox.smsend_client import Smsend as Panel
from tests.sandbox.test_receipts import Receiver
from worker.clock import Stamp
from worker.gateways.base import Push, Taken, Verdict
from worker.gateways.http import Client
from worker.states import MessageState

TEXTS = ("Ciao Anna, 5$ \\1", "Hej Bo %", "Hi {Carl}")
STOPPED = "+4599990002"


@pytest.fixture
def client() -> Iterator[Client]:
    client = Client(connections=1, timeout_s=1.0)
    yield client
    client.close()


@pytest.fixture
def line(sandbox: Sandbox, client: Client) -> Line:
    return line_to("smsend", sandbox=sandbox, client=client)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        thread = threading.Thread(target=receiver.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield receiver
        receiver.shutdown()
        thread.join()


def verdicts(line: Line, *recipients: str, **changes: object) -> set[Verdict]:
    return {outcome.verdict for outcome in line.submit(*recipients, **changes).values()}


@pytest.mark.parametrize("login", ["query", "basic"])
@pytest.mark.parametrize("key", ["session", "access_token"])
def test_every_login_lets_send(sandbox: Sandbox, client: Client, login: str, key: str) -> None:
    line = line_to("smsend", sandbox=sandbox, client=client, login=login, key=key)

    assert verdicts(line, ANNA) == {Verdict.ACCEPTED}


@pytest.mark.parametrize("status", [401, 404])
@pytest.mark.parametrize("login", ["query", "basic"])
def test_refused_login_is_a_matter_of_the_account(
    sandbox: Sandbox, client: Client, login: str, status: int
) -> None:
    line = line_to("smsend", sandbox=sandbox, client=client, username="bad", login=login)
    line.set_faults(login_error=status)
    begin = line.adapter.login
    assert begin is not None

    refusal = begin.read(client.exchange(begin.request()))

    assert not isinstance(refusal, str)
    assert (refusal.verdict, refusal.code) == (Verdict.ACCOUNT, str(status))


def test_session_that_is_over_is_begun_again_and_nothing_was_sent(line: Line) -> None:
    line.session = line.begin()
    line.set_faults(session_s=0)
    assert verdicts(line, ANNA) == {Verdict.LOGIN}
    assert line.accepted() == []

    line.set_faults(session_s=300)
    line.session = None
    assert verdicts(line, ANNA) == {Verdict.ACCEPTED}


@pytest.mark.parametrize(
    "knobs", [{}, {"param_status": 200}, {"param_list": False}, {"expands_values": True}], ids=str
)
def test_each_recipient_gets_his_own_text(line: Line, knobs: dict[str, object]) -> None:
    line.set_faults(**knobs)

    assert verdicts(line, ANNA, BO, CARL, text="", texts=TEXTS) == {Verdict.ACCEPTED}
    assert [(each["msisdn"], each["text"]) for each in line.accepted()] == list(
        zip((ANNA, BO, CARL), TEXTS, strict=True)
    )


@pytest.mark.parametrize("texts", [("pay ${sum} {", "pay ${sum} {"), ("a ${recipient}",)])
def test_text_that_looks_like_a_placeholder_arrives_unchanged(line: Line, texts: tuple[str, ...]) -> None:
    line.set_faults(expands_values=True)

    assert verdicts(line, *(ANNA, BO)[: len(texts)], text="", texts=texts) == {Verdict.ACCEPTED}
    assert [each["text"] for each in line.accepted()] == list(texts)


@pytest.mark.parametrize("status", [200, 201])
def test_group_is_sent_to_and_heard_of(line: Line, status: int) -> None:
    Panel(line.sandbox).group("Milan & Rome", ANNA, BO)
    line.set_faults(group_status=status)

    assert verdicts(line, "group:Milan & Rome") == {Verdict.ACCEPTED}
    assert line.numbers() == [ANNA, BO]
    assert set(line.ask("group:Milan & Rome") or {}) == {"group:Milan & Rome"}


def test_unknown_group_is_refused_alone(line: Line) -> None:
    assert verdicts(line, "group:Atlantis") == {Verdict.RECIPIENT}


@pytest.mark.parametrize("shape", ["both", "result", "error_message", "message", "text"])
def test_refusals_mean_the_same_in_every_shape(line: Line, shape: str) -> None:
    line.set_faults(error_body=shape, refuse_numbers=[BO[-4:]])

    assert verdicts(line, ANNA, BO) == {Verdict.SPLIT}
    assert verdicts(line, BO) == {Verdict.RECIPIENT}
    assert verdicts(line, STOPPED) == {Verdict.OPTED_OUT}
    assert verdicts(line, ANNA, options={"message_type": "XX"}) == {Verdict.CAMPAIGN}
    line.set_faults(out_of_credit=True)
    assert verdicts(line, ANNA) == {Verdict.ACCOUNT}
    assert line.accepted() == []


def test_list_that_is_too_long_is_split(line: Line) -> None:
    line.set_faults(max_recipients=2)

    assert verdicts(line, ANNA, BO, CARL) == {Verdict.SPLIT}


def test_order_id_that_is_taken_is_settled_by_asking(line: Line) -> None:
    line.submit(ANNA)

    assert verdicts(line, ANNA) == {Verdict.AMBIGUOUS}
    assert set(line.ask(ANNA) or {}) == {ANNA}
    assert line.numbers() == [ANNA]


def test_order_that_is_seen_late_is_first_said_to_be_unknown(line: Line) -> None:
    line.set_faults(order_delay_s=3600)
    line.submit(ANNA)
    assert line.ask(ANNA) == {}

    line.set_faults(order_delay_s=0)
    assert set(line.ask(ANNA) or {}) == {ANNA}


def test_order_of_another_reference_is_not_heard(line: Line) -> None:
    line.submit(ANNA)

    assert line.ask(ANNA, asked=submission(ANNA, reference=SECOND_REFERENCE)) == {}


def test_text_that_is_too_long_is_refused_alone_and_not_cut(line: Line) -> None:
    line.set_faults(low_quality=["N"])
    texts = ("Ciao Anna", "x" * 161)

    assert verdicts(line, ANNA, BO, text="", texts=texts) == {Verdict.SPLIT}
    assert verdicts(line, BO, text=texts[1]) == {Verdict.TEXT}
    assert line.accepted() == []
    assert verdicts(line, ANNA, text=texts[0]) == {Verdict.ACCEPTED}


def test_session_of_a_gateway_that_has_forgotten_the_user_is_begun_again(line: Line) -> None:
    session = str(line.begin())
    line.session = f"NOBODY;{session.partition(';')[2]}"
    assert verdicts(line, ANNA) == {Verdict.LOGIN}

    line.session = None
    assert verdicts(line, ANNA) == {Verdict.ACCEPTED}


@pytest.mark.parametrize("kind", ["L", "LL"])
def test_type_without_alias_is_sent_without_a_sender(line: Line, kind: str) -> None:
    line.set_faults(no_alias=["L", "LL"])

    assert verdicts(line, ANNA, options={"message_type": kind}) == {Verdict.ACCEPTED}
    assert [each["sender"] for each in line.accepted()] == [""]


def test_credits_are_counted_where_that_is_wanted(line: Line) -> None:
    outcome = line.submit(ANNA, text="x" * 161, options={"returnCredits": True})[ANNA]

    assert outcome.cost == 2


def test_schedule_is_kept_in_utc_and_is_taken_back(line: Line) -> None:
    line.set_faults(zone="Pacific/Auckland")
    line.submit(ANNA, leaves_at_s=Stamp.now().wall + 1.5)
    codes = {outcome.code for outcome in (line.ask(ANNA) or {}).values()}
    taken = line.adapter.read_cancel(line.call(line.adapter.cancel(reference=REFERENCE, provider_ref=None)))

    assert (codes, taken) == ({"SCHEDULED"}, Taken.BACK)


@pytest.mark.parametrize("zone", ["Europe/Rome", "UTC"])
def test_pushed_report_names_the_message(
    sandbox: Sandbox, client: Client, receiver: Receiver, zone: str
) -> None:
    line = line_to("smsend", sandbox=sandbox, client=client, zone=zone)
    line.set_faults(push_url=f"{receiver.url}?x=1", dlr_delay_ms=0, zone=zone)
    line.submit(ANNA)

    method, _, target = receiver.seen.get(timeout=5).partition(" ")
    (report,) = line.adapter.report(Push(method=method, query=target.partition("?")[2]))
    assert (report.msisdn, report.reference, report.delivery) == (ANNA, REFERENCE, MessageState.DELIVERED)
    assert report.at_s is not None
    assert abs(report.at_s - Stamp.now().wall) < 60
