"""A tiny gateway that is logged in to, on a real loopback socket, and how an adapter would log in there."""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from worker.gateways.base import HttpReply, HttpRequest, Outcome, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRET = "s3cret-of-the-account"
_CLOSED = {403: Verdict.ACCOUNT, 503: Verdict.RETRY}


@dataclass
class Entrance:
    """What the gateway does, to be changed by a test, and what it saw."""

    url: str = ""
    refuses: int | None = None  # the login, with this status
    lets_in: bool = True  # with a session
    status: int = 200  # of what is let in
    is_silent: bool = False  # at the login
    is_constant: bool = False  # it gives the same session again and again
    delay_s: float = 0.0  # of the login
    alive: set[str] = field(default_factory=set)  # sessions
    paths: list[str] = field(default_factory=list)
    logins: Counter[str] = field(default_factory=Counter)  # by the secret that was given
    lock: threading.Lock = field(default_factory=threading.Lock)
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def n_logins(self) -> int:
        """How often somebody logged in, or tried to."""
        return self.logins.total()

    def begin(self, secret: str) -> tuple[int, str]:
        """Answer a login."""
        with self.lock:
            self.logins[secret] += 1
            session = "the-session" if self.is_constant else f"session-{self.n_logins}"
        self.over.wait(self.delay_s)
        if self.refuses is not None:
            return self.refuses, "no entrance"
        self.alive.add(session)
        return 200, session

    def answer(self, path: str, *, session: str) -> tuple[int, str]:
        """Answer any other call."""
        with self.lock:
            self.paths.append(path)
        is_in = self.lets_in and session in self.alive
        return (self.status, "done") if is_in else (401, "the session is over")


@contextlib.contextmanager
def entrance() -> Iterator[Entrance]:
    """Serve it until the block ends."""
    gateway = Entrance()

    class Door(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if self.path != "/login":
                self._say(*gateway.answer(self.path, session=self.headers.get("Session", "")))
            elif gateway.is_silent:
                gateway.over.wait()
            else:
                self._say(*gateway.begin(self.headers.get("Secret", "")))

        def _say(self, status: int, words: str) -> None:
            body = words.encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Door) as server:
        gateway.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield gateway
        finally:
            gateway.over.set()
            server.shutdown()
            thread.join()


@dataclass(frozen=True, kw_only=True)
class Keys:
    """How an adapter would log in there."""

    url: str
    secret: str = field(default=SECRET, repr=False)

    def request(self) -> HttpRequest:
        """Write the login."""
        return HttpRequest(method="GET", url=f"{self.url}/login", headers={"Secret": self.secret})

    def read(self, reply: HttpReply) -> str | Outcome:
        """Return the session, or what the refusal means."""
        if reply.status == 200:
            return reply.body.decode()
        verdict = _CLOSED.get(reply.status, Verdict.AMBIGUOUS)
        pause_s = 7.0 if verdict is Verdict.RETRY else None
        return Outcome(
            verdict=verdict, code=str(reply.status), detail=reply.body.decode(), retry_after_s=pause_s
        )

    def sign(self, request: HttpRequest, *, session: str) -> HttpRequest:
        """Put the session into the headers."""
        return replace(request, headers={**request.headers, "Session": session})

    def is_over(self, reply: HttpReply) -> bool:
        """Say whether it is over."""
        return reply.status == 401
