"""Schedules handed to gateways, and what is taken back of them."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take the step."""
    op.add_column("campaigns", sa.Column("leaves_at", sa.BigInteger(), nullable=True))
    op.add_column("submissions", sa.Column("taking_at", sa.BigInteger(), nullable=True))
    op.execute(  # a column with its check is one step that SQLite takes too
        "ALTER TABLE submissions ADD COLUMN taken VARCHAR "
        "CONSTRAINT ck_submissions_taken CHECK (taken IN ('back', 'too_late', 'unclear'))"
    )
    in_doubt = sa.text("n_doubts > 0")
    op.create_index(
        "ix_messages_in_doubt",
        "messages",
        ["campaign_id"],
        sqlite_where=in_doubt,
        postgresql_where=in_doubt,
    )
