"""Look at every world that can be reached, breadth first: what breaks a law is found on a shortest way."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from tests.model import ordering, sending, working
from tests.model.laws import CONVERGES, LAWS, is_at_rest
from tests.model.world import Move, Scene, World

_FAMILIES = (
    working.leasing,
    working.marking,
    sending.writing,
    sending.recording,
    working.leaving,
    ordering.sweeping,
    ordering.passing,
    ordering.settling,
    ordering.receiving,
    ordering.deciding,
    ordering.ordering,
    ordering.holding,
)
ALL_LAWS = (*LAWS, CONVERGES)


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What a search found: the law that is broken, if any, and the shortest way there."""

    n_states: int
    cpu_s: float
    broken: str | None = None
    path: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Graph:
    worlds: list[World]
    parents: list[tuple[int, str]]
    successors: list[list[int]]

    def path(self, n: int) -> tuple[str, ...]:
        steps = []
        while n:
            n, step = self.parents[n]
            steps.append(step)
        return tuple(reversed(steps))


def moves(world: World, scene: Scene) -> Iterator[Move]:
    """Yield everything that may happen next."""
    for family in _FAMILIES:
        yield from family(world, scene)


def search(scene: Scene, *, laws: Collection[str] = ALL_LAWS) -> Finding:
    """Search a scene for a world that breaks one of the laws."""
    began_at = time.process_time()
    checked = [(name, LAWS[name]) for name in laws if name in LAWS]
    graph = _Graph([scene.start()], [(0, "")], [])
    numbers = {graph.worlds[0]: 0}
    waiting = deque([0])
    while waiting:
        n = waiting.popleft()
        world = graph.worlds[n]
        broken = next((name for name, holds in checked if not holds(world, scene)), None)
        if broken:
            return _finding(graph, began_at, broken=broken, n=n)
        graph.successors.append([])
        for step, after in moves(world, scene):
            number = numbers.setdefault(after, len(graph.worlds))
            if number == len(graph.worlds):
                graph.worlds.append(after)
                graph.parents.append((n, step))
                waiting.append(number)
            graph.successors[n].append(number)
    stuck = _first_stuck(graph, scene) if CONVERGES in laws else None
    return _finding(graph, began_at, broken=None if stuck is None else CONVERGES, n=stuck or 0)


def _finding(graph: _Graph, began_at: float, *, broken: str | None, n: int) -> Finding:
    return Finding(
        n_states=len(graph.worlds),
        cpu_s=time.process_time() - began_at,
        broken=broken,
        path=graph.path(n) if broken else (),
    )


def _first_stuck(graph: _Graph, scene: Scene) -> int | None:
    """Return the nearest world from which no way leads to rest."""
    before: list[list[int]] = [[] for _ in graph.worlds]
    for n, successors in enumerate(graph.successors):
        for after in successors:
            before[after].append(n)
    waiting = deque(n for n, world in enumerate(graph.worlds) if is_at_rest(world, scene))
    is_saved = [False] * len(graph.worlds)
    for n in waiting:
        is_saved[n] = True
    while waiting:
        for n in before[waiting.popleft()]:
            if not is_saved[n]:
                is_saved[n] = True
                waiting.append(n)
    return next((n for n, saved in enumerate(is_saved) if not saved), None)
