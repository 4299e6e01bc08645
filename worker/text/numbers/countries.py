"""Which countries are sent to: a list of those that are allowed, a list of those that never are."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Self

import phonenumbers

from worker.errors import ConfigError
from worker.text.numbers.refusals import refused
from worker.text.numbers.value import Msisdn

_CALLING_CODES: Final = frozenset(map(str, phonenumbers.COUNTRY_CODE_TO_REGION_CODE))


def check_region(region: str) -> str:
    """Return a country's ISO code in capitals.

    Raises:
        ConfigError: no numbering plan has this code.
    """
    code = region.strip().upper()
    if code in phonenumbers.SUPPORTED_REGIONS:
        return code
    hint = "GB" if code == "UK" else "DK or GB"
    raise ConfigError(f"country {region!r} is not known: write its two-letter ISO code, such as {hint}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Countries:
    """Where numbers may be; what is denied stays denied though it is allowed too.

    A calling code stands for everything behind it: ``1`` is all of North America, ``US`` is not.

    Attributes:
        allowed: ISO regions and calling codes in digits; None: every one.
        denied: the same, never sent to.
    """

    allowed: frozenset[str] | None = None
    denied: frozenset[str] = frozenset()

    @classmethod
    def parse(cls, *, allowed: Iterable[str] | None = None, denied: Iterable[str] = ()) -> Self:
        """Read lists such as ``["DK", "se", "+870"]``; no allowed place means every one.

        Raises:
            ConfigError: a place is not known; the message names it.
        """
        known = frozenset(map(_place, allowed or ()))
        return cls(allowed=known or None, denied=frozenset(map(_place, denied)))

    @property
    def kept(self) -> dict[str, list[str] | None]:
        """The lists, as ``parse`` takes them again."""
        allowed = None if self.allowed is None else sorted(self.allowed)
        return {"allowed": allowed, "denied": sorted(self.denied)}

    def check(self, msisdn: Msisdn) -> None:
        """Do nothing where the number may be sent to.

        Raises:
            InputError: ``number_country_refused``.
        """
        places = {msisdn.region, str(msisdn.calling_code)}
        if places & self.denied or (self.allowed is not None and not places & self.allowed):
            where = msisdn.region if msisdn.region.isalpha() else "no country"
            raise refused("number_country_refused", f"numbers of {where} are not to be sent to")


def _place(written: str) -> str:
    code = written.strip().removeprefix("+")
    return code if code in _CALLING_CODES else check_region(written)
