"""What whoever reads a Redis sees: every key and value in it, so that tests find secrets there."""

from collections.abc import Iterator
from typing import Any

import redis

_READS = {
    b"string": ("GET",),
    b"list": ("LRANGE", "0", "-1"),
    b"set": ("SMEMBERS",),
    b"zset": ("ZRANGE", "0", "-1"),
    b"hash": ("HGETALL",),
}


def everything_in(redis_url: str) -> bytes:
    """Return all keys and all values, one after the other; ``DUMP`` would compress them."""
    with redis.Redis.from_url(redis_url, protocol=2) as client:
        found = [part for key in client.scan_iter(count=1000) for part in (key, *_values(client, key))]
    return b"\n".join(found)


def _values(client: Any, key: bytes) -> list[bytes]:  # noqa: ANN401 - redis-py types no command given by name
    kind = client.type(key)
    if kind == b"none":  # it has just expired
        return []
    word, *rest = _READS[kind]
    return [*_flat(client.execute_command(word, key, *rest))]


def _flat(said: object) -> Iterator[bytes]:
    if isinstance(said, bytes):
        yield said
    elif isinstance(said, dict):
        yield from _flat([*said.items()])
    elif isinstance(said, list | tuple | set):
        for part in said:
            yield from _flat(part)
