"""What an outcome does to rows and batches. The judgement itself is the product's: `worker.states`."""

from __future__ import annotations

from itertools import product

from tests.model.world import (
    ACCEPTED,
    CANCELLING,
    DONE,
    ELSEWHERE,
    ENDED,
    FAILED,
    IN_DOUBT,
    LATER,
    LOST,
    NEVER,
    NO,
    OK,
    OPEN,
    QUEUED,
    REJECTED,
    SILENT,
    SPLIT,
    UNKNOWN,
    UNSENT,
    Row,
    Scene,
    World,
    changed_batch,
    changed_request,
    changed_row,
    said_of,
)
from worker.states import MessageState, after_outcome, is_doubled

_TARGETS = {
    OK: ACCEPTED,
    LATER: QUEUED,
    ELSEWHERE: QUEUED,
    NO: REJECTED,
    SPLIT: QUEUED,
    UNSENT: QUEUED,
    LOST: UNKNOWN,
    SILENT: UNKNOWN,
    NEVER: QUEUED,
}
_UNCOUNTED = frozenset({SPLIT, UNSENT, NEVER})
_IN_FLIGHT = frozenset({MessageState.SUBMITTING.value, UNKNOWN})

_BOTH = (False, True)
_STATES = tuple(MessageState)
_AFTER = {  # the product's own rule, asked once for every case
    (current.value, outcome.value, is_current, is_cancelled): None if after is None else after.value
    for current, outcome, is_current, is_cancelled in product(_STATES, _STATES, _BOTH, _BOTH)
    for after in [after_outcome(current, outcome, is_current=is_current, is_cancelled=is_cancelled)]
}
_DOUBLED = {
    (current.value, is_current): is_doubled(current, MessageState.ACCEPTED, is_current=is_current)
    for current, is_current in product(_STATES, _BOTH)
}


def is_cancelled(world: World) -> bool:
    """Say whether the campaign is cancelled in the ledger."""
    return world.campaign in {CANCELLING, ENDED}


def recorded(world: World, i: int, answers: tuple[str, ...], scene: Scene) -> World:
    """Return the world after the outcomes of a submission were written in one transaction.

    A submission that the ledger does not know changes nothing.
    """
    if world.requests[i].is_marked:
        for m, answer in zip(world.requests[i].rows, answers, strict=True):
            world = recorded_of(world, i, m, answer, scene)
    return world


def recorded_of(world: World, i: int, m: int, answer: str, scene: Scene) -> World:
    """Return the world after one word about one message of a submission was written."""
    world = _noted(world, i, m, answer)
    row = world.rows[m]
    target = QUEUED if answer == LOST and not scene.keeps("unknown") else _TARGETS[answer]
    if target == ACCEPTED:
        return _proven(world, i, m, scene)
    is_current = row.current == i or not scene.keeps("current")
    after = _AFTER[row.state, target, is_current, is_cancelled(world) and scene.keeps("cancelled")]
    if after is None:
        return world
    return _back(world, m, answer, scene) if after == QUEUED else changed_row(world, m, state=after)


def _noted(world: World, i: int, m: int, answer: str) -> World:
    """Write into the submission what became of a message, unless something better is known."""
    request = world.requests[i]
    if answer != OK and said_of(request, m) not in IN_DOUBT:
        return world
    said = tuple(answer if n == m else old for n, old in zip(request.rows, request.said, strict=True))
    return changed_request(world, i, said=said)


def _proven(world: World, i: int, m: int, scene: Scene) -> World:
    """Proof of acceptance: from any state that is not proven yet; an alarm where two may have it."""
    row = world.rows[m]
    is_current = row.current == i
    doubled = _is_doubled(row, is_current=is_current, scene=scene)
    if doubled and not row.is_doubled:
        world = changed_row(world, m, is_doubled=True)
    after = _AFTER[row.state, ACCEPTED, is_current, False]
    if not scene.keeps("proof") and row.state not in _IN_FLIGHT:
        after = None
    return world if after is None else changed_row(world, m, state=after, current=i)


def _is_doubled(row: Row, *, is_current: bool, scene: Scene) -> bool:
    if scene.keeps("alarm_late"):
        return _DOUBLED[row.state, is_current]
    return not is_current and row.state == MessageState.SUBMITTING.value


def _back(world: World, m: int, answer: str, scene: Scene) -> World:
    """A message is queued again: with an attempt less, singly, elsewhere, or given up."""
    row = world.rows[m]
    if answer in _UNCOUNTED:
        single = row.is_single or (answer == SPLIT and scene.keeps("group_limit"))
        world = changed_row(world, m, attempts=row.attempts - 1, is_single=single)
        return queued(world, m, scene)
    if answer == ELSEWHERE and may_hop(world, m, scene):
        return hopped(world, m, scene)
    if row.attempts >= scene.n_attempts and scene.keeps("attempts"):
        return changed_row(world, m, state=FAILED)
    return queued(world, m, scene)


def queued(world: World, m: int, scene: Scene) -> World:
    """Queue a message, in a batch that is not done."""
    world = changed_row(world, m, state=QUEUED)
    b = world.rows[m].batch
    if world.batches[b].state == DONE and scene.keeps("reopen"):
        world = changed_batch(world, b, state=OPEN)
    return world


def may_hop(world: World, m: int, scene: Scene) -> bool:
    """Say whether the fallback may take a message over: once, and not what may have been accepted."""
    account = world.batches[world.rows[m].batch].account
    if account + 1 >= len(world.batches) or (account and scene.keeps("one_hop")):
        return False
    return not (was_unknown(world, m, scene) and scene.keeps("hop_certain"))


def hopped(world: World, m: int, scene: Scene) -> World:
    """Move a message to a batch of the next account, with fresh attempts."""
    there = world.batches[world.rows[m].batch].account + 1
    return queued(changed_row(world, m, batch=there, attempts=0, is_single=False), m, scene)


def was_unknown(world: World, m: int, scene: Scene) -> bool:
    """Say whether nobody knows what became of some submission of a message.

    By the message itself. By the request as a whole, without the protection, it is coarser: that counts as
    answered as soon as the answer names anybody.
    """
    by_message = scene.keeps("doubt_by_message")
    for request in world.requests:
        if request.is_marked and m in request.rows:
            said = (said_of(request, m),) if by_message else request.said
            if all(each in IN_DOUBT for each in said):
                return True
    return False
