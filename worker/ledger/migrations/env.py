"""Alembic's entry: runs the steps on the connection that ``worker.ledger.schema`` hands over."""

from alembic import context
from sqlmodel import SQLModel

import worker.ledger.models  # the tables register themselves

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SQLModel.metadata,
    render_as_batch=True,  # SQLite alters a table by copying it
    compare_type=True,
)
assert worker.ledger.models.MESSAGES is not None  # noqa: S101 - keeps the import that registers the tables
with context.begin_transaction():
    context.run_migrations()
