"""Opt-outs, the key of their digests, and the purpose of a campaign."""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take the step."""
    op.create_table(
        "opt_outs",
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("msisdn", sa.String(), nullable=True),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("provider", sa.String(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("noted_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "source IN ('operator', 'import', 'gateway', 'reply')", name=op.f("ck_opt_outs_source")
        ),
        sa.PrimaryKeyConstraint("digest", "scope", name=op.f("pk_opt_outs")),
    )
    keys = sa.table("ledger_keys", sa.column("name", sa.String()), sa.column("secret", sa.String()))
    op.bulk_insert(keys, [{"name": "optouts", "secret": secrets.token_hex(32)}])
    op.add_column("campaigns", sa.Column("purpose", sa.String(), nullable=False, server_default="marketing"))
    op.execute("UPDATE campaigns SET purpose = 'reminders' WHERE series IS NOT NULL")
