"""Spreading starts evenly over a time, so that a campaign is paced below its provider's rate."""

from __future__ import annotations

from collections.abc import Iterator


def spread(start_ms: int, over_ms: int, n: int) -> Iterator[int]:
    """Give n instants, evenly and in order: the first is the start, all are before its end.

    Each is worked out from the start by itself, in whole numbers, so that nothing adds up on the way. Where
    there are more of them than milliseconds, several are the same.

    Raises:
        ValueError: no time is given to spread them over, or their number is negative.
    """
    if over_ms <= 0 or n < 0:
        msg = f"{n} messages cannot be spread over {over_ms} ms"
        raise ValueError(msg)
    return (start_ms + k * over_ms // n for k in range(n))
