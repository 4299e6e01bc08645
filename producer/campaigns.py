"""Use cases of campaigns: an order becomes a campaign in the ledger, wholly or not at all."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from sqlalchemy import Engine

from producer.preview import Order, Preview
from producer.spool import Spool
from worker.errors import LedgerError
from worker.ledger import campaigns, control
from worker.ledger.engine import writing


def create(
    engine: Engine,
    order: Order,
    found: Preview,
    messages: Spool,
    *,
    on_messages: Callable[[int], None] | None = None,
) -> int:
    """Write a previewed order into the ledger, batch by batch, and release it; return the campaign's id.

    Until the release nothing of it is due. What an interruption leaves behind is discarded here, or by the
    next try of the same order.

    Raises:
        InputError: the same order was sent before.
        LedgerError: the ledger is away; nothing was released and the same command may be repeated.
    """
    with writing(engine) as connection:
        campaign_id = campaigns.create(connection, _new(order, found))
    try:
        for chunk in campaigns.batched(messages):
            with writing(engine) as connection:
                campaigns.add_batch(connection, campaign_id, chunk)
            if on_messages:
                on_messages(len(chunk))
        counts = campaigns.SourceCounts(rows=found.rows, duplicates=found.duplicates, refused=found.refused)
        with writing(engine) as connection:
            campaigns.release(connection, campaign_id, counts)
    except BaseException:
        _discard(engine, campaign_id)
        raise
    return campaign_id


def cancel(engine: Engine, campaign_id: int, *, author: str) -> int:
    """End a campaign for good and return how many messages were still queued; may be repeated.

    Raises:
        InputError: there is no such campaign, or it cannot be cancelled.
    """
    with writing(engine) as connection:
        control.cancel(connection, campaign_id, author=author)
    n_cancelled = 0
    while True:
        with writing(engine) as connection:  # batch by batch: nobody waits long for the ledger
            n_moved = control.cancel_rows(connection, campaign_id)
        if n_moved is None:
            return n_cancelled
        n_cancelled += n_moved


def _discard(engine: Engine, campaign_id: int) -> None:
    """Put the unfinished campaign away if the ledger lets us; the next try of the same order would too."""
    with contextlib.suppress(LedgerError), writing(engine) as connection:
        campaigns.discard(connection, campaign_id)


def _new(order: Order, found: Preview) -> campaigns.NewCampaign:
    return campaigns.NewCampaign(
        name=order.name,
        fingerprint=found.fingerprint,
        provider=order.account.name,
        sender=order.sender,
        template=order.template,
        text=found.text,
        options=order.options,
        source=order.path.name,
    )
