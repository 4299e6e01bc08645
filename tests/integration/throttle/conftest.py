import uuid
from collections.abc import Iterator

import pytest
import redis

from tests.throttle_model import Answer
from worker.throttle.call import Ask, state_key
from worker.throttle.throttle import script

CLOCK = "local now, run = clock(), run_id() -- tests replace this line"
GIVEN = "local now, run = tonumber(ARGV[2]), ARGV[3]"


class Script:
    """The real script on a real Redis, with the clock and the run of the server as the test says.

    Attributes:
        begun: when the state began that gave the last answer.
    """

    def __init__(self, client: redis.Redis) -> None:
        text = script("reserve.lua")
        assert text.count(CLOCK) == 1
        self.begun = 0
        self._redis = client
        self._run = client.register_script(text.replace(CLOCK, GIVEN))

    def reserve(self, ask: Ask, *, now: int, run: str) -> Answer:
        """Answer one call made at this time to a server of this run."""
        reason, said, next_in, wait, connections, self.begun, *departures = self._run(
            keys=[ask.key], args=[ask.text, now, run]
        )
        assert said == now
        return reason.decode(), next_in, wait, connections, tuple(departures)

    def lose(self, account: str) -> None:
        """Lose everything, as when Redis was emptied."""
        self._redis.delete(state_key(account))


@pytest.fixture(scope="session")
def script_at(redis_url: str) -> Iterator[Script]:
    """Give the script with a clock that stands where the test puts it."""
    with redis.Redis.from_url(redis_url) as client:
        yield Script(client)


@pytest.fixture
def account() -> str:
    """Give the key of an account that nothing is known of."""
    return uuid.uuid4().hex
