"""Preview: every text, its parts and its price, what is refused and what is double; no side effect."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from functools import partial

from producer.composing import Composer, OnMessage, OnProblem
from producer.findings import KEPT_PROBLEMS, Preview, Sample
from producer.order import LookUp, Order
from producer.recipients import Problem, Recipients, open_recipients
from producer.schedule.plan import Plan, at_once
from producer.schedule.timetable import Timetable
from producer.spool import Spool
from producer.texts import Texts

__all__ = [
    "KEPT_PROBLEMS",
    "Composer",
    "LookUp",
    "OnMessage",
    "OnProblem",
    "Order",
    "Preview",
    "Sample",
    "preview",
]


def preview(
    order: Order,
    *,
    on_message: OnMessage | None = None,
    on_bytes: Callable[[int], None] | None = None,
    on_problem: Callable[[Problem, list[str]], None] | None = None,
) -> Preview:
    """Read the whole file and compose every text; writes nothing.

    Args:
        order: what is asked for.
        on_message: called with each message and its whole text: in the order of the file, or in that in which
            they are due where times are given.
        on_bytes: called with the size of each piece that was read, for progress.
        on_problem: called with each refused row and the names of the columns.

    Raises:
        InputError: the file or the template cannot be used at all, or cannot leave in the time given.
        ConfigError: the account cannot carry the sender, an option or the schedule.
    """
    trial = order.account.trial(
        sender=order.sender,
        options=order.options,
        leaves_at_s=order.leaves_at_s,
        udh_bits=order.characters.udh_bits,
    )
    texts = Texts(order)
    recipients = open_recipients(
        order.path,
        column=order.column,
        region=order.country or order.account.provider.country,
        kinds=order.account.capabilities.targets,
        countries=order.countries,
        form=order.form,
        on_bytes=on_bytes,
    )
    recipients.require(texts.variables)
    if texts.column:
        recipients.require(frozenset({texts.column}), who="--language-column")
    if order.schedule and order.schedule.column:
        recipients.require(frozenset({order.schedule.column.name}), who="--at-column")
    told = None if on_problem is None else partial(_told, on_problem, recipients.headers)
    composer = Composer(order, texts, trial)
    if order.schedule is None:
        found = composer.compose(recipients, on_message=on_message, on_problem=told)
        if order.leaves_at is not None:
            found.plan = Plan(kept_until=order.leaves_at)
        else:
            shown_in = order.timing.shown_in if order.timing else "UTC"
            found.plan = at_once(order.account, found.messages, units=found.units, shown_in=shown_in)
        return found
    return _timed(composer, recipients, on_message=on_message, on_problem=told)


def _told(on_problem: Callable[[Problem, list[str]], None], headers: list[str], problem: Problem) -> None:
    on_problem(problem, headers)


def _timed(
    composer: Composer, recipients: Recipients, *, on_message: OnMessage | None, on_problem: OnProblem | None
) -> Preview:
    """Compose all messages, give them their times, and hand them on in the order in which they are due."""
    with closing(Spool()) as wanted, closing(Timetable()) as timetable:
        found = composer.compose(recipients, on_message=wanted.add, on_problem=on_problem)
        composer.schedule(found, wanted, timetable)
        if on_message:
            for message in timetable:
                on_message(message, message.text or found.text or "")
    return found
