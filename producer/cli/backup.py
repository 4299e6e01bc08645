"""`bulksend ledger backup`: a copy of the ledger while it is in use."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click
from sqlalchemy import make_url

from producer.cli.output import Meter, echo_json
from producer.cli.words import author
from producer.output_file import appearing, require_free, require_named
from worker.errors import ConfigError, InputError
from worker.ledger.backing_up import back_up
from worker.settings import load_settings


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Replace a file that exists.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
def backup(file: Path, *, force: bool, as_json: bool) -> None:
    """Copy a SQLite ledger into FILE while it is in use; nobody waits for it.

    The copy is checked, and is there whole or not at all. It holds numbers and texts: it is readable for you
    only. Campaigns that were under way are paused in it, since it does not know what was sent after it was
    made: put in the place of the ledger, it sends nothing before `bulksend campaign resume`.
    """
    require_named("ledger backup", file)
    source = _source(load_settings().ledger)
    _require_another(source, file, force=force)
    taken = datetime.now(tz=UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    with (
        appearing(file, may_replace=force) as aside,
        Meter("Copying", total=source.stat().st_size, unit="bytes") as meter,
    ):
        size = source.stat().st_size

        def show(n: int, total: int) -> None:
            meter.show(size * n // max(total, 1))

        back_up(source, aside, taken=taken, author=author(), on_pages=show)
    n_bytes = file.stat().st_size
    if as_json:
        echo_json({"file": str(file), "bytes": n_bytes, "taken_at": taken})
    else:
        click.echo(f"The ledger as of {taken} is in {file}: {n_bytes} bytes, checked", err=True)


def _source(ledger: str) -> Path:
    """Return the file of the ledger.

    Raises:
        ConfigError: it is on Postgres.
        InputError: there is none yet.
    """
    url = make_url(ledger)
    if url.get_backend_name() != "sqlite":
        raise ConfigError(
            "The ledger is on Postgres: `pg_dump --format=custom --file=FILE DATABASE` copies it while it is "
            "in use"
        )
    source = Path(str(url.database))
    if not source.is_file():
        raise InputError(f"There is no ledger {source} yet: nothing to back up", code="no_ledger")
    return source


def _require_another(source: Path, file: Path, *, force: bool) -> None:
    if file.exists() and file.samefile(source):
        raise InputError("That is the ledger itself: name another file", code="file_exists")
    require_free(file, may_replace=force)
