"""Write: outcomes into the ledger, those of a lease and those that processes which are gone have kept."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from pathlib import Path

from sqlalchemy import Engine

from worker.errors import LedgerError
from worker.ledger import outcomes
from worker.ledger.engine import LedgerUnavailableError, writing
from worker.ledger.values import SubmissionResult
from worker.sending import keep

_log = logging.getLogger(__name__)
LOCKED_S = 2.0
"""A ledger that somebody else has locked for so long is away: what is known goes to the disk."""


def write_outcomes(
    engine: Engine,
    results: Sequence[SubmissionResult],
    *,
    providers: Collection[str],
    wait_s: float | None = LOCKED_S,
) -> int:
    """Write outcomes together; one that the ledger refuses takes no other with it.

    Args:
        engine: of the ledger.
        results: of any submissions, one at least.
        providers: those that somebody serves: what is given up goes to no other.
        wait_s: as ``writing`` takes it.

    Returns:
        how many the ledger refuses.

    Raises:
        LedgerUnavailableError: to be written later, all of them: what is written twice changes nothing.
    """
    try:
        with writing(engine, wait_s=wait_s) as connection:
            outcomes.record(connection, results, providers=providers)
    except LedgerUnavailableError:
        raise
    except LedgerError as error:
        if len(results) > 1:
            return sum(write_outcomes(engine, [each], providers=providers, wait_s=wait_s) for each in results)
        _log.error("outcome refused", extra={"reference": results[0].reference, "reason": str(error)})
        return 1
    return 0


def write_kept(folder: Path, engine: Engine, *, providers: Collection[str]) -> None:
    """Write what processes that are gone have kept; a ledger that is away leaves it for the next time."""

    def write(results: Sequence[SubmissionResult]) -> int | None:
        try:
            return write_outcomes(engine, results, providers=providers, wait_s=None)
        except LedgerUnavailableError as error:
            _log.warning("kept outcomes not written", extra={"reason": str(error)})
            return None

    try:
        n_outcomes = keep.replay(folder, write)
    except OSError as error:
        _log.error("kept outcomes not looked for", extra={"reason": error.strerror})
        return
    if n_outcomes:
        _log.warning("kept outcomes written", extra={"n_requests": n_outcomes})
