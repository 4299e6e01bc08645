"""How fast a recipient file becomes rows, beside what the standard library's CSV reader alone does.

``python -m tests.bench.rows`` prints rows per second of processor time, the best of a few rounds.
"""

from __future__ import annotations

import csv
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from producer.recipients import open_recipients

LEAST_PER_S: Final = 150_000
_ROWS: Final = 200_000
_ROUNDS: Final = 3
_NAMES: Final = ("Søren", "Åse", "Zoë", "Bob")


def main() -> int:
    """Print each file, and return 1 where the clean one misses the aim."""
    files = {
        "clean": _file(csv.QUOTE_MINIMAL),
        "every cell in quotes": _file(csv.QUOTE_ALL),
        "semicolons, CP1252": _file(csv.QUOTE_MINIMAL, delimiter=";", encoding="cp1252"),
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "members.csv")
        speeds = {}
        for name, content in files.items():
            path.write_bytes(content)
            speeds[name], bare = _rate(_ours, path), _rate(_bare, path)
            beside = f"{speeds[name] / bare:.0%} of csv.reader, {bare:,.0f}/s"
            print(f"{name:22}{speeds[name]:>10,.0f}/s, {beside}")  # noqa: T201 - a program for the terminal
    return int(speeds["clean"] < LEAST_PER_S)


def _file(quoting: int, *, delimiter: str = ",", encoding: str = "utf-8") -> bytes:
    mark = '"' if quoting == csv.QUOTE_ALL else ""
    rows = [("msisdn", "first_name", "city", "amount")]
    rows += [(f"+45{20_000_000 + n}", _NAMES[n % 4], "Odense", f"{n % 900}.50") for n in range(_ROWS)]
    lines = (delimiter.join(f"{mark}{cell}{mark}" for cell in row) for row in rows)
    return "\n".join(lines).encode(encoding)


def _ours(path: Path) -> Iterable[object]:
    return open_recipients(path, region="DK")


def _bare(path: Path) -> Iterable[object]:
    with path.open(encoding="latin-1", newline="") as file:
        yield from csv.reader(file)


def _rate(read: Callable[[Path], Iterable[object]], path: Path) -> float:
    return max(_round(read, path) for _ in range(_ROUNDS))


def _round(read: Callable[[Path], Iterable[object]], path: Path) -> float:
    began_s = time.process_time()
    deque(read(path), maxlen=0)
    return _ROWS / (time.process_time() - began_s)


if __name__ == "__main__":
    sys.exit(main())
