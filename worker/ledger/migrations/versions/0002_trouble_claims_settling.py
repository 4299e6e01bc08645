"""Trouble of accounts, claims of what was sent, and the settling of what is unknown."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take the step."""
    for column in (
        sa.Column("trial_batch_id", sa.BigInteger(), nullable=True),
        sa.Column("check_at", sa.BigInteger(), nullable=True),
        sa.Column("check_ms", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("is_refused", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("closed_since", sa.BigInteger(), nullable=True),
        sa.Column("paused_by", sa.String(), nullable=True),
        sa.Column("paused_reason", sa.String(), nullable=True),
        sa.Column("asked_at", sa.BigInteger(), nullable=False, server_default="0"),
    ):
        op.add_column("accounts", column)
    op.drop_index("uq_campaigns_fingerprint", "campaigns")
    op.add_column("campaigns", sa.Column("reading", sa.Text(), nullable=False, server_default="{}"))
    op.add_column("campaigns", sa.Column("fallback", sa.String(), nullable=True))
    op.add_column("submissions", sa.Column("asked_at", sa.BigInteger(), nullable=True))
    op.add_column("submissions", sa.Column("missing_at", sa.BigInteger(), nullable=True))
    op.add_column("submissions", sa.Column("n_missing", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("messages", sa.Column("fallback_micros", sa.BigInteger(), nullable=True))
    op.add_column("messages", sa.Column("fallback_currency", sa.String(), nullable=True))
    op.add_column("messages", sa.Column("n_doubts", sa.Integer(), nullable=False, server_default="0"))
    op.execute("UPDATE messages SET n_doubts = 1 WHERE state = 'unknown'")
    op.add_column(
        "messages", sa.Column("is_doubled", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.create_table(
        "claims",
        sa.Column("claim", sa.String(), nullable=False),
        sa.Column("campaign_id", sa.BigInteger(), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaigns.id"], name=op.f("fk_claims_campaign_id")),
        sa.PrimaryKeyConstraint("claim", name=op.f("pk_claims")),
    )
    op.create_index(op.f("ix_claims_campaign_id"), "claims", ["campaign_id"], unique=False)
