"""What workers do with marked requests: write them, or not in time; and record what came back."""

from __future__ import annotations

from collections.abc import Iterator

from tests.model.outcomes import is_cancelled, recorded
from tests.model.world import (
    ANSWERED,
    CHECKED,
    DOUBTED,
    ELSEWHERE,
    JUDGED,
    LATE,
    LATER,
    LEASED,
    LOST,
    MARKED,
    NO,
    OK,
    QUEUED,
    RECORDED,
    RUNNING,
    SILENT,
    SPLIT,
    SPOOLED,
    SUBMITTING,
    UNSENT,
    Move,
    Request,
    Scene,
    World,
    changed_request,
    changed_row,
    spent,
)


def writing(world: World, scene: Scene) -> Iterator[Move]:
    """Write requests, freeze before it, or see that it is too late; the gateway does what it wants."""
    for i, request in enumerate(world.requests):
        if _may_be_written(request, scene):
            for taken, answers in _replies(request, scene):
                done = changed_request(world, i, phase=ANSWERED, taken=taken, answers=answers)
                had = f" (it took {'+'.join(f'm{m}' for m in taken)})" if taken else ""
                yield f"write s{i}: {', '.join(answers)}{had}", done
        if request.phase == MARKED and world.budget.freezes:
            frozen = changed_request(spent(world, freezes=1), i, phase=CHECKED)
            yield f"freeze s{i} before its first byte", frozen
        if request.phase in {MARKED, LATE}:
            yield f"unmark s{i}", _taken_back(world, i, scene)
        if request.phase == DOUBTED:
            yield f"take s{i} back", _disowned(world, i, scene)


def _may_be_written(request: Request, scene: Scene) -> bool:
    if request.phase == LATE:
        return not scene.keeps("write_by")
    if request.phase == DOUBTED:
        return not scene.keeps("commit_known")
    return request.phase in {MARKED, CHECKED}


def _replies(request: Request, scene: Scene) -> Iterator[tuple[tuple[int, ...], tuple[str, ...]]]:
    """What the gateway takes of a request, and what the worker hears of it."""
    rows, n = request.rows, len(request.rows)
    yield rows, (OK,) * n
    yield (), (LATER,) * n
    yield rows, (LOST,) * n
    yield (), (LOST,) * n
    if "refusals" in scene.features:
        yield (), (NO,) * n
    if n > 1:
        yield (), (SPLIT,) * n
        yield rows[:1], (OK, SILENT)
        yield rows, (OK, SILENT)


def _taken_back(world: World, i: int, scene: Scene) -> World:
    request = world.requests[i]
    world = recorded(world, i, (UNSENT,) * len(request.rows), scene)
    return changed_request(world, i, phase=RECORDED)


def _disowned(world: World, i: int, scene: Scene) -> World:
    """Take a mark back of which nobody knows whether it was committed."""
    if scene.keeps("by_reference"):
        return _taken_back(world, i, scene)
    for m in world.requests[i].rows:
        if world.rows[m].state == SUBMITTING:
            world = changed_row(world, m, state=QUEUED)
    return changed_request(world, i, phase=RECORDED)


def recording(world: World, scene: Scene) -> Iterator[Move]:
    """Record what came back: by the worker whoever has the lease now, or from the spool, even twice."""
    for i, request in enumerate(world.requests):
        if request.phase == ANSWERED:
            yield from _records(world, i, scene)
        elif request.phase == JUDGED:
            running = _ended(world._replace(campaign=RUNNING), i, request.answers, scene)
            yield f"write down s{i}", running._replace(campaign=world.campaign)
        elif request.phase == SPOOLED:
            again = _replayed(world, i, scene)
            yield f"replay s{i}", changed_request(again, i, phase=RECORDED)
            yield f"replay s{i}, and keep it", again


def _records(world: World, i: int, scene: Scene) -> Iterator[Move]:
    request = world.requests[i]
    if not scene.keeps("judge_lock") and not is_cancelled(world):
        yield f"judge s{i}", changed_request(world, i, phase=JUDGED)
        return
    if not scene.keeps("from_anybody") and not _is_leased(world, request):
        yield f"drop s{i}: the lease is lost", changed_request(world, i, phase=RECORDED)
        return
    yield f"record s{i}", _ended(world, i, request.answers, scene)
    if LATER in request.answers and "failover" in scene.features:
        elsewhere = tuple(ELSEWHERE if answer == LATER else answer for answer in request.answers)
        yield f"record s{i}, to the fallback", _ended(world, i, elsewhere, scene)
    if "spool" in scene.features:
        kept = recorded(world, i, request.answers, scene)
        yield f"record s{i}, and keep it", changed_request(kept, i, phase=SPOOLED)


def _is_leased(world: World, request: Request) -> bool:
    batch = world.batches[request.batch]
    return batch.state == LEASED and batch.fence == request.fence


def _ended(world: World, i: int, answers: tuple[str, ...], scene: Scene) -> World:
    return changed_request(recorded(world, i, answers, scene), i, phase=RECORDED)


def _replayed(world: World, i: int, scene: Scene) -> World:
    """Record from the spool: keyed by the submission, or else as if it were the message's current one."""
    request = world.requests[i]
    target = i if scene.keeps("spool_key") else world.rows[request.rows[0]].current
    return recorded(world, target, request.answers, scene)
