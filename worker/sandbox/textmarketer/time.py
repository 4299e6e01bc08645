"""Times as clients of Text Marketer write them."""

import re
from datetime import UTC, datetime, timedelta, timezone

_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?)(?:\.\d+)? ?([A-Za-z]*)([+-]\d\d:?\d\d)?", re.ASCII
)
_ZONES_H = {"BST": 1, "CET": 1, "CEST": 2, "EET": 2, "EEST": 3, "EST": -5, "EDT": -4, "PST": -8, "PDT": -7}


def unix_seconds(text: str) -> float | None:
    """Return a time in ISO 8601, or with the name of a zone as one client writes it; 0 where there is none.

    Returns:
        None: it is no time.
    """
    if not text:
        return 0.0
    # A plus that was not encoded came as a blank.
    found = _TIME.fullmatch(re.sub(r"(?<=:\d\d) (?=\d\d:?\d\d$)", "+", text))
    try:
        return _zoned(*found.groups(default="")) if found else None
    except (ValueError, OverflowError):
        return None


def _zoned(local: str, name: str, offset: str) -> float:
    if offset:
        sign, digits = (-1 if offset[0] == "-" else 1), offset[1:].replace(":", "")
        ahead = sign * timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    else:
        ahead = timedelta(hours=_ZONES_H.get(name.upper(), 0))
    zone = timezone(ahead) if ahead else UTC
    return datetime.fromisoformat(local).replace(tzinfo=zone).timestamp()
