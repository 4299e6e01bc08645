"""Rates of accounts, how long they are throttled, and the lanes of campaigns."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take the step."""
    for column in (
        sa.Column("account_key", sa.String(), nullable=False, server_default=""),
        sa.Column("rate", sa.String(), nullable=False, server_default=""),
        sa.Column("ordered_rate", sa.String(), nullable=True),
        sa.Column("rate_author", sa.String(), nullable=True),
        sa.Column("throttled_until", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("throttled_reason", sa.String(), nullable=True),
    ):
        op.add_column("accounts", column)
    for table in ("campaigns", "batches"):
        op.execute(  # a column with its check is one step that SQLite takes too
            f"ALTER TABLE {table} ADD COLUMN lane VARCHAR DEFAULT 'bulk' NOT NULL "
            f"CONSTRAINT ck_{table}_lane CHECK (lane IN ('bulk', 'urgent'))"
        )
    op.add_column("campaigns", sa.Column("served_at", sa.BigInteger(), nullable=False, server_default="0"))
    op.create_index(
        "ix_batches_provider_lane_state_next_due_at", "batches", ["provider", "lane", "state", "next_due_at"]
    )
    op.create_index("ix_submissions_provider_started_at", "submissions", ["provider", "started_at"])
