"""An order: what a person asks for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from producer.recipients import Form
from producer.recipients.reader import AS_FOUND
from producer.schedule.timing import Timing
from producer.wording import USUAL, Characters, Languages
from worker.providers import Account
from worker.states import Lane
from worker.text.msisdn import Countries

LookUp = Callable[[Sequence[str]], Collection[str]]
"""Returns which of some numbers have it already, or want none."""

Reached = Callable[[Sequence[str]], Collection[tuple[str, str]]]
"""Returns some numbers with each text that they got lately."""


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
    countries: Countries | None = None  # where it may go; None: anywhere
    form: Form = AS_FOUND  # what is said of how the file is written
    options: Mapping[str, object] = field(default_factory=dict)
    fallback: Account | None = None
    lane: Lane = Lane.BULK
    leaves_at: int | None = None  # epoch milliseconds: the gateway is to keep it until then
    timing: Timing | None = None  # when it leaves, where that is for us to see to
    wants_notice: bool = False  # somebody is told when it is done
    there: LookUp | None = None  # which of some numbers have it already
    languages: Languages | None = None  # several texts; None: ``template`` is for all
    locale: str | None = None  # of dates and numbers in texts; None: by their language
    characters: Characters = USUAL
    purpose: str = "marketing"  # what an opt-out may be of
    skip_reached_ms: int | None = None  # whoever got the same text within so long is left out
    looked_at: int | None = None  # as of when numbers are looked up, epoch ms; None: they are not
    stopped: LookUp | None = None  # which of some numbers want none
    reached: Reached | None = None
    keeps_columns: bool = True  # the ledger keeps each row as it was written

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
        how: dict[str, object] = {"column": self.column, "country": self.country, "form": self.form.kept}
        if self.countries is not None:
            how["countries"] = self.countries.kept
        if self.timing is not None:
            how["timing"] = self.timing.kept
        if self.languages is not None:
            how["languages"] = self.languages.kept
        how["locale"], how["characters"] = self.locale, self.characters.kept
        if self.skip_reached_ms is not None:
            how["skip_reached_ms"] = self.skip_reached_ms
        if self.looked_at is not None:
            how["looked_at"] = self.looked_at
        return {"path": str(self.path.absolute()), **how}
