"""From rows to messages: composed, priced and, where times are given, with when each is wanted."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from itertools import islice

from producer.fallback import Fallback
from producer.findings import Preview
from producer.order import Order
from producer.recipients import Problem, Recipients, Row, Seen
from producer.schedule.plan import Planner, require_loud
from producer.schedule.timetable import Timetable
from producer.schedule.timing import Start
from producer.spool import Spool
from worker.errors import InputError
from worker.ledger.drafts import NewMessage
from worker.text.compose import Composed, compose
from worker.text.targets import kind_of
from worker.text.template import Template
from worker.trial import Trial

OnMessage = Callable[[NewMessage, str], None]

_LOOKED_UP = 500  # rows


class Composer:
    """Makes messages of rows, in the way of one order."""

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
        self._there: Collection[str] = ()
        self._planner = None if order.schedule is None else Planner(order.schedule, order.account)

    def _compose(self, values: Mapping[str, str]) -> Composed:
        return compose(self._template, values, max_parts=self._limit)

    def compose(self, recipients: Recipients, *, on_message: OnMessage | None) -> Preview:
        """Make a message of every row that can be sent to, and say what all of them come to."""
        found = Preview(text=self.text)
        for row in self._looked_up(recipients):
            found.rows += 1
            if isinstance(row, Problem):
                found.refuse(row)
            else:
                self._take(found, row, on_message=on_message)
        self.conclude(found)
        self._digests.conclude(found)
        return found

    def _take(self, found: Preview, row: Row, *, on_message: OnMessage | None) -> None:
        try:
            composed = self.composed(row)
            start = self._planner.start(row) if self._planner else None
            if self._order.leaves_at is not None:
                require_loud(row, self._order.account, at_ms=self._order.leaves_at)
        except InputError as error:
            found.refuse(Problem.of(error, line=row.line))
            return
        if row.msisdn in self._there or not self._seen.is_new(row.msisdn):
            found.duplicates += 1
            return
        message = self.message(row, composed, found, start=start)
        self._digests.add(message, composed.text)
        if on_message:
            on_message(message, composed.text)

    @property
    def text(self) -> str | None:
        """The one text, where no row changes it."""
        return self._constant.text if self._constant else None

    def composed(self, row: Row) -> Composed:
        """Compose the text of a row; raises InputError where it could not be sent."""
        composed = self._constant or self._compose(row.values)
        self._require_room(composed)
        self._require_carried(row.msisdn, composed)
        return composed

    def _looked_up(self, recipients: Iterable[Row | Problem]) -> Iterator[Row | Problem]:
        """Go through the rows, having looked which of the next ones have it already."""
        look_up, rows = self._order.there, iter(recipients)
        if look_up is None:
            yield from rows
            return
        while chunk := list(islice(rows, _LOOKED_UP)):
            self._there = look_up([row.msisdn for row in chunk if isinstance(row, Row)])
            yield from chunk

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

    def conclude(self, found: Preview) -> None:
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

    def schedule(self, found: Preview, wanted: Spool, timetable: Timetable) -> None:
        """Put the composed messages into a timetable; raises InputError where they cannot leave in time."""
        if self._planner and wanted.n_messages:
            is_fallback = found.fallback is not None
            found.plan = self._planner.conclude(wanted, timetable, is_fallback=is_fallback)

    def message(
        self, row: Row, composed: Composed, found: Preview, *, start: Start | None = None
    ) -> NewMessage:
        """Make the message of a row, and count it."""
        price, is_target = None, bool(kind_of(row.msisdn))
        if not is_target:
            prices = self._order.account.prices
            price = prices.price_of(row.region, calling_code=row.calling_code, parts=composed.n_parts)
        found.count(composed, price, line=row.line, is_target=is_target)
        dearer = self._fallback.price_of(row, composed) if self._fallback else None
        if start and self._planner:
            self._planner.note(start)
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
            due_at=start.at_ms if start else None,
            zones=",".join(start.zones) or None if start else None,
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
        self._schedule = order.schedule
        self._is_by_row = self._schedule is not None and self._schedule.column is not None
        if self._schedule:
            parts += self._schedule.content
        self._content = hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode())
        self._messages = hashlib.sha256()

    def add(self, message: NewMessage, text: str) -> None:
        self._content.update(f"{message.msisdn}\0{text}\0".encode())
        if self._is_by_row:
            self._content.update(f"{message.due_at}\0".encode())
        self._messages.update(json.dumps(list(vars(message).values())).encode())

    def conclude(self, found: Preview) -> None:
        found.content = self._content.hexdigest()
        counts: list[object] = [found.rows, found.duplicates, found.refused, found.fallback]
        if self._schedule:
            counts.append(self._schedule.kept)
        self._messages.update(json.dumps([found.content, *counts]).encode())
        found.fingerprint = self._messages.hexdigest()
