"""What every simulated gateway is: a place, knobs, a book, and an answer to a call.

Common rooms beside this one: `endings` (numbers that choose their outcome), `credit` (per account),
`scheduled` (what leaves later, and its cancelling), `receipts` (pushed reports), `parts`, `rate`, `wire`.
"""

import abc
import functools
import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from starlette.responses import Response

from worker.sandbox.book import Book
from worker.sandbox.knobs import Knobs
from worker.sandbox.rate import RateLimit

REFUSED_USER = "bad"
_encode = json.JSONEncoder(separators=(",", ":")).encode


def encoded(content: object) -> bytes:
    """Write JSON in ASCII: what it echoes may hold half of a surrogate pair, which UTF-8 cannot carry."""
    return _encode(content).encode()


class WrittenReply(Response):
    """An answer that is written already, a text in ASCII; it is made quicker than by the library."""

    def __init__(
        self,
        content: str | bytes,
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        *,
        kind: bytes = b"application/json",
    ) -> None:
        self.body = content.encode("ascii") if isinstance(content, str) else content
        self.status_code = status_code
        self.raw_headers = _head(len(self.body), kind)
        if headers:
            more = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
            self.raw_headers = [*self.raw_headers, *more]


@functools.lru_cache(maxsize=1024)
def _head(n_bytes: int, kind: bytes, /) -> list[tuple[bytes, bytes]]:
    return [(b"content-length", b"%d" % n_bytes), (b"content-type", kind)]


class JsonReply(WrittenReply):
    """An answer in JSON."""

    def __init__(
        self, content: object, status_code: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(_encode(content), status_code=status_code, headers=headers)


@dataclass(slots=True, eq=False)  # frozen, or by keywords, it would take twice as long to make
class Call:
    """One request.

    Attributes:
        method: GET, POST, PUT, DELETE, or whatever else was sent but HEAD and OPTIONS.
        path: the unquoted segments below the gateway's prefix, a slash at the end ignored; never empty.
        query: raw.
        headers: their names as sent, but in lower case: `user_key` is not `user-key`.
        body: of the request.
        raw_path: below the prefix as it was sent, with its slashes.
        notes: where a gateway keeps what it has read, since it is asked several times about a call.
    """

    method: str
    path: tuple[str, ...]
    query: str
    headers: Sequence[tuple[bytes, bytes]]
    body: bytes
    raw_path: str
    notes: Any = None

    def header(self, wanted: bytes) -> str | None:
        """Return the first value of the header (its name in lower case); nothing: it is not there."""
        for name, value in self.headers:
            if name == wanted:
                return value.decode("latin-1")
        return None


class RefusalError(Exception):
    """A call that the gateway refuses: the status, why, and how many messages it asked for."""

    def __init__(
        self, status: int, text: str, *, messages: int = 1, retry_after_s: int | None = None
    ) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.messages = messages
        self.retry_after_s = retry_after_s


class Gateway(abc.ABC):
    """One simulated gateway; a subclass adds its calls and its own words."""

    name: ClassVar[str]
    prefix: ClassVar[str]
    methods: ClassVar[tuple[str, ...]] = ("GET", "POST", "PUT", "DELETE")  # told to who asks by OPTIONS
    knobs: Knobs
    make_knobs: ClassVar[type[Knobs]] = Knobs

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget everything: accepted messages, counts, faults."""
        self.book = Book(self.name)
        self.knobs = self.make_knobs()
        self._limit = RateLimit()

    @abc.abstractmethod
    def sends(self, call: Call) -> bool:
        """Say whether the call asks to send messages."""

    @abc.abstractmethod
    def messages(self, call: Call) -> int:
        """Count the messages that a call asks to send; 0 where that cannot be read."""

    @abc.abstractmethod
    def send(self, call: Call) -> Response:
        """Do what a call asks that sends; a refusal is an answer too."""

    @abc.abstractmethod
    async def answer(self, call: Call) -> Response:
        """Do what any other call asks; a refusal is an answer too."""

    @abc.abstractmethod
    def refusal(self, error: RefusalError) -> Response:
        """Put a refusal into this gateway's words."""

    def accepts(self, answer: Response) -> bool:
        """Say whether an answer to a call that sends accepts something, so that a fault can follow."""
        return answer.status_code < 300  # noqa: PLR2004 - 2xx

    def keep_rate(self, user: str, *, messages: int, parts: int) -> None:
        """Let the messages pass the rate limit of that user name.

        Raises:
            RefusalError: they come too early; the violation is counted.
        """
        rate = self.knobs.rate
        if rate is None:
            return
        units = {"parts": parts, "messages": messages, "requests": 1}[self.knobs.unit]
        rates = [rate] if isinstance(rate, str) else rate
        wait_s = self._limit.wait_s(user, rates=rates, units=units, now_s=time.monotonic())
        if wait_s:
            self.book.counts["violations"] += 1
            retry_after_s = (
                math.ceil(wait_s) if self.knobs.retry_after_s is None else self.knobs.retry_after_s
            )
            raise RefusalError(429, "too many requests", messages=messages, retry_after_s=retry_after_s)
