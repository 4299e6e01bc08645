"""Preview: every text, its parts and its price, what is refused and what is double; no side effect."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from producer.recipients import Problem, Recipients, Row, Seen, open_recipients
from worker.errors import InputError
from worker.ledger.campaigns import NewMessage
from worker.providers import Account
from worker.text.compose import Composed, compose
from worker.text.pricing import Price, Totals
from worker.text.template import Template

OnMessage = Callable[[NewMessage, str], None]

SHOWN_PROBLEMS = 100
"""Refused rows that are kept with their reason; all are counted."""


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


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One text as it will be sent."""

    line: int
    parts: int
    encoding: str
    text: str = field(repr=False)


@dataclass(kw_only=True)
class Preview:
    """What an order comes to: rows = messages + duplicates + refused."""

    rows: int = 0
    messages: int = 0
    duplicates: int = 0
    refused: int = 0
    parts: int = 0
    unpriced: int = 0  # messages for which no price is configured
    cost: Totals = field(default_factory=Totals)
    problems: list[Problem] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)
    encodings: Counter[str] = field(default_factory=Counter)
    fingerprint: str = ""
    text: str | None = None  # the one text, where no row changes it
    first: Sample | None = None
    dearest: Sample | None = None  # the first of those with the most parts

    @property
    def samples(self) -> list[Sample]:
        """The first text and the dearest one, once where they are the same."""
        return [sample for sample in dict.fromkeys((self.first, self.dearest)) if sample]

    def refuse(self, problem: Problem) -> None:
        """Count a refused row."""
        self.refused += 1
        self.reasons[problem.code] += 1
        if len(self.problems) < SHOWN_PROBLEMS:
            self.problems.append(problem)

    def count(self, composed: Composed, price: Price | None, *, line: int) -> None:
        """Count a message."""
        self._sample(composed, line=line)
        self.messages += 1
        self.parts += composed.n_parts
        self.encodings[composed.encoding.value] += 1
        if price is None:
            self.unpriced += 1
        else:
            self.cost.add(price)

    def _sample(self, composed: Composed, *, line: int) -> None:
        if self.dearest and composed.n_parts <= self.dearest.parts:
            return
        parts, encoding = composed.n_parts, composed.encoding.value
        self.dearest = Sample(line=line, parts=parts, encoding=encoding, text=composed.text)
        self.first = self.first or self.dearest


def preview(
    order: Order,
    *,
    on_message: OnMessage | None = None,
    on_bytes: Callable[[int], None] | None = None,
) -> Preview:
    """Read the whole file and compose every text; writes nothing.

    Args:
        order: what is asked for.
        on_message: called with each message and its whole text.
        on_bytes: called with the size of each piece that was read, for progress.

    Raises:
        InputError: the file or the template cannot be used at all.
        ConfigError: the account cannot carry the sender or an option.
    """
    order.account.check(sender=order.sender, options=order.options)
    template = Template(order.template)
    recipients = open_recipients(
        order.path,
        column=order.column,
        region=order.country or order.account.provider.country,
        on_bytes=on_bytes,
    )
    recipients.require(template.variables)
    return _Composer(order, template).compose(recipients, on_message=on_message)


class _Composer:
    def __init__(self, order: Order, template: Template) -> None:
        self._order = order
        self._template = template
        self._limit = order.account.capabilities.max_parts
        self._constant = self._compose({}) if template.is_constant else None
        self._digest = hashlib.sha256(_identity(order).encode())
        self._seen = Seen()

    def _compose(self, values: Mapping[str, str]) -> Composed:
        return compose(self._template, values, max_parts=self._limit)

    def compose(self, recipients: Recipients, *, on_message: OnMessage | None) -> Preview:
        found = Preview(text=self._constant.text if self._constant else None)
        for row in recipients:
            found.rows += 1
            if isinstance(row, Problem):
                found.refuse(row)
            else:
                self._take(found, row, on_message=on_message)
        found.fingerprint = self._digest.hexdigest()
        return found

    def _take(self, found: Preview, row: Row, *, on_message: OnMessage | None) -> None:
        try:
            composed = self._constant or self._compose(row.values)
        except InputError as error:
            found.refuse(Problem.of(error, line=row.line))
            return
        if not self._seen.is_new(row.msisdn):
            found.duplicates += 1
            return
        message = self._message(row, composed, found)
        self._digest.update(f"{message.msisdn}\0{message.text}\0".encode())
        if on_message:
            on_message(message, composed.text)

    def _message(self, row: Row, composed: Composed, found: Preview) -> NewMessage:
        prices = self._order.account.prices
        price = prices.price_of(row.region, calling_code=row.calling_code, parts=composed.n_parts)
        found.count(composed, price, line=row.line)
        return NewMessage(
            line=row.line,
            msisdn=row.msisdn,
            region=row.region,
            text=None if self._constant else composed.text,
            encoding=composed.encoding.value,
            parts=composed.n_parts,
            price_micros=price.micros if price else None,
            currency=price.currency if price else None,
        )


def _identity(order: Order) -> str:
    """What makes a campaign the same one, besides its messages: a repeat of all of it is refused."""
    parts = [order.template, order.account.name, order.sender, dict(order.options), order.name]
    return json.dumps(parts, sort_keys=True, default=str)
