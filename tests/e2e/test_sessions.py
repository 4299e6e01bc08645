"""A gateway that is logged in to: sessions that end in the middle of a campaign, and a wrong password."""

import signal
from contextlib import ExitStack

import pytest
from sqlalchemy import select

from tests.e2e.logins import current_session, ends, n_logins
from tests.e2e.place import DEADLINE_S, SECRET, Place, simulator_accepted
from tests.e2e.warm import Warm
from tests.sandbox.running import Sandbox
from tests.secrets_in import everything_in
from worker.ledger import accounts
from worker.ledger.engine import reading
from worker.ledger.models import MESSAGES
from worker.waiting import within

N = 120
SETTINGS = """ledger = "sqlite:///bulksend.db"
broker = "{broker}"

[timers]
trouble_check = "1s"

[providers.acme]
gateway = "smsend"
base_url = "{gateway}/smsend/API/v1.0/REST"
username = "{username}"
secret = "env:ACME_KEY"
sender = "ACME"
country = "DK"
timeout = "2s"
connections = 6
max_recipients = 2
rate = "60/s"
unit = "messages"
"""
ORDER = ("send", "members.csv", "--text", "Hi {{ first_name }}", "--via", "acme")


@pytest.fixture
def gateway(gateway: Sandbox) -> Sandbox:
    gateway.name = "smsend"
    return gateway


def configure(place: Place, *, broker: str, username: str = "acme") -> None:
    place.write("bulksend.toml", SETTINGS.format(broker=broker, gateway=place.gateway, username=username))


def most_attempts(place: Place) -> int:
    with reading(place.engine) as connection:
        return max(map(int, connection.scalars(select(MESSAGES.c.attempts))))


def state(place: Place) -> tuple[str, str | None]:
    """Return how the account stands, and why."""
    with reading(place.engine) as connection:
        found = accounts.standings(connection).get("acme")
    return (found.state, found.reason) if found else ("open", None)


def on_disk(place: Place) -> bytes:
    """Return what the ledger has written."""
    return b"".join(path.read_bytes() for path in sorted(place.folder.glob("bulksend.db*")))


def test_a_session_that_ends_in_the_middle_costs_nothing_and_is_begun_again_once(
    place: Place, gateway: Sandbox, warm: Warm, empty_redis_url: str
) -> None:
    configure(place, broker=empty_redis_url)
    place.write_numbers("members.csv", N)
    with ExitStack() as stack:
        workers = [stack.enter_context(place.started("worker", *options)) for options in ([], ["--no-tick"])]
        assert all(worker.says("Running") for worker in workers)
        warm.run(place, *ORDER)
        assert within(DEADLINE_S, lambda: gateway.stats()["accepted"] >= N // 12, every_s=0.05)
        first = current_session(place)
        warm.run(place, "provider", "pause", "acme")
        is_over = ends(gateway, first)
        at_the_end = gateway.stats()
        warm.run(place, "provider", "resume", "acme")
        is_done = within(DEADLINE_S, lambda: place.report().is_done, every_s=0.1)
        second = current_session(place)
        visible = everything_in(empty_redis_url)
        for worker in workers:
            worker.signal(signal.SIGTERM)
        codes = [worker.wait() for worker in workers]

    said = "".join(worker.said for worker in workers)
    assert is_over
    assert is_done, said
    assert codes == [0, 0]
    assert at_the_end["accepted"] < N
    assert gateway.stats()["refused"] > at_the_end["refused"]
    assert n_logins(*workers) == 2
    assert place.counts() == {"accepted": N}
    assert (gateway.stats()["accepted"], gateway.stats()["unique"]) == (N, N)
    assert place.ledger_accepted() == simulator_accepted(gateway)
    assert most_attempts(place) == 1
    for secret in (SECRET, first.partition(";")[2], second.partition(";")[2]):
        assert len(secret) > 8
        assert secret.encode() not in visible
        assert secret.encode() not in on_disk(place)
        assert secret not in said


def test_with_a_wrong_password_all_wait_and_leave_once_when_it_is_right(
    place: Place, gateway: Sandbox, warm: Warm, empty_redis_url: str
) -> None:
    configure(place, broker=empty_redis_url, username="bad")
    place.write_numbers("members.csv", N)

    with place.started("worker") as worker:
        assert worker.says("Running")
        warm.run(place, *ORDER)
        is_held = within(DEADLINE_S, lambda: state(place)[0] == "trouble", every_s=0.1)
        held = state(place)
        counts = place.counts()
        worker.signal(signal.SIGTERM)
        worker.wait()
    wrong = worker.said
    configure(place, broker=empty_redis_url)
    place.finish_with_a_worker()

    assert is_held, wrong
    assert held == ("trouble", "the gateway refuses the login, 404: Credentials are incorrect")
    assert counts == {"queued": N}
    assert SECRET not in wrong
    assert place.counts() == {"accepted": N}
    assert (gateway.stats()["accepted"], gateway.stats()["unique"]) == (N, N)
    assert most_attempts(place) == 1


def test_a_gateway_that_refuses_every_session_is_trouble_and_is_mended_by_a_check(
    place: Place, gateway: Sandbox, warm: Warm, empty_redis_url: str
) -> None:
    configure(place, broker=empty_redis_url)
    place.write_numbers("members.csv", N)
    gateway.set_faults(session_s=0)

    with place.started("worker") as worker:
        assert worker.says("Running")
        warm.run(place, *ORDER)
        is_held = within(DEADLINE_S, lambda: "refuses its new session" in str(state(place)[1]), every_s=0.1)
        n_accepted = gateway.stats()["accepted"]
        gateway.set_faults(session_s=300)
        is_done = within(DEADLINE_S, lambda: place.report().is_done, every_s=0.1)
        worker.signal(signal.SIGTERM)
        worker.wait()

    assert is_held, worker.said
    assert n_accepted == 0
    assert is_done, worker.said
    assert place.counts() == {"accepted": N}
    assert (gateway.stats()["accepted"], gateway.stats()["unique"]) == (N, N)
    assert most_attempts(place) == 1
