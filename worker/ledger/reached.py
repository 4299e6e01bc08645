"""What a number got: the same text lately, or the last of all, to which a reply answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from worker.ledger.gone import digest, numbers_key
from worker.ledger.models import BATCHES, CAMPAIGNS, MESSAGES
from worker.ledger.scopes import CONFIRMATION
from worker.states import MessageState

_REACHED = (MessageState.SUBMITTING, MessageState.ACCEPTED, MessageState.DELIVERED, MessageState.UNKNOWN)
"""What is on its way, or unknown, may arrive."""


def texts_of(connection: Connection, msisdns: Sequence[str], *, since: int) -> set[tuple[str, str]]:
    """Return each number with each text that it got, or may have got, since then (epoch milliseconds)."""
    text = func.coalesce(MESSAGES.c.text, CAMPAIGNS.c.text)
    query = (
        select(MESSAGES.c.msisdn, text)
        .join(CAMPAIGNS, CAMPAIGNS.c.id == MESSAGES.c.campaign_id)
        .where(
            MESSAGES.c.msisdn.in_(msisdns),
            (MESSAGES.c.state + "").in_(_REACHED),  # a number has few messages, a state has many
            MESSAGES.c.changed_at >= since,
        )
    )
    return {(msisdn, found) for msisdn, found in connection.execute(query) if found is not None}


def n_pruned(connection: Connection, *, since: int) -> int:
    """Count the campaigns with something due since then of which the texts were removed."""
    lately = select(BATCHES.c.id).where(
        BATCHES.c.campaign_id == CAMPAIGNS.c.id, BATCHES.c.next_due_at >= since
    )
    query = select(func.count()).where(CAMPAIGNS.c.pruned_at.is_not(None), lately.exists())
    return int(connection.execute(query).scalar_one())


@dataclass(frozen=True, kw_only=True)
class Last:
    """The last message that left for a number: by which provider, as whom, and for what."""

    provider: str
    sender: str
    purpose: str


def last_to(connection: Connection, msisdn: str, *, provider: str) -> Last | None:
    """Return what left last for a number, by a provider or else by any; confirmations are not meant.

    What was pruned since is found by the digest that stands for the number.
    """
    stands_for = digest(numbers_key(connection), msisdn)
    query = (
        select(BATCHES.c.provider, CAMPAIGNS.c.sender, CAMPAIGNS.c.purpose)
        .join(BATCHES, BATCHES.c.id == MESSAGES.c.batch_id)
        .join(CAMPAIGNS, CAMPAIGNS.c.id == MESSAGES.c.campaign_id)
        .where(
            MESSAGES.c.msisdn.in_([msisdn, stands_for]),
            MESSAGES.c.submission_id.is_not(None),
            CAMPAIGNS.c.purpose != CONFIRMATION,
        )
        .order_by((BATCHES.c.provider == provider).desc(), MESSAGES.c.id.desc())
    )
    found = connection.execute(query.limit(1)).mappings().one_or_none()
    return None if found is None else Last(**found)
