"""The adapter of CPSMS against the simulator: every setting of what no document says."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from urllib.parse import urlsplit

import pytest

from tests.contract import servers
from tests.contract.cases import ANNA, BO, CARL, REFERENCE
from tests.contract.lines import Line, line_to
from tests.contract.servers import Server, serving
from tests.sandbox.running import Sandbox
from worker.clock import Stamp
from worker.errors import ConfigError
from worker.gateways.base import Outcome, Push, Report, Taken, Verdict
from worker.gateways.http import Client
from worker.states import MessageState
from worker.text.segments import Encoding
from worker.waiting import within

REFUSED = "+4520304099"
TOO_DEAR = "+4599990003"
DELIVERED, FAILED, ABANDONED, BUFFERED, OLDER_AFTER = (
    f"+45999900{ending}" for ending in (10, 11, 12, 13, 18)
)
EMPTY = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
GENERATIONS: list[dict[str, object]] = [
    {},
    {"multi_status": False},
    {"generation": "2016"},
    {"generation": "2016", "error_list": True},
    {"generation": "draft"},
    {"error_list": True},
]

each_generation = pytest.mark.parametrize(
    "knobs", GENERATIONS, ids=["2017", "under 200", "2016", "2016 in lists", "draft", "in lists"]
)


@pytest.fixture
def client() -> Iterator[Client]:
    client = Client(connections=1, timeout_s=1.0)
    yield client
    client.close()


@pytest.fixture
def line(sandbox: Sandbox, client: Client) -> Line:
    return line_to("cpsms", sandbox=sandbox, client=client)


def verdicts(outcomes: Mapping[str, Outcome]) -> dict[str, Verdict]:
    return {recipient: outcome.verdict for recipient, outcome in outcomes.items()}


# --- sending


@each_generation
def test_good_numbers_are_accepted_and_the_bad_one_is_refused_alone(
    line: Line, knobs: dict[str, object]
) -> None:
    line.set_faults(refuse_numbers=[REFUSED[-4:]], **knobs)

    outcomes = line.submit(ANNA, REFUSED, CARL)

    assert verdicts(outcomes) == {
        ANNA: Verdict.ACCEPTED,
        REFUSED: Verdict.RECIPIENT,
        CARL: Verdict.ACCEPTED,
    }
    assert [outcomes[msisdn].cost for msisdn in (ANNA, CARL)] == [Decimal(1), Decimal("1.6")]
    assert line.numbers() == [ANNA, CARL]


@each_generation
def test_bad_number_alone_is_refused(line: Line, knobs: dict[str, object]) -> None:
    line.set_faults(refuse_numbers=[REFUSED[-4:]], **knobs)

    assert verdicts(line.submit(REFUSED)) == {REFUSED: Verdict.RECIPIENT}


@each_generation
@pytest.mark.parametrize(
    ("fault", "code"), [({"out_of_credit": True}, "402"), ({"refuse_ip": True}, "403")], ids=["402", "403"]
)
def test_refusal_of_the_account_halts_it(
    line: Line, knobs: dict[str, object], fault: dict[str, object], code: str
) -> None:
    line.set_faults(**knobs, **fault)

    outcomes = line.submit(ANNA, BO)

    assert {(each.verdict, each.code) for each in outcomes.values()} == {(Verdict.ACCOUNT, code)}


def test_number_that_chooses_to_be_too_dear_halts_the_account_as_no_points_do(line: Line) -> None:
    outcomes = line.submit(ANNA, TOO_DEAR)

    assert verdicts(outcomes) == {ANNA: Verdict.ACCEPTED, TOO_DEAR: Verdict.ACCOUNT}


@each_generation
def test_credit_that_ends_within_a_request_accepts_the_first_and_halts_the_account_for_the_rest(
    line: Line, knobs: dict[str, object]
) -> None:
    line.set_faults(credit=2, credit_stops="within", refuse_numbers=[REFUSED[-4:]], **knobs)

    outcomes = line.submit(ANNA, REFUSED, BO, CARL)

    assert verdicts(outcomes) == {
        ANNA: Verdict.ACCEPTED,
        REFUSED: Verdict.RECIPIENT,
        BO: Verdict.ACCEPTED,
        CARL: Verdict.ACCOUNT,
    }
    assert line.numbers() == [ANNA, BO]


def test_sender_that_is_not_allowed_is_refused_for_the_campaign(line: Line) -> None:
    outcomes = line.submit(ANNA, BO, sender="Caf\u00e9!")

    assert {(each.verdict, each.code) for each in outcomes.values()} == {(Verdict.CAMPAIGN, "406")}


@pytest.mark.parametrize("options", [{}, {"encoding": "ISO-8859-1"}, {"format": "UNICODE"}, {"flash": True}])
def test_text_arrives_as_it_was_written_under_every_option(line: Line, options: dict[str, object]) -> None:
    text = "S\u00f8ren & \u00c5se: \u00a37 \\ {x} [y]"
    line.submit(ANNA, text=text, options=options)

    assert [each["text"] for each in line.accepted()] == [text]


@pytest.mark.parametrize("encoding", Encoding)
def test_character_is_refused_before_it_is_removed_without_a_word(line: Line, encoding: Encoding) -> None:
    carried = []
    for character in "a\u00e6\u0394\u20ac^\n\r\u2019\u2026\u2603\u00e7\u00a0\t\x00":
        text = f"a {character} b"
        try:
            line.submit(ANNA, text=text, encoding=encoding)
        except ConfigError:
            continue
        carried.append(text)

    assert len(carried) > 5
    assert [each["text"] for each in line.accepted()] == carried


def test_group_is_sent_to_and_heard_of(line: Line, sandbox: Sandbox) -> None:
    made = sandbox.cpsms("POST", "addgroup", json={"groupName": "Friends"}).json()
    group = made.get("success", made)["groupId"]
    for msisdn in (ANNA, CARL):
        contact = {"groupId": group, "phoneNumber": msisdn[1:], "contactName": "x"}
        sandbox.cpsms("POST", "addcontact", json=contact)
    target = f"group:{group}"

    outcomes = line.submit(target)

    assert verdicts(outcomes) == {target: Verdict.ACCEPTED}
    assert outcomes[target].cost == Decimal("2.6")
    assert sorted(line.numbers()) == [ANNA, CARL]
    assert set(line.ask(target) or {}) == {target}


def test_unknown_group_is_refused(line: Line) -> None:
    outcome = line.submit("group:404404")["group:404404"]

    assert outcome.verdict in {Verdict.CAMPAIGN, Verdict.RECIPIENT}
    assert line.accepted() == []


# --- afterwards


@pytest.mark.parametrize("status", [409, 429])
def test_question_that_comes_too_early_says_nothing(line: Line, status: int) -> None:
    line.set_faults(getlog_error=status, getlog_interval_s=120)
    line.submit(ANNA)

    heard = [line.ask(ANNA) for _ in range(2)]

    assert set(heard[0] or {}) == {ANNA}
    assert heard[1] is None


@pytest.mark.parametrize(("status", "heard"), [(200, {}), (409, None)])
def test_log_that_has_nothing_proves_nothing(line: Line, status: int, heard: object) -> None:
    line.set_faults(getlog_nothing=status)

    assert line.ask(ANNA) == heard


def test_rows_of_others_are_not_heard(line: Line, sandbox: Sandbox) -> None:
    sandbox.send([CARL[1:], "4520304052"], reference="of-somebody-else", message="not ours")
    line.submit(ANNA, BO)

    assert set(line.ask(ANNA, BO, CARL) or {}) == {ANNA, BO}


def test_log_beyond_the_usual_size_is_heard_whole(line: Line, sandbox: Sandbox) -> None:
    for start in range(20_000_000, 20_002_000, 500):
        sandbox.send([f"45{number}" for number in range(start, start + 500)])
    line.submit(ANNA, BO)

    assert set(line.ask(ANNA, BO) or {}) == {ANNA, BO}


@pytest.mark.parametrize("codes", ["2016", "2020"])
@pytest.mark.parametrize("generation", ["2016", "2017"])
def test_log_tells_the_delivery_in_both_sets_of_codes(
    sandbox: Sandbox, client: Client, codes: str, generation: str
) -> None:
    line = line_to("cpsms", sandbox=sandbox, client=client, dlr_codes=codes)
    line.set_faults(dlr_codes=codes, generation=generation, dlr_delay_ms=0)
    line.submit(DELIVERED, FAILED, ABANDONED, BUFFERED)

    heard = line.ask(DELIVERED, FAILED, ABANDONED, BUFFERED) or {}

    assert {msisdn: outcome.delivery for msisdn, outcome in heard.items()} == {
        DELIVERED: MessageState.DELIVERED,
        FAILED: MessageState.UNDELIVERED,
        ABANDONED: MessageState.EXPIRED,
        BUFFERED: None,
    }


@pytest.mark.parametrize("minutes", [11, 9])
def test_what_is_kept_is_taken_back_up_to_ten_minutes_ahead(line: Line, minutes: int) -> None:
    line.submit(ANNA, BO, leaves_at_s=Stamp.now().wall + minutes * 60)
    request = line.adapter.cancel(reference=REFERENCE, provider_ref=REFERENCE)

    taken = line.adapter.read_cancel(line.call(request))

    assert taken is (Taken.BACK if minutes > 10 else Taken.TOO_LATE)
    assert line.sandbox.stats()["cancelled"] == (2 if minutes > 10 else 0)


def test_it_may_say_that_it_took_back_what_it_has_not_got(line: Line) -> None:
    line.set_faults(delete_nothing=200)
    request = line.adapter.cancel(reference=REFERENCE, provider_ref=None)

    assert line.adapter.read_cancel(line.call(request)) is Taken.BACK
    assert line.adapter.capabilities.cancels_blindly


@pytest.mark.parametrize("generation", ["2016", "2017"])
def test_taking_back_is_read_in_both_generations(line: Line, generation: str) -> None:
    line.set_faults(generation=generation)
    line.submit(ANNA, leaves_at_s=Stamp.now().wall + 7200)
    request = line.adapter.cancel(reference=REFERENCE, provider_ref=REFERENCE)

    assert line.adapter.read_cancel(line.call(request)) is Taken.BACK


# --- reports


def pushes(server: Server) -> list[Push]:
    """Turn what a receiver was sent into what the adapter is given."""
    found = []
    for request in server.requests:
        head, _, body = request.partition(b"\r\n\r\n")
        method, address, _ = head.decode().split("\r\n")[0].split(" ")
        found.append(Push(method=method, query=urlsplit(address).query, body=body))
    return found


@pytest.mark.parametrize("codes", ["2016", "2020"])
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("own", ["", "?own=7"])
def test_pushed_reports_are_read(sandbox: Sandbox, client: Client, codes: str, method: str, own: str) -> None:
    line = line_to("cpsms", sandbox=sandbox, client=client, dlr_codes=codes)
    line.set_faults(dlr_codes=codes, dlr_method=method, dlr_delay_ms=0)
    with serving(servers.answer_once(EMPTY)) as server:
        line.submit(OLDER_AFTER, dlr_url=f"{server.url}/dlr/token{own}")
        assert within(10, lambda: len(server.requests) == 2)

    reports = [report for push in pushes(server) for report in line.adapter.report(push)]

    buffered = "3" if codes == "2016" else "4"
    assert sorted(reports, key=lambda report: report.delivery) == [
        Report(delivery=MessageState.ACCEPTED, msisdn=OLDER_AFTER, code=buffered, detail="buffered"),
        Report(delivery=MessageState.DELIVERED, msisdn=OLDER_AFTER, code="1", detail="delivered"),
    ]


# --- the account


@pytest.mark.parametrize(
    ("credit_format", "balance"), [("danish", "9843.40"), ("plain", "9843.40"), ("integer", "9843")]
)
def test_balance_is_read_in_every_format(line: Line, credit_format: str, balance: str) -> None:
    line.set_faults(credit_format=credit_format)

    found = line.check()

    assert (found.is_well, found.reason, found.balance, found.unit) == (
        True,
        None,
        Decimal(balance),
        "points",
    )


def test_account_without_credit_is_not_well(line: Line) -> None:
    line.set_faults(out_of_credit=True)

    found = line.check()

    assert (found.is_well, found.reason) == (False, "the credit is used up")
    assert found.balance == 0


@each_generation
def test_account_that_is_not_let_in_is_not_well(
    sandbox: Sandbox, client: Client, knobs: dict[str, object]
) -> None:
    stranger = line_to("cpsms", sandbox=sandbox, client=client, username="bad")
    stranger.set_faults(**knobs)

    found = stranger.check()

    assert (found.is_well, found.is_answered, found.reason) == (
        False,
        False,
        "401: the credentials are wrong",
    )
