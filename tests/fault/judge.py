"""The judge of a fault test: compares what the simulator counted with what the ledger says."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from tests.fault import books
from tests.fault.arena import CONNECTIONS, Arena
from tests.ledgers import assert_counts
from worker.states import PROVEN

LOSSES_TO_HOLD = 3


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The figures of one run, and what is wrong with it."""

    messages: int
    accepted: int  # by the simulator
    unknown: int
    most_unknown: int  # the recipients of requests that were at risk
    duplicates: int
    kills: int
    seconds: float
    problems: tuple[str, ...]


def judge(arena: Arena, *, n_ambiguous: int = 0, workers: int = 1) -> Verdict:
    """Wait until a run has converged, and judge it.

    Args:
        arena: the run.
        n_ambiguous: requests that the simulator left without a readable answer.
        workers: how many worker nodes held connections at a time.
    """
    has_converged = arena.converges(lambda: _is_told(arena), see_to=lambda: _resume_held(arena))
    engine = arena.place.engine
    found, unclear = books.states(engine), books.unclear_requests(engine)
    most = arena.at_risk + books.Marked(requests=n_ambiguous, rows=sum(unclear[:n_ambiguous]))
    stats = arena.gateway.stats()
    problems = [
        *([] if has_converged else [f"it did not converge: {dict(found)}"]),
        *_states(arena, found),
        *_sent(arena),
        *_risk(found["unknown"], requests=len(unclear), most=most),
    ]
    if arena.most_open > 2 * CONNECTIONS * workers:
        problems.append(f"{arena.most_open} requests were marked at once")
    return Verdict(
        messages=arena.n_messages,
        accepted=stats["accepted"],
        unknown=found["unknown"],
        most_unknown=most.rows,
        duplicates=stats["duplicates"]["text"],
        kills=arena.n_kills,
        seconds=round(arena.seconds, 1),
        problems=(*problems, *_doctor(arena)),
    )


def _states(arena: Arena, found: Counter[str]) -> Iterator[str]:
    """Nothing is lost: every message is accepted, perhaps delivered already, or said to be unknown."""
    if sum(found[state] for state in PROVEN) + found["unknown"] != arena.n_messages:
        yield f"of {arena.n_messages} messages there are {dict(found)}"
    try:
        assert_counts(arena.place.engine)
    except AssertionError:
        yield "the counters of the batches are not their rows"


def _sent(arena: Arena) -> Iterator[str]:
    """Nothing is sent twice, and what the ledger calls accepted is what the gateway accepted."""
    engine, stats = arena.place.engine, arena.gateway.stats()
    if stats["duplicates"] != {"reference": 0, "text": 0}:
        yield f"accepted twice: {stats['duplicates']}"
    untrue, untold = books.proven(engine) - _at_gateway(arena), _to_be_told(arena)
    if untrue:
        yield f"{untrue.total()} accepted in the ledger, and not at the gateway"
    if untold:
        yield f"{untold.total()} accepted at the gateway, and not in the ledger, which could ask"
    if books.doubled(engine):
        yield f"{books.doubled(engine)} messages are called doubled"


def _at_gateway(arena: Arena) -> books.Sent:
    return Counter((row["msisdn"], row["text"]) for row in arena.gateway.accepted())


def _to_be_told(arena: Arena) -> books.Sent:
    """Return what the gateway has accepted and the ledger does not know of: it is to ask."""
    return _at_gateway(arena) - books.proven(arena.place.engine)


def _resume_held(arena: Arena) -> None:
    """Do what is left to a person: let a batch go on whose worker was lost three times."""
    if arena.n_kills < LOSSES_TO_HOLD:
        return
    for campaign_id in books.held(arena.place.engine):
        done = arena.run("campaign", "resume", str(campaign_id))
        assert done.code == 0, done.err


def _is_told(arena: Arena) -> bool:
    """Say whether waiting is of no more use: the ledger knows all, or it is too late."""
    return not _to_be_told(arena) or any(arena.gateway.stats()["duplicates"].values())


def _risk(unknown: int, *, requests: int, most: books.Marked) -> Iterator[str]:
    """What cannot be known is bounded by what was at risk."""
    if unknown > most.rows or requests > most.requests:
        yield f"{unknown} messages in {requests} requests are unknown; at risk were {most}"


def _doctor(arena: Arena) -> Iterator[str]:
    """The product's own judge agrees."""
    done = arena.run("doctor", "--json")
    if done.code:
        yield f"doctor: exit code {done.code}: {done.out}{done.err}"
