"""From rows to messages: composed, priced and, where times are given, with when each is wanted."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import islice

from producer.digests import Digests
from producer.fallback import Fallback
from producer.findings import OPTED_OUT, REACHED, Preview
from producer.order import Order
from producer.recipients import Problem, Recipients, Row, Seen
from producer.schedule.packing import Packing
from producer.schedule.plan import Planner, require_loud
from producer.schedule.timetable import Timetable
from producer.schedule.timing import Start
from producer.spool import Spool
from producer.tally import Kind, Tally
from producer.texts import Texts
from worker.errors import InputError
from worker.ledger.cells import written
from worker.ledger.drafts import NewMessage
from worker.text.compose import Composed, Rules, compose
from worker.text.template import EXHAUSTED
from worker.trial import Trial

OnMessage = Callable[[NewMessage, str], None]
OnProblem = Callable[[Problem], None]

_LOOKED_UP = 500  # rows
_EXHAUSTED = 10  # rows with which a template did too much: it will with the others


class Composer:
    """Makes messages of rows, in the way of one order."""

    def __init__(self, order: Order, texts: Texts, trial: Trial) -> None:
        self._order = order
        self._texts, self._one = texts, texts.one
        self._trial = trial
        most, allowed = order.account.capabilities.max_parts, order.characters.max_parts
        self._rules = Rules(
            max_parts=most if allowed is None else min(most, allowed),
            udh_bits=order.characters.udh_bits,
            encoding=order.characters.encoding,
            is_smart=order.characters.is_smart,
        )
        self._constant = compose(texts.constant, {}, self._rules) if texts.constant else None
        if self._constant:
            self._require_carried("", self._constant)
        self._fallback = _fallback_of(order)
        self._tally = Tally(order, self._fallback)
        self._digests = Digests(order)
        self._seen = Seen()
        self._there: Collection[str] = ()
        self._stopped: Collection[str] = ()
        self._reached: Collection[tuple[str, str]] = ()
        self._packing = Packing.of(order.account)
        self._looks_up = bool(order.there or order.stopped or order.reached)
        self._planner = None if order.schedule is None else Planner(order.schedule, order.account)

    def compose(
        self, recipients: Recipients, *, on_message: OnMessage | None, on_problem: OnProblem | None = None
    ) -> Preview:
        """Make a message of every row that can be sent to, and say what all of them come to.

        Raises:
            InputError: the template does too much, row after row.
        """
        found = Preview(
            text=self.text,
            headers=self.headers(recipients),
            source=recipients.found,
            doubles=self._seen,
            on_problem=on_problem,
        )
        for row in self._looked_up(recipients) if self._looks_up else recipients:
            found.rows += 1
            if isinstance(row, Problem):
                found.refuse(row)
            else:
                self._take(found, row, on_message=on_message)
        self.conclude(found)
        self._digests.conclude(found, self._tally)
        return found

    def headers(self, recipients: Recipients) -> tuple[str, ...] | None:
        """The columns that the ledger is to keep, with the cells of each message."""
        return tuple(recipients.headers) if self._order.keeps_columns else None

    def _take(self, found: Preview, row: Row, *, on_message: OnMessage | None) -> None:
        try:
            composed, kind = self._judged(row)
            start = self._planner.start(row) if self._planner else None
            if self._order.leaves_at is not None:
                require_loud(row, self._order.account, at_ms=self._order.leaves_at)
        except InputError as error:
            found.refuse(Problem.of(error, line=row.line, cells=row.cells))
            _require_modest(found, error)
            return
        if self._drops(found, row, composed, start):
            return
        if row.repairs:
            found.note_repairs(row)
        self._count(row, composed, kind)
        self._digests.add(row, composed.text, kind, start)
        if start and self._planner:
            self._planner.note(start)
        if on_message:
            on_message(self._made(row, composed, kind, start), composed.text)

    def _drops(self, found: Preview, row: Row, composed: Composed, start: Start | None) -> bool:
        """Say whether a good row becomes no message, and count why."""
        if row.msisdn in self._there:
            self._seen.note_elsewhere(line=row.line)
            found.duplicates += 1
        elif not self._seen.is_new(row.msisdn, row.line):
            found.duplicates += 1
        elif not self._looks_up:
            return False
        elif row.msisdn in self._stopped:  # that somebody opts out makes no other order of it
            self._digests.add_content(row.msisdn, composed.text, start)
            found.leave_out(OPTED_OUT, line=row.line)
        elif (row.msisdn, composed.text) in self._reached:
            found.leave_out(REACHED, line=row.line)
        else:
            return False
        return True

    @property
    def text(self) -> str | None:
        """The one text, where no row changes it."""
        return self._constant.text if self._constant else None

    def composed(self, row: Row) -> Composed:
        """Compose the text of a row; raises InputError where it could not be sent."""
        return self._judged(row)[0]

    def _judged(self, row: Row) -> tuple[Composed, Kind]:
        composed = self._constant or compose(self._one or self._texts.template(row), row.values, self._rules)
        kind = self._tally.kind(row, composed)
        if kind.objection:
            raise InputError(kind.objection, code="above_rate")
        if composed is not self._constant or kind.is_target:  # the one text was tried before the first row
            self._require_carried(row.msisdn, composed)
        return composed, kind

    def _looked_up(self, recipients: Iterable[Row | Problem]) -> Iterator[Row | Problem]:
        """Go through the rows, having looked which of the next ones have it already, or want none."""
        order, rows = self._order, iter(recipients)
        while chunk := list(islice(rows, _LOOKED_UP)):
            numbers = [row.msisdn for row in chunk if isinstance(row, Row)]
            self._there = order.there(numbers) if order.there else ()
            self._stopped = order.stopped(numbers) if order.stopped else ()
            self._reached = order.reached(numbers) if order.reached else ()
            yield from chunk

    def _require_carried(self, recipient: str, composed: Composed) -> None:
        """Refuse what the gateway would: a request is built on trial."""
        sentence = self._trial.objection(
            recipient, text=composed.text, encoding=composed.encoding, is_known_plain=composed.is_plain
        )
        if sentence is not None:
            raise InputError(sentence, code="not_carried")

    def conclude(self, found: Preview) -> None:
        """Say what the messages come to, and whether the fallback can take over, at what cost."""
        self._tally.conclude(found)
        unit = self._order.account.provider.unit
        found.units = found.parts if unit == "parts" else found.messages
        if self._packing:
            found.units = self._packing.n_requests
        other = self._fallback
        if other is None:
            return
        if other.objection:
            names = f"{other.account.name} cannot take over from {self._order.account.name}"
            found.no_fallback = f"{names}: {other.objection}"
            return
        found.fallback = other.account.name
        found.cost_fallback, found.unpriced_fallback = self._tally.at_fallback()

    def schedule(self, found: Preview, wanted: Spool, timetable: Timetable) -> None:
        """Put the composed messages into a timetable; raises InputError where they cannot leave in time."""
        if self._planner and wanted.n_messages:
            is_fallback = found.fallback is not None
            found.plan = self._planner.conclude(wanted, timetable, is_fallback=is_fallback)

    def message(self, row: Row, composed: Composed) -> NewMessage:
        """Make the message of a row, and count it."""
        kind = self._tally.kind(row, composed)
        self._count(row, composed, kind)
        return self._made(row, composed, kind, None)

    def _count(self, row: Row, composed: Composed, kind: Kind) -> None:
        language = self._texts.language(row) if self._texts.column else ""
        self._tally.count(kind, composed, row.line, language)
        if self._packing:
            packed = self._packing.key(row.msisdn, text=composed.text, encoding=kind.encoding)
            self._packing.add(packed)
        if self._fallback:
            self._fallback.look_at(row.msisdn, composed)

    def _made(self, row: Row, composed: Composed, kind: Kind, start: Start | None) -> NewMessage:
        price, dearer = kind.price, kind.dearer
        return NewMessage(
            line=row.line,
            msisdn=row.msisdn,
            region=row.region,
            text=None if self._constant else composed.text,
            encoding=kind.encoding,
            parts=kind.parts,
            price_micros=price.micros if price else None,
            currency=price.currency if price else None,
            fallback_micros=dearer.micros if dearer else None,
            fallback_currency=dearer.currency if dearer else None,
            due_at=start.at_ms if start else None,
            zones=",".join(start.zones) or None if start else None,
            cells=written(row.cells) if self._order.keeps_columns else None,
            repairs=" ".join(row.repairs) or None,
        )


def _require_modest(found: Preview, error: InputError) -> None:
    """End it where a template does too much in row after row: nobody waits for all of them."""
    if error.code == EXHAUSTED and found.reasons[EXHAUSTED] >= _EXHAUSTED:
        words = "The template does too much, row after row: fewer or shorter loops are needed"
        raise InputError(words, code=EXHAUSTED)


def _fallback_of(order: Order) -> Fallback | None:
    if order.fallback is None:
        return None
    return Fallback(
        order.fallback,
        sender=order.sender,
        options=order.options,
        leaves_at_s=order.leaves_at_s,
        characters=order.characters,
    )
