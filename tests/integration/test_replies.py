"""Replies, from the call at our address to the list of opt-outs."""

import asyncio
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlencode

import pytest
from sqlalchemy import Engine, select, update
from starlette.types import Message

from tests.ledgers import PROVIDER, assert_counts, do, lease, mark, record, result, run_campaign
from worker.errors import ConfigError, InputError
from worker.ledger import adding, optouts, reports
from worker.ledger.engine import reading, writing
from worker.ledger.gone import digest, numbers_key
from worker.ledger.models import CAMPAIGNS, MESSAGES
from worker.ledger.scopes import CONFIRMATION
from worker.providers import Account, accounts_of
from worker.receipts.addresses import Doors
from worker.receipts.intake import Intake
from worker.receipts.replies import Reply
from worker.receipts.service import Service
from worker.receipts.stops import Stops
from worker.settings import OptOuts, Settings
from worker.states import MessageState, OptOutSource

NUMBER = "+4520304000"  # of the first of ``some_messages``
CONFIRMED = "You get no more of these."
BY_REPLY = ["purpose:marketing"]


def accounts(*, sender: str | None = "ACME", gateway: str = "cpsms") -> dict[str, Account]:
    provider = {
        "gateway": gateway,
        "username": "acme",
        "secret": "env:NONE",
        "country": "DK",
        "price": "0.35 DKK",
    }
    settings = Settings.model_validate(
        {"providers": {PROVIDER: {**provider, "sender": sender}}, "source": Path("bulksend.toml")}
    )
    return accounts_of(settings)


def stops_of(engine: Engine, *, sender: str | None = "ACME", **settings: object) -> Stops:
    return Stops(engine=engine, accounts=accounts(sender=sender), settings=OptOuts.model_validate(settings))


def say(stops: Stops, text: str, number: str = NUMBER) -> bool | None:
    return stops.obey(PROVIDER, Reply(number=number, text=text))


def scopes(engine: Engine, number: str = NUMBER) -> list[str]:
    with reading(engine) as connection:
        return [each["scope"] for each in optouts.of_number(connection, number)]


def sent(engine: Engine, *, purpose: str = "marketing") -> None:
    """Have a campaign of one message sent."""
    held = lease(engine, run_campaign(engine, 1, name=purpose))
    with writing(engine) as connection:
        connection.execute(update(CAMPAIGNS).where(CAMPAIGNS.c.name == purpose).values(purpose=purpose))
    record(engine, *(result(each, MessageState.ACCEPTED) for each in mark(engine, held)))


def confirmations(engine: Engine) -> Sequence[tuple[str, str, str, str | None]]:
    query = (
        select(MESSAGES.c.msisdn, CAMPAIGNS.c.text, CAMPAIGNS.c.lane, MESSAGES.c.currency)
        .join(CAMPAIGNS, CAMPAIGNS.c.id == MESSAGES.c.campaign_id)
        .where(CAMPAIGNS.c.purpose == CONFIRMATION)
    )
    with reading(engine) as connection:
        return [tuple(row) for row in connection.execute(query)]


# --- what a STOP is of


@pytest.mark.parametrize(
    ("purpose", "stopped"),
    [("marketing", ["purpose:marketing"]), ("reminders", ["purpose:marketing", "purpose:reminders"])],
)
def test_a_stop_is_of_the_purpose_of_what_came_last(engine: Engine, purpose: str, stopped: list[str]) -> None:
    sent(engine, purpose="transactional")
    sent(engine, purpose=purpose)

    assert say(stops_of(engine), "STOP") is True

    assert scopes(engine) == stopped


def test_a_stop_to_what_was_pruned_since_is_of_its_purpose(engine: Engine) -> None:
    sent(engine)
    with reading(engine) as connection:
        gone = update(MESSAGES).values(msisdn=digest(numbers_key(connection), NUMBER), text=None)
    with writing(engine) as connection:
        connection.execute(gone)

    say(stops_of(engine), "STOP")

    assert scopes(engine) == BY_REPLY


@pytest.mark.parametrize(("of", "stopped"), [("sender", ["sender:acme"]), ("all", ["all"])])
def test_what_a_stop_is_of_can_be_set(engine: Engine, of: str, stopped: list[str]) -> None:
    sent(engine)

    say(stops_of(engine, reply=of), "Stop")

    assert scopes(engine) == stopped


def test_a_stop_to_nothing_that_is_known_is_of_all(engine: Engine) -> None:
    say(stops_of(engine), "STOP")

    assert scopes(engine) == ["all"]


def test_a_stop_of_all_is_of_all(engine: Engine) -> None:
    sent(engine)

    say(stops_of(engine), "STOP ALL")

    assert scopes(engine) == ["all"]


@pytest.mark.parametrize("written", ["4520304000", "+45 20 30 40 00", "004520304000", "20304000"])
def test_a_number_is_understood_as_gateways_write_it(engine: Engine, written: str) -> None:
    say(stops_of(engine), "STOP", number=written)

    assert scopes(engine) == ["all"]


@pytest.mark.parametrize("written", ["", "ACME", "12", "group:7", "4" * 500])
def test_what_is_no_number_is_refused(engine: Engine, written: str) -> None:
    assert say(stops_of(engine), "STOP", number=written) is None


def test_a_start_ends_what_a_reply_or_the_gateway_said_and_nothing_else(engine: Engine) -> None:
    sent(engine)
    say(stops_of(engine), "STOP")
    by_hand = optouts.NewOptOut(scope="sender:other", source=OptOutSource.OPERATOR, msisdn=NUMBER)
    do(engine, optouts.add, [by_hand], keeps_numbers=True)

    say(stops_of(engine), "START")

    assert scopes(engine) == ["sender:other"]


def test_any_other_reply_is_kept_nowhere(engine: Engine) -> None:
    sent(engine)

    assert say(stops_of(engine), "Thank you!") is True

    assert scopes(engine) == []


# --- the confirmation


def test_a_stop_is_confirmed_once_whatever_is_repeated(engine: Engine) -> None:
    sent(engine)
    stops = stops_of(engine, confirmation=CONFIRMED)

    for text in ("STOP", "STOP", "STOP ALL", "stop"):
        say(stops, text)

    assert confirmations(engine) == [(NUMBER, CONFIRMED, "urgent", "DKK")]
    assert_counts(engine)


def test_of_calls_that_come_together_one_is_confirmed(engine: Engine) -> None:
    sent(engine)
    stops = stops_of(engine, confirmation=CONFIRMED)

    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda _: say(stops, "STOP"), range(8)))

    assert done == [True] * 8
    assert len(confirmations(engine)) == 1


def test_a_stop_after_a_start_is_confirmed_anew(engine: Engine) -> None:
    stops = stops_of(engine, confirmation=CONFIRMED)

    for text in ("STOP", "START", "STOP"):
        say(stops, text)

    assert len(confirmations(engine)) == 2


def test_the_confirmation_passes_the_mark_and_nothing_after_it(engine: Engine) -> None:
    later = run_campaign(engine, 1, name="later")
    say(stops_of(engine, confirmation=CONFIRMED), "STOP")

    (confirmed,) = mark(engine, lease(engine, later + 1))
    others = mark(engine, lease(engine, later))

    assert [row.text for row in confirmed.rows] == [CONFIRMED]
    assert others == []


def test_confirmations_are_listed_where_they_are_asked_for(engine: Engine) -> None:
    sent(engine)
    say(stops_of(engine, confirmation=CONFIRMED), "STOP")

    with reading(engine) as connection:
        usual = reports.reports(connection, limit=10, with_confirmations=False)
        every = reports.reports(connection, limit=10)

    assert [each.purpose for each in usual] == ["marketing"]
    assert [each.purpose for each in every] == ["confirmation", "marketing"]


def test_nothing_is_added_to_a_confirmation(engine: Engine) -> None:
    say(stops_of(engine, confirmation=CONFIRMED), "STOP")

    with reading(engine) as connection, pytest.raises(InputError, match="confirms an opt-out"):
        adding.ground(connection, 1)


@pytest.mark.parametrize(("settings", "sender"), [({}, "ACME"), ({"confirmation": CONFIRMED}, None)])
def test_without_a_text_or_a_sender_nothing_is_confirmed(
    engine: Engine, settings: dict[str, str], sender: str | None
) -> None:
    say(stops_of(engine, sender=sender, **settings), "STOP")

    assert confirmations(engine) == []
    assert scopes(engine) == ["all"]


def test_a_confirmation_that_no_gateway_could_carry_is_refused_at_start(sqlite_engine: Engine) -> None:
    stops = Stops(
        engine=sqlite_engine,
        accounts=accounts(gateway="textmarketer"),
        settings=OptOuts(confirmation="Ви більше не отримуватимете повідомлень"),
    )

    with pytest.raises(ConfigError, match=r"optouts\.confirmation"):
        stops.require_confirmation()


# --- at the address


def call(engine: Engine, path: str, *, method: str = "POST", body: bytes = b"") -> int:
    doors = Doors(tokens={PROVIDER: "reports"}, replies={PROVIDER: "replies"}, prefix="")
    said: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        said.append(message)

    scope = {"type": "http", "method": method, "path": path, "query_string": b"", "headers": []}
    service = Service(doors, Intake(engine, on_kept=lambda: None), stops_of(engine))
    asyncio.run(service(scope, receive, send))
    return int(said[0]["status"])


STOP = urlencode({"from": NUMBER, "text": "STOP"}).encode()


def test_a_reply_is_obeyed_before_it_is_answered(engine: Engine) -> None:
    assert call(engine, "/replies", body=STOP) == 200

    assert scopes(engine) == ["all"]


@pytest.mark.parametrize(
    ("path", "method", "body", "status"),
    [
        ("/else", "POST", STOP, 404),
        ("/replies", "PUT", STOP, 405),
        ("/replies", "POST", b"", 400),
        ("/replies", "POST", b"from=ACME&text=STOP", 400),
        ("/replies", "POST", b"x" * 20_000, 413),
    ],
)
def test_what_cannot_be_obeyed_is_said(
    sqlite_engine: Engine, path: str, method: str, body: bytes, status: int
) -> None:
    assert call(sqlite_engine, path, method=method, body=body) == status

    assert scopes(sqlite_engine) == []


def test_without_its_ledger_it_asks_to_be_called_again_and_tells_no_number(
    sqlite_engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    with writing(sqlite_engine) as connection:
        connection.exec_driver_sql("ALTER TABLE opt_outs RENAME TO elsewhere")

    with caplog.at_level(logging.INFO):
        status = call(sqlite_engine, "/replies", body=STOP)

    assert status == 503
    assert "reply not kept" in caplog.text
    assert "20304000" not in " ".join(str(vars(each)) for each in caplog.records)
