"""`bulksend message`: one message's whole history."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from producer.cli.opening import ready_ledger
from producer.cli.output import echo_facts, echo_json, echo_table
from producer.cli.times import iso_words, zone_shown
from producer.reports import MESSAGE_INSTANTS, NO_NUMBER, message_shown
from worker.errors import InputError
from worker.ledger import messages
from worker.ledger.engine import reading
from worker.ledger.unreported import is_unreported
from worker.providers import telling
from worker.settings import load_settings
from worker.timing.durations import duration_words

_LISTS = {
    "submissions": ["reference", "provider", "started_at", "ended_at", "outcome", "code", "detail"],
    "reports": ["received_at", "state", "code", "detail", "told_at"],
}


@click.group()
def message() -> None:
    """See messages."""


@message.command()
@click.argument("message_id", metavar="ID|NUMBER")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
def show(message_id: str, *, as_json: bool) -> None:
    """Show one message: its states, its submissions, what the gateway said and what it reported.

    A number with a plus (+4520304050) shows the newest message that went to it.
    """
    if not message_id.isascii():
        raise InputError("Write a message's id, or a number with its plus", code="no_such_message")
    settings = load_settings()
    silent_ms = round(1000 * settings.timers.patience)
    with reading(ready_ledger(settings)) as connection:
        number = messages.resolve(connection, message_id)
        facts = message_shown(messages.history(connection, number))
        facts["no_report"] = is_unreported(
            connection, facts["id"], telling=telling(settings), silent_ms=silent_ms
        )
    if as_json:
        echo_json(facts)
        return
    words = {name: value for name, value in facts.items() if name not in _LISTS and name != "no_report"}
    words["msisdn"] = facts["msisdn"] or NO_NUMBER
    if facts["cells"]:
        words["cells"] = " | ".join(facts["cells"])
    if facts["no_report"]:
        words["state"] = f"{facts['state']}, no report for {duration_words(silent_ms)}"
    zone = zone_shown(settings, provider=facts.get("provider"))
    words |= {name: iso_words(facts[name], zone) for name in MESSAGE_INSTANTS}
    echo_facts(words)
    for name, columns in _LISTS.items():
        if facts[name]:
            echo_table(columns, ([_cell(row, column, zone) for column in columns] for row in facts[name]))


def _cell(row: Mapping[str, Any], column: str, zone: str) -> object:
    return iso_words(row[column], zone) if column.endswith("_at") else row[column]
