"""Work batches, one or one after the other: lease, send what may leave, release."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from worker.ledger import batches, openings, trouble, turns
from worker.ledger.engine import writing
from worker.sending.books import Books
from worker.sending.conclusions import Conclusions
from worker.sending.desk import Desk
from worker.sending.keep import Keep
from worker.sending.reserve import Reservations
from worker.sending.tempo import Tempo
from worker.sending.work import Work
from worker.sending.write import LOCKED_S


def send_batch(desk: Desk, batch_id: int) -> int:
    """Work a batch as far as it goes now and return how many requests were made.

    A batch that is leased, done, not due, paused or held is left alone: a repeated task does nothing.
    """
    work = begin(desk, batch_id)
    if work is None:
        return 0
    try:
        work.run()
    finally:
        work.finish()
    return work.n_requests


def begin(desk: Desk, batch_id: int, *, earlier: Work | None = None) -> Work | None:
    """Lease a batch; None when it is to be left alone.

    Args:
        desk: what the process has for the account.
        batch_id: the batch.
        earlier: another batch that the process has sent, but for the answers, which are awaited beside.
    """
    lease_ms = int(desk.timers.lease * 1000)
    wait_s = LOCKED_S if earlier else None  # its answers are not to lie unrecorded behind somebody's lock
    with writing(desk.engine, wait_s=wait_s) as connection:
        late_ms = int(desk.timers.late * 1000)
        held = batches.lease(connection, batch_id, owner=desk.owner, lease_ms=lease_ms, late_ms=late_ms)
        if held is None:
            return None
        openings.move_on(connection, batch_id)
        found = trouble.trouble_of(connection, held.provider)
    # By itself: a pause locks the campaign before its batches.
    with writing(desk.engine, wait_s=wait_s) as connection:
        turns.note_served(connection, held.campaign_id)
    books = Books(
        engine=desk.engine,
        keep=Keep(desk.folder),
        should_stop=desk.should_stop,
        providers=desk.providers,
        conclusions=Conclusions(
            engine=desk.engine, timers=desk.timers, held=held, is_counting=found.is_counting
        ),
    )
    tempo = Tempo(desk=desk, held=held, limits=desk.limits)
    return Work(
        desk=desk,
        held=held,
        lease_ms=lease_ms,
        books=books,
        tempo=tempo,
        reservations=Reservations(desk=desk, held=held, tempo=tempo, is_probe=found.is_braked),
        earlier=earlier,
    )


class Relay:
    """The batches that one process works one after the other; the end of the ``with`` block gives all back.

    Each is begun while the last answers to another are to come: else the provider's limit would go unused
    until they are there and the next batch is leased, planned and marked.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._last: Work | None = None  # of which only answers are to come

    def __enter__(self) -> Self:
        """Begin with none."""
        return self

    def send(self, batch_id: int) -> bool:
        """Work a batch as far as it goes now; say whether any request of it was made.

        Where none was, the next would fare no better: departures, account or campaign are waited for.
        """
        work = begin(self._desk, batch_id, earlier=self._last)
        if work is None:
            return False
        self._last = work
        if not work.run_to_the_last():
            self.end()
        return work.n_requests > 0

    def end(self) -> None:
        """Await what is to come, with what that brings back to be sent, and give the last batch back."""
        work, self._last = self._last, None
        if work is not None:
            try:
                work.run()
            finally:
                work.finish()

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """Give back what is held; after an error nothing more is sent of it."""
        if error is None:
            self.end()
        elif self._last is not None:
            self._last.finish()
