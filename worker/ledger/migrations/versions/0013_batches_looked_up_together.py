"""On Postgres the batches of all messages that one statement writes are looked up together.

A reference looks its batch up anew for each message: a third of what an import costs the server. These
triggers hold the same for transactions at READ COMMITTED, as all of ours are: every message lies in a batch
of its campaign, whoever writes, moves or removes either. SQLite keeps its references, which cost next to
nothing there.
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_BEGIN = "RETURNS trigger LANGUAGE plpgsql SET search_path = {schema}, pg_temp AS $$ BEGIN"
_END = "RETURN NULL; END $$"
_IN_NONE = "RAISE foreign_key_violation USING MESSAGE = 'a message lies in no batch of its campaign'"
_NOT_EMPTY = "RAISE foreign_key_violation USING MESSAGE = 'a batch that is referred to cannot go'"

_STEPS = (
    "ALTER TABLE messages DROP CONSTRAINT fk_messages_campaign_id_batch_id",
    # Locked first: nobody removes a batch until what lies in it is committed.
    f"""CREATE FUNCTION added_messages_have_a_batch() {_BEGIN}
    PERFORM 1 FROM batches WHERE id IN (SELECT batch_id FROM added) FOR KEY SHARE;
    IF EXISTS (
        SELECT FROM added LEFT JOIN batches
        ON batches.id = added.batch_id AND batches.campaign_id = added.campaign_id
        WHERE batches.id IS NULL
    ) THEN {_IN_NONE}; END IF; {_END}""",  # noqa: S608 - constants
    f"""CREATE FUNCTION moved_message_has_a_batch() {_BEGIN}
    PERFORM 1 FROM batches WHERE id = NEW.batch_id AND campaign_id = NEW.campaign_id FOR KEY SHARE;
    IF NOT FOUND THEN {_IN_NONE}; END IF; {_END}""",
    f"""CREATE FUNCTION removed_batch_is_empty() {_BEGIN}
    IF EXISTS (SELECT FROM messages WHERE batch_id = OLD.id) THEN {_NOT_EMPTY}; END IF; {_END}""",
    """CREATE TRIGGER added_messages_have_a_batch AFTER INSERT ON messages
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION added_messages_have_a_batch()""",
    """CREATE TRIGGER moved_message_has_a_batch AFTER UPDATE OF batch_id, campaign_id ON messages
    FOR EACH ROW EXECUTE FUNCTION moved_message_has_a_batch()""",
    """CREATE TRIGGER removed_batch_is_empty AFTER DELETE OR UPDATE OF id, campaign_id ON batches
    FOR EACH ROW EXECUTE FUNCTION removed_batch_is_empty()""",
)


def upgrade() -> None:
    """Take the step."""
    bind = op.get_bind()
    if bind.dialect.name == "postgresql":
        schema = bind.execute(sa.text("SELECT quote_ident(current_schema())")).scalar_one()
        for step in _STEPS:
            op.execute(step.format(schema=schema))
