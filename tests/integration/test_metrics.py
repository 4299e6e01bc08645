"""Metrics: a real scrape over a socket, of the ledger on both databases and of a real Redis."""

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import Engine

from tests.conftest import ROOT, free_port
from tests.ledgers import PROVIDER, do, lose, run_campaign
from tests.paces import pace_of
from worker.ledger import accounts, rates
from worker.ledger.engine import open_ledger
from worker.metrics import Figures, serve
from worker.settings import Address
from worker.throttle.limits import Limit, Limits
from worker.throttle.throttle import Throttle
from worker.waiting import within

pytestmark = pytest.mark.redis

DEADLINE_S = 20.0
KEY = "0123456789abcdef"
LIMITS = Limits(rates=(Limit(amount=50, window_s=1),), guard_s=0.0, connections=8)
SETTINGS = """ledger = "{ledger}"
metrics = "{address}"
[providers.acme]
gateway = "cpsms"
base_url = "http://127.0.0.1:9"
username = "acme"
secret = "env:ACME_KEY"
connections = 8
"""

Samples = Mapping[tuple[str, ...], float]
"""Name without its beginning, then the labels' values by the labels' names."""


def asked(address: Address) -> str:
    """Scrape once; empty while nobody answers."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://{address}/metrics", timeout=5) as reply:
            return str(reply.read().decode())
    except urllib.error.URLError:
        return ""


def read(text: str) -> Samples:
    return {
        (
            sample.name.removeprefix("bulksend_"),
            *(value for _, value in sorted(sample.labels.items())),
        ): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.fixture
def address() -> Address:
    return Address("127.0.0.1", free_port())


@contextmanager
def figures_of(ledger: str, redis_url: str) -> Iterator[Figures]:
    engine = open_ledger(ledger)
    with closing(Throttle(redis_url)) as throttle:
        yield Figures(engine=engine, throttle=throttle, connections={PROVIDER: 8})
    engine.dispose()


@pytest.fixture
def scraped(engine: Engine, redis_url: str, address: Address) -> Iterator[Callable[[], Samples]]:
    """Give a scrape of what is in the ledger of the test."""
    with figures_of(engine.url.render_as_string(hide_password=False), redis_url) as figures:
        serve(address, figures)
        yield lambda: (within(DEADLINE_S, lambda: asked(address) != "") and read(asked(address))) or {}


def test_messages_are_told_by_state(engine: Engine, scraped: Callable[[], Samples]) -> None:
    lose(engine, 2, 1)
    run_campaign(engine, 5)

    found = scraped()

    told = {labels[1]: n for (name, *labels), n in found.items() if name == "messages" and n}
    assert told == {"queued": 5, "unknown": 3}
    assert found["messages", PROVIDER, "accepted"] == 0
    assert found["unknown", PROVIDER] == 3
    assert 0 <= found["oldest_due_seconds", PROVIDER] < DEADLINE_S
    assert (found["up",], found["redis_up",]) == (1, 1)


def test_limits_are_told_by_window(engine: Engine, scraped: Callable[[], Samples]) -> None:
    do(engine, rates.note_rates, {PROVIDER: (KEY, "50/s, 10000/day")})

    found = scraped()

    assert (found["rate_limit", PROVIDER, "s"], found["rate_limit", PROVIDER, "day"]) == (50, 10_000)
    assert found["connections", PROVIDER] == 8


def test_a_provider_that_is_held_or_throttled_is_told(engine: Engine, scraped: Callable[[], Samples]) -> None:
    do(engine, rates.note_rates, {PROVIDER: (KEY, "5/min"), "paused": ("other", "")})
    do(engine, rates.note_throttled, KEY, wait_ms=60_000, reason="5/min is used up", rate="5/min")
    do(engine, accounts.pause_account, "paused", reason="lunch", author="ann")

    found = scraped()

    assert 30 < found["throttled_seconds", PROVIDER] <= 60
    assert (found["provider_open", PROVIDER], found["provider_open", "paused"]) == (1, 0)
    assert found["throttled_seconds", "paused"] == 0


def test_what_leaves_is_told_for_each_provider_of_the_account(
    engine: Engine, redis_url: str, scraped: Callable[[], Samples]
) -> None:
    key = os.urandom(8).hex()
    do(engine, rates.note_rates, {PROVIDER: (key, "50/s"), "twin": (key, "50/s")})
    with pace_of(redis_url, account=key) as pace:
        assert pace.reserve(LIMITS, [3, 2], n_out=0, is_urgent=False).departures
        time.sleep(0.2)  # whole tenths of a second are counted

        found = scraped()

    assert found["departed_per_second", PROVIDER] == found["departed_per_second", "twin"]
    assert found["departed_per_second", PROVIDER] >= 5
    assert found["connections_held", PROVIDER] >= 1


def test_a_redis_that_is_away_is_told_and_the_ledger_all_the_same(engine: Engine, address: Address) -> None:
    do(engine, rates.note_rates, {PROVIDER: (KEY, "50/s")})
    nowhere = f"redis://127.0.0.1:{free_port()}/0"
    with figures_of(engine.url.render_as_string(hide_password=False), nowhere) as figures:
        serve(address, figures)
        assert within(DEADLINE_S, lambda: asked(address) != "")

        found = read(asked(address))

    assert (found["up",], found["redis_up",]) == (1, 0)
    assert found["rate_limit", PROVIDER, "s"] == 50
    assert not any(name == "departed_per_second" for name, *_ in found)


@pytest.mark.parametrize(
    "ledger", ["sqlite:///{folder}/nothing.db", "postgresql+psycopg://nobody@127.0.0.1:9/nothing"]
)
def test_a_ledger_that_is_away_is_told_and_nothing_else(
    tmp_path: Path, redis_url: str, address: Address, ledger: str
) -> None:
    with figures_of(ledger.format(folder=tmp_path), redis_url) as figures:
        serve(address, figures)
        assert within(DEADLINE_S, lambda: asked(address) != "")

        assert read(asked(address)) == {("up",): 0}


def test_who_asks_again_at_once_gets_the_same(engine: Engine, scraped: Callable[[], Samples]) -> None:
    first = scraped()

    run_campaign(engine, 5)

    assert scraped() == first
    assert within(DEADLINE_S, lambda: scraped().get(("messages", PROVIDER, "queued")) == 5, every_s=0.2)


# --- the tick


@contextmanager
def ticking(folder: Path, ledger: str, redis_url: str, address: Address) -> Iterator[Path]:
    """Run a real tick process; give its log."""
    settings, log = folder / "bulksend.toml", folder / "tick.log"
    settings.write_text(SETTINGS.format(ledger=ledger, address=address), encoding="utf-8")
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "BULKSEND_CONFIG": str(settings),
        "BULKSEND_BROKER": redis_url,
        "ACME_KEY": "s3cret",
    }
    argv = [sys.executable, "-m", "worker", "tick"]
    with log.open("wb") as output, subprocess.Popen(argv, env=environment, stderr=output) as process:
        try:
            yield log
            process.terminate()
            assert process.wait(10) == 0
        finally:
            process.kill()


def test_a_tick_tells_its_figures_and_neither_numbers_texts_nor_secrets(
    engine: Engine, tmp_path: Path, redis_url: str, address: Address
) -> None:
    run_campaign(engine, 5)
    ledger = engine.url.render_as_string(hide_password=False)

    with ticking(tmp_path, ledger, redis_url, address) as log:
        assert within(DEADLINE_S, lambda: asked(address) != "", every_s=0.1)
        said = asked(address)

    assert read(said)["messages", PROVIDER, "queued"] == 5
    assert "process_" not in said
    assert "python_" not in said
    for word in ("20304", "Hello", "s3cret", "spring"):
        assert word not in said + log.read_text(encoding="utf-8")
    assert "Traceback" not in log.read_text(encoding="utf-8")


def test_a_tick_whose_address_is_taken_says_so_and_ticks(
    sqlite_engine: Engine, tmp_path: Path, empty_redis_url: str, address: Address
) -> None:
    ledger = sqlite_engine.url.render_as_string(hide_password=False)
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()

    with ticking(first, ledger, empty_redis_url, address):
        assert within(DEADLINE_S, lambda: asked(address) != "", every_s=0.1)
        with ticking(second, ledger, empty_redis_url, address) as log:
            is_said = within(DEADLINE_S, lambda: "metrics not served" in log.read_text(), every_s=0.1)
            is_answered = asked(address) != ""

    assert is_said
    assert is_answered
    assert "Address already in use" in log.read_text()
    assert "Traceback" not in log.read_text()
