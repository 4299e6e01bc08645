"""Throttle: departure times and connections of an account, reserved in one call to Redis (DESIGN 4.8)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from importlib.resources import files
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from worker import clock
from worker.errors import BrokerError
from worker.throttle.call import Ask, Grant, History, Reason, Standing, state_key
from worker.throttle.limits import SECOND_US
from worker.throttle.redis_clock import RedisClock

__all__ = ["Ask", "Grant", "History", "Reason", "Standing", "Throttle"]

TIMEOUT_S = 0.5
"""An answer that takes longer is of no use: its departures are over."""
_LOOKS = 3  # at the clock of Redis, before an answer that nothing is known to judge by


class Throttle:
    """The way to the scripts; connects lazily, so it may be made before a fork, but not used before it."""

    def __init__(self, redis_url: str) -> None:
        """Take an address as redis-py has it (``redis://``, ``rediss://``, ``unix://``)."""
        self._redis = redis.Redis.from_url(
            redis_url,
            socket_timeout=TIMEOUT_S,
            socket_connect_timeout=TIMEOUT_S,
            retry=Retry(
                NoBackoff(), 0
            ),  # a call whose answer was lost has reserved: repeating it takes twice
        )
        self._reserve = self._redis.register_script(script("reserve.lua"))
        self._standing = self._redis.register_script(script("standing.lua"))
        self._clock = RedisClock()

    def reserve(self, ask: Ask) -> Grant:
        """Reserve departures for the first of the costs, as many as are within reach, and restate the rest.

        Raises:
            BrokerError: Redis is away; whatever it may have reserved is lost, never used twice.
        """
        if not self._clock.is_known(clock.elapsed_s()):
            self._look()
        asked_s = clock.elapsed_s()
        reply = _reached(lambda: self._reserve(keys=[ask.key], args=[ask.text]))
        at_s = self._clock.told(Grant.now_of(reply), asked_s=asked_s, answered_s=clock.elapsed_s())
        return Grant.read(reply, at_s=at_s)

    def _look(self) -> None:
        for _ in range(_LOOKS):
            asked_s = clock.elapsed_s()
            seconds, microseconds = _reached(self._redis.time)
            now_us = seconds * SECOND_US + microseconds
            self._clock.told(now_us, asked_s=asked_s, answered_s=clock.elapsed_s())

    def standing(self, accounts: Iterable[str]) -> dict[str, Standing]:
        """Return how these accounts stand; all zeros for one that Redis does not know. Changes nothing.

        Raises:
            BrokerError: Redis is away.
        """
        return {account: self._standing_of(account) for account in accounts}

    def _standing_of(self, account: str) -> Standing:
        per_second, in_use, connections, processes = _reached(
            lambda: self._standing(keys=[state_key(account)])
        )
        return Standing(per_second=per_second, in_use=in_use, connections=connections, processes=processes)

    def close(self) -> None:
        """Close the connections to Redis."""
        self._redis.close()


def script(name: str) -> str:
    """Return the text of a script of this package."""
    return files(__package__).joinpath(name).read_text("utf-8")


def _reached(call: Callable[[], Any]) -> Sequence[Any]:
    try:
        reply: Sequence[Any] = call()
    except redis.ResponseError as error:  # its words may hold the user's name
        raise BrokerError(
            f"Redis refuses the throttle ({type(error).__name__}), so nothing is sent: its user needs EVAL, "
            "EVALSHA, INFO, TIME, GET and SET, and it needs free memory."
        ) from error
    except (redis.RedisError, OSError) as error:
        raise BrokerError(
            "Redis cannot be reached, so nothing is sent: start it or mend its address."
        ) from error
    return reply
