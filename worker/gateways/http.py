"""The HTTP door: one request out, one bounded reply in, and the truth about whether a byte was written.

The only room that knows ``requests`` and ``urllib3`` (RFC 9110, RFC 9112). Exception classes do not tell
whether a request left, so the write itself is watched: before its first byte everything is ``NotSent``, after
it everything but a whole reply is ``OutcomeUnknown``.
"""

from __future__ import annotations

import logging
import ssl
import threading
from concurrent.futures import wait
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from requests.utils import DEFAULT_CA_BUNDLE_PATH

from worker.clock import elapsed_s
from worker.errors import NotSent, OutcomeUnknown
from worker.gateways.base import HttpReply
from worker.gateways.connections import Connection, Pool, SecurePool, current, socket_options
from worker.gateways.deadline import Attempt, Watchdog

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Executor

    from worker.gateways.base import HttpRequest

BODY_LIMIT = 64 * 1024  # octets; the longest useful reply to a send (500 recipients) has about 30,000
LOOKUP_BODY_LIMIT = 16 * 1024 * 1024  # octets; a log of some 80,000 messages
_LEAST_WAIT_S = 0.001  # urllib3 wants some; nothing is written after the deadline in any case

for _name in ("connection", "connectionpool", "util.retry"):  # these log whole addresses, query included
    logging.getLogger(f"urllib3.{_name}").addFilter(lambda _record: False)


class _TooLateError(Exception):
    """The deadline passed before the reply was whole."""


class _BodyTooLargeError(Exception):
    """The reply has more than the allowed octets."""


class _Transport(HTTPAdapter):
    """requests' adapter without cookies and without reading the certificates for each connection."""

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:  # noqa: ANN401 - as in requests
        """Leave the pool as it is: its one TLS context already demands a good certificate."""

    def build_response(self, req: PreparedRequest, resp: Any) -> Response:  # noqa: ANN401 - as in requests
        response = Response()
        response.status_code, response.raw, response.request = resp.status, resp, req
        return response

    def pool_of(self, url: str) -> Pool:
        """Return the pool that a request to this address will use."""
        request = PreparedRequest()
        request.method, request.url, request.headers = "GET", url, CaseInsensitiveDict()
        return cast("Pool", self.get_connection_with_tls_context(request, verify=True))


def _connect_all(connections: Sequence[Connection], *, pool: Executor, timeout_s: float) -> None:
    for connection in connections:
        connection.timeout = timeout_s
    attempts = [pool.submit(connection.connect) for connection in connections]
    wait(attempts)  # for all: no connection goes back to the pool while a thread still connects it
    for attempt in attempts:
        attempt.result()


def _transport(*, connections: int, timeout_s: float, ca_file: str | None) -> _Transport:
    transport = _Transport(max_retries=0)
    transport.init_poolmanager(
        2,
        connections,
        block=True,
        socket_options=socket_options(timeout_s),
        ssl_context=ssl.create_default_context(cafile=ca_file or DEFAULT_CA_BUNDLE_PATH),
    )
    transport.poolmanager.pool_classes_by_scheme = {"http": Pool, "https": SecurePool}
    return transport


class Client:
    """The connections of one process to one provider; safe to share between threads, never across a fork.

    Reads nothing from the environment: no proxies, no netrc, no certificate bundles (``ca_file`` names
    another than the one that comes with requests). Keeps no cookies, follows no redirects, repeats nothing.
    """

    def __init__(
        self, *, connections: int, timeout_s: float, idle_limit_s: float = 4.0, ca_file: str | None = None
    ) -> None:
        self._timeout_s = timeout_s
        self._idle_limit_s = idle_limit_s
        self._free = threading.BoundedSemaphore(connections)
        self._transport = _transport(connections=connections, timeout_s=timeout_s, ca_file=ca_file)
        self._watchdog = Watchdog(timeout_s=timeout_s)

    def exchange(
        self,
        request: HttpRequest,
        *,
        before_write: Callable[[], None] | None = None,
        body_limit: int = BODY_LIMIT,
    ) -> HttpReply:
        """Write a request and read its reply, of whatever status, both within ``timeout_s`` seconds.

        Args:
            request: what to write.
            before_write: called once, with the connection open, as the last thing before the first byte; it
                may raise ``NotSent`` to stop the request.
            body_limit: octets that the reply may have; ``LOOKUP_BODY_LIMIT`` for a look-up.

        Raises:
            NotSent: no byte of the request was written. A name server that does not answer, or several dead
                addresses of one name, can make this take longer than ``timeout_s``; nothing leaves after it.
            OutcomeUnknown: a byte was written and no whole reply of at most ``body_limit`` came in time.
        """
        attempt = self._watchdog.begin(idle_limit_s=self._idle_limit_s, before_write=before_write)
        current.attempt = attempt
        try:
            return self._reply(request, attempt=attempt, body_limit=body_limit)
        except NotSent:
            raise
        except Exception as error:  # noqa: BLE001 - the byte decides, not the class of the exception
            reason = "deadline" if attempt.is_late else _reason(error)
        finally:
            current.attempt = None
            self._watchdog.end(attempt)
        # Raised out here, so that it does not keep the library's exception, which holds the address.
        raise _failure(host=_host(request.url), reason=reason, wrote=attempt.wrote)

    def open(self, url: str, *, n: int, pool: Executor, within_s: float | None = None) -> None:
        """Have ``n`` connections to the host of ``url`` open and idle, name resolved and TLS agreed.

        What is open already is kept unless it was idle for too long; the rest is opened in parallel by the
        threads of ``pool``. A request that follows within the idle limit need not connect any more.

        Args:
            url: an address at the host.
            n: how many.
            pool: of threads.
            within_s: how long to wait for each address of a host that hangs, where that is less than half of
                ``timeout_s``.

        Raises:
            NotSent: one of them cannot be opened.
        """
        hosts = self._transport.pool_of(url)
        current.attempt = self._watchdog.unwatched(idle_limit_s=self._idle_limit_s)
        taken: list[Any] = []
        try:
            taken.extend(hosts.take() for _ in range(n))
            closed = [connection for connection in taken if not connection.is_connected]
            longest_s = self._timeout_s / 2
            timeout_s = longest_s if within_s is None else min(within_s, longest_s)
            _connect_all(closed, pool=pool, timeout_s=timeout_s)
        except Exception as error:  # noqa: BLE001 - nothing can have been written
            reason = _reason(error)
        else:
            return
        finally:
            for connection in taken:
                hosts.give_back(connection)
            current.attempt = None
        raise _failure(host=_host(url), reason=reason, wrote=False)

    def close(self) -> None:
        """Close the idle connections and end the watchdog; no exchange may follow."""
        self._transport.close()
        self._watchdog.close()

    def _reply(self, request: HttpRequest, *, attempt: Attempt, body_limit: int) -> HttpReply:
        if not self._free.acquire(timeout=self._timeout_s):
            message = "all connections were busy until the deadline: nothing was sent, try again later"
            raise NotSent(message)
        try:
            left_s = max(attempt.deadline_s - elapsed_s(), _LEAST_WAIT_S)
            limits_s = (left_s / 2, left_s)  # for TCP, per address, and again for TLS; for each read
            response = self._transport.send(_prepared(request), stream=True, timeout=limits_s)
            body = _body(response.raw, limit=body_limit)
        finally:
            self._free.release()
        if attempt.is_late:  # the watchdog's cut looks like the end of a body without a length
            raise _TooLateError
        headers = {name.lower(): value for name, value in response.raw.headers.items()}
        return HttpReply(status=response.status_code, headers=headers, body=body)


def _prepared(request: HttpRequest) -> PreparedRequest:
    prepared = PreparedRequest()
    prepared.method, prepared.url = request.method, request.url
    prepared.headers = CaseInsensitiveDict(request.headers)
    if request.body:
        prepared.body = request.body
        prepared.headers["Content-Length"] = str(len(request.body))
    return prepared


def _body(raw: Any, *, limit: int) -> bytes:  # noqa: ANN401 - requests gives the reply no type
    try:
        body: bytes = raw.read(limit + 1, decode_content=True)
    finally:
        raw.close()  # nothing to close when the body was read to its end
        raw.release_conn()
    if len(body) > limit:
        raise _BodyTooLargeError
    return body


def _reason(error: Exception) -> str:
    """Name the kind of failure, from inside requests' and urllib3's wrappings, without its message."""
    inner = error.args[0] if error.args else None
    kinds = (getattr(inner, "reason", None), inner, error)
    return next(type(kind).__name__.strip("_") for kind in kinds if isinstance(kind, Exception))


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or "the gateway"
    except ValueError:
        return "the gateway"


def _failure(*, host: str, reason: str, wrote: bool) -> NotSent | OutcomeUnknown:
    if wrote:
        return OutcomeUnknown(
            f"no readable answer from {host} ({reason}): the gateway may have acted, ask it"
        )
    return NotSent(f"nothing was sent to {host} ({reason}): check base_url and the network")
