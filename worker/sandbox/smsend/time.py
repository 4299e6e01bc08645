"""Times as the smSend family reads and writes them."""

import functools
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from worker.sandbox.gateway import RefusalError

_BY_LENGTH = {6: "%d%m%y", 8: "%Y%m%d", 10: "%d%m%y%H%M", 14: "%Y%m%d%H%M%S"}  # of digits
_OTHERS = (
    "%Y-%m-%d %H:%M",
    "%Y-%m-%d %H:%M.0",
    "%b %d, %Y %I:%M:%S %p",  # what the vendor's example for Java writes
    "%b %d, %Y, %I:%M:%S %p",
)


def zone_of(name: object, *, default: str) -> ZoneInfo:
    """Return the zone of that IANA name.

    Raises:
        RefusalError: there is none.
    """
    try:
        return _zone(str(name or default))
    except (ValueError, OSError, LookupError):
        raise RefusalError(400, "the time zone is not valid") from None


_zone = functools.lru_cache(maxsize=64)(ZoneInfo)


def unix_s(value: object, *, zone: ZoneInfo, name: str) -> float:
    """Return the Unix seconds of a time, 0 for none.

    Six formats are documented; ISO 8601 is what the vendor's examples for Python and C# write.

    Raises:
        RefusalError: it is in none of the formats.
    """
    if not value:
        return 0.0
    word = str(value).replace("\u202f", " ").strip()
    if not word:
        return 0.0
    try:
        return _moment(word, zone=zone).timestamp()
    except (ValueError, OverflowError):
        raise RefusalError(400, f"{name} is not a date in a known format") from None


def _moment(word: str, *, zone: ZoneInfo) -> datetime:
    if word.isascii() and word.isdigit():
        return datetime.strptime(word, _BY_LENGTH.get(len(word), "none")).replace(tzinfo=zone)
    for each in _OTHERS:
        try:
            return datetime.strptime(word, each).replace(tzinfo=zone)
        except ValueError:
            continue
    moment = datetime.fromisoformat(word)
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)


def written(at_s: float, *, zone: ZoneInfo) -> str:
    """Write a time as `yyyyMMddHHmmss`, nothing for none."""
    return datetime.fromtimestamp(at_s, UTC).astimezone(zone).strftime("%Y%m%d%H%M%S") if at_s else ""
