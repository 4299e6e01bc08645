"""Windows, validity, reminders, what happens to a missed start, notices, and who ordered what."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Take the step."""
    _add_columns()
    op.create_table(
        "reminders",
        sa.Column("series", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("before_ms", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["message_id"], ["messages.id"], name="fk_reminders_message_id"),
        sa.PrimaryKeyConstraint("series", "key", "before_ms", "version", name="pk_reminders"),
    )
    op.create_index("ix_reminders_message_id", "reminders", ["message_id"])
    op.create_table(
        "orders",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("author", sa.String(), nullable=False),
        sa.Column("what", sa.String(), nullable=False),
        sa.Column("campaign_id", sa.BigInteger(), nullable=True),
        sa.Column("provider", sa.String(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaigns.id"], name="fk_orders_campaign_id"),
        sa.PrimaryKeyConstraint("id", name="pk_orders"),
        sqlite_autoincrement=True,
    )
    for column in ("campaign_id", "provider"):
        op.create_index(f"ix_orders_{column}", "orders", [column])


def _add_columns() -> None:
    for name, type_ in (("zone", sa.String()), ("windows", sa.Text()), ("series", sa.String())):
        op.add_column("campaigns", sa.Column(name, type_, nullable=True))
    op.execute(  # a column with its check is one step that SQLite takes too
        "ALTER TABLE campaigns ADD COLUMN late VARCHAR NOT NULL DEFAULT 'hold' "
        "CONSTRAINT ck_campaigns_late CHECK (late IN ('send', 'skip', 'hold'))"
    )
    op.add_column("campaigns", sa.Column("notice_at", sa.BigInteger(), nullable=True))
    op.add_column("campaigns", sa.Column("n_notices", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("campaigns", sa.Column("noticed_at", sa.BigInteger(), nullable=True))
    op.create_index("ix_campaigns_series", "campaigns", ["series"])
    is_wanted = sa.text("notice_at IS NOT NULL")
    op.create_index(
        "ix_campaigns_notice_at",
        "campaigns",
        ["notice_at"],
        sqlite_where=is_wanted,
        postgresql_where=is_wanted,
    )
    op.add_column("batches", sa.Column("leave_by", sa.BigInteger(), nullable=True))
    has_end = sa.text("leave_by IS NOT NULL")
    op.create_index(
        "ix_batches_state_leave_by",
        "batches",
        ["state", "leave_by"],
        sqlite_where=has_end,
        postgresql_where=has_end,
    )
    due = ["campaign_id", "state", "next_due_at"]
    op.create_index("ix_batches_campaign_id_state_next_due_at", "batches", due)
    op.add_column("batches", sa.Column("is_added", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("messages", sa.Column("expires_at", sa.BigInteger(), nullable=True))
    op.add_column("messages", sa.Column("zones", sa.String(), nullable=True))
