"""What is the smSend family's own: its login, its dialects, what an account without a chosen type shows."""

import base64
from decimal import Decimal

import pytest

from tests.contract.cases import ANNA, REFERENCE, says, submission
from tests.contract.cases_smsend import SECRET, URL, fields_of
from worker.errors import ConfigError
from worker.gateways.base import Push, Question, Taken
from worker.gateways.smsend.adapter import Smsend

QUERY = "username=an%26na&password=p4ss%2Fword%2Bof%207%26x"
SESSION = "7301;Ab12Cd34Ef56"
QUESTION = Question(reference=REFERENCE, recipients=(ANNA,), sent_at_s=0.0)


def smsend(**dialect: str) -> Smsend:
    return Smsend(base_url=URL, username="an&na", secret=SECRET, dialect=dialect)


@pytest.mark.parametrize(
    ("dialect", "url"),
    [
        ({}, f"{URL}/login?{QUERY}"),
        ({"login": "query", "key": "access_token"}, f"{URL}/token?{QUERY}"),
        ({"login": "basic"}, f"{URL}/login"),
        ({"login": "Basic", "key": "Access_Token"}, f"{URL}/token"),
    ],
)
def test_login_has_the_credentials_where_the_brand_wants_them(dialect: dict[str, str], url: str) -> None:
    request = smsend(**dialect).login.request()

    credentials = base64.b64encode(f"an&na:{SECRET}".encode()).decode()
    is_basic = "?" not in url
    assert (request.method, request.url) == ("GET", url)
    assert request.headers.get("Authorization") == (f"Basic {credentials}" if is_basic else None)


@pytest.mark.parametrize(("key", "name"), [("session", "Session_key"), ("access_token", "Access_token")])
def test_keys_stand_in_headers_with_underscores(key: str, name: str) -> None:
    adapter = smsend(key=key)
    signed = adapter.login.sign(adapter.build(submission(ANNA)), session=SESSION)

    assert (signed.headers["user_key"], signed.headers[name]) == ("7301", "Ab12Cd34Ef56")
    assert signed.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    ("dialect", "named"),
    [
        ({"brand": "skebby"}, "brand"),
        ({"login": "cookie"}, "login"),
        ({"key": "password"}, "key"),
        ({"message_type": "N L"}, "message_type"),
        ({"zone": "Mars/Base"}, "zone"),
        ({"zone": "../../etc/passwd"}, "zone"),
    ],
)
def test_dialect_that_is_not_known_is_refused_by_name(dialect: dict[str, str], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        smsend(**dialect)


def test_user_name_with_a_colon_goes_into_a_query_only() -> None:
    Smsend(username="ac:me", secret=SECRET)

    with pytest.raises(ConfigError, match="username"):
        Smsend(username="ac:me", secret=SECRET, dialect={"login": "basic"})


def test_dialect_names_the_types_and_what_they_cannot_do() -> None:
    adapter = smsend(message_type="TI", low_quality="SI TI", no_alias="TI,SI")
    fields = fields_of(adapter.build(submission(ANNA)))

    assert fields["message_type"] == "TI"
    assert "sender" not in fields
    with pytest.raises(ConfigError, match="160 characters"):
        adapter.build(submission(ANNA, text="x" * 161))


def test_option_wins_over_the_type_of_the_dialect() -> None:
    fields = fields_of(smsend(message_type="TI").build(submission(options={"message_type": "GP"})))

    assert fields["message_type"] == "GP"


@pytest.mark.parametrize(
    ("dialect", "sms", "reason", "balance"),
    [
        ({}, {"GP": 5}, None, 5),
        ({}, {"GP": 5, "TI": 0}, None, None),
        ({}, {"GP": 0, "TI": 0}, "the credit is used up", None),
        ({}, {"N": 0, "TI": 9}, None, None),
        ({}, {"N": 5, "TI": 0}, None, 5),
        ({}, {"N": 0, "TI": 0}, "the credit is used up", 0),
        ({"message_type": "N"}, {"N": 0, "TI": 9}, "the credit is used up", 0),
        ({"message_type": "TI"}, {"GP": 0, "TI": 9}, None, 9),
        (
            {"message_type": "TI"},
            {"GP": 5},
            "the account has no message type TI: set message_type in its dialect",
            None,
        ),
    ],
)
def test_account_is_judged_by_the_type_in_use(
    dialect: dict[str, str], sms: dict[str, int], reason: str | None, balance: int | None
) -> None:
    stocks = [{"type": kind, "quantity": quantity} for kind, quantity in sms.items()]
    found = smsend(**dialect).read_check(says(200, {"money": None, "sms": stocks}))

    assert (found.is_well, found.reason) == (reason is None, reason)
    assert found.balance == (None if balance is None else Decimal(balance))
    assert len(found.abilities) == len(sms)


@pytest.mark.parametrize(("kind", "is_last"), [("N", False), ("L", True)])
def test_sent_is_the_last_word_on_a_type_without_reports(kind: str, *, is_last: bool) -> None:
    rows = [{"destination": ANNA, "status": "SENT", "delivery_date": ""}]
    heard = smsend(message_type=kind).hear([QUESTION], says(200, {"result": "OK", "recipients": rows}))

    assert heard is not None
    assert heard[REFERENCE][ANNA].delivery is None
    assert bool(heard[REFERENCE][ANNA].detail) == is_last


def test_date_of_a_report_is_read_in_the_zone_of_the_dialect() -> None:
    push = Push(method="GET", query=f"order_id={REFERENCE}&status=DLVRD&delivery_date=20260102080105")
    in_rome, in_utc = (smsend(**dialect).report(push)[0].at_s for dialect in ({}, {"zone": "UTC"}))

    assert (in_rome, in_utc) == (1_767_337_265.0, 1_767_340_865.0)


def test_keys_that_the_gateway_echoes_are_not_kept() -> None:
    key = "Ab12Cd34Ef56Gh78Ij90"
    reply = says(400, {"error_message": f"The given parameter user_key {key} is not valid"})

    outcome = smsend().read(submission(ANNA), reply)[ANNA]
    assert outcome.detail == "The given parameter user_key *** is not valid"


KEY_UNKNOWN = says(404, {"error_message": "user_key unknown"})


def test_user_key_that_is_not_known_is_no_word_on_an_order() -> None:
    adapter = smsend()

    assert adapter.hear([QUESTION], KEY_UNKNOWN) is None
    assert adapter.hear([QUESTION], says(404, {"result": "Order not found"})) == {}
    assert adapter.read_cancel(KEY_UNKNOWN) is Taken.UNCLEAR


def test_session_lives_on_after_an_order_that_is_not_known() -> None:
    assert not smsend().login.is_over(says(404, {"result": "Order not found"}))


def test_what_became_of_an_order_is_not_to_come_from_what_a_proxy_remembers() -> None:
    assert smsend().ask([QUESTION]).headers["Cache-Control"] == "no-cache"
