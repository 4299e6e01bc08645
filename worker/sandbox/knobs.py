"""What `POST /_sandbox/faults` can set: the faults and limits that every gateway knows."""

import random
from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

# How often a fault happens: true (until reset), the next n requests, or a probability between 0 and 1.
Times = bool | Annotated[int, Field(ge=0)] | Annotated[float, Field(gt=0, lt=1)]
Seconds = Annotated[float, Field(ge=0)]
Rate = Annotated[str, Field(pattern=r"^[1-9]\d*/(s|min|h|day)$")]

STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

FAULTS = (
    "hang_before",
    "reset_before",
    "error_500_before",
    "refuse_429",
    "hang_after",
    "reset_after",
    "error_500_after",
    "malformed",
)


# Each send reads a score of them; of a pydantic model, it would take three times as long.
@dataclass(config=STRICT, kw_only=True)
class Knobs:
    """The faults and limits of one gateway; the defaults are a gateway in good order.

    "Before" means that nothing was accepted, "after" that all was accepted and only the answer suffers.
    They befall the requests that send; with `reads` the others as well.
    """

    latency_ms: Seconds = 0
    reads: bool = False
    hang_before: Times = False
    hang_after: Times = False
    reset_before: Times = False
    reset_after: Times = False
    error_500_before: Times = False
    error_500_after: Times = False
    malformed: Times = False  # accepted, and the body of the answer is cut in half
    refuse_429: Times = False
    retry_after_s: int | None = None  # None: no such header, but after a violation of `rate` the true wait
    rate: Rate | list[Rate] | None = None  # "50/s" or ["50/s", "10000/day"], for each user name
    unit: Literal["parts", "messages", "requests"] = "messages"
    out_of_credit: bool = False
    credit: Seconds | None = None  # of each account (user name); None: endless
    credits: dict[str, Seconds] = Field(default_factory=dict)  # of single accounts, before `credit`
    refuse_numbers: list[str] = Field(default_factory=list)  # bad numbers: those with one of these endings
    max_recipients: Annotated[int, Field(ge=1)] = 500
    default_sender: str = ""
    dlr_delay_ms: Seconds = 1000
    dlr_late_ms: Seconds = 60_000  # beside the delay, for the ending that is reported late
    dlr_attempts: Annotated[int, Field(ge=1)] = 1  # until the receiver answers 2xx; 1: never again
    dlr_retry_ms: Seconds = 1000
    dlr_outcome: Literal["delivered", "failed", "buffered", "abandoned", "none"] = "delivered"

    def __post_init__(self) -> None:
        """Note whether no fault and no latency is set, so that there is nothing to wait for or to draw."""
        self.is_calm = not any(getattr(self, fault) for fault in ("latency_ms", *FAULTS))

    def draw(self, fault: str) -> bool:
        """Say whether the fault befalls this request, and use up one of its times."""
        times = getattr(self, fault)
        if times is True or times is False:
            return bool(times)
        if isinstance(times, float):
            return random.random() < times  # noqa: S311 - chance for a simulation, not for a secret
        if times:
            setattr(self, fault, times - 1)
        return bool(times)
