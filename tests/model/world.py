"""What the model of the protocol remembers: the ledger, the workers, and what gateways have; plain tuples.

The words are those of DESIGN 2. A state is a `World`; everything in it is hashable and small, as a
search keeps tens of thousands of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from worker.states import BatchState, CampaignState, MessageState

QUEUED = MessageState.QUEUED.value  # plain strings: the hash of an enum's member is slow
SUBMITTING = MessageState.SUBMITTING.value
ACCEPTED = MessageState.ACCEPTED.value
REJECTED = MessageState.REJECTED.value
UNKNOWN = MessageState.UNKNOWN.value
FAILED = MessageState.FAILED.value
CANCELLED = MessageState.CANCELLED.value

OPEN = BatchState.OPEN.value
LEASED = BatchState.LEASED.value
DONE = BatchState.DONE.value

RUNNING = CampaignState.RUNNING.value
PAUSED = CampaignState.PAUSED.value
CANCELLING = CampaignState.CANCELLED.value  # so in the ledger, while rows are still being cancelled
ENDED = "ended"  # the order to cancel has returned

# Where the worker is with a request.
MARKED = "marked"  # about to look at the clock for the last time before the first byte
CHECKED = "checked"  # it looked, and is frozen before the first byte
LATE = "late"  # the mark is too old to be acted upon
DOUBTED = "doubted"  # nobody told it whether the mark was committed
ANSWERED = "answered"  # something came back, or nothing, and is not recorded yet
JUDGED = "judged"  # about to be recorded by a look at a campaign that was not cancelled
SPOOLED = "spooled"  # waits in the spool
RECORDED = "recorded"
GONE = "gone"  # its worker died, or could not record it
BUSY = frozenset({MARKED, CHECKED, LATE, DOUBTED, ANSWERED, JUDGED})

# What became of one message of a request.
OK = "ok"
LATER = "later"  # refused for now
ELSEWHERE = "elsewhere"  # refused for now, and this account is not to try it again
NO = "no"  # refused for good
SPLIT = "split"  # refused because of some number of the request
UNSENT = "unsent"  # no byte was written
LOST = "lost"  # written, and no readable answer
SILENT = "silent"  # the answer does not name it
NEVER = "never"  # the gateway was asked, and proved that it has not got it
OPEN_YET = ""  # nothing recorded
IN_DOUBT = frozenset({OPEN_YET, LOST, SILENT})


class Batch(NamedTuple):
    """A row of `batches`."""

    state: str
    fence: int
    is_expired: bool
    account: int


class Row(NamedTuple):
    """A row of `messages`."""

    state: str = QUEUED
    current: int = -1  # index of its submission
    batch: int = 0
    attempts: int = 0
    is_single: bool = False  # group_limit
    n_never: int = 0
    n_resends: int = 0  # an operator ordered so many
    is_settled: bool = False  # an operator said that it failed
    is_doubled: bool = False
    is_over: bool = False  # it was given up because its time was over


class Request(NamedTuple):
    """A submission: what the worker knows of it, what the ledger says, and what the gateway has."""

    rows: tuple[int, ...]
    batch: int
    fence: int
    account: int
    phase: str
    answers: tuple[str, ...]  # by row, as the worker heard
    said: tuple[str, ...]  # by row, as recorded
    taken: tuple[int, ...] = ()  # rows that the gateway accepted
    is_marked: bool = True  # the ledger has it


class Worker(NamedTuple):
    """A worker is the lease that it believes to hold."""

    batch: int
    fence: int
    account: int
    is_cleared: bool = False  # it has looked, and is about to mark without looking again


class Budget(NamedTuple):
    """How often the world may still misbehave, and people give orders."""

    crashes: int = 0
    freezes: int = 0  # between the last check and the first byte
    lost_commits: int = 0
    slips: int = 0  # a look-up that overlooks what the gateway has
    detours: int = 0  # from then on look-ups reach somebody who knows nothing of us
    pauses: int = 0
    cancels: int = 0
    holds: int = 0
    ends: int = 0  # of a message's time
    orders: int = 0  # of an operator, about unknown, failed and rejected messages


NONE = Budget()


class World(NamedTuple):
    """Everything at one moment."""

    batches: tuple[Batch, ...]
    rows: tuple[Row, ...]
    workers: tuple[Worker, ...]
    requests: tuple[Request, ...]
    campaign: str
    held: tuple[int, ...]  # accounts
    budget: Budget
    is_detoured: bool = False
    disobeyed: str = ""  # the order that a mark did not obey


Move = tuple[str, World]
"""What may happen next, in words, and the world after it."""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A configuration: bounds, what may happen, and which protections are switched off."""

    name: str
    budget: Budget = NONE
    features: frozenset[str] = frozenset()
    n_messages: int = 1
    n_workers: int = 2
    n_requests: int = 2
    n_leases: int = 2  # of each batch
    n_attempts: int = 2
    off: frozenset[str] = frozenset()

    def start(self) -> World:
        """Return the world before anything has happened: every row in the first batch."""
        n_accounts = 3 if "failover" in self.features else 1
        batches = tuple(Batch(DONE if n else OPEN, 0, is_expired=False, account=n) for n in range(n_accounts))
        return World(batches, (Row(),) * self.n_messages, (), (), RUNNING, (), self.budget)

    def keeps(self, protection: str) -> bool:
        """Say whether a protection is on."""
        return protection not in self.off


def changed_row(world: World, m: int, **changes: object) -> World:
    """Return the world with some fields of a message's row changed."""
    row = world.rows[m]._replace(**changes)  # type: ignore[arg-type]  # the names are Row's
    return world._replace(rows=(*world.rows[:m], row, *world.rows[m + 1 :]))


def changed_batch(world: World, b: int, **changes: object) -> World:
    """Return the world with some fields of a batch changed."""
    batch = world.batches[b]._replace(**changes)  # type: ignore[arg-type]  # the names are Batch's
    return world._replace(batches=(*world.batches[:b], batch, *world.batches[b + 1 :]))


def changed_request(world: World, i: int, **changes: object) -> World:
    """Return the world with some fields of a submission changed."""
    request = world.requests[i]._replace(**changes)  # type: ignore[arg-type]  # the names are Request's
    return world._replace(requests=(*world.requests[:i], request, *world.requests[i + 1 :]))


def said_of(request: Request, m: int) -> str:
    """Return what the ledger says became of a message of a submission."""
    return request.said[request.rows.index(m)]


def spent(world: World, **times: int) -> World:
    """Return the world with so much less of a budget left."""
    left = {name: getattr(world.budget, name) - n for name, n in times.items()}
    return world._replace(budget=world.budget._replace(**left))
