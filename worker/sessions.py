"""Sessions on Redis: of all workers of all hosts one logs in, and the others use what it was given.

A session is a secret, so it lies there encrypted (Fernet) under a key that the account's own secret gives
(scrypt, RFC 7914). What cannot be decrypted is as if it were not there. While Redis is away, each process
logs in for itself: nothing is sent then, but accounts are checked.
"""

from __future__ import annotations

import base64
import hashlib
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import redis
from cryptography.fernet import Fernet, InvalidToken
from redis.backoff import NoBackoff
from redis.lock import Lock
from redis.retry import Retry

from worker.broker import redis_address
from worker.errors import LoginRefused, NotSent
from worker.gateways.tokens import MemoryStore, TokenStore
from worker.providers import Account

_log = logging.getLogger(__name__)

KEPT_S = 240
"""Since it was last used: the gateways that log in end a session after 5 minutes without a call."""

_FAILED_S = 5  # who waited for a login that failed learns of it within so long
_TIMEOUT_S = 0.5
_LOOK_S = 0.05
_LONGER_S = 2.0  # than a login can take
_AWAY = (redis.RedisError, OSError)
_DROP = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0"


def store_of(account: Account, *, broker: str | None) -> TokenStore | None:
    """Return where the sessions of an account are kept; None where its gateway has no login.

    Args:
        account: with its secret at hand.
        broker: address of Redis as Celery has it; None: the sessions are of this process alone.

    Raises:
        ConfigError: the secret is missing.
    """
    if account.reader().login is None:
        return None
    if broker is None:
        return MemoryStore()
    return RedisStore(
        redis_address(broker),
        login_key=account.login_key,
        secret=account.secret(),
        longest_s=account.provider.timeout,
    )


class RedisStore:
    """The session of one login; connects lazily, so it may be made before a fork, but not used before it."""

    def __init__(self, redis_url: str, *, login_key: str, secret: str, longest_s: float) -> None:
        """Derive the key, which takes a twentieth of a second; ``longest_s`` is that of a login."""
        self._redis = redis.Redis.from_url(
            redis_url,
            socket_timeout=_TIMEOUT_S,
            socket_connect_timeout=_TIMEOUT_S,
            retry=Retry(NoBackoff(), 0),
        )
        self._name = f"bulksend:{{{login_key}}}:session"
        self._limit_s = longest_s + _LONGER_S
        self._cipher = Fernet(_key(secret, salt=login_key))
        self._alone = MemoryStore()
        self._seen: tuple[bytes, str | None] = (b"", None)  # what was read last, and its meaning

    def get(self) -> str | None:
        """Return the current session and keep it for longer."""
        try:
            return self._read()
        except _AWAY:
            return self._alone.get()

    def renew(self, begin: Callable[[], str], *, instead_of: str | None) -> str:
        """Return another session than the one given, begun by us or by whoever was first.

        Raises:
            NotSent: it could not be begun, or whoever began one came to no end.
        """
        try:
            with self._locked() as has_waited:
                kept = self._read()
                if kept is not None and kept != instead_of:
                    return kept
                if has_waited:
                    self._raise_failure()
                return self._begun(begin)
        except _AWAY:
            return self._alone.renew(begin, instead_of=instead_of)

    def drop(self, session: str) -> None:
        """Forget a session, unless another has taken its place."""
        self._alone.drop(session)
        seen, meaning = self._seen
        if meaning == session:
            with suppress(*_AWAY):
                self._redis.eval(_DROP, 1, self._name, seen)

    @contextmanager
    def _locked(self) -> Iterator[bool]:
        """Be the only one who logs in, or wait until one can be; give whether that took a wait."""
        lock = Lock(self._redis, f"{self._name}:lock", timeout=self._limit_s, sleep=_LOOK_S)
        has_waited = not lock.acquire(blocking=False)
        if has_waited and not lock.acquire(blocking_timeout=self._limit_s):
            raise NotSent("not logged in: another worker is about to, and comes to no end")
        try:
            yield has_waited
        finally:
            with suppress(*_AWAY):  # it ends by itself
                lock.release()

    def _begun(self, begin: Callable[[], str]) -> str:
        try:
            session = begin()
        except NotSent as error:
            words = json.dumps([isinstance(error, LoginRefused), str(error), error.retry_after_s])
            with suppress(*_AWAY):
                self._redis.set(f"{self._name}:failed", self._cipher.encrypt(words.encode()), ex=_FAILED_S)
            raise
        sealed = self._cipher.encrypt(session.encode())
        self._seen = (sealed, session)
        with suppress(*_AWAY):  # it is of use to us in any case
            self._redis.set(self._name, sealed, ex=KEPT_S)
        _log.info("logged in", extra={"login": self._name})
        return session

    def _raise_failure(self) -> None:
        """Fail as the one failed who was waited for: many who try in vain get an account locked."""
        words = self._opened(self._redis.get(f"{self._name}:failed"))
        if words is None:
            return
        is_refused, message, retry_after_s = json.loads(words)
        error = LoginRefused if is_refused else NotSent
        raise error(message, retry_after_s=retry_after_s)

    def _read(self) -> str | None:
        sealed = self._redis.getex(self._name, ex=KEPT_S)
        seen, meaning = self._seen
        if sealed == seen:
            return meaning
        meaning = self._opened(sealed)
        if isinstance(sealed, bytes):
            self._seen = (sealed, meaning)
        return meaning

    def _opened(self, sealed: object) -> str | None:
        """Decrypt; None for what is not there, or was not written with our secret."""
        if not isinstance(sealed, bytes):
            return None
        try:
            return self._cipher.decrypt(sealed).decode()
        except InvalidToken:
            return None


def _key(secret: str, *, salt: str) -> bytes:
    return base64.urlsafe_b64encode(
        hashlib.scrypt(secret.encode(), salt=salt.encode(), n=2**14, r=8, p=1, dklen=32)
    )
