"""The table of a whole run of the fault tests, written into their README."""

import os
import platform
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

OPTION = "--write-table"
FIGURES = "fault"  # the property under which a test hands over its figures
README = Path(__file__).with_name("README.md")

_HEAD = """# Fault tests

Written by `make test-faults`, which runs all of them; `make test` runs a selection. Each run starts real
processes: the simulator, a Redis, SQLite or a Postgres of its own, workers. It sends two campaigns at once,
one whose requests carry one recipient and one whose requests carry 200 (with CPSMS; where it is smSend or
Txty v4, other numbers), lets the fault befall them, and waits until nothing is queued or under way: with
nobody's help, except that a person finishes an interrupted import.
Then the ledger is compared with what the simulator counted:

- no number and text was accepted twice; every message is accepted, in the ledger as at the simulator, or
  `unknown`, and then the simulator has not got it: the gateway was asked; every counter equals its rows;
- what is `unknown` lies within the *bound*: the recipients of requests that were marked in a process when it
  was killed or stopped, or that the simulator left without a readable answer;
- at no time more requests were marked, in processes that live, than twice the connections;
- `bulksend doctor` finds nothing that does not add up.
"""
_COLUMNS = ("messages", "accepted", "unknown", "most_unknown", "duplicates", "kills", "seconds")


class Table:
    """Collects the figures of all tests, in the process that reports, and writes them at the end."""

    def __init__(self) -> None:
        self._figures: dict[str, Mapping[str, Any]] = {}
        self._outcomes: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the figures of a test and whether it passed."""
        if not report.nodeid.startswith("tests/fault/"):
            return
        if report.when == "call" or report.outcome != "passed":
            self._outcomes[report.nodeid] = report.outcome
        if report.when == "call":
            found: Any = dict(report.user_properties).get(FIGURES, {})
            self._figures[report.nodeid] = found

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the table when nothing was left out."""
        option = session.config.option
        if session.shouldstop or session.shouldfail or option.keyword or option.markexpr:
            return
        README.write_text(self._text(), encoding="utf-8")

    def _text(self) -> str:
        when, cores = datetime.now(UTC).strftime("%Y-%m-%d"), os.cpu_count()
        n_passed = sum(outcome == "passed" for outcome in self._outcomes.values())
        python = platform.python_version()
        last = f"\nThe last run, on {when} (UTC), on {cores} cores with Python {python}: {n_passed} of "
        last += f"{len(self._outcomes)} passed.\n"
        return _HEAD + last + "".join(self._section(ledger) for ledger in ("sqlite", "postgres"))

    def _section(self, ledger: str) -> str:
        lines = [
            f"\n## On {'SQLite' if ledger == 'sqlite' else 'Postgres'}\n\n",
            "| fault | messages | accepted | unknown | bound | twice | kills, stops | seconds | result |\n",
            "|---|---:|---:|---:|---:|---:|---:|---:|---|\n",
        ]
        for nodeid, outcome in sorted(self._outcomes.items()):
            if ledger == _ledger(nodeid):
                cells = [str(self._figures.get(nodeid, {}).get(name, "")) for name in _COLUMNS]
                lines.append(_row(_title(nodeid), cells, outcome))
        return "".join(lines)


def _row(title: str, cells: Sequence[str], outcome: str) -> str:
    return f"| {title} | {' | '.join(cells)} | {outcome} |\n"


def _parts(nodeid: str) -> tuple[str, list[str]]:
    """Split into the name of the test and its parameters."""
    match = re.fullmatch(r".*::test_(\w+)(?:\[(.*)\])?", nodeid)
    assert match is not None
    return match[1], match[2].split("-") if match[2] else []


def _ledger(nodeid: str) -> str:
    """Name the ledger: a parameter, or part of the test's name where it is about one only."""
    name, given = _parts(nodeid)
    return "postgres" if "postgres" in given or "postgres" in name else "sqlite"


def _title(nodeid: str) -> str:
    name, given = _parts(nodeid)
    shown = [word for word in given if word not in {"sqlite", "postgres"}]
    return name.replace("_", " ") + (f": {', '.join(shown)}" if shown else "").replace("_", " ")
