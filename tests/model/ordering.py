"""What happens around workers: time, sweeps, look-ups, receipts, and what people order."""

from __future__ import annotations

from collections.abc import Iterator

from tests.model.outcomes import hopped, is_cancelled, may_hop, queued, recorded_of, was_unknown
from tests.model.working import rest_of
from tests.model.world import (
    CANCELLED,
    CANCELLING,
    CHECKED,
    DONE,
    ENDED,
    FAILED,
    LATE,
    LEASED,
    LOST,
    MARKED,
    NEVER,
    OK,
    OPEN,
    OPEN_YET,
    PAUSED,
    QUEUED,
    REJECTED,
    RUNNING,
    SUBMITTING,
    UNKNOWN,
    Move,
    Request,
    Scene,
    World,
    changed_batch,
    changed_request,
    changed_row,
    said_of,
    spent,
)


def sweeping(world: World, scene: Scene) -> Iterator[Move]:
    """A lease runs out, which is long after the last moment to write; then the batch is opened."""
    for b, batch in enumerate(world.batches):
        if batch.state == LEASED and not batch.is_expired:
            yield f"expire b{b}", changed_batch(_late(world, b), b, is_expired=True)
        elif batch.state == LEASED:
            yield f"sweep b{b}", _swept(world, b, scene)


def _late(world: World, b: int) -> World:
    """Every mark renews the lease, so that all of them are old when it runs out."""
    for i, request in enumerate(world.requests):
        if request.batch == b and request.phase == MARKED:
            world = changed_request(world, i, phase=LATE)
    return world


def _swept(world: World, b: int, scene: Scene) -> World:
    after = UNKNOWN if scene.keeps("sweep_unknown") else QUEUED
    for m, row in enumerate(world.rows):
        if row.batch == b and row.state == SUBMITTING:
            world = changed_row(world, m, state=after)
    for i, request in enumerate(world.requests):
        if request.batch == b and request.is_marked:
            said = tuple(LOST if each == OPEN_YET else each for each in request.said)
            world = changed_request(world, i, said=said)
    rows = [row for row in world.rows if row.batch == b]
    return changed_batch(world, b, state=rest_of(rows), is_expired=False)


def passing(world: World, scene: Scene) -> Iterator[Move]:
    """The time of a queued message is over; it is given up in a batch that nobody works on."""
    if not world.budget.ends or world.campaign != RUNNING:
        return
    for m, row in enumerate(world.rows):
        is_free = world.batches[row.batch].state == OPEN or not scene.keeps("late_open")
        if row.state == QUEUED and is_free:
            over = changed_row(spent(world, ends=1), m, state=FAILED, is_over=True)
            rows = [each for each in over.rows if each.batch == row.batch]
            yield f"give up m{m}", changed_batch(over, row.batch, state=rest_of(rows))


def settling(world: World, scene: Scene) -> Iterator[Move]:
    """Ask the gateway for what is unknown; in doubt about the address, the answer counts for nothing."""
    if "settling" not in scene.features:
        return
    if world.budget.detours:
        yield "look-ups go astray", spent(world, detours=1)._replace(is_detoured=True)
    for m, row in enumerate(world.rows):
        if row.state != UNKNOWN:
            continue
        request = world.requests[row.current]
        asked = request.account if scene.keeps("ask_sender") else world.batches[row.batch].account
        is_found = m in request.taken and asked == request.account and not world.is_detoured
        if is_found:
            yield f"look m{m} up: found", recorded_of(world, row.current, m, OK, scene)
        if is_found and world.budget.slips:
            yield f"look m{m} up: overlooked", _missing(spent(world, slips=1), m, scene)
        if not is_found and _counts(world, request, scene):
            yield f"look m{m} up: never received", _missing(world, m, scene)


def _counts(world: World, request: Request, scene: Scene) -> bool:
    """A "never" counts after the quarantine, and if the call finds what the gateway is known to have.

    Nothing stays frozen between its last check and its first byte for as long as the quarantine.
    """
    if world.is_detoured and scene.keeps("witness"):
        return False
    return request.phase != CHECKED or not scene.keeps("quarantine")


def _missing(world: World, m: int, scene: Scene) -> World:
    row = world.rows[m]
    if row.n_never + 1 < (2 if scene.keeps("twice") else 1):
        return changed_row(world, m, n_never=row.n_never + 1)
    return recorded_of(world, row.current, m, NEVER, scene)


def receiving(world: World, scene: Scene) -> Iterator[Move]:
    """A delivery report proves that a submission was accepted, at any time after it."""
    if "receipts" not in scene.features:
        return
    for i, request in enumerate(world.requests):
        for m in request.taken:
            if request.is_marked and said_of(request, m) != OK:
                yield f"receipt for m{m} of s{i}", recorded_of(world, i, m, OK, scene)


def deciding(world: World, scene: Scene) -> Iterator[Move]:
    """An operator settles what is unknown, at the risk that is theirs; or retries what has failed."""
    if not world.budget.orders:
        return
    left = spent(world, orders=1)
    for m, row in enumerate(world.rows):
        if row.state == UNKNOWN:
            yield f"operator: m{m} failed", changed_row(left, m, state=FAILED, is_settled=True)
            if is_cancelled(world):
                yield f"operator: m{m} cancelled", changed_row(left, m, state=CANCELLED, is_settled=True)
            else:
                again = changed_row(left, m, n_resends=row.n_resends + 1, attempts=0, n_never=0)
                yield f"operator: resend m{m}", queued(again, m, scene)
        elif row.state in {FAILED, REJECTED} and _may_be_retried(world, m, scene):
            again = changed_row(left, m, attempts=0, is_single=False)
            yield f"operator: retry m{m}", queued(again, m, scene)


def _may_be_retried(world: World, m: int, scene: Scene) -> bool:
    if is_cancelled(world):
        return False
    if not scene.keeps("retry_certain"):
        return True
    return not was_unknown(world, m, scene)


def ordering(world: World, scene: Scene) -> Iterator[Move]:
    """Pause, resume, cancel: a cancel has returned when no row is queued any more."""
    if world.campaign == RUNNING and world.budget.pauses:
        yield "pause", spent(world, pauses=1)._replace(campaign=PAUSED)
    if world.campaign == PAUSED:
        yield "resume", world._replace(campaign=RUNNING)
    if world.campaign in {RUNNING, PAUSED} and world.budget.cancels:
        yield "cancel", spent(world, cancels=1)._replace(campaign=CANCELLING)
    if world.campaign == CANCELLING:
        yield from _cancelling(world, scene)


def _cancelling(world: World, scene: Scene) -> Iterator[Move]:  # noqa: ARG001 - every family is asked alike
    waiting = [m for m, row in enumerate(world.rows) if row.state == QUEUED]
    if not waiting:
        yield "cancel returns", world._replace(campaign=ENDED)
        return
    b = world.rows[waiting[0]].batch
    for m in waiting:
        if world.rows[m].batch == b:
            world = changed_row(world, m, state=CANCELLED)
    if world.batches[b].state != LEASED:
        world = changed_batch(world, b, state=DONE)
    yield f"cancel the rows of b{b}", world


def holding(world: World, scene: Scene) -> Iterator[Move]:
    """Hold an account; its open batches may go to the fallback, row by row or as they are."""
    if world.budget.holds:
        for account in range(max(1, len(world.batches) - 1)):
            if account not in world.held:
                held = tuple(sorted((*world.held, account)))
                yield f"hold a{account}", spent(world, holds=1)._replace(held=held)
    if "failover" not in scene.features:
        return
    for b, batch in enumerate(world.batches):
        if batch.account in world.held and (batch.state == OPEN or not scene.keeps("hand_over_open")):
            yield from _handed_over(world, b, scene)
    yield from _blindly(world, scene)


def _handed_over(world: World, b: int, scene: Scene) -> Iterator[Move]:
    account = world.batches[b].account
    waiting = [m for m, row in enumerate(world.rows) if row.batch == b and row.state == QUEUED]
    moving = [m for m in waiting if may_hop(world, m, scene)]
    if not moving:
        return
    if "whole" in scene.features:
        yield f"b{b} as a whole to a{account + 1}", changed_batch(world, b, account=account + 1)
        return
    for m in moving:
        world = hopped(world, m, scene)
    if world.batches[b].state == OPEN:
        rest = rest_of([row for row in world.rows if row.batch == b])
        world = changed_batch(world, b, state=rest)
    yield f"hand over {'+'.join(f'm{m}' for m in moving)} of b{b}", world


def _blindly(world: World, scene: Scene) -> Iterator[Move]:
    """Without the protection, what is unknown at one gateway is tried at the next."""
    if scene.keeps("hop_certain"):
        return
    for m, row in enumerate(world.rows):
        if row.state == UNKNOWN and may_hop(world, m, scene):
            yield f"m{m} blindly to the fallback", hopped(world, m, scene)
