"""Recipients that choose their own outcome: what becomes of a number that ends in `999900` and two digits.

Eight digits, so that no ordinary test number ends like this by chance; and complete national numbers, so that
a plausible one exists in many countries: +4599990001, +447799990001, +393399990001, +12099990001.

A gateway asks `refusal_of` before it accepts a message, `fate_of` when it answers, and `turns_of` (pushed
reports) or `state_of` (asked for) afterwards; every one of them takes the number with or without its plus,
and heeds the knobs for the numbers that choose nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from worker.sandbox.knobs import Knobs

# What a report says: a gateway has its own word or number for each; `abandoned` is also called expired.
State = Literal["delivered", "failed", "buffered", "abandoned"]
Refusal = Literal["number", "stopped", "credit"]

MARK = "999900"
_RANKS: list[State] = ["buffered", "abandoned", "failed", "delivered"]
_ENDING = len(MARK) + 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Turn:
    """One report: how long after the message left it comes, and what it says."""

    after_s: float
    state: State


@dataclass(frozen=True, kw_only=True, slots=True)
class Fate:
    """What becomes of a message.

    Attributes:
        says: the outcome, in a line of the help.
        refusal: why it is refused: a bad number, on the stop list (where the gateway has none: a bad
            number), no credit for it. It is refused alone where the gateway can do that.
        states: what its reports say, in the order in which they come; empty: there is never one.
        is_late: the last of them comes `dlr_late_ms` later than usual.
        is_named: the answer tells that it is accepted; otherwise it is, and the answer leaves it out. An
            answer that cannot leave it out (of one message, of a whole list) is a fault after accepting.
        is_kept: the gateway knows it later; otherwise its log and its states do not have it.
    """

    says: str
    refusal: Refusal | None = None
    states: tuple[State, ...] = ()
    is_late: bool = False
    is_named: bool = True
    is_kept: bool = True


FATES: Mapping[str, Fate] = {
    "01": Fate(says="refused: a bad number", refusal="number"),
    "02": Fate(says="refused: opted out, on the stop list", refusal="stopped"),
    "03": Fate(says="refused: no credit for it", refusal="credit"),
    "10": Fate(says="delivered", states=("delivered",)),
    "11": Fate(says="undelivered", states=("failed",)),
    "12": Fate(says="expired", states=("abandoned",)),
    "13": Fate(says="buffered, and nothing after that", states=("buffered",)),
    "14": Fate(says="no report"),
    "15": Fate(says="buffered, then delivered", states=("buffered", "delivered")),
    "16": Fate(says="delivered, the report late", states=("delivered",), is_late=True),
    "17": Fate(says="delivered, the report twice", states=("delivered", "delivered")),
    "18": Fate(says="delivered, then an older report: buffered", states=("delivered", "buffered")),
    "19": Fate(says="undelivered, then delivered all the same", states=("failed", "delivered")),
    "20": Fate(says="accepted, but the answer does not say so", states=("delivered",), is_named=False),
    "21": Fate(says="accepted by the answer, and never known again", is_kept=False),
}
"""By the last two digits."""
_BY_ENDING = {MARK + digits: fate for digits, fate in FATES.items()}


def fate_of(msisdn: str) -> Fate | None:
    """Return what the number chooses, nothing for an ordinary one."""
    return _BY_ENDING.get(msisdn[-_ENDING:])


def refusal_of(msisdn: str, *, knobs: Knobs) -> Refusal | None:
    """Return why the number is refused, by its ending or by `refuse_numbers`; nothing where it is not."""
    fate = _BY_ENDING.get(msisdn[-_ENDING:])
    if fate is not None:
        return fate.refusal
    return "number" if knobs.refuse_numbers and msisdn.endswith(tuple(knobs.refuse_numbers)) else None


def turns_of(msisdn: str, *, knobs: Knobs) -> tuple[Turn, ...]:
    """Return the reports on an accepted message in the order in which they come."""
    fate = fate_of(msisdn)
    if fate is None:
        state = knobs.dlr_outcome
        return () if state == "none" else (Turn(after_s=knobs.dlr_delay_ms / 1000, state=state),)
    waits_ms = [(place + 1) * knobs.dlr_delay_ms for place in range(len(fate.states))]
    late_ms = knobs.dlr_late_ms if fate.is_late else 0
    return tuple(
        Turn(after_s=(wait_ms + late_ms) / 1000, state=state)
        for wait_ms, state in zip(waits_ms, fate.states, strict=True)
    )


def state_of(msisdn: str, *, knobs: Knobs, age_s: float) -> State | None:
    """Return what the gateway knows of a message that left so long ago; nothing: there is no report yet.

    A later report may say less than an earlier one, the gateway does not fall back.
    """
    states = [turn.state for turn in turns_of(msisdn, knobs=knobs) if turn.after_s <= age_s]
    return max(states, key=_RANKS.index, default=None)
