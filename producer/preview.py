"""Preview: every text, its parts and its price, what is refused and what is double; no side effect."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from producer.fallback import Fallback
from producer.recipients import Problem, Recipients, Row, Seen, open_recipients
from worker.errors import InputError
from worker.ledger.campaigns import NewMessage
from worker.providers import Account
from worker.states import Lane
from worker.text.compose import Composed, compose
from worker.text.pricing import Price, Totals
from worker.text.targets import kind_of
from worker.text.template import Template
from worker.trial import Trial

OnMessage = Callable[[NewMessage, str], None]

KEPT_PROBLEMS = 100
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
    fallback: Account | None = None
    lane: Lane = Lane.BULK
    leaves_at: int | None = None  # epoch milliseconds: the gateway is to keep it until then

    @property
    def leaves_at_s(self) -> float | None:
        """The same in Unix seconds."""
        return None if self.leaves_at is None else self.leaves_at / 1000

    @property
    def reading(self) -> dict[str, str | None]:
        """What it takes, besides what a campaign keeps anyway, to read the file again in the same way."""
        return {"path": str(self.path.absolute()), "column": self.column, "country": self.country}


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One text as it will be sent."""

    line: int
    parts: int
    encoding: str
    text: str = field(repr=False)


@dataclass(kw_only=True)
class Preview:
    """What an order comes to: rows = messages + duplicates + refused.

    Attributes:
        targets: messages to groups and contacts that the gateway keeps: nobody here knows who gets them, how
            many, and at what price.
        content: digest of what would be sent, wherever the file lies and whatever it costs.
        fingerprint: digest of that and of every message as the ledger keeps it, with its prices.
        cost_fallback: the cost if everything went through the fallback.
        no_fallback: a sentence, why the configured fallback cannot take over.
    """

    rows: int = 0
    messages: int = 0
    duplicates: int = 0
    refused: int = 0
    parts: int = 0
    unpriced: int = 0  # messages for which no price is known
    targets: int = 0
    cost: Totals = field(default_factory=Totals)
    problems: list[Problem] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)
    encodings: Counter[str] = field(default_factory=Counter)
    content: str = ""
    fingerprint: str = ""
    fallback: str | None = None  # provider that can carry every message
    no_fallback: str | None = None
    cost_fallback: Totals = field(default_factory=Totals)
    unpriced_fallback: int = 0
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
        if len(self.problems) < KEPT_PROBLEMS:
            self.problems.append(problem)

    def count(self, composed: Composed, price: Price | None, *, line: int, is_target: bool) -> None:
        """Count a message."""
        self._sample(composed, line=line)
        self.messages += 1
        self.parts += composed.n_parts
        self.encodings[composed.encoding.value] += 1
        self.targets += is_target
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
        ConfigError: the account cannot carry the sender, an option or the schedule.
    """
    trial = order.account.trial(sender=order.sender, options=order.options, leaves_at_s=order.leaves_at_s)
    template = Template(order.template)
    recipients = open_recipients(
        order.path,
        column=order.column,
        region=order.country or order.account.provider.country,
        kinds=order.account.capabilities.targets,
        on_bytes=on_bytes,
    )
    recipients.require(template.variables)
    return _Composer(order, template, trial).compose(recipients, on_message=on_message)


class _Composer:
    def __init__(self, order: Order, template: Template, trial: Trial) -> None:
        self._order = order
        self._template = template
        self._trial = trial
        self._limit = order.account.capabilities.max_parts
        self._constant = self._compose({}) if template.is_constant else None
        if self._constant:
            self._require_carried("", self._constant)
        self._digests = _Digests(order)
        self._fallback = _fallback_of(order)
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
        self._conclude(found)
        self._digests.conclude(found)
        return found

    def _take(self, found: Preview, row: Row, *, on_message: OnMessage | None) -> None:
        try:
            composed = self._constant or self._compose(row.values)
            self._require_room(composed)
            self._require_carried(row.msisdn, composed)
        except InputError as error:
            found.refuse(Problem.of(error, line=row.line))
            return
        if not self._seen.is_new(row.msisdn):
            found.duplicates += 1
            return
        message = self._message(row, composed, found)
        self._digests.add(message, composed.text)
        if on_message:
            on_message(message, composed.text)

    def _require_room(self, composed: Composed) -> None:
        """Refuse what would never leave: a minute, an hour or a day does not hold all of its parts."""
        account = self._order.account
        if rate := account.limit_below(composed.n_parts):
            raise InputError(
                f"the text needs {composed.n_parts} parts, and the rate of {account.name} is {rate}",
                code="above_rate",
            )

    def _require_carried(self, recipient: str, composed: Composed) -> None:
        """Refuse what the gateway would: a request is built on trial."""
        if sentence := self._trial.objection(recipient, text=composed.text, encoding=composed.encoding):
            raise InputError(sentence, code="not_carried")

    def _conclude(self, found: Preview) -> None:
        """Say whether the fallback can take over, and at what cost."""
        other = self._fallback
        if other is None:
            return
        if other.objection:
            names = f"{other.account.name} cannot take over from {self._order.account.name}"
            found.no_fallback = f"{names}: {other.objection}"
            return
        found.fallback = other.account.name
        found.cost_fallback, found.unpriced_fallback = other.cost, other.unpriced

    def _message(self, row: Row, composed: Composed, found: Preview) -> NewMessage:
        price, is_target = None, bool(kind_of(row.msisdn))
        if not is_target:
            prices = self._order.account.prices
            price = prices.price_of(row.region, calling_code=row.calling_code, parts=composed.n_parts)
        found.count(composed, price, line=row.line, is_target=is_target)
        dearer = self._fallback.price_of(row, composed) if self._fallback else None
        return NewMessage(
            line=row.line,
            msisdn=row.msisdn,
            region=row.region,
            text=None if self._constant else composed.text,
            encoding=composed.encoding.value,
            parts=composed.n_parts,
            price_micros=price.micros if price else None,
            currency=price.currency if price else None,
            fallback_micros=dearer.micros if dearer else None,
            fallback_currency=dearer.currency if dearer else None,
        )


def _fallback_of(order: Order) -> Fallback | None:
    if order.fallback is None:
        return None
    return Fallback(order.fallback, sender=order.sender, options=order.options, leaves_at_s=order.leaves_at_s)


class _Digests:
    """What is sent, and exactly how: see ``Preview``."""

    def __init__(self, order: Order) -> None:
        parts: list[object] = [order.template, order.account.name, order.sender, dict(order.options)]
        if order.leaves_at is not None:
            parts.append(order.leaves_at)
        self._content = hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode())
        self._messages = hashlib.sha256()

    def add(self, message: NewMessage, text: str) -> None:
        self._content.update(f"{message.msisdn}\0{text}\0".encode())
        self._messages.update(json.dumps(list(vars(message).values())).encode())

    def conclude(self, found: Preview) -> None:
        found.content = self._content.hexdigest()
        counts = [found.rows, found.duplicates, found.refused, found.fallback]
        self._messages.update(json.dumps([found.content, *counts]).encode())
        found.fingerprint = self._messages.hexdigest()
