"""How long, as people write it; a day is 24 hours."""

from __future__ import annotations

import re
from typing import Final

from worker.errors import ConfigError

_UNITS_S: Final = {"week": 604_800, "day": 86_400, "h": 3600, "min": 60, "s": 1}  # the longest first
_SPELLED: Final = {
    **dict.fromkeys(("w", "week", "weeks"), "week"),
    **dict.fromkeys(("d", "day", "days"), "day"),
    **dict.fromkeys(("h", "hour", "hours"), "h"),
    **dict.fromkeys(("min", "mins", "minute", "minutes"), "min"),
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), "s"),
}
_PAIR: Final = re.compile(r"(\d{1,9})\s*([a-z]+)\s*", re.ASCII)
_LONGEST_S: Final = 731 * 86_400  # two years
_SECOND_MS: Final = 1000


def parse_duration(written: str) -> int:
    """Read ``24h``, ``90min``, ``2d``, ``1h30min`` or ``45s`` as milliseconds.

    Raises:
        ConfigError: it is something else, nothing, or more than two years.
    """
    folded = written.strip().lower()
    pairs = _PAIR.findall(folded)
    units = [_SPELLED.get(unit, "") for _, unit in pairs]
    is_read = pairs and not _PAIR.sub("", folded)
    if not is_read or units != [unit for unit in _UNITS_S if unit in units]:  # each once, the longest first
        raise ConfigError(f"{written!r} is no length of time: write it like 24h, 90min, 2d or 1h30min")
    seconds = sum(int(amount) * _UNITS_S[unit] for (amount, _), unit in zip(pairs, units, strict=True))
    if not 0 < seconds <= _LONGEST_S:
        raise ConfigError(f"{written!r} is not between 1s and two years: write it like 24h, 90min or 2d")
    return seconds * _SECOND_MS


def duration_words(ms: int) -> str:
    """Write a length of time as ``1 h 30 min`` or ``2 days 3 h``, to the second; less is ``250 ms``."""
    if 0 < ms < _SECOND_MS:
        return f"{ms} ms"
    left_s, words = (ms + _SECOND_MS // 2) // _SECOND_MS, []
    for unit in ("day", "h", "min", "s"):
        amount, left_s = divmod(left_s, _UNITS_S[unit])
        if amount:
            words.append(f"{amount} {unit}{'s' if unit == 'day' and amount > 1 else ''}")
    return " ".join(words) or "0 s"
