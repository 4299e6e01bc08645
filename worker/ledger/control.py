"""What a person, or a worker in trouble, orders: once it has returned, it holds for every later mark."""

from __future__ import annotations

from sqlalchemy import Connection, case, func, select, update

from worker.errors import InputError
from worker.ledger import batches, half_moved, orders
from worker.ledger.batches import lock_batches, lock_some
from worker.ledger.engine import control_lock, now_ms
from worker.ledger.letting import is_let_in
from worker.ledger.models import BATCHES, CAMPAIGNS, MESSAGES
from worker.ledger.reports import DONE, state_at, stored_id
from worker.ledger.turns import note_served
from worker.states import CAMPAIGN_TRANSITIONS, BatchState, CampaignState, MessageState


def pause(connection: Connection, campaign_id: int, *, reason: str, author: str) -> bool:
    """Stop a running campaign; what is marked already still leaves, 250 ms later at the latest.

    Returns:
        whether this stopped it: one that is paused already stays as it is.

    Raises:
        InputError: it is not running, or it is done: nothing of it is queued or being submitted.
    """
    control_lock(connection, shared=False)
    _lock(connection, campaign_id)
    state, former_reason = state_at(connection, campaign_id)
    if orders.is_paused_for_it(state, former_reason):  # which would go on when it is rescheduled
        paused = update(CAMPAIGNS).where(CAMPAIGNS.c.id == campaign_id)
        connection.execute(paused.values(reason=reason, author=author))
    elif state == CampaignState.PAUSED:
        return False
    elif state == DONE:
        raise refusal(connection, campaign_id, str(CampaignState.PAUSED))
    else:
        _order(connection, campaign_id, CampaignState.PAUSED, reason=reason, author=author)
    orders.note(connection, orders.PAUSE, author=author, campaign_id=campaign_id, detail=reason)
    return True


def paused_by(connection: Connection, campaign_id: int) -> tuple[str | None, int | None, str | None]:
    """Return who paused a campaign, when, in epoch milliseconds, and why; None for what nobody knows."""
    columns = CAMPAIGNS.c.author, CAMPAIGNS.c.reason
    found = connection.execute(select(*columns).where(CAMPAIGNS.c.id == stored_id(campaign_id)))
    who, why = found.one_or_none() or (None, None)
    return who, orders.last_at(connection, campaign_id, orders.PAUSE), why


def _lock(connection: Connection, campaign_id: int) -> None:
    """Let nobody queue a message of a campaign until we have committed: who does so locks it shared."""
    query = select(CAMPAIGNS.c.id).where(CAMPAIGNS.c.id == stored_id(campaign_id))
    connection.execute(query.with_for_update()).all()


def resume(connection: Connection, campaign_id: int, *, author: str) -> bool:
    """Let a paused campaign go on; its batches that are held are then opened with ``reopen_held``.

    Returns:
        whether this let it go on: one that runs is left as it is, and an interrupted resume is finished by
        repeating it.

    Raises:
        InputError: it is neither paused nor running; one that is done is not.
    """
    control_lock(connection, shared=False)
    state, _ = state_at(connection, campaign_id)
    if state == CampaignState.RUNNING:
        return False
    if state != CampaignState.PAUSED:
        raise refusal(connection, campaign_id, "resumed")
    _order(connection, campaign_id, CampaignState.RUNNING, reason=None, author=author)
    half_moved.give_up(connection, campaign_id)
    note_served(connection, campaign_id)  # what it missed meanwhile is to leave now
    _forget_hints(connection, campaign_id)
    orders.note(connection, orders.RESUME, author=author, campaign_id=campaign_id)
    return True


def reopen_held(connection: Connection, campaign_id: int) -> int | None:
    """Open some batches that are held, as if no worker had ever been lost with them; return how many.

    None when no batch of the campaign is held any more.
    """
    control_lock(connection, shared=False)
    held = BATCHES.c.campaign_id == stored_id(campaign_id), BATCHES.c.state == BatchState.HELD
    batch_ids = lock_some(connection, *held, ~BATCHES.c.is_added)  # those wait for their import
    if not batch_ids:
        return None
    ours = update(BATCHES).where(BATCHES.c.id.in_(batch_ids), BATCHES.c.state == BatchState.HELD)
    opened = ours.values(**batches.reopened(), reason=None, lost_leases=0)
    return connection.execute(opened).rowcount


def cancel(connection: Connection, campaign_id: int, *, author: str) -> None:
    """End a campaign for good; its queued rows are then cancelled with ``cancel_rows``.

    One that is cancelled already stays so: an interrupted cancel is finished by repeating it.

    Raises:
        InputError: it is being imported, or was discarded.
    """
    control_lock(connection, shared=False)
    if state_of(connection, campaign_id) == CampaignState.CANCELLED:
        return
    _order(connection, campaign_id, CampaignState.CANCELLED, reason="cancelled", author=author)
    orders.note(connection, orders.CANCEL, author=author, campaign_id=campaign_id)


def _forget_hints(connection: Connection, campaign_id: int) -> None:
    """Let the batches be published anew: the hints that went out before found nothing to lease."""
    hinted = BATCHES.c.campaign_id == campaign_id, BATCHES.c.published_at.is_not(None)
    found = list(connection.scalars(select(BATCHES.c.id).where(*hinted)))
    lock_batches(connection, found)
    forgotten = update(BATCHES).where(BATCHES.c.id.in_(found), BATCHES.c.state == BatchState.OPEN)
    connection.execute(forgotten.values(published_at=None, n_hints=0))


def cancel_rows(connection: Connection, campaign_id: int) -> int | None:
    """Cancel the queued rows of some batches of a cancelled campaign; return how many, None at the end."""
    concerned = BATCHES.c.campaign_id == campaign_id, BATCHES.c.queued > 0, is_let_in()
    batch_ids = lock_some(connection, *concerned)
    if not batch_ids:
        return None
    queued = MESSAGES.c.batch_id.in_(batch_ids), MESSAGES.c.state == MessageState.QUEUED
    moved = connection.execute(
        update(MESSAGES).where(*queued).values(state=MessageState.CANCELLED, changed_at=now_ms())
    ).rowcount
    done = case((BATCHES.c.state == BatchState.LEASED, BATCHES.c.state), else_=BatchState.DONE.value)
    cancelled = select(func.count()).where(
        MESSAGES.c.batch_id == BATCHES.c.id, MESSAGES.c.state == MessageState.CANCELLED
    )
    values = {"queued": 0, "cancelled": cancelled.scalar_subquery(), "state": done, "is_added": False}
    connection.execute(update(BATCHES).where(BATCHES.c.id.in_(batch_ids)).values(values))
    return moved


def _order(
    connection: Connection, campaign_id: int, target: CampaignState, *, reason: str | None, author: str
) -> None:
    control_lock(connection, shared=False)
    sources = [state for state, targets in CAMPAIGN_TRANSITIONS.items() if target in targets]
    sources = [state for state in sources if state != CampaignState.IMPORTING]
    moved = connection.execute(
        update(CAMPAIGNS)
        .where(CAMPAIGNS.c.id == stored_id(campaign_id), CAMPAIGNS.c.state.in_(sources))
        .values(state=target, reason=reason, author=author)
    )
    if moved.rowcount != 1:
        raise refusal(connection, campaign_id, str(target))


def state_of(connection: Connection, campaign_id: int) -> str | None:
    """Return the stored state of a campaign, None when there is no such campaign."""
    query = select(CAMPAIGNS.c.state).where(CAMPAIGNS.c.id == stored_id(campaign_id))
    state: str | None = connection.scalar(query)
    return state


def pruned(campaign_id: int, wish: str) -> InputError:
    """Say why a campaign cannot be what is wished: nobody knows its texts and numbers any more."""
    return InputError(
        f"Campaign {campaign_id} was pruned: its texts and numbers are gone, and it cannot be {wish}",
        code="pruned",
    )


def refusal(connection: Connection, campaign_id: int, wish: str) -> InputError:
    """Say why a campaign cannot be what is wished, such as ``paused``.

    Raises:
        InputError: there is no such campaign.
    """
    state, _ = state_at(connection, campaign_id)
    return InputError(f"Campaign {campaign_id} is {state} and cannot be {wish}", code="wrong_state")
