"""Requests with a session, to a gateway on a real socket that ends sessions and refuses logins."""

import logging
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.contract.entrance import SECRET, Entrance, Keys, entrance
from worker.errors import LoginRefused, NotSent, OutcomeUnknown, TooLate
from worker.gateways.base import HttpReply, HttpRequest
from worker.gateways.http import Client
from worker.gateways.session import SessionClient
from worker.gateways.tokens import MemoryStore

N_AT_ONCE = 4


@pytest.fixture
def gateway() -> Iterator[Entrance]:
    with entrance() as gateway:
        yield gateway


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(N_AT_ONCE) as pool:
        yield pool


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


class Line:
    """A client with a session, and the calls that tests make."""

    def __init__(self, gateway: Entrance, *, store: MemoryStore, pool: ThreadPoolExecutor) -> None:
        self.url = gateway.url
        self._pool = pool
        client = Client(connections=N_AT_ONCE, timeout_s=1.0)
        self.client = SessionClient(client, login=Keys(url=gateway.url), store=store)

    def open(self) -> None:
        """Make ready to send."""
        self.client.open(self.url, n=1, pool=self._pool)

    def read(self, path: str = "/status") -> HttpReply:
        """Make a call that only reads."""
        return self.client.exchange(HttpRequest(method="GET", url=f"{self.url}{path}", headers={}))

    def send(self) -> HttpReply:
        """Make a call that sends."""
        request = HttpRequest(method="GET", url=f"{self.url}/send", headers={})
        return self.client.exchange(request, before_write=lambda: None)


@pytest.fixture
def line(gateway: Entrance, store: MemoryStore, pool: ThreadPoolExecutor) -> Iterator[Line]:
    line = Line(gateway, store=store, pool=pool)
    yield line
    line.client.close()


@pytest.fixture
def other(gateway: Entrance, store: MemoryStore, pool: ThreadPoolExecutor) -> Iterator[Line]:
    """Give another client that shares the store."""
    line = Line(gateway, store=store, pool=pool)
    yield line
    line.client.close()


# --- what should happen


def test_one_login_is_enough_for_all_requests(gateway: Entrance, line: Line, other: Line) -> None:
    line.open()
    replies = [line.send(), line.read(), other.read()]

    assert [reply.status for reply in replies] == [200, 200, 200]
    assert gateway.logins == {SECRET: 1}


def test_a_session_is_begun_before_anything_is_sent(gateway: Entrance, line: Line) -> None:
    line.open()

    assert (gateway.n_logins, gateway.paths) == (1, [])


def test_a_read_logs_in_once_more_and_is_repeated_once(gateway: Entrance, line: Line) -> None:
    line.read()
    gateway.alive.clear()

    reply = line.read()

    assert reply.status == 200
    assert gateway.n_logins == 2
    assert gateway.paths == ["/status"] * 3


def test_a_request_that_sends_is_not_repeated(gateway: Entrance, line: Line) -> None:
    line.open()
    gateway.alive.clear()

    assert line.send().status == 401
    assert (gateway.n_logins, gateway.paths) == (1, ["/send"])


def test_after_a_refused_send_the_next_one_has_another_session(gateway: Entrance, line: Line) -> None:
    line.open()
    gateway.alive.clear()
    line.send()
    line.open()

    assert line.send().status == 200
    assert gateway.n_logins == 2


def test_between_mark_and_write_nobody_logs_in(gateway: Entrance, line: Line) -> None:
    line.open()
    gateway.alive.clear()
    line.send()

    with pytest.raises(TooLate, match="nothing was sent"):
        line.send()

    assert (gateway.n_logins, gateway.paths) == (1, ["/send"])


def test_a_session_that_another_began_is_taken(gateway: Entrance, line: Line, other: Line) -> None:
    line.open()
    other.open()
    gateway.alive.clear()
    other.send()
    other.open()

    assert line.send().status == 401
    line.open()
    assert [line.send().status, other.send().status] == [200, 200]
    assert gateway.n_logins == 2


def test_the_body_may_be_as_long_as_the_caller_says(line: Line) -> None:
    with pytest.raises(OutcomeUnknown):
        line.client.exchange(HttpRequest(method="GET", url=f"{line.url}/log", headers={}), body_limit=1)


# --- sessions that are refused


def test_many_requests_with_one_session_that_is_over_count_once(
    gateway: Entrance, line: Line, pool: ThreadPoolExecutor
) -> None:
    line.open()
    gateway.alive.clear()
    together = threading.Barrier(N_AT_ONCE)
    request = HttpRequest(method="GET", url=f"{gateway.url}/send", headers={})

    def wait_for_all() -> None:
        together.wait()

    def send() -> int:
        return line.client.exchange(request, before_write=wait_for_all).status

    refused = [pool.submit(send) for _ in range(N_AT_ONCE)]

    assert [each.result() for each in refused] == [401] * N_AT_ONCE
    line.open()
    assert line.send().status == 200
    assert gateway.n_logins == 2


def test_a_session_that_is_given_again_is_another_session(gateway: Entrance, line: Line, other: Line) -> None:
    gateway.is_constant = True
    line.open()
    gateway.alive.clear()
    line.send()
    for each in (line, line, other, line):
        each.open()
        assert each.send().status == 200

    assert gateway.n_logins == 2


def test_a_session_that_is_over_is_dropped_for_all(gateway: Entrance, line: Line, store: MemoryStore) -> None:
    line.open()
    gateway.alive.clear()
    line.send()

    assert store.get() is None


class Stubborn(MemoryStore):
    """A store that could not be told to drop anything."""

    def drop(self, session: str) -> None:
        """Keep it."""


def test_a_session_that_is_over_is_not_taken_from_the_store_again(
    gateway: Entrance, pool: ThreadPoolExecutor
) -> None:
    line = Line(gateway, store=Stubborn(), pool=pool)
    line.open()
    gateway.alive.clear()
    line.send()
    line.open()

    assert line.send().status == 200
    line.client.close()


class Slow(MemoryStore):
    """A store whose answers are slow, and known to be on their way."""

    def __init__(self) -> None:
        super().__init__()
        self.is_read, self.goes_on = threading.Event(), threading.Event()
        self.goes_on.set()

    def get(self) -> str | None:
        """Read at once, answer later."""
        found = super().get()
        self.is_read.set()
        self.goes_on.wait()
        return found


def test_a_session_that_ends_while_it_is_looked_up_is_not_taken(
    gateway: Entrance, pool: ThreadPoolExecutor
) -> None:
    store = Slow()
    line = Line(gateway, store=store, pool=pool)
    line.open()
    gateway.alive.clear()
    store.goes_on.clear()
    store.is_read.clear()
    opening = pool.submit(line.open)
    store.is_read.wait()
    line.send()
    store.goes_on.set()
    opening.result()

    assert line.send().status == 200
    line.client.close()


def test_a_late_refusal_of_an_earlier_session_is_not_counted(
    gateway: Entrance, line: Line, pool: ThreadPoolExecutor
) -> None:
    gateway.is_constant = True
    line.open()
    gateway.alive.clear()
    is_held, goes_on = threading.Event(), threading.Event()
    request = HttpRequest(method="GET", url=f"{gateway.url}/send", headers={"Session": "the-session"})

    def hold() -> None:
        is_held.set()
        goes_on.wait()

    late = pool.submit(line.client.exchange, request, before_write=hold)
    is_held.wait()
    line.send()
    line.open()
    gateway.alive.clear()
    goes_on.set()

    assert late.result().status == 401
    line.open()


def test_a_second_session_in_a_row_that_is_refused_is_trouble_of_the_account(
    gateway: Entrance, line: Line
) -> None:
    gateway.lets_in = False
    for _ in range(2):
        line.open()
        line.send()

    with pytest.raises(LoginRefused, match="refuses its new session"):
        line.open()

    assert gateway.n_logins == 2


def test_a_read_finds_the_same_and_asks_no_third_time(gateway: Entrance, line: Line) -> None:
    gateway.lets_in = False

    with pytest.raises(LoginRefused, match="refuses its new session"):
        line.read()

    assert (gateway.n_logins, gateway.paths) == (2, ["/status"] * 2)


def test_trouble_of_the_account_is_over_with_the_first_good_reply(gateway: Entrance, line: Line) -> None:
    gateway.lets_in = False
    with pytest.raises(LoginRefused):
        line.read()
    gateway.lets_in = True
    line.read()
    gateway.alive.clear()

    assert line.read().status == 200


def test_account_that_is_still_in_trouble_is_tried_with_one_session(gateway: Entrance, line: Line) -> None:
    gateway.lets_in = False
    with pytest.raises(LoginRefused):
        line.read()

    with pytest.raises(LoginRefused):
        line.read()

    assert (gateway.n_logins, len(gateway.paths)) == (3, 3)


def test_sessions_that_end_with_good_replies_between_are_no_trouble(gateway: Entrance, line: Line) -> None:
    for _ in range(4):
        line.open()
        assert line.send().status == 200
        gateway.alive.clear()
        assert line.send().status == 401

    assert gateway.n_logins == 4


def test_a_fault_of_the_gateway_says_nothing_good_of_a_session(gateway: Entrance, line: Line) -> None:
    line.open()
    gateway.lets_in = False
    line.send()
    gateway.lets_in, gateway.status = True, 502
    line.open()
    line.send()
    gateway.lets_in = False
    line.send()

    with pytest.raises(LoginRefused):
        line.open()


# --- logins that fail


def test_a_login_that_is_refused_is_trouble_of_the_account(gateway: Entrance, line: Line) -> None:
    gateway.refuses = 403

    with pytest.raises(LoginRefused, match="the gateway refuses the login, 403: no entrance"):
        line.open()
    with pytest.raises(LoginRefused):
        line.read()

    assert gateway.paths == []


@pytest.mark.parametrize(("status", "pause_s"), [(503, 7.0), (500, None)])
def test_a_login_that_fails_for_now_is_not_sent(
    gateway: Entrance, line: Line, status: int, pause_s: float | None
) -> None:
    gateway.refuses = status

    with pytest.raises(NotSent, match="not logged in") as caught:
        line.open()

    assert not isinstance(caught.value, LoginRefused)
    assert caught.value.retry_after_s == pause_s


def test_a_login_without_an_answer_is_not_sent(gateway: Entrance, line: Line) -> None:
    gateway.is_silent = True

    with pytest.raises(NotSent, match="not logged in, no readable answer from") as caught:
        line.open()

    assert not isinstance(caught.value, LoginRefused)


def test_a_gateway_that_is_away_is_not_sent(store: MemoryStore, pool: ThreadPoolExecutor) -> None:
    with entrance() as gone:
        line = Line(gone, store=store, pool=pool)

    with pytest.raises(NotSent, match="check base_url") as caught:
        line.open()

    assert not isinstance(caught.value, LoginRefused)


def test_nothing_secret_is_told(
    gateway: Entrance, line: Line, store: MemoryStore, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    line.open()
    session = store.get()
    gateway.lets_in = False
    with pytest.raises(LoginRefused) as refused:
        line.read()
    gateway.refuses = 403
    with pytest.raises(LoginRefused) as caught:
        line.read()

    told = "".join([caplog.text, repr(refused.value), repr(caught.value), repr(line.client), repr(store)])
    assert session
    assert session not in told
    assert SECRET not in told
