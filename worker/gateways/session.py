"""Sessions: a client for gateways that are logged in to, whose requests carry the session that is current.

A session is begun before a departure is reserved, never between mark and write (DESIGN 4.6). It is an opaque
text and a secret. Where it is kept, and who shares it, is the affair of the store that is passed in.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from worker.errors import LoginRefused, NotSent, OutcomeUnknown, TooLate
from worker.gateways.base import Verdict
from worker.gateways.http import BODY_LIMIT

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor

    from worker.gateways.base import HttpReply, HttpRequest, Login
    from worker.gateways.tokens import TokenStore

_IN_VAIN = 2  # sessions in a row that were refused: a third would be too
_SERVER_FAULT = 500  # from here on, a status says nothing of the session


class Carrier(Protocol):
    """What carries requests to a gateway: ``worker.gateways.http.Client``, or that with a session."""

    def exchange(
        self,
        request: HttpRequest,
        *,
        before_write: Callable[[], None] | None = None,
        body_limit: int = BODY_LIMIT,
    ) -> HttpReply:
        """Return the reply, or raise NotSent or OutcomeUnknown."""

    def open(self, url: str, *, n: int, pool: Executor, within_s: float | None = None) -> None:
        """Have so many connections open and idle, or raise NotSent."""

    def close(self) -> None:
        """Close them."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Session:
    """A session as it was begun: a gateway may give the same text again, and then it is another."""

    text: str = field(repr=False)


class SessionClient:
    """Carries requests with the current session; has the face of the client that it wraps.

    A session that the gateway says is over is dropped, once, however many requests carried it. A call that
    only reads is then repeated with a new one. A request that sends is not: it was surely refused, and goes
    back to the queue. A second session in a row that is refused is no longer a matter of sessions but of the
    account: ``LoginRefused``.
    """

    def __init__(self, client: Carrier, *, login: Login, store: TokenStore) -> None:
        self._client = client
        self._login = login
        self._store = store
        self._lock = threading.Lock()
        self._session: _Session | None = None  # as of the last look into the store
        self._over: str | None = None  # one that was refused, until another is begun
        self._n_over = 0  # refused in a row

    def exchange(
        self,
        request: HttpRequest,
        *,
        before_write: Callable[[], None] | None = None,
        body_limit: int = BODY_LIMIT,
    ) -> HttpReply:
        """Write a request with the session in it and read its reply.

        Args:
            request: what to write, without a session.
            before_write: as of the client; given with requests that send, which never log in.
            body_limit: as of the client.

        Raises:
            TooLate: the session ended between mark and write of a request that sends.
            LoginRefused: the gateway takes neither this session nor another.
            NotSent: as of the client, or there is no session to be had.
            OutcomeUnknown: as of the client.
        """
        if before_write is None:
            return self._read(request, body_limit=body_limit)
        session = self._session
        if session is None:
            raise TooLate("the session ended before the request was written: nothing was sent")
        signed = self._login.sign(request, session=session.text)
        reply = self._client.exchange(signed, before_write=before_write, body_limit=body_limit)
        self._note(reply, session=session)
        return reply

    def open(self, url: str, *, n: int, pool: Executor, within_s: float | None = None) -> None:
        """Have a session, and ``n`` connections open and idle; a login has the time of a request in any case.

        Raises:
            LoginRefused: the gateway lets the account in no more, for what is said in the message.
            NotSent: there is no session or no connection to be had now.
        """
        self._current()
        self._client.open(url, n=n, pool=pool, within_s=within_s)

    def close(self) -> None:
        """Close the client; the session lives on for others."""
        self._client.close()

    def _read(self, request: HttpRequest, *, body_limit: int) -> HttpReply:
        reply, is_over = self._read_once(request, body_limit=body_limit)
        if is_over:
            reply, is_over = self._read_once(request, body_limit=body_limit)
        if is_over:
            self._require_hope()
        return reply

    def _read_once(self, request: HttpRequest, *, body_limit: int) -> tuple[HttpReply, bool]:
        session = self._current()
        signed = self._login.sign(request, session=session.text)
        reply = self._client.exchange(signed, body_limit=body_limit)
        return reply, self._note(reply, session=session)

    def _current(self) -> _Session:
        """Return the session of the store, or a new one where that is missing or known to be over."""
        self._require_hope()
        while (session := self._taken()) is None:
            pass
        return session

    def _taken(self) -> _Session | None:
        """Take a session; None when one was refused meanwhile, which may be this one."""
        over = self._over
        text = self._store.get()
        if text is None or text == over:
            text = self._store.renew(self._begin, instead_of=over)
        with self._lock:
            if self._over != over:
                return None
            self._over = None
            if self._session is None or self._session.text != text:
                self._session = _Session(text=text)
            return self._session

    def _require_hope(self) -> None:
        """Give up after sessions that were refused in a row; after that, at each further one."""
        with self._lock:
            if self._n_over < _IN_VAIN:
                return
            self._n_over = _IN_VAIN - 1
        raise LoginRefused("the gateway lets the account in and then refuses its new session, twice in a row")

    def _note(self, reply: HttpReply, *, session: _Session) -> bool:
        """Say whether the session is over; only replies to the one in use count."""
        is_over = self._login.is_over(reply)
        with self._lock:
            is_news = session is self._session
            if is_news and is_over:
                self._session, self._over = None, session.text
                self._n_over += 1
            elif is_news and reply.status < _SERVER_FAULT:
                self._n_over = 0
        if is_news and is_over:
            self._store.drop(session.text)
        return is_over

    def _begin(self) -> str:
        """Log in."""
        try:
            said = self._login.read(self._client.exchange(self._login.request()))
        except OutcomeUnknown as error:  # a login sends nothing
            raise NotSent(f"not logged in, {error}") from None
        if isinstance(said, str):
            return said
        words = ": ".join(filter(None, (said.code, said.detail))) or "without a reason"
        if said.verdict is Verdict.ACCOUNT:
            raise LoginRefused(f"the gateway refuses the login, {words}")
        raise NotSent(f"not logged in, {words}", retry_after_s=said.retry_after_s)
