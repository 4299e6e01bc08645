"""The intake: what gateways push is in the ledger, durably, before they are answered."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from sqlalchemy import Engine

from worker.errors import LedgerError
from worker.ledger import deliveries
from worker.ledger.engine import writing
from worker.ledger.matching import Pushed

_log = logging.getLogger(__name__)
_AT_ONCE = 500  # in one commit
_MOST_WAITING = 5000
_LOCKED_S = 3.0


class Intake:
    """Keeps calls, those that wait together in one commit; belongs to one event loop.

    Args:
        engine: of the ledger.
        on_kept: told when there is something to read.
    """

    def __init__(self, engine: Engine, *, on_kept: Callable[[], None]) -> None:
        self._engine = engine
        self._on_kept = on_kept
        self._waiting: list[tuple[Pushed, asyncio.Future[bool]]] = []
        self._writer: asyncio.Task[None] | None = None

    async def keep(self, pushed: Pushed) -> bool:
        """Return once it is kept, or cannot be kept now."""
        if len(self._waiting) >= _MOST_WAITING:
            return False
        is_kept: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((pushed, is_kept))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write())
        return await is_kept

    async def _write(self) -> None:
        while self._waiting:
            some, self._waiting = self._waiting[:_AT_ONCE], self._waiting[_AT_ONCE:]
            said = await asyncio.to_thread(self._append, [pushed for pushed, _ in some])
            for _, is_kept in some:
                if not is_kept.done():  # else the call was broken off
                    is_kept.set_result(said)

    def _append(self, pushed: Sequence[Pushed]) -> bool:
        try:
            with writing(self._engine, wait_s=_LOCKED_S) as connection:
                deliveries.append(connection, pushed)
        except LedgerError as error:
            _log.warning("reports not kept", extra={"n_reports": len(pushed), "reason": str(error)})
            return False
        except Exception as bug:  # noqa: BLE001 - its words may hold a number, and somebody waits for an answer
            _log.error("reports not kept because of a bug", extra={"error_class": type(bug).__name__})
            return False
        self._on_kept()
        return True
