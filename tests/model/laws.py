"""What must hold in every state, each law by its name; and when a world has come to rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise

from tests.model.outcomes import is_cancelled
from tests.model.world import (
    ACCEPTED,
    DONE,
    ENDED,
    OK,
    OPEN,
    PAUSED,
    QUEUED,
    RECORDED,
    SPLIT,
    SUBMITTING,
    UNKNOWN,
    Scene,
    World,
    said_of,
)

_MAY_BE_THERE = frozenset({SUBMITTING, UNKNOWN, ACCEPTED})


def _sent_once(world: World, scene: Scene) -> bool:  # noqa: ARG001 - every law is asked alike
    """A message is accepted once by the gateways together, and once more for each resend that was ordered."""
    return all(_n_taken(world, m) <= 1 + row.n_resends for m, row in enumerate(world.rows))


def _n_taken(world: World, m: int) -> int:
    return sum(m in request.taken for request in world.requests)


def _not_denied(world: World, scene: Scene) -> bool:  # noqa: ARG001
    """What a gateway has is never shown as if it had not, except on an operator's word."""
    return all(
        row.state in _MAY_BE_THERE or row.n_resends or row.is_settled or not _n_taken(world, m)
        for m, row in enumerate(world.rows)
    )


def _answer_kept(world: World, scene: Scene) -> bool:  # noqa: ARG001
    """An acceptance that was recorded is shown, whatever else happens."""
    return all(
        world.rows[m].state == ACCEPTED
        for request in world.requests
        for n, m in enumerate(request.rows)
        if request.said[n] == OK or (request.phase == RECORDED and request.answers[n : n + 1] == (OK,))
    )


def _not_stranded(world: World, scene: Scene) -> bool:  # noqa: ARG001
    """A queued message lies in a batch that is not done."""
    return all(row.state != QUEUED or world.batches[row.batch].state != DONE for row in world.rows)


def _obeyed(world: World, scene: Scene) -> bool:  # noqa: ARG001
    """Nothing is marked after pause, cancel or hold has returned, nor what was given up."""
    return not world.disobeyed and not any(row.is_over and row.state == SUBMITTING for row in world.rows)


def _cancelled_for_good(world: World, scene: Scene) -> bool:  # noqa: ARG001
    """Nothing is queued in a campaign whose cancel has returned."""
    return world.campaign != ENDED or all(row.state != QUEUED for row in world.rows)


def _one_hop(world: World, scene: Scene) -> bool:  # noqa: ARG001
    """A message leaves through its campaign's account or that account's fallback, no other."""
    return all(request.account <= 1 for request in world.requests)


def _certain_hop(world: World, scene: Scene) -> bool:  # noqa: ARG001
    """No account takes over what may be with another."""
    return all(
        later.account <= earlier.account or not set(later.rows) & set(earlier.taken)
        for n, earlier in enumerate(world.requests)
        for later in world.requests[n + 1 :]
    )


def _alarmed(world: World, scene: Scene) -> bool:  # noqa: ARG001
    """Two acceptances of a message that are both known raise the alarm."""
    return all(
        row.is_doubled
        or sum(m in each.rows and said_of(each, m) == OK for each in world.requests if each.is_marked) < 2
        for m, row in enumerate(world.rows)
    )


def _limited(world: World, scene: Scene) -> bool:
    """A message has no more attempts than are allowed."""
    return all(row.attempts <= scene.n_attempts for row in world.rows)


def _split_once(world: World, scene: Scene) -> bool:  # noqa: ARG001
    """What an account refused because of one of its numbers is not given to it again as it was.

    A resend that is ordered before the refusal is recorded may do so once more.
    """
    whole = [request for request in world.requests if len(request.rows) > 1]
    return any(row.n_resends for row in world.rows) or not any(
        SPLIT in earlier.said and earlier.account == later.account for earlier, later in pairwise(whole)
    )


LAWS: Mapping[str, Callable[[World, Scene], bool]] = {
    "sent once": _sent_once,
    "not denied": _not_denied,
    "answer kept": _answer_kept,
    "not stranded": _not_stranded,
    "obeyed": _obeyed,
    "cancelled for good": _cancelled_for_good,
    "one hop": _one_hop,
    "certain hop": _certain_hop,
    "alarmed": _alarmed,
    "limited": _limited,
    "split once": _split_once,
}

CONVERGES = "converges"
"""From every state there is a way to rest: nothing is SUBMITTING for ever, QUEUED only behind an order."""


def is_at_rest(world: World, scene: Scene) -> bool:
    """Say whether nothing is on its way, and what is queued waits for a person, or for a larger model."""
    if any(row.state == SUBMITTING for row in world.rows):
        return False
    return all(_waits(world, row.batch, scene) for row in world.rows if row.state == QUEUED)


def _waits(world: World, b: int, scene: Scene) -> bool:
    batch = world.batches[b]
    if batch.state != OPEN or is_cancelled(world):
        return False
    is_ordered = world.campaign == PAUSED or batch.account in world.held
    return is_ordered or len(world.requests) == scene.n_requests or batch.fence == scene.n_leases
