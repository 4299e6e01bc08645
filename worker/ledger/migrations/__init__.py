"""Alembic's steps from schema to schema; run by ``worker.ledger.schema``, never by hand."""
