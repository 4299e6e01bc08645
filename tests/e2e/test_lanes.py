"""Who goes first: urgent before bulk, campaigns in turn, and no provider in the way of another."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

from tests.e2e.place import DEADLINE_S, Place, Started
from tests.e2e.warm import Warm
from tests.sandbox.running import Sandbox, running_sandbox
from worker.waiting import within

TEXT = ("--text", "Hi {{ first_name }}")  # one recipient in each request
RATE = 40  # requests in a second


def limit(place: Place, *lines: str) -> None:
    """Give the provider a rate, and the settings whatever else."""
    file = place.folder / "bulksend.toml"
    rate = f'rate = "{RATE}/s"\nunit = "requests"\n'
    file.write_text("\n".join([file.read_text() + rate, *lines]))


@contextmanager
def worker_of(place: Place) -> Iterator[Started]:
    with place.started("worker") as worker:
        yield worker
        worker.signal(signal.SIGTERM)
        assert worker.wait() == 0


def send(place: Place, warm: Warm, n: int, *words: str, via: str = "acme") -> int:
    """Hand in a campaign to so many people; return its id."""
    name = f"{via}-{n}-{len(words)}.csv"
    place.write_numbers(name, n)
    done = warm.run(place, "send", name, *TEXT, "--via", via, "--json", "--yes", "--again", *words)
    assert done.code == 0, done.err
    found = done.json
    return int(found["campaign_id"])


def accepted(place: Place, campaign_id: int) -> int:
    return place.counts(campaign_id).get("accepted", 0)


def test_an_urgent_message_leaves_before_the_bulk_that_waits(place: Place, warm: Warm) -> None:
    limit(place)
    with worker_of(place):
        bulk = send(place, warm, 600)
        assert within(DEADLINE_S, lambda: accepted(place, bulk) > 0)
        urgent = send(place, warm, 1, "--urgent")
        before = accepted(place, bulk)

        assert within(DEADLINE_S, lambda: place.report(urgent).is_done)
        assert accepted(place, bulk) - before < 10 * RATE  # ten seconds, on a machine as slow as can be
        assert place.counts(bulk).get("queued", 0) > 0


def test_two_campaigns_of_one_provider_go_in_turn(place: Place, warm: Warm) -> None:
    limit(place)
    first, second = send(place, warm, 200), send(place, warm, 200, "--name", "second")
    with worker_of(place):
        assert within(DEADLINE_S, lambda: place.report(first).is_done or place.report(second).is_done)

        assert min(accepted(place, first), accepted(place, second)) >= 150


def test_a_slow_provider_takes_no_child_of_another(place: Place, warm: Warm) -> None:
    with running_sandbox() as slow_gateway:
        slow_gateway.set_faults(latency_ms=1500)
        limit(place, *provider("slow", slow_gateway))
        slow = send(place, warm, 60, via="slow")
        with worker_of(place):
            assert within(DEADLINE_S, lambda: slow_gateway.stats()["requests"] > 0)
            quick = send(place, warm, 20)

            assert within(DEADLINE_S, lambda: place.report(quick).is_done)
            assert not place.report(slow).is_done


def provider(name: str, gateway: Sandbox) -> list[str]:
    return [
        f"[providers.{name}]",
        'gateway = "cpsms"',
        f'base_url = "{gateway.url}/cpsms/v2"',
        'username = "acme"',
        'secret = "env:ACME_KEY"',
        'sender = "ACME"',
        'country = "DK"',
        'timeout = "2s"',
        "connections = 2",
        "",
    ]
