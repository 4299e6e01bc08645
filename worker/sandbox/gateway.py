"""What every simulated gateway is: a place, knobs, a book, and an answer to a call."""

import abc
import json
import math
import time
from dataclasses import dataclass
from typing import ClassVar

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, Response

from worker.sandbox.book import Book
from worker.sandbox.knobs import Knobs
from worker.sandbox.rate import RateLimit

REFUSED_USER = "bad"
_encode = json.JSONEncoder(separators=(",", ":")).encode


def encoded(content: object) -> bytes:
    """Write JSON in ASCII: what it echoes may hold half of a surrogate pair, which UTF-8 cannot carry."""
    return _encode(content).encode()


class JsonReply(JSONResponse):
    """An answer in JSON."""

    def render(self, content: object) -> bytes:
        """Encode the content."""
        return encoded(content)


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """One request: `path` holds the unquoted segments below the gateway's prefix, `query` is raw."""

    method: str
    path: tuple[str, ...]
    query: str
    headers: Headers
    body: bytes


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
    async def answer(self, call: Call) -> Response:
        """Do what the call asks; a refusal is an answer too."""

    @abc.abstractmethod
    def refusal(self, error: RefusalError) -> Response:
        """Put a refusal into this gateway's words."""

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
