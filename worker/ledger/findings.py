"""What a look at batches and campaigns finds: what does not add up, and what waits for a person. Pure.

A finding names ids, never a number or a text.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from worker.ledger.accounts import AccountStanding
from worker.ledger.tally import BatchTally, CampaignTally
from worker.states import BatchState, CampaignState, MessageState
from worker.text.counting import counted

LONG_MS = 60_000
"""A sweep, or a worker, that has not come for so long does not come."""

BROKEN = "stop the workers, back the ledger up, and find out who changed it: Bulksend itself never does this"
NOBODY = "start `bulksend worker`"

_M = MessageState


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that is wrong, or that a person should know."""

    is_problem: bool  # it does not add up, or cannot work; else it is for a person's attention
    code: str  # short stable word for programs
    words: str
    step: str  # what to do now


def problem(code: str, words: str, step: str = BROKEN) -> Finding:
    """Make a finding of what does not add up, or cannot work."""
    return Finding(is_problem=True, code=code, words=words, step=step)


def note(code: str, words: str, step: str) -> Finding:
    """Make a finding for a person's attention."""
    return Finding(is_problem=False, code=code, words=words, step=step)


def of_batch(batch: BatchTally, campaign: CampaignTally, *, now: int) -> Iterator[Finding]:
    """Say what is wrong with one batch of a campaign; ``now`` is the database's, in epoch milliseconds."""
    for state in MessageState:
        kept, counted = batch.kept[state], batch.counted[state]
        if kept != counted:
            words = f"batch {batch.id} counts {kept} {state}, its messages say {counted}"
            yield problem("wrong_counter", words)
    yield from _of_place(batch)
    yield from _of_belonging(batch, campaign)
    if batch.state is BatchState.LEASED:
        yield from _of_lease(batch, now=now)
    if batch.state is BatchState.HELD and not batch.is_added:
        words = f"batch {batch.id} of campaign {campaign.id} is held: {batch.reason or 'no reason is kept'}"
        yield note("held_batch", words, f"`bulksend campaign resume {campaign.id}` lets it go on")


def _of_place(batch: BatchTally) -> Iterator[Finding]:
    """Find queued messages that nobody would come for, and marked ones that nobody works on."""
    if batch.state is BatchState.DONE and batch.counted[_M.QUEUED]:
        yield problem("queued_in_done", f"batch {batch.id} is done, yet messages of it are queued")
    elif batch.first_due_at is not None and batch.first_due_at < batch.next_due_at:
        yield problem("late_batch", f"batch {batch.id} is due later than the first of its messages")
    if batch.state is not BatchState.LEASED and batch.counted[_M.SUBMITTING]:
        words = f"batch {batch.id} is {batch.state}, yet messages of it are being submitted"
        yield problem("unleased_submitting", words)


def _of_belonging(batch: BatchTally, campaign: CampaignTally) -> Iterator[Finding]:
    if batch.provider not in {campaign.provider, campaign.fallback}:
        words = f"batch {batch.id} goes through {batch.provider}, which is not for campaign {campaign.id}"
        yield problem("strange_provider", words)
    if batch.campaigns - {batch.campaign_id}:
        yield problem("strange_messages", f"batch {batch.id} holds messages of another campaign")


def _of_lease(batch: BatchTally, *, now: int) -> Iterator[Finding]:
    if batch.lease_until is None:
        yield problem("endless_lease", f"batch {batch.id} is leased without an end")
    elif batch.lease_until < now - LONG_MS:
        words = f"the lease of batch {batch.id} ran out {age(now - batch.lease_until)} ago, and nobody sweeps"
        yield note("unswept_lease", words, NOBODY)


def of_campaign(campaign: CampaignTally, *, now: int) -> Iterator[Finding]:
    """Say what is wrong with a campaign, or what it waits for; its messages are counted already."""
    number, n_queued = campaign.id, campaign.counts[_M.QUEUED]
    if not campaign.is_conserved:
        words = (
            f"campaign {number} has {counted(campaign.rows, 'row')}, but "
            f"{counted(campaign.messages, 'message')}, {counted(campaign.duplicates, 'duplicate')}, "
            f"{campaign.refused} refused and {campaign.skipped} skipped"
        )
        yield problem("rows_lost", words)
    if campaign.state is CampaignState.IMPORTING and (campaign.importing_until or 0) < now:
        step = (
            f"`bulksend campaign resume {number}` finishes it, `bulksend campaign discard {number}` ends it"
        )
        yield note("import_interrupted", f"the import of campaign {number} was interrupted", step)
    if campaign.state is CampaignState.CANCELLED and n_queued:
        words = f"campaign {number} is cancelled, yet {_of_it(n_queued)} queued"
        yield note("cancel_interrupted", words, f"`bulksend campaign cancel {number}` finishes it")
    if campaign.state is CampaignState.DISCARDED and campaign.messages:
        words = f"campaign {number} is discarded, yet {_of_it(campaign.messages)} there"
        yield note("discard_interrupted", words, f"`bulksend campaign discard {number}` finishes it")
    if campaign.added and (campaign.importing_until or 0) < now:
        words = (
            f"a further file of campaign {number} was not wholly imported: "
            f"{counted(campaign.added.total(), 'message', verb='is')}"
        )
        step = f"give `bulksend campaign add {number} FILE` again: it begins anew"
        if campaign.state is CampaignState.CANCELLED:
            step = f"`bulksend campaign cancel {number}` removes them"
        yield note("addition_interrupted", f"{words} left behind, and nothing of them is sent", step)
    if campaign.state is CampaignState.PAUSED and n_queued:
        words = f"campaign {number} is paused: {campaign.reason or 'no reason is kept'}"
        yield note("paused_campaign", words, f"`bulksend campaign resume {number}` lets it go on")


def _of_it(n: int) -> str:
    return counted(n, "message of it", "messages of it", verb="is")


def of_account(standing: AccountStanding) -> Iterator[Finding]:
    """Say what holds an account back."""
    name, reason = standing.provider, standing.reason or "no reason is kept"
    if standing.state == "paused":
        words = f"provider {name} was paused by {standing.author}: {reason}"
        yield note("account_paused", words, f"`bulksend provider resume {name}` lets it go on")
    elif standing.state != "open":
        words = f"provider {name} takes nothing now: {reason}"
        step = (
            f"it is tried again by itself; once it is mended, `bulksend provider resume {name}` does so now"
        )
        yield note(f"account_{standing.state}", words, step)


def of_unknown(provider: str, *, n: int, age_ms: int) -> Finding:
    """Say how many messages of a provider are unknown, and for how long the oldest is."""
    words = f"unknown messages of {provider}: {n}, the oldest for {age(age_ms)}"
    return note("unknown", words, "`bulksend unknown list` shows them")


def of_unread_reports(n: int) -> Finding:
    """Say that delivery reports were taken in, and nobody reads them."""
    return note(
        "unread_reports", f"pushed delivery reports that nobody reads: {n}", "start `bulksend receipts`"
    )


def of_idle_work(provider: str, *, waits_ms: int) -> Finding:
    """Say that messages could leave, if only somebody came for them."""
    words = f"messages of {provider} are due for {age(waits_ms)}, and no worker takes them"
    return note("no_worker", words, NOBODY)


def age(ms: int) -> str:
    """Write a time span as a person says it."""
    for unit, length_ms in (("d", 86_400_000), ("h", 3_600_000), ("min", 60_000)):
        if ms >= 2 * length_ms:
            return f"{ms // length_ms} {unit}"
    return f"{max(ms, 0) // 1000} s"
