"""What workers do with batches: lease them, mark rows, release them; or die."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from tests.model.world import (
    ANSWERED,
    BUSY,
    DONE,
    DOUBTED,
    GONE,
    LEASED,
    MARKED,
    OPEN,
    OPEN_YET,
    QUEUED,
    RUNNING,
    SPOOLED,
    SUBMITTING,
    Move,
    Request,
    Row,
    Scene,
    Worker,
    World,
    changed_batch,
    changed_request,
    changed_row,
    spent,
)


def leasing(world: World, scene: Scene) -> Iterator[Move]:
    """Take an open batch that has something to send."""
    if len(world.workers) == scene.n_workers or world.campaign != RUNNING:
        return
    for b, batch in enumerate(world.batches):
        if batch.state != OPEN or batch.account in world.held or batch.fence == scene.n_leases:
            continue
        if any(row.state == QUEUED and row.batch == b for row in world.rows):
            fence = batch.fence + 1
            taken = changed_batch(world, b, state=LEASED, fence=fence, is_expired=False)
            yield f"lease b{b}#{fence}", _with_worker(taken, Worker(b, fence, batch.account))


def _with_worker(world: World, worker: Worker, *, instead_of: Worker | None = None) -> World:
    others = [each for each in world.workers if each != instead_of]
    return world._replace(workers=tuple(sorted([*others, worker])))  # workers are alike: their order is none


def _without_worker(world: World, worker: Worker) -> World:
    return world._replace(workers=tuple(each for each in world.workers if each != worker))


def marking(world: World, scene: Scene) -> Iterator[Move]:
    """Mark rows, where everything still holds that was relied on."""
    if len(world.requests) == scene.n_requests:
        return
    for worker in world.workers:
        if worker.is_cleared or scene.keeps("control_lock"):
            if worker.is_cleared or _is_allowed(world, worker, scene):
                yield from _marks(world, worker, scene)
        elif _is_allowed(world, worker, scene):
            cleared = worker._replace(is_cleared=True)
            yield f"look {_name(worker)}", _with_worker(world, cleared, instead_of=worker)


def _name(each: Worker | Request) -> str:
    return f"b{each.batch}#{each.fence}"


def _is_allowed(world: World, worker: Worker, scene: Scene) -> bool:
    if scene.keeps("campaign_check") and world.campaign != RUNNING:
        return False
    if scene.keeps("account_check") and world.batches[worker.batch].account in world.held:
        return False
    return _holds_lease(world, worker, scene)


def _holds_lease(world: World, worker: Worker, scene: Scene) -> bool:
    batch = world.batches[worker.batch]
    if not scene.keeps("lease_check"):
        return True
    if batch.state != LEASED or (batch.is_expired and scene.keeps("lease_time")):
        return False
    return batch.fence == worker.fence or not scene.keeps("fence")


def _marks(world: World, worker: Worker, scene: Scene) -> Iterator[Move]:
    if world.campaign != RUNNING or worker.account in world.held:
        world = world._replace(disobeyed="pause" if world.campaign != RUNNING else "hold")
    world = _with_worker(world, worker._replace(is_cleared=False), instead_of=worker)
    for rows in _groups(world, worker, scene):
        label = f"mark {_name(worker)} {'+'.join(f'm{m}' for m in rows)}"
        fresh = (OPEN_YET,) * len(rows)
        request = Request(rows, worker.batch, worker.fence, worker.account, MARKED, (), fresh)
        if not scene.keeps("write_ahead"):
            yield f"{label} not written down", _with(world, request._replace(is_marked=False))
            continue
        yield label, _marked(world, request)
        if world.budget.lost_commits:
            doubted = request._replace(phase=DOUBTED)
            left = spent(world, lost_commits=1)
            yield f"{label}, answer lost", _marked(left, doubted)
            yield f"{label}, never committed", _with(left, doubted._replace(is_marked=False))


def _groups(world: World, worker: Worker, scene: Scene) -> Iterator[tuple[int, ...]]:
    free = [
        m
        for m, row in enumerate(world.rows)
        if (row.state == QUEUED or not scene.keeps("row_check"))
        and (row.batch == worker.batch or not scene.keeps("row_batch"))
    ]
    yield from ((m,) for m in free)
    if "groups" in scene.features:
        yield from combinations([m for m in free if not world.rows[m].is_single], 2)


def _with(world: World, request: Request) -> World:
    return world._replace(requests=(*world.requests, request))


def _marked(world: World, request: Request) -> World:
    number = len(world.requests)
    for m in request.rows:
        attempts = world.rows[m].attempts + 1
        world = changed_row(world, m, state=SUBMITTING, current=number, attempts=attempts, n_never=0)
    if world.batches[request.batch].is_expired:
        world = changed_batch(world, request.batch, is_expired=False)  # the mark renews the lease
    return _with(world, request)


def leaving(world: World, scene: Scene) -> Iterator[Move]:
    """Release a batch, forget one that was lost, or die."""
    for worker in world.workers:
        batch = world.batches[worker.batch]
        rows = [row for row in world.rows if row.batch == worker.batch]
        is_ours = batch.state == LEASED and batch.fence == worker.fence
        if not any(_is_of(request, worker) and request.phase in BUSY for request in world.requests):
            if is_ours and not (scene.keeps("release") and any(row.state == SUBMITTING for row in rows)):
                given = changed_batch(world, worker.batch, state=rest_of(rows), is_expired=False)
                yield f"release {_name(worker)}", _without_worker(given, worker)
            elif not is_ours:
                yield f"forget {_name(worker)}", _without_worker(world, worker)
        if world.budget.crashes:
            yield from _ends_badly(world, worker, scene)


def rest_of(rows: list[Row]) -> str:
    """What becomes of a batch on which nobody works."""
    return OPEN if any(row.state == QUEUED for row in rows) else DONE


def _is_of(request: Request, worker: Worker) -> bool:
    return request.batch == worker.batch and request.fence == worker.fence


def _ends_badly(world: World, worker: Worker, scene: Scene) -> Iterator[Move]:
    """Die, at best with the spool written; or live on, with outcomes that the ledger refuses."""
    mine = [i for i, each in enumerate(world.requests) if _is_of(each, worker) and each.phase in BUSY]
    left = spent(world, crashes=1)
    yield f"kill {_name(worker)}", _without_worker(_moved(left, mine, GONE), worker)
    heard = [i for i in mine if world.requests[i].phase == ANSWERED]
    if not heard:
        return
    yield f"refuse the outcomes of {_name(worker)}", _moved(left, heard, GONE)
    if "spool" in scene.features:
        rest = [i for i in mine if i not in heard]
        spooled = _moved(_moved(left, heard, SPOOLED), rest, GONE)
        yield f"stop {_name(worker)}, spooling", _without_worker(spooled, worker)


def _moved(world: World, requests: list[int], phase: str) -> World:
    for i in requests:
        world = changed_request(world, i, phase=phase)
    return world
