"""The address of Redis: what it may be, how redis-py writes it, and whether it answers."""

from __future__ import annotations

import redis

from worker.errors import BrokerError, ConfigError


def check_broker(url: str) -> None:
    """Refuse an address that is malformed or of a kind that loses the guarantees of this application.

    Raises:
        ConfigError: the sentence says what to write.
    """
    if not url.startswith(("redis://", "rediss://", "redis+socket://")):
        raise ConfigError(
            'broker: write "redis://HOST:PORT/DB"; Redis Cluster, Sentinel and others are not supported'
        )
    try:
        redis.ConnectionPool.from_url(redis_address(url))
    except ValueError:
        raise ConfigError('broker: write "redis://HOST:PORT/DB"') from None


def redis_address(url: str) -> str:
    """Write an address of Celery's as redis-py has it."""
    if not url.startswith("redis+socket://"):
        return url
    return url.replace("redis+socket://", "unix://", 1).replace("virtual_host=", "db=")


def require_answer(url: str) -> None:
    """Refuse to go on while Redis does not answer.

    Raises:
        BrokerError: it does not.
    """
    try:
        with redis.Redis.from_url(redis_address(url), socket_connect_timeout=3, socket_timeout=3) as client:
            client.ping()
    except (redis.RedisError, OSError) as error:
        raise BrokerError(
            f"Redis cannot be reached ({type(error).__name__}): start it or correct `broker`; "
            "nothing was written"
        ) from None
