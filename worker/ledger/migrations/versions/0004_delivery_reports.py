"""Delivery reports: pushed ones as they came, what they said, when gateways are asked, and by which login."""

import secrets
import time

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_FOLLOWED_S = 72 * 3600  # after it no gateway tells any more what arrived


def upgrade() -> None:
    """Take the step."""
    keys = op.create_table(
        "ledger_keys",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("secret", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_ledger_keys")),
    )
    op.bulk_insert(keys, [{"name": "receipts", "secret": secrets.token_hex(32)}])
    op.create_table(
        "pushed_reports",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("reference", sa.String(), nullable=True),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("method", sa.String(), nullable=False),
        sa.Column("query", sa.Text(), nullable=False),
        sa.Column("content_type", sa.String(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("read_at", sa.BigInteger(), nullable=True),
        sa.Column("outcome", sa.String(), nullable=True),
        sa.CheckConstraint(
            "outcome IN ('matched', 'unknown', 'unreadable')", name=op.f("ck_pushed_reports_outcome")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pushed_reports")),
        sqlite_autoincrement=True,
    )
    is_due = sa.text("due_at IS NOT NULL")
    op.create_index(
        "ix_pushed_reports_provider_due_at",
        "pushed_reports",
        ["provider", "due_at"],
        sqlite_where=is_due,
        postgresql_where=is_due,
    )
    op.create_table(
        "reported_messages",
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.Column("push_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("code", sa.String(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("told_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["message_id"], ["messages.id"], name=op.f("fk_reported_messages_message_id")
        ),
        sa.ForeignKeyConstraint(
            ["push_id"], ["pushed_reports.id"], name=op.f("fk_reported_messages_push_id")
        ),
        sa.PrimaryKeyConstraint("message_id", "push_id", name=op.f("pk_reported_messages")),
    )
    op.add_column("batches", sa.Column("follow_at", sa.BigInteger(), nullable=True))
    op.execute(
        sa.text(
            "UPDATE batches SET follow_at = 0 WHERE accepted > 0 "
            "AND id IN (SELECT batch_id FROM submissions WHERE started_at > :young)"
        ).bindparams(young=int(1000 * (time.time() - _FOLLOWED_S)))
    )
    op.add_column("submissions", sa.Column("login", sa.String(), nullable=True))
    is_followed = sa.text("follow_at IS NOT NULL")
    op.create_index(
        "ix_batches_provider_follow_at",
        "batches",
        ["provider", "follow_at"],
        sqlite_where=is_followed,
        postgresql_where=is_followed,
    )
    is_own = sa.text("provider_ref <> reference")
    op.create_index(
        "ix_submissions_provider_ref",
        "submissions",
        ["provider_ref"],
        sqlite_where=is_own,
        postgresql_where=is_own,
    )
    op.create_index(
        op.f("ix_earlier_submissions_submission_id"), "earlier_submissions", ["submission_id"], unique=False
    )
