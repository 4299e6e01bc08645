"""On Postgres a message refers once to the batch of its campaign: an import looks one row up less a message.

That holds more than the two references before it: no message lies in a batch of another campaign. SQLite
looks both up at next to no cost, and would have to copy the table.
"""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take the step."""
    op.create_index("ix_batches_campaign_id_id", "batches", ["campaign_id", "id"], unique=True)
    op.drop_index("ix_batches_campaign_id", table_name="batches")
    if op.get_bind().dialect.name != "postgresql":
        return
    batch = ["campaign_id", "batch_id"], ["campaign_id", "id"]
    op.create_foreign_key("fk_messages_campaign_id_batch_id", "messages", "batches", *batch)
    for column in ("campaign_id", "batch_id"):
        op.drop_constraint(f"fk_messages_{column}", "messages", type_="foreignkey")
