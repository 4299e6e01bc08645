"""What tells messages apart where a gateway does not know our references: what was sent, and its own ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, case, func, select

from worker.ledger.asking import may_be_of
from worker.ledger.models import CAMPAIGNS, MESSAGES, SUBMISSIONS

_AT_ONCE = 500  # messages: a database takes no more values than so


@dataclass(frozen=True, kw_only=True)
class Content:
    """What was sent, and the gateway's own id for it where that is known."""

    sender: str = field(repr=False)
    text: str = field(repr=False)
    provider_ref: str | None


def contents(connection: Connection, message_ids: Sequence[int]) -> dict[int, Content]:
    """Return what was sent, by the id of the message."""
    found: dict[int, Content] = {}
    body = func.coalesce(MESSAGES.c.text, CAMPAIGNS.c.text, "")
    is_own = (SUBMISSIONS.c.n_messages == 1) & (SUBMISSIONS.c.provider_ref != SUBMISSIONS.c.reference)
    own_id = case((is_own, SUBMISSIONS.c.provider_ref))
    for start in range(0, len(message_ids), _AT_ONCE):
        query = (
            select(MESSAGES.c.id, CAMPAIGNS.c.sender, body, own_id)
            .join(CAMPAIGNS, CAMPAIGNS.c.id == MESSAGES.c.campaign_id)
            .join(SUBMISSIONS, SUBMISSIONS.c.id == MESSAGES.c.submission_id)
            .where(MESSAGES.c.id.in_(message_ids[start : start + _AT_ONCE]))
        )
        for number, sender, text, provider_ref in connection.execute(query):
            found[number] = Content(sender=sender, text=text, provider_ref=provider_ref)
    return found


def holders(connection: Connection, login: str, provider_refs: Sequence[str]) -> dict[str, int]:
    """Return which message of this login has each of the gateway's own ids; of requests with one message."""
    query = (
        select(SUBMISSIONS.c.provider_ref, MESSAGES.c.id)
        .join(MESSAGES, MESSAGES.c.submission_id == SUBMISSIONS.c.id)
        .where(
            SUBMISSIONS.c.provider_ref.in_(provider_refs),
            SUBMISSIONS.c.provider_ref != SUBMISSIONS.c.reference,  # as the index has it
            may_be_of(login),
        )
    )
    return {str(ref): int(number) for ref, number in connection.execute(query)}
