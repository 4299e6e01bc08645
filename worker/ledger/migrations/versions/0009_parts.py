"""How the parts of a campaign's texts are counted."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take the step."""
    op.add_column("campaigns", sa.Column("udh_bits", sa.Integer(), nullable=False, server_default="8"))
