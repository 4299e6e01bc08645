"""What is held on one number: shown whole, and erased."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Engine, RowMapping

from producer.reports import iso, message_shown
from worker.ledger import cleaning, erasing, optouts, person
from worker.ledger.cells import read
from worker.ledger.engine import reading, writing
from worker.ledger.erasing import Held
from worker.waiting import within

_LOOK_S = 0.1


def everything(engine: Engine, msisdn: str) -> dict[str, Any]:
    """Give everything that the ledger holds on a number, as `person export` prints it."""
    with reading(engine) as connection:
        return {
            "number": msisdn,
            "messages": [_message(each) for each in person.messages(connection, msisdn)],
            "pushed_reports": [_push(each) for each in person.pushes(connection, msisdn)],
            "orders": [{**each, "at": iso(each["at"])} for each in person.orders(connection, msisdn)],
            "opt_outs": [{**each, "at": iso(each["at"])} for each in optouts.of_number(connection, msisdn)],
        }


def _message(found: Mapping[str, Any]) -> dict[str, Any]:
    campaign = found["campaign"]
    reminders = [{**each, "version": iso(each["version"])} for each in found["reminders"]]
    named = {**campaign, "created_at": iso(campaign["created_at"]), "headers": read(campaign["headers"])}
    return {**message_shown(found), "campaign": named, "reminders": reminders}


def _push(row: RowMapping) -> dict[str, Any]:
    names = ("id", "provider", "method", "query", "content_type")
    return {
        **{name: row[name] for name in names},
        "received_at": iso(row["received_at"]),
        "body": bytes(row["body"]).decode(errors="replace"),
    }


@dataclass(frozen=True, kw_only=True)
class Erasure:
    """What an erasure did.

    Attributes:
        messages: that were erased.
        cancelled: of them, those that were queued.
        pushes: raw reports that were removed.
        on_their_way: messages of which the gateway has not answered yet: they are not erased.
        opt_outs: of which the number was removed; they hold by its digest.
        leftover: older copies lie in unused parts of the file.
    """

    messages: int = 0
    cancelled: int = 0
    pushes: int = 0
    on_their_way: int = 0
    opt_outs: int = 0
    leftover: bool = False


def held(engine: Engine, msisdn: str) -> Held:
    """Count the messages to a number."""
    with reading(engine) as connection:
        return erasing.held(connection, msisdn)


def erase(
    engine: Engine, msisdn: str, *, author: str, patience_s: float, on_wait: Callable[[int], None]
) -> Erasure:
    """Cancel what is queued to a number, wait for what is on its way, and remove everything.

    Args:
        engine: of the ledger.
        msisdn: the number.
        author: who orders it.
        patience_s: how long to wait for what is on its way.
        on_wait: told how many that are, once, where there are some.

    Raises:
        InputError: a file with the number is being imported.
    """
    rows = _rows(engine, msisdn)
    done = _erase_messages(engine, msisdn, author=author)
    if n_out := held(engine, msisdn).n_out:
        on_wait(n_out)
        within(patience_s, lambda: not held(engine, msisdn).n_out, every_s=_LOOK_S)
        later = _erase_messages(engine, msisdn, author=author)
        done = replace(
            done, messages=done.messages + later.messages, cancelled=done.cancelled + later.cancelled
        )
    n_pushes = _erase_pushes(engine, msisdn)
    with writing(engine) as connection:
        n_opt_outs = optouts.forget_number(connection, msisdn)  # their digests stay: they still hold
    cleaning.clean(engine)
    return replace(
        done,
        pushes=n_pushes,
        on_their_way=held(engine, msisdn).n_out,
        opt_outs=n_opt_outs,
        leftover=cleaning.holds(engine, [msisdn, *rows]),
    )


def _rows(engine: Engine, msisdn: str) -> list[str]:
    """Return the rows of the number as they are kept: they are to be found nowhere any more."""
    with reading(engine) as connection:
        return [each["cells"] for each in person.messages(connection, msisdn) if each["cells"]]


def _erase_messages(engine: Engine, msisdn: str, *, author: str) -> Erasure:
    order, n, n_cancelled = erasing.order_of(author), 0, 0
    while True:
        with writing(engine) as connection:
            done = erasing.erase_some(connection, msisdn, order=order)
        if not done.n:
            return Erasure(messages=n, cancelled=n_cancelled)
        n, n_cancelled = n + done.n, n_cancelled + done.n_cancelled
        with writing(engine) as connection:
            erasing.bare(connection, done.campaigns)


def _erase_pushes(engine: Engine, msisdn: str) -> int:
    total, after = 0, 0
    while True:
        with writing(engine) as connection:
            n, until = erasing.erase_from_pushes(connection, msisdn, after=after)
        if until is None:
            return total
        total, after = total + n, until
