"""Claims: what was sent already, known by its content or by its sender's key, so that a repeat is noticed.

A content is claimed for a set time, a key for ever. A claim of a campaign that was discarded holds no more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, insert, or_, select, text

from worker.errors import InputError
from worker.ledger import interrupted, reports
from worker.ledger.engine import now_ms
from worker.ledger.models import CAMPAIGNS, CLAIMS
from worker.states import CampaignState


@dataclass(frozen=True, kw_only=True)
class Identity:
    """What makes an order the same one.

    ``content`` is the digest of what would be sent, a repeat for ``repeat_ms``; ``again`` sends a repeat too.
    """

    content: str
    repeat_ms: int
    key: str | None = None
    again: bool = False

    @property
    def claims(self) -> list[str]:
        """The claims as the ledger keeps them."""
        return [f"content:{self.content}", *([] if self.key is None else [f"key:{self.key}"])]


def require_new(connection: Connection, identity: Identity) -> list[int]:
    """Refuse an order that was sent before, and hold others off until the commit.

    Campaigns of the same claims whose import was interrupted give way: they are discarded, and returned.
    Their rows are still there. A claim that holds no more is removed.

    Raises:
        InputError: ``repeated_send``, with the earlier campaign, unless the order is to go again.
    """
    _hold_others_off(connection)
    given_way: list[int] = []
    for claim in _earlier(connection, identity):
        number = claim["campaign_id"]
        if claim["is_interrupted"]:
            interrupted.discard(connection, number)
            given_way.append(number)
        elif _is_repeat(claim):
            if identity.again:
                continue
            raise _repeated(connection, claim)
        connection.execute(delete(CLAIMS).where(CLAIMS.c.claim == claim["claim"]))
    return sorted(set(given_way))


def refuse_repeat(connection: Connection, identity: Identity) -> None:
    """Refuse an order that was sent before, before anybody is asked about it; a plain read.

    Raises:
        InputError: ``repeated_send``, with the earlier campaign, unless the order is to go again.
    """
    for claim in _earlier(connection, identity, locks=False):
        if _is_repeat(claim) and not identity.again:
            raise _repeated(connection, claim)


def _is_repeat(claim: Mapping[str, Any]) -> bool:
    is_sent = not claim["is_interrupted"] and claim["state"] != CampaignState.DISCARDED
    return is_sent and (claim["is_recent"] or _is_key(claim))


def require_not_overtaken(connection: Connection, identity: Identity, campaign_id: int) -> None:
    """Refuse to finish a campaign when the same was sent by another since it was begun.

    Raises:
        InputError: ``repeated_send``, with the other campaign.
    """
    begun_at = select(CAMPAIGNS.c.created_at).where(CAMPAIGNS.c.id == campaign_id).scalar_subquery()
    query = (
        select(CLAIMS.c.campaign_id)
        .join(CAMPAIGNS, CAMPAIGNS.c.id == CLAIMS.c.campaign_id)
        .where(
            CLAIMS.c.claim.in_(identity.claims),
            CLAIMS.c.campaign_id != campaign_id,
            or_(CLAIMS.c.campaign_id > campaign_id, CLAIMS.c.made_at > begun_at),
            CAMPAIGNS.c.state != CampaignState.DISCARDED,
        )
    )
    number = connection.scalar(query.order_by(CLAIMS.c.campaign_id.desc()).limit(1))
    if number is not None:
        other = reports.report(connection, number)
        raise InputError(
            f"The same was sent since campaign {campaign_id} was begun, as campaign {other.id} "
            f"({other.name}), which is {other.state}: put this one away with "
            f"`bulksend campaign discard {campaign_id}`",
            code="repeated_send",
        )


def take(connection: Connection, identity: Identity, campaign_id: int) -> None:
    """Claim for a campaign what is not claimed; after ``require_new``, in the same transaction."""
    held = set(connection.scalars(select(CLAIMS.c.claim).where(CLAIMS.c.claim.in_(identity.claims))))
    _claim(connection, [claim for claim in identity.claims if claim not in held], campaign_id)


def move(connection: Connection, identity: Identity, campaign_id: int) -> None:
    """Give the claims to a campaign, whoever had them: before its release, in the same transaction.

    Not earlier: if the newer campaign came to nothing, the one that was sent would not be known any more.
    """
    _hold_others_off(connection)
    connection.execute(delete(CLAIMS).where(CLAIMS.c.claim.in_(identity.claims)))
    _claim(connection, identity.claims, campaign_id)


def _claim(connection: Connection, claims: list[str], campaign_id: int) -> None:
    for claim in claims:
        made = insert(CLAIMS).values(claim=claim, campaign_id=campaign_id, made_at=now_ms())
        connection.execute(made)


def _hold_others_off(connection: Connection) -> None:
    """Let one transaction at a time look for claims and make its own; SQLite does so by BEGIN IMMEDIATE."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("LOCK TABLE claims IN SHARE ROW EXCLUSIVE MODE"))


def _earlier(connection: Connection, identity: Identity, *, locks: bool = True) -> list[Mapping[str, Any]]:
    """Return the claims that were made before, each with its campaign; ``locks`` that as well."""
    is_dead = (CAMPAIGNS.c.state == CampaignState.IMPORTING) & (CAMPAIGNS.c.importing_until <= now_ms())
    query = (
        select(
            CLAIMS.c.claim,
            CLAIMS.c.campaign_id,
            CAMPAIGNS.c.state,
            is_dead.label("is_interrupted"),
            (CLAIMS.c.made_at > now_ms() - identity.repeat_ms).label("is_recent"),
        )
        .join(CAMPAIGNS, CAMPAIGNS.c.id == CLAIMS.c.campaign_id)
        .where(CLAIMS.c.claim.in_(identity.claims))
        .order_by(CAMPAIGNS.c.id, CLAIMS.c.claim)
    )
    if locks:
        query = query.with_for_update(of=CAMPAIGNS)
    return [dict(row) for row in connection.execute(query).mappings()]


def _is_key(claim: Mapping[str, Any]) -> bool:
    return str(claim["claim"]).startswith("key:")


def _repeated(connection: Connection, claim: Mapping[str, Any]) -> InputError:
    earlier = reports.report(connection, claim["campaign_id"])
    named = f"as campaign {earlier.id} ({earlier.name})"
    if earlier.state == CampaignState.IMPORTING:
        words = f"The same is being imported at this moment, {named}: nothing was sent"
    else:
        what = "This key was used" if _is_key(claim) else "This was sent"
        words = (
            f"{what} before, {named}, which is {earlier.state}: see `bulksend campaign show {earlier.id}`, "
            "or give --again to send it once more"
        )
    return InputError(words, code="repeated_send")
