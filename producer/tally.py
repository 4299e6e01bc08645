"""Counting messages by what they have in common: one look-up each, and all sums in the end."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from producer.fallback import Fallback
from producer.findings import KEPT_PROBLEMS, CostlyRow, Country, Preview, Sample
from producer.order import Order
from producer.recipients import Row
from worker.providers import Account
from worker.text.compose import Composed
from worker.text.pricing import Price, Totals
from worker.text.segments import Encoding, costly, least_parts

_Key = tuple[str, int, int, bool]
_UCS_2 = Encoding.UCS_2  # quicker to look up, for every row


@dataclass(kw_only=True, slots=True)
class Kind:
    """Messages that count and cost alike.

    Attributes:
        number: in the order in which they came.
        region: ISO code; empty for groups and contacts that the gateway keeps.
        parts: of each.
        price: of each; None: nobody knows it.
        dearer: the same at the fallback.
        objection: why none of them would ever leave.
        is_target: to groups or contacts that the gateway keeps.
        n: how many there are.
    """

    number: int
    region: str
    encoding: str
    parts: int
    price: Price | None
    dearer: Price | None
    objection: str | None
    is_target: bool
    n: int = 0


class Tally:
    """What is counted of the messages of an order."""

    def __init__(self, order: Order, fallback: Fallback | None) -> None:
        self._account = order.account
        self._characters = order.characters
        self._fallback = fallback
        self._kinds: dict[_Key, Kind] = {}
        self._firsts: dict[str, Sample] = {}
        self._languages: Counter[str] = Counter()
        self._dearest: Sample | None = None
        self._most_parts = 0
        self._replaced: Counter[tuple[str, str]] = Counter()
        self._costly: list[CostlyRow] = []
        self._costly_characters: Counter[str] = Counter()
        self._n_costly = self._n_parts_more = 0

    def kind(self, row: Row, composed: Composed) -> Kind:
        """Return what a message is alike to; it is not counted yet."""
        is_ucs2 = composed.encoding is _UCS_2  # quicker to look up than the encoding itself
        key = row.region, row.calling_code, composed.n_parts, is_ucs2
        found = self._kinds.get(key)
        return self._new(key, composed.encoding) if found is None else found

    def _new(self, key: _Key, encoding: Encoding) -> Kind:
        region, calling_code, parts, _ = key
        found = self._kinds[key] = Kind(
            number=len(self._kinds),
            region=region,
            encoding=encoding.value,
            parts=parts,
            price=_price(self._account, region, calling_code, parts),
            dearer=_price(self._fallback.account, region, calling_code, parts) if self._fallback else None,
            objection=self._objection(parts),
            is_target=not region,
        )
        return found

    def _objection(self, parts: int) -> str | None:
        """Name the minute, the hour or the day that would not hold so many parts."""
        rate = self._account.limit_below(parts)
        if rate is None:
            return None
        return f"the text needs {parts} parts, and the rate of {self._account.name} is {rate}"

    def count(self, kind: Kind, composed: Composed, line: int, language: str) -> None:
        """Count a message."""
        kind.n += 1
        if composed.n_parts > self._most_parts or language not in self._firsts:
            self._sample(composed, line=line, language=language)
        if language:
            self._languages[language] += 1
        if composed.replacements:
            for each in composed.replacements:
                self._replaced[each.character, each.replacement] += each.count
        if composed.n_parts > 1 and len(composed.text) < composed.units + _GAIN[composed.encoding]:
            self._look_at_cost(composed, line=line)

    def _sample(self, composed: Composed, *, line: int, language: str) -> None:
        parts, encoding = composed.n_parts, composed.encoding.value
        sample = Sample(
            line=line, language=language or None, parts=parts, encoding=encoding, text=composed.text
        )
        self._firsts.setdefault(language, sample)
        if parts > self._most_parts:
            self._most_parts, self._dearest = parts, sample

    def _look_at_cost(self, composed: Composed, *, line: int) -> None:
        """Note a text that would have fewer parts if each of its characters took one septet."""
        least = least_parts(len(composed.text), udh_bits=self._characters.udh_bits)
        if composed.n_parts <= least or self._characters.encoding is Encoding.UCS_2:
            return
        characters = tuple(costly(composed.text))
        self._n_costly += 1
        self._n_parts_more += composed.n_parts - least
        self._costly_characters.update(characters)
        if len(self._costly) < KEPT_PROBLEMS:
            row = CostlyRow(line=line, characters=characters, parts=composed.n_parts, parts_without=least)
            self._costly.append(row)

    def conclude(self, found: Preview) -> None:
        """Write down what all of it comes to."""
        for kind in self._kinds.values():
            if kind.n:
                _add(found, kind)
        found.languages = self._languages
        found.firsts, found.dearest = list(self._firsts.values()), self._dearest
        found.replaced = self._replaced
        found.costly, found.costly_characters = self._costly, self._costly_characters
        found.n_costly, found.parts_more = self._n_costly, self._n_parts_more

    def at_fallback(self) -> tuple[Totals, int]:
        """Return what all messages cost at the fallback, and for how many nobody knows it."""
        cost, n_unpriced = Totals(), 0
        for kind in self._kinds.values():
            if kind.dearer is None:
                n_unpriced += kind.n
            elif kind.n:
                cost.add(kind.dearer, times=kind.n)
        return cost, n_unpriced

    @property
    def kinds(self) -> list[tuple[object, ...]]:
        """What is the same for all messages of a kind, as it is digested."""
        kinds = self._kinds.values()
        return [(each.region, each.encoding, each.parts, each.price, each.dearer, each.n) for each in kinds]


#: Only a text with more units than characters, or in UCS-2, can be dearer than its length.
_GAIN = {Encoding.GSM_7: 0, Encoding.UCS_2: 1}


def _price(account: Account, region: str, calling_code: int, parts: int) -> Price | None:
    """Return what a message costs; None where nobody knows it, as of a group that the gateway keeps."""
    return account.prices.price_of(region, calling_code=calling_code, parts=parts) if region else None


def _add(found: Preview, kind: Kind) -> None:
    country = found.countries.setdefault(kind.region, Country())
    for sums in (found, country):
        sums.messages += kind.n
        sums.parts += kind.n * kind.parts
        if kind.price is None:
            sums.unpriced += kind.n
        else:
            sums.cost.add(kind.price, times=kind.n)
    found.encodings[kind.encoding] += kind.n
    if kind.is_target:
        found.targets += kind.n
