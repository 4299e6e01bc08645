"""What `send` says when it is stopped, or loses the ledger, in the moment of the release or after it."""

import json
import signal
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, update

from producer.cli.released import Released, see_off
from tests.e2e.place import Place
from tests.ledgers import run_campaign
from tests.outages import away
from worker.ledger.engine import open_ledger, writing
from worker.ledger.models import CAMPAIGNS
from worker.settings import Settings

ORDER = ("send", "members.csv", "--text", "Hi {{ first_name }}", "--via", "acme")

AT_ONE_COMMIT = """
import os, signal, sqlite3
from sqlalchemy.engine.default import DefaultDialect

def do_commit(self, connection, inner=DefaultDialect.do_commit, done=[]):
    try:
        found = connection.execute("SELECT 1 FROM campaigns JOIN batches WHERE campaigns.state = '{state}'")
        is_now = found.fetchone() is not None and not done
    except sqlite3.OperationalError:  # there are no tables yet
        is_now = False
    inner(self, connection)
    if is_now:
        done.append(True)
        {act}

DefaultDialect.do_commit = do_commit
"""
INTERRUPT = "signal.raise_signal(signal.SIGINT)"
GONE = 'raise sqlite3.OperationalError("the answer was lost")'
IS_RELEASED = "Campaign 1 is released: see `bulksend campaign show 1`"
MAY_BE_RELEASED = "Campaign 1 may be released: see `bulksend campaign show 1`"


def at_the_release(place: Place, act: str) -> None:
    place.begin_all_with(AT_ONE_COMMIT.format(state="running", act=act))


@pytest.mark.parametrize(
    ("act", "code", "says"),
    [
        pytest.param(INTERRUPT, 130, IS_RELEASED, id="Ctrl-C"),
        pytest.param(f"{INTERRUPT}; {INTERRUPT}", 130, MAY_BE_RELEASED, id="Ctrl-C twice"),
        pytest.param(GONE, 2, MAY_BE_RELEASED, id="the connection is lost"),
    ],
)
def test_a_send_that_ends_in_its_release_does_not_say_that_nothing_was_sent(
    lone_place: Place, act: str, code: int, says: str
) -> None:
    lone_place.write_numbers("members.csv", 3)
    at_the_release(lone_place, act)

    done = lone_place.run(*ORDER, code=code)

    assert says in done.err
    assert "Nothing was sent" not in done.err
    assert lone_place.report().state == "running"


def test_a_resumed_import_that_is_interrupted_in_its_release_does_not_offer_to_go_on_with_the_import(
    lone_place: Place,
) -> None:
    lone_place.write_numbers("members.csv", 3)
    lone_place.begin_all_with(
        AT_ONE_COMMIT.format(state="importing", act="os.kill(os.getpid(), signal.SIGKILL)")
    )
    lone_place.run(*ORDER, code=-signal.SIGKILL)
    with writing(lone_place.engine) as connection:
        connection.execute(update(CAMPAIGNS).values(importing_until=0))
    at_the_release(lone_place, INTERRUPT)

    done = lone_place.run("campaign", "resume", "1", code=130)

    assert IS_RELEASED in done.err
    assert "goes on with the import" not in done.err
    assert lone_place.counts() == {"queued": 3}


def test_ctrl_c_after_the_release_says_how_the_campaign_goes_on(lone_place: Place) -> None:
    lone_place.write_numbers("members.csv", 3)

    with lone_place.started(*ORDER, "--json") as send:
        assert send.says("Campaign 1: 3 messages")
        send.signal(signal.SIGINT)
        code = send.wait()

    assert code == 130
    assert '"campaign_id": 1' in send.said
    assert "`bulksend campaign show 1` tells where it is" in send.said


# --- the ledger goes away after the release


@pytest.fixture
def empty_engine(sqlite_url: str) -> Iterator[Engine]:
    """Give a ledger without a table: it refuses every statement."""
    engine = open_ledger(sqlite_url)
    yield engine
    engine.dispose()


@pytest.fixture
def settings(redis_url: str, sqlite_url: str) -> Settings:
    """Give settings with a broker, to which hints are published."""
    acme = {"gateway": "cpsms", "username": "acme", "secret": "env:ACME_KEY"}
    return Settings.model_validate(
        {"ledger": sqlite_url, "broker": redis_url, "providers": {"acme": acme}, "source": "bulksend.toml"}
    )


RELEASED = Released(id=1, provider="acme", summary={"messages": 2, "parts": 2})


def test_a_ledger_that_goes_away_after_the_release_does_not_make_a_send_fail(
    sqlite_engine: Engine, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    run_campaign(sqlite_engine, 2)

    with away(sqlite_engine):
        code = see_off(settings, sqlite_engine, RELEASED, waits=False, as_json=True)

    said = capsys.readouterr()
    assert code == 0
    assert json.loads(said.out)["campaign_id"] == 1
    assert "The campaign is in the ledger and goes on by itself" in said.err


def test_a_send_that_cannot_follow_its_campaign_gives_its_number_and_exit_code_3(
    empty_engine: Engine, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    code = see_off(settings, empty_engine, RELEASED, waits=True, as_json=True)

    said = capsys.readouterr()
    assert code == 3
    assert json.loads(said.out)["campaign_id"] == 1
    assert "`bulksend campaign watch 1` shows it" in said.err
