"""Beyond one process: a configured broker with Postgres, senders beside each other, `up` with Flower."""

import json
import signal
import urllib.request
from contextlib import closing
from typing import Any

import psutil
import pytest

from tests.e2e.place import DEADLINE_S, SECRET, Place
from tests.ledgers import lease, mark, result, run_campaign
from tests.sandbox.running import Sandbox
from worker.app import make_app
from worker.sending.keep import Keep
from worker.settings import Timers
from worker.states import MessageState
from worker.waiting import within

NOBODY = "No worker has begun with it yet"
ORDER = ("send", "members.csv", "--text", "Hi {{ first_name }}", "--via", "acme")


@pytest.mark.redis
@pytest.mark.postgres
def test_two_workers_on_an_empty_postgres_send_what_another_process_hands_in(
    place: Place, gateway: Sandbox, empty_redis_url: str, postgres_url: str
) -> None:
    place.configure(ledger=postgres_url, broker=empty_redis_url)
    place.write_numbers("members.csv", 60)

    with place.started("worker") as one, place.started("worker", "--no-tick") as other:
        handed_in = place.run(*ORDER, "--json")
        watched = place.run("campaign", "watch", str(handed_in.json["campaign_id"]), "--json")
        shown = place.run("message", "show", "+4520000007", "--json")
        nodes = {name for answer in _nodes(empty_redis_url) for name in answer}
        for worker in (one, other):
            worker.signal(signal.SIGTERM)
        codes = [worker.wait() for worker in (one, other)]

    assert watched.json["counts"]["accepted"] == 60
    assert shown.json["state"] == "accepted"
    assert gateway.stats()["unique"] == gateway.stats()["accepted"] == 60
    assert codes == [0, 0]
    assert len(nodes) == 2
    assert place.is_quiet()
    for word in ("20000007", "Hi Ann", SECRET):
        assert word not in one.said + other.said


def _nodes(broker: str) -> list[dict[str, Any]]:
    """Ask the workers for their names, as Flower does."""
    app = make_app(broker, Timers())
    with closing(app):
        return app.control.ping(timeout=2.0) or []


@pytest.mark.redis
def test_with_a_broker_and_no_worker_it_says_that_nobody_has_begun(
    lone_place: Place, empty_redis_url: str
) -> None:
    lone_place.configure(broker=empty_redis_url)
    lone_place.write_numbers("members.csv", 3)

    with lone_place.started(*ORDER, "--wait") as send:
        is_said = send.says(NOBODY)
        send.signal(signal.SIGINT)
        code = send.wait()
    with lone_place.started("campaign", "watch", "1") as watch:
        is_said_to_a_watcher = watch.says(NOBODY)

    assert is_said
    assert is_said_to_a_watcher
    assert send.said.count(NOBODY) == 1
    assert code == 130


def test_a_worker_without_a_tick_does_not_keep_a_send_from_bringing_its_own(
    place: Place, gateway: Sandbox
) -> None:
    place.write_numbers("members.csv", 20)

    with place.started("worker", "--no-tick") as worker:
        assert worker.says("Running")
        place.run(*ORDER, "--wait")

    assert gateway.stats()["accepted"] == 20
    assert (place.folder / "bulksend.db-run" / "worker.log").exists()  # which only its own writes


def test_a_worker_without_a_tick_writes_what_a_killed_one_has_kept(place: Place) -> None:
    held = lease(place.engine, run_campaign(place.engine))
    (marked,) = mark(place.engine, held)
    killed = Keep(place.folder / "bulksend.db-run")
    killed.add([result(marked, MessageState.ACCEPTED)])
    killed.leave()

    with place.started("worker", "--no-tick") as worker:
        is_written = within(DEADLINE_S, lambda: place.counts() == {"accepted": 2}, every_s=0.1)
        worker.signal(signal.SIGTERM)
        code = worker.wait()

    assert is_written, worker.said
    assert code == 0
    assert list((place.folder / "bulksend.db-run").glob("outcomes-*")) == []


def test_two_sends_beside_each_other_share_one_redis(place: Place, gateway: Sandbox) -> None:
    place.write_numbers("members.csv", 40)
    gateway.set_faults(latency_ms=200)

    with place.started(*ORDER, "--wait") as first:
        assert within(DEADLINE_S, lambda: gateway.stats()["accepted"] > 0)
        with place.started(*ORDER, "--again", "--wait") as second:
            assert within(DEADLINE_S, lambda: place.n_campaigns() == 2, every_s=0.1)
            n_servers = sum(_is_redis(process) for process in place.processes())
            codes = [first.wait(), second.wait()]

    assert n_servers == 1
    assert codes == [0, 0]
    assert place.counts(1) == place.counts(2) == {"accepted": 40}
    assert gateway.stats()["accepted"] == 80
    assert place.is_quiet()


def test_up_runs_flower_beside_the_worker_and_flower_shows_no_number(
    place: Place, gateway: Sandbox, free_port: int
) -> None:
    place.write_numbers("members.csv", 30)
    place.environment["FLOWER_UNAUTHENTICATED_API"] = "true"
    address = f"http://127.0.0.1:{free_port}"

    with place.started("up", "--flower-port", str(free_port)) as station:
        assert within(DEADLINE_S, lambda: _get(f"{address}/healthcheck") == "OK", every_s=0.2)
        place.run(*ORDER, "--wait")
        assert within(DEADLINE_S, lambda: "send_batch" in _get(f"{address}/api/tasks"), every_s=0.2)
        tasks = json.loads(_get(f"{address}/api/tasks"))
        pages = [
            _get(address + path) for path in ("/tasks", "/workers", "/broker", f"/task/{next(iter(tasks))}")
        ]
        station.signal(signal.SIGTERM)
        code = station.wait()

    assert len(pages[-1]) > 1000
    assert gateway.stats()["accepted"] == 30
    assert code == 0
    assert place.is_quiet()
    for word in ("20000007", "Hi Ann", SECRET):
        assert word not in json.dumps(tasks) + "".join(pages) + station.said


def _is_redis(process: psutil.Process) -> bool:
    """Say whether it is a server; the keeper names one only among its arguments."""
    return "server" in process.name()


def _get(url: str) -> str:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=5) as reply:
            return str(reply.read().decode())
    except OSError:
        return ""
