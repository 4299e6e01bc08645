import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import redis

from tests.conftest import free_port
from tests.secrets_in import everything_in
from worker.errors import ConfigError, LoginRefused, NotSent
from worker.providers import Account, accounts_of
from worker.sessions import KEPT_S, RedisStore, store_of
from worker.settings import Settings

SECRET = "s3cret-of-the-account"
LOGIN = "0123456789abcdef"
N_WORKERS = 6
NAME = f"bulksend:{{{LOGIN}}}:session"


def store_at(redis_url: str, *, secret: str = SECRET, longest_s: float = 3.0) -> RedisStore:
    return RedisStore(redis_url, login_key=LOGIN, secret=secret, longest_s=longest_s)


@pytest.fixture
def stores(empty_redis_url: str) -> list[RedisStore]:
    """Give the stores of several processes."""
    return [store_at(empty_redis_url) for _ in range(N_WORKERS)]


@pytest.fixture
def raw(empty_redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(empty_redis_url) as client:
        yield client


class Gate:
    """Begins sessions, each with a name of its own, and counts."""

    def __init__(self, *, failure: NotSent | None = None) -> None:
        self.n = 0
        self.failure = failure
        self.is_open = threading.Event()
        self.is_open.set()

    def __call__(self) -> str:
        """Begin one, as soon as that is let happen."""
        self.n += 1
        n = self.n
        self.is_open.wait()
        if self.failure is not None:
            raise self.failure
        return f"user-key;session-{n}"


def all_at_once(calls: list[Callable[[], Any]]) -> list[Any]:
    """Make calls side by side and return what each came to, an exception too."""

    def outcome(call: Callable[[], Any]) -> object:
        try:
            return call()
        except NotSent as error:
            return error

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(outcome, calls))


def each_renews(stores: list[RedisStore], begin: Callable[[], str]) -> list[Callable[[], str]]:
    return [lambda store=store: store.renew(begin, instead_of=None) for store in stores]  # type: ignore[misc]


def test_of_many_workers_one_logs_in_and_all_have_its_session(stores: list[RedisStore]) -> None:
    begin = Gate()
    begin.is_open.clear()
    threading.Timer(0.2, begin.is_open.set).start()

    found = all_at_once([*each_renews(stores, begin)])

    assert set(found) == {"user-key;session-1"}
    assert begin.n == 1
    assert {store.get() for store in stores} == {"user-key;session-1"}


def test_a_session_that_is_over_is_replaced_once(stores: list[RedisStore]) -> None:
    begin = Gate()
    old = stores[0].renew(begin, instead_of=None)

    found = [store.renew(begin, instead_of=old) for store in stores]

    assert set(found) == {"user-key;session-2"}


def test_a_session_is_dropped_for_all(stores: list[RedisStore]) -> None:
    session = stores[0].renew(Gate(), instead_of=None)
    stores[1].get()
    stores[1].drop(session)

    assert [store.get() for store in stores[:3]] == [None] * 3


def test_a_session_that_another_has_replaced_is_not_dropped(stores: list[RedisStore]) -> None:
    begin = Gate()
    old = stores[0].renew(begin, instead_of=None)
    stores[1].get()
    new = stores[2].renew(begin, instead_of=old)
    stores[1].drop(old)
    stores[0].drop(old)

    assert stores[1].get() == stores[0].get() == new


def test_a_session_is_kept_from_its_last_use(stores: list[RedisStore], raw: redis.Redis) -> None:
    stores[0].renew(Gate(), instead_of=None)
    raw.expire(NAME, 5)
    stores[1].get()

    assert KEPT_S - 5 < int(str(raw.ttl(NAME))) <= KEPT_S


# --- what others can see


def test_no_secret_lies_in_redis_in_the_clear(stores: list[RedisStore], empty_redis_url: str) -> None:
    stores[0].renew(Gate(), instead_of=None)
    failing = Gate(failure=LoginRefused("the words of a gateway"))
    begun = stores[0].get()
    with pytest.raises(LoginRefused):
        stores[1].renew(failing, instead_of=begun)
    seen = everything_in(empty_redis_url)

    assert NAME.encode() in seen
    assert f"{NAME}:failed".encode() in seen
    for secret in (SECRET, "user-key", "session-1", "the words of a gateway"):
        assert secret.encode() not in seen


def test_with_another_secret_there_is_no_session(stores: list[RedisStore], empty_redis_url: str) -> None:
    begin = Gate()
    stores[0].renew(begin, instead_of=None)
    other = store_at(empty_redis_url, secret="another")

    assert other.get() is None
    assert other.renew(begin, instead_of=None) == "user-key;session-2"


@pytest.mark.parametrize("value", [b"", b"garbage", b"gAAAA" + b"x" * 100])
def test_what_cannot_be_decrypted_is_as_if_it_were_not_there(
    stores: list[RedisStore], raw: redis.Redis, value: bytes
) -> None:
    raw.set(NAME, value)

    assert stores[0].get() is None
    assert stores[0].renew(Gate(), instead_of=None) == "user-key;session-1"


# --- what goes wrong


@pytest.mark.parametrize(
    "failure", [LoginRefused("refused"), NotSent("away", retry_after_s=7.0)], ids=["refused", "away"]
)
def test_who_waited_for_a_login_that_failed_does_not_try_himself(
    stores: list[RedisStore], failure: NotSent
) -> None:
    begin = Gate(failure=failure)
    begin.is_open.clear()
    threading.Timer(0.3, begin.is_open.set).start()

    found = all_at_once([*each_renews(stores, begin)])

    assert begin.n == 1
    assert [(type(each), str(each), each.retry_after_s) for each in found] == [
        (type(failure), str(failure), failure.retry_after_s)
    ] * N_WORKERS


def test_who_need_not_wait_tries_again_at_once(stores: list[RedisStore]) -> None:
    with pytest.raises(LoginRefused):
        stores[0].renew(Gate(failure=LoginRefused("refused")), instead_of=None)

    assert stores[1].renew(Gate(), instead_of=None) == "user-key;session-1"


def test_a_worker_that_was_killed_while_it_logged_in_is_not_waited_for_for_ever(
    stores: list[RedisStore], raw: redis.Redis
) -> None:
    raw.set(f"{NAME}:lock", b"of the dead", px=300)

    assert stores[0].renew(Gate(), instead_of=None) == "user-key;session-1"


def test_a_wait_for_another_is_bounded(empty_redis_url: str, raw: redis.Redis) -> None:
    raw.set(f"{NAME}:lock", b"of one who hangs", px=60_000)
    store = store_at(empty_redis_url, longest_s=-1.5)  # so that the bound is half a second
    begun_s = time.monotonic()

    with pytest.raises(NotSent, match="another worker is about to"):
        store.renew(Gate(), instead_of=None)

    assert time.monotonic() - begun_s < 5


def test_without_redis_a_process_has_a_session_of_its_own() -> None:
    store = store_at(f"redis://127.0.0.1:{free_port()}/0")
    begin = Gate()
    session = store.renew(begin, instead_of=None)

    assert store.get() == store.renew(begin, instead_of=None) == session
    store.drop(session)
    assert store.get() is None
    assert store.renew(begin, instead_of=session) == "user-key;session-2"


def test_a_login_that_fails_without_redis_fails_as_it_would_with_it() -> None:
    store = store_at(f"redis://127.0.0.1:{free_port()}/0")

    with pytest.raises(LoginRefused, match="refused"):
        store.renew(Gate(failure=LoginRefused("refused")), instead_of=None)


# --- whose session it is


def accounts(monkeypatch: pytest.MonkeyPatch, **providers: dict[str, object]) -> dict[str, Account]:
    monkeypatch.setenv("KEY", SECRET)
    login = {"gateway": "smsend", "username": "acme", "secret": "env:KEY"}
    return accounts_of(
        Settings.model_validate({"providers": {name: {**login, **more} for name, more in providers.items()}})
    )


@pytest.mark.parametrize(
    ("more", "is_shared"),
    [
        ({"sender": "OTHER", "price": "0.10 EUR"}, True),
        ({"limit_group": "g"}, True),
        ({"base_url": "https://app.gateway.smsend.it/API/v1.0/REST/"}, True),
        ({"username": "other"}, False),
        ({"base_url": "https://app.mobyt.it/API/v1.0/REST"}, False),
        ({"dialect": {"key": "access_token"}}, False),
    ],
    ids=str,
)
def test_a_session_is_of_one_login(
    monkeypatch: pytest.MonkeyPatch, empty_redis_url: str, more: dict[str, object], *, is_shared: bool
) -> None:
    one, other = (
        store_of(each, broker=empty_redis_url) for each in accounts(monkeypatch, one={}, other=more).values()
    )
    assert one is not None
    assert other is not None

    session = one.renew(Gate(), instead_of=None)

    assert (other.get() == session) is is_shared


def test_without_a_broker_a_session_is_of_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    (account,) = accounts(monkeypatch, one={}).values()
    store = store_of(account, broker=None)
    assert store is not None

    session = store.renew(Gate(), instead_of=None)

    assert (store.get(), store_of(account, broker=None)) != (None, store)
    assert store.get() == session


def test_a_gateway_without_a_login_has_no_store(monkeypatch: pytest.MonkeyPatch) -> None:
    (account,) = accounts(monkeypatch, one={"gateway": "cpsms", "sender": "ACME"}).values()

    assert store_of(account, broker="redis://127.0.0.1:1/0") is None


def test_a_store_needs_the_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    (account,) = accounts(monkeypatch, one={}).values()
    monkeypatch.delenv("KEY")

    with pytest.raises(ConfigError, match="KEY is missing"):
        store_of(account, broker="redis://127.0.0.1:1/0")
