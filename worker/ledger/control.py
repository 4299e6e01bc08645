"""What a person, or a worker in trouble, orders: once it has returned, it holds for every later mark."""

from __future__ import annotations

from sqlalchemy import Connection, case, func, select, update

from worker.errors import InputError
from worker.ledger.batches import lock_batches
from worker.ledger.engine import control_lock, now_ms
from worker.ledger.models import BATCHES, CAMPAIGNS, LARGEST_ID, MESSAGES
from worker.states import CAMPAIGN_TRANSITIONS, BatchState, CampaignState, MessageState


def pause(connection: Connection, campaign_id: int, *, reason: str, author: str) -> None:
    """Stop a running campaign; what is marked already still leaves.

    Raises:
        InputError: it is not running.
    """
    _order(connection, campaign_id, CampaignState.PAUSED, reason=reason, author=author)


def resume(connection: Connection, campaign_id: int, *, author: str) -> None:
    """Let a paused campaign go on.

    Raises:
        InputError: it is not paused.
    """
    control_lock(connection, shared=False)
    if _state(connection, campaign_id) != CampaignState.PAUSED:
        raise _refusal(connection, campaign_id, "resumed")
    _order(connection, campaign_id, CampaignState.RUNNING, reason=None, author=author)
    _forget_hints(connection, campaign_id)


def cancel(connection: Connection, campaign_id: int, *, author: str) -> None:
    """End a campaign for good; its queued rows are then cancelled with ``cancel_rows``.

    One that is cancelled already stays so: an interrupted cancel is finished by repeating it.

    Raises:
        InputError: it is being imported, or was discarded.
    """
    control_lock(connection, shared=False)
    if _state(connection, campaign_id) == CampaignState.CANCELLED:
        return
    _order(connection, campaign_id, CampaignState.CANCELLED, reason="cancelled", author=author)


def _forget_hints(connection: Connection, campaign_id: int) -> None:
    """Let the batches be published anew: the hints that went out before found nothing to lease."""
    hinted = BATCHES.c.campaign_id == campaign_id, BATCHES.c.published_at.is_not(None)
    found = list(connection.scalars(select(BATCHES.c.id).where(*hinted)))
    lock_batches(connection, found)
    forgotten = update(BATCHES).where(BATCHES.c.id.in_(found), BATCHES.c.state == BatchState.OPEN)
    connection.execute(forgotten.values(published_at=None, n_hints=0))


def cancel_rows(connection: Connection, campaign_id: int) -> int | None:
    """Cancel the queued rows of one batch of a cancelled campaign; return how many, None at the end."""
    concerned = BATCHES.c.campaign_id == campaign_id, BATCHES.c.queued > 0
    batch_id = connection.scalar(select(func.min(BATCHES.c.id)).where(*concerned))
    if batch_id is None:
        return None
    lock_batches(connection, [batch_id])
    queued = MESSAGES.c.batch_id == batch_id, MESSAGES.c.state == MessageState.QUEUED
    moved = connection.execute(
        update(MESSAGES).where(*queued).values(state=MessageState.CANCELLED, changed_at=now_ms())
    ).rowcount
    done = case((BATCHES.c.state == BatchState.LEASED, BATCHES.c.state), else_=BatchState.DONE.value)
    connection.execute(
        update(BATCHES)
        .where(BATCHES.c.id == batch_id)
        .values(queued=0, cancelled=BATCHES.c.cancelled + moved, state=done)
    )
    return moved


def _order(
    connection: Connection, campaign_id: int, target: CampaignState, *, reason: str | None, author: str
) -> None:
    control_lock(connection, shared=False)
    sources = [state for state, targets in CAMPAIGN_TRANSITIONS.items() if target in targets]
    sources = [state for state in sources if state != CampaignState.IMPORTING]
    moved = connection.execute(
        update(CAMPAIGNS)
        .where(CAMPAIGNS.c.id == min(campaign_id, LARGEST_ID), CAMPAIGNS.c.state.in_(sources))
        .values(state=target, reason=reason, author=author)
    )
    if moved.rowcount != 1:
        raise _refusal(connection, campaign_id, str(target))


def _state(connection: Connection, campaign_id: int) -> str | None:
    query = select(CAMPAIGNS.c.state).where(CAMPAIGNS.c.id == min(campaign_id, LARGEST_ID))
    state: str | None = connection.scalar(query)
    return state


def _refusal(connection: Connection, campaign_id: int, wish: str) -> InputError:
    state = _state(connection, campaign_id)
    if state is None:
        return InputError(
            f"There is no campaign {campaign_id}: `bulksend campaign list` shows them",
            code="no_such_campaign",
        )
    return InputError(f"Campaign {campaign_id} is {state} and cannot be {wish}", code="wrong_state")
