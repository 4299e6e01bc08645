"""What nobody has sent yet stands in no index of submissions: an import writes an entry less a row."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take the step."""
    op.drop_index("ix_messages_submission_id", table_name="messages")
    is_sent = sa.text("submission_id IS NOT NULL")
    op.create_index(
        "ix_messages_submission_id",
        "messages",
        ["submission_id"],
        sqlite_where=is_sent,
        postgresql_where=is_sent,
    )
