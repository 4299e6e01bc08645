"""Messages that are not to leave any more, wherever they are."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take the step."""
    op.add_column("messages", sa.Column("withdrawn", sa.String(), nullable=True))
