"""Where a machine keeps what belongs to a ledger and is not in it: Redis, logs, locks, kept outcomes."""

from __future__ import annotations

import hashlib
from pathlib import Path

from sqlalchemy.engine import make_url

from worker.settings import Settings


def folder_of(settings: Settings) -> Path:
    """Return the folder: beside the ledger, or beside the settings where the ledger is elsewhere."""
    url = make_url(settings.ledger)
    if url.get_backend_name() == "sqlite":
        ledger = Path(str(url.database))
        return ledger.with_name(f"{ledger.name}-run")
    digest = hashlib.sha256(url.render_as_string(hide_password=True).encode()).hexdigest()[:8]
    return settings.directory / f"bulksend-{digest}-run"
