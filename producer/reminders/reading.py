"""A file of appointments is read: every row is composed once for each offset and laid down in the sheet."""

from __future__ import annotations

import hashlib
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice

from producer.preview import Composer, Order, Preview
from producer.recipients import Problem, Recipients, Row, open_recipients, variable_name
from producer.recipients.problems import is_list
from producer.reminders.appointments import Appointment, appointment_of
from producer.reminders.moments import Moment, moments_of
from producer.reminders.sheet import Sheet, Standing, Verdict
from producer.schedule.column import TimeColumn
from producer.schedule.timing import Timing
from producer.texts import Texts
from worker.errors import ConfigError, InputError
from worker.ledger.drafts import NewMessage
from worker.ledger.reminded import Slot
from worker.timing.words import duration_words

OnRefused = Callable[[Problem, list[str]], None]
_LOOKED_UP = 500  # rows

BEFORE = "before"
"""The variable with the words of the offset, such as ``2 h``, where no column has this name."""


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What a person asks for: an order without times of its own, and the appointments it reminds of.

    Attributes:
        order: what is sent, and how.
        timing: zone, windows, validity, and the column with the appointments.
        series: which reminders the file continues.
        key: the header of the column with what names an appointment for good.
        befores_ms: how long before the appointments.
        is_named: the series was named, rather than taken from the file.
    """

    order: Order
    timing: Timing
    series: str
    key: str
    befores_ms: tuple[int, ...]
    is_named: bool = True

    @property
    def column(self) -> TimeColumn:
        """The column with the appointments.

        Raises:
            ConfigError: none was named.
        """
        if self.timing.column is None:
            raise ConfigError("--column: name the column with the appointments")
        return self.timing.column


@dataclass(kw_only=True)
class Read:
    """What a file came to.

    Attributes:
        found: problems, texts and the fallback; its sums are of everything that was composed.
        n_keyless: rows of which nobody can say whose appointment they hold.
        rows: of the file.
        duplicates: rows whose appointment came before.
        refused: rows that cannot be used, by reason.
        keys: appointments that can be reminded of.
    """

    found: Preview = field(default_factory=Preview)
    n_keyless: int = 0
    duplicates: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    keys: int = 0


def read(
    wish: Wish,
    sheet: Sheet,
    *,
    on_bytes: Callable[[int], None] | None = None,
    on_problem: OnRefused | None = None,
) -> Read:
    """Read the whole file and lay its reminders down in the sheet.

    Args:
        wish: what is asked for.
        sheet: takes the reminders.
        on_bytes: called with the size of each piece that was read, for progress.
        on_problem: called with each refused row and the names of the columns; in the end with those of an
            appointment that has two times, since only the whole file tells which these are.

    Raises:
        InputError: the file or the template cannot be used at all; ``problems_list``: it is a list of refused
            rows, and nobody has named a series.
        ConfigError: the account cannot carry the sender or an option.
    """
    order = wish.order
    trial = order.account.trial(
        sender=order.sender, options=order.options, udh_bits=order.characters.udh_bits
    )
    template = Texts(order)
    recipients = _opened(order, on_bytes=on_bytes)
    _require_series(wish, recipients)
    recipients.require(template.variables - ({BEFORE} - recipients.variables))
    if template.column:
        recipients.require(frozenset({template.column}), who="--language-column")
    recipients.require(frozenset({wish.column.name}), who="--column")
    recipients.require(frozenset({variable_name(wish.key)}), who="--key")
    composer = Composer(order, template, trial)
    reader = _Reader(wish, composer, sheet, is_same=BEFORE not in template.variables)
    return reader.read(recipients, on_problem=on_problem)


def _opened(order: Order, *, on_bytes: Callable[[int], None] | None = None) -> Recipients:
    return open_recipients(
        order.path,
        column=order.column,
        region=order.country or order.account.provider.country,
        countries=order.countries,
        form=order.form,
        on_bytes=on_bytes,
    )


def _require_series(wish: Wish, recipients: Recipients) -> None:
    """Refuse a list of refused rows as the whole of a series: their reminders would be begun twice."""
    if wish.is_named or not (is_list(wish.order.path) or recipients.found.is_problems):
        return
    raise InputError(
        f"{wish.order.path.name} is a list of refused rows: correct them in the file that they are of, and "
        "give that again (what is there already stays as it is); to add these alone, name the series with "
        "--series, and give --keep-removed",
        code="problems_list",
    )


class _Reader:
    def __init__(self, wish: Wish, composer: Composer, sheet: Sheet, *, is_same: bool) -> None:
        self._wish = wish
        self._composer = composer
        self._sheet = sheet
        self._is_same = is_same  # for each offset
        self._key = variable_name(wish.key)
        self._windows = wish.timing.widest
        self._words = {before_ms: duration_words(before_ms) for before_ms in wish.befores_ms}
        self._result = Read()
        self._stopped: Collection[str] = ()

    def read(self, recipients: Recipients, *, on_problem: OnRefused | None) -> Read:
        found = self._result.found
        found.source = recipients.found
        if on_problem is not None:
            found.on_problem = lambda problem: on_problem(problem, recipients.headers)
        found.headers = self._composer.headers(recipients)
        for row, key in self._looked_up(recipients):
            found.rows += 1
            if isinstance(row, Problem):
                self._refuse(row, key)
            else:
                self._take(row, key)
        self._refuse_twice()
        found.text = self._composer.text
        self._composer.conclude(found)
        self._count()
        return self._result

    def _looked_up(self, recipients: Recipients) -> Iterator[tuple[Row | Problem, str | None]]:
        """Go through the rows with their keys, having looked which of the next ones want none."""
        rows = ((row, _digest(recipients.last_values.get(self._key, ""))) for row in recipients)
        stopped = self._wish.order.stopped
        if stopped is None:
            yield from rows
            return
        while chunk := list(islice(rows, _LOOKED_UP)):
            self._stopped = stopped([row.msisdn for row, _ in chunk if isinstance(row, Row)])
            yield from chunk

    def _refuse(self, problem: Problem, key: str | None) -> None:
        self._result.found.refuse(problem)
        if key is None:
            self._result.n_keyless += 1
        else:
            self._sheet.note_refused(key, line=problem.line)

    def _take(self, row: Row, key: str | None) -> None:
        if key is None:
            error = InputError("there is no key", code="key_missing", column=self._wish.key)
            self._refuse(Problem.of(error, line=row.line, cells=row.cells), key)
            return
        try:
            found = appointment_of(row, self._wish.timing, self._wish.column)
            planned = self._planned(row, found)
        except InputError as error:
            self._refuse(Problem.of(error, line=row.line, cells=row.cells), key)
            return
        if row.repairs:
            self._result.found.note_repairs(row)
        if not self._sheet.take(key, line=row.line, version=found.at_ms, odd=found.odd):
            return
        is_stopped = row.msisdn in self._stopped
        for moment, message in planned:
            skip = moment.skip or (Verdict.SUPPRESSED if is_stopped else None)
            slot = Slot(key=key, before_ms=moment.before_ms)
            is_belated = moment.is_belated and not is_stopped
            kept = message if skip is None or is_belated else None
            self._sheet.plan(slot, row.msisdn, kept, skip=skip, is_moved=moment.is_moved)

    def _planned(self, row: Row, appointment: Appointment) -> list[tuple[Moment, NewMessage | None]]:
        """Compose a row for each of its moments; what cannot be sent for one is refused for all."""
        timing = self._wish.timing
        moments = moments_of(
            appointment.at_ms,
            self._wish.befores_ms,
            zones=appointment.zones,
            windows=self._windows,
            now_ms=timing.now_ms,
            validity_ms=timing.validity_ms,
        )
        composed = [self._composer.composed(self._row_for(row, each)) for each in moments[:1]]
        if not self._is_same:
            composed += [self._composer.composed(self._row_for(row, each)) for each in moments[1:]]
        messages: list[tuple[Moment, NewMessage | None]] = []
        for n, moment in enumerate(moments):
            message = None
            if moment.skip is None or (moment.is_belated and self._is_same):  # else its words are not true
                bare = self._composer.message(row, composed[0 if self._is_same else n])
                message = _timed(bare, moment, appointment.zones)
            messages.append((moment, message))
        return messages

    def _row_for(self, row: Row, moment: Moment) -> Row:
        if self._is_same:
            return row
        return row._replace(more={BEFORE: self._words[moment.before_ms]})

    def _refuse_twice(self) -> None:
        """Refuse the rows of an appointment that has two times; their cells are read once more."""
        lines = self._sheet.lines_twice()
        wanted = next(lines, None)
        if wanted is None:
            return
        error = InputError(
            "the key comes with two appointments: nobody knows which is meant",
            code="key_twice",
            column=self._wish.key,
        )
        for row in _opened(self._wish.order):
            if row.line == wanted:
                self._result.found.refuse(Problem.of(error, line=row.line, cells=row.cells))
                wanted = next(lines, None)

    def _count(self) -> None:
        rows, result = self._sheet.rows(), self._result
        result.keys, n_good = rows.get(Standing.GOOD, (0, 0))
        result.duplicates = n_good - result.keys
        result.refused = result.found.reasons.copy()


def _timed(message: NewMessage, moment: Moment, zones: tuple[str, ...]) -> NewMessage:
    return replace(
        message,
        due_at=moment.due_at,
        leave_by=moment.leave_by,
        expires_at=moment.expires_at,
        zones=",".join(zones) or None,
    )


def _digest(key: str) -> str | None:
    """Return a digest of what names an appointment; None where nothing does."""
    named = unicodedata.normalize("NFC", key).strip()
    return hashlib.blake2b(named.encode(), digest_size=16).hexdigest() if named else None
