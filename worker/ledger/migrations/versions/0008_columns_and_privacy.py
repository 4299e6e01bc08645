"""The columns of recipient files, for exports; when a campaign was pruned; the key of digests of numbers."""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take the step."""
    op.add_column("messages", sa.Column("cells", sa.Text(), nullable=True))
    op.add_column("campaigns", sa.Column("headers", sa.Text(), nullable=True))
    op.add_column("campaigns", sa.Column("pruned_at", sa.BigInteger(), nullable=True))
    keys = sa.table("ledger_keys", sa.column("name", sa.String()), sa.column("secret", sa.String()))
    op.bulk_insert(keys, [{"name": "numbers", "secret": secrets.token_hex(32)}])
