"""An order: what a person asks for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from producer.schedule.timing import Timing
from worker.providers import Account
from worker.states import Lane

LookUp = Callable[[Sequence[str]], Collection[str]]
"""Returns which of some numbers have it already."""


@dataclass(frozen=True, kw_only=True)
class Order:
    """What a person asks for: to whom, what, and through which account."""

    path: Path
    template: str
    account: Account
    sender: str
    name: str
    column: str | None = None
    country: str | None = None
    options: Mapping[str, object] = field(default_factory=dict)
    fallback: Account | None = None
    lane: Lane = Lane.BULK
    leaves_at: int | None = None  # epoch milliseconds: the gateway is to keep it until then
    timing: Timing | None = None  # when it leaves, where that is for us to see to
    wants_notice: bool = False  # somebody is told when it is done
    there: LookUp | None = None  # which of some numbers have it already

    @property
    def schedule(self) -> Timing | None:
        """What decides when each message leaves; None: all of them at once."""
        return None if self.timing is None or self.timing.is_plain else self.timing

    @property
    def prices(self) -> dict[str, object]:
        """What a part costs at each provider that may carry it, as the settings say it."""
        return {each.name: each.provider.price for each in (self.account, self.fallback) if each}

    @property
    def leaves_at_s(self) -> float | None:
        """The same in Unix seconds."""
        return None if self.leaves_at is None else self.leaves_at / 1000

    @property
    def reading(self) -> dict[str, object]:
        """What it takes, besides what a campaign keeps anyway, to read the file again in the same way."""
        how: dict[str, object] = {"column": self.column, "country": self.country}
        if self.timing is not None:
            how["timing"] = self.timing.kept
        return {"path": str(self.path.absolute()), **how}
