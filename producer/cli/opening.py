"""The configured ledger, opened and found to be of this program's schema."""

from __future__ import annotations

from sqlalchemy import Engine

from worker.ledger.engine import open_ledger
from worker.ledger.schema import prepare
from worker.settings import Settings


def ready_ledger(settings: Settings) -> Engine:
    """Open the ledger and check its schema."""
    engine = open_ledger(settings.ledger)
    prepare(engine)
    return engine
