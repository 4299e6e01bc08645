# ruff: noqa: D102 - a rule is described by its name
"""Any order of what workers, gateways and sweeps may do: nothing is sent twice and nothing is forgotten."""

import sqlite3
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    precondition,
    rule,
)
from sqlalchemy import event, update

from tests.ledgers import (
    assert_counts,
    due_rows,
    record,
    release,
    result,
    rows,
    run_campaign,
    sweep,
    try_lease,
    try_mark,
)
from worker.ledger import batches
from worker.ledger.engine import now_ms, open_ledger, writing
from worker.ledger.models import BATCHES
from worker.ledger.schema import prepare
from worker.ledger.values import Marked, Stop, SubmissionResult
from worker.states import MessageState

N_MESSAGES = 2


def hasten(connection: sqlite3.Connection, _record: object) -> None:
    connection.execute("PRAGMA synchronous=OFF")  # no test cuts the power


class Protocol(RuleBasedStateMachine):
    """Two workers, one batch, and a gateway that counts what it accepts."""

    marked = Bundle("marked")  # not written yet

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.engine = open_ledger(f"sqlite:///{Path(self.folder.name) / 'ledger.db'}")
        event.listen(self.engine, "connect", hasten)
        prepare(self.engine)
        self.batch_id = run_campaign(self.engine, N_MESSAGES)
        self.accepted: Counter[int] = Counter()
        self.told: list[SubmissionResult] = []
        self.leases: list[batches.Lease] = []  # also those that were lost: their workers do not know

    def teardown(self) -> None:
        try:
            for end in self.told:  # all of it is heard again: what is old must change nothing
                record(self.engine, end)
                self.nothing_is_accepted_twice_and_what_is_accepted_is_not_free_to_be_sent()
            assert_counts(self.engine)
        finally:
            self.engine.dispose()
            self.folder.cleanup()

    @rule(target=marked, n=st.integers(1, N_MESSAGES))
    def lease_and_mark(self, n: int) -> Any:  # noqa: ANN401 - hypothesis gives its values no type
        found = try_lease(self.engine, self.batch_id)
        if found is not None:
            self.leases.append(found)
        return self.mark(n, which=-1)

    @rule(target=marked, n=st.integers(1, N_MESSAGES), which=st.integers(0, 3))
    def mark_with_any_lease(self, n: int, which: int) -> Any:  # noqa: ANN401 - as above
        return self.mark(n, which=which)

    def mark(self, n: int, *, which: int) -> Any:  # noqa: ANN401 - as above
        if not self.leases:
            return multiple()
        held = self.leases[which % len(self.leases)]
        found = due_rows(self.engine, held)
        granted = try_mark(self.engine, held, found[:n], found[n:])
        return multiple() if isinstance(granted, Stop) else multiple(*granted)

    @rule(marked=consumes(marked), is_read=st.booleans(), at_once=st.booleans())
    def accept(self, marked: Marked, is_read: bool, at_once: bool) -> None:  # noqa: FBT001 - given by hypothesis
        self.accepted.update(row.id for row in marked.rows)
        self.tell(marked, MessageState.ACCEPTED if is_read else MessageState.UNKNOWN, at_once=at_once)

    @rule(marked=consumes(marked), for_good=st.booleans(), at_once=st.booleans())
    def refuse(self, marked: Marked, for_good: bool, at_once: bool) -> None:  # noqa: FBT001 - as above
        self.tell(marked, MessageState.REJECTED if for_good else MessageState.QUEUED, at_once=at_once)

    @rule(target=marked, refused=consumes(marked), n=st.integers(1, N_MESSAGES))
    def refuse_for_now_and_mark_again(self, refused: Marked, n: int) -> Any:  # noqa: ANN401 - as above
        self.tell(refused, MessageState.QUEUED, at_once=True)
        return self.mark(n, which=-1)

    def tell(self, marked: Marked, state: MessageState, *, at_once: bool) -> None:
        self.told.append(result(marked, state))
        if at_once:
            record(self.engine, self.told[-1])

    @precondition(lambda self: self.told)
    @rule(which=st.lists(st.integers(0, 5), min_size=1, max_size=2))
    def hear_late_or_again(self, which: list[int]) -> None:
        record(self.engine, *(self.told[each % len(self.told)] for each in which))

    @precondition(lambda self: self.leases)
    @rule(which=st.integers(-1, 3))
    def release(self, which: int) -> None:
        release(self.engine, self.leases[which % len(self.leases)])

    @rule()
    def expire(self) -> None:
        """Let the lease run out, if there is one, and sweep."""
        with writing(self.engine) as connection:
            connection.execute(update(BATCHES).values(lease_until=now_ms() - 1, lost_leases=0))
        sweep(self.engine)

    @invariant()
    def nothing_is_accepted_twice_and_what_is_accepted_is_not_free_to_be_sent(self) -> None:
        assert max(self.accepted.values(), default=0) <= 1
        free = {row["id"] for row in rows(self.engine) if row["state"] in {"queued", "rejected"}}
        assert free.isdisjoint(self.accepted)

    @invariant()
    def counters_equal_rows_and_no_queued_row_is_forgotten(self) -> None:
        assert_counts(self.engine)


Protocol.TestCase.settings = settings(
    max_examples=60,
    stateful_step_count=12,
    phases=[Phase.reuse, Phase.generate],  # a failure has few steps and is not worth minutes of shrinking
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestProtocol = Protocol.TestCase
