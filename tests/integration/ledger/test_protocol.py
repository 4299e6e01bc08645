# ruff: noqa: D102 - a rule is described by its name
"""Any order of what workers, gateways, sweeps and operators may do.

Nothing is sent twice but by order, nothing goes to another gateway that may have been accepted, nothing is
forgotten.
"""

import itertools
import shutil
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
)
from sqlalchemy import Engine, event, select, update

from tests.ledgers import (
    FALLBACK,
    LOGIN,
    PROVIDER,
    ago,
    assert_counts,
    change_account,
    change_messages,
    change_submissions,
    do,
    due_rows,
    not_sent,
    record,
    release,
    result,
    rows,
    run_campaign,
    states,
    sweep,
    try_lease,
    try_mark,
    unclear,
)
from worker.ledger import accounts, asking, batches, control, failover, retrying, settling, trouble
from worker.ledger.asking import Asked
from worker.ledger.engine import now_ms, open_ledger, reading, writing
from worker.ledger.models import BATCHES
from worker.ledger.schema import prepare
from worker.ledger.values import Marked, MessageOutcome, Stop, SubmissionResult
from worker.states import PROVEN, MessageState, SubmissionOutcome

M = MessageState
N_MESSAGES = 4
YOUNGER = Asked(submission_id=2**62, reference="younger", sent_at=0, messages={})
QUARANTINE_MS = 900_000
SIZES = st.sampled_from([[], [1], [2], [1, 1], [1, 3]])  # of the requests that are marked together
REFUSALS: Sequence[dict[str, Any]] = [
    {"state": M.REJECTED},
    {"state": M.QUEUED},
    {"state": M.QUEUED, "gives_up": True},
    {"state": M.QUEUED, "group_limit": 1, "keeps_attempt": False},
]


@cache
def prepared() -> Path:
    """Make a ledger with a campaign; each run works on a copy of it."""
    path = Path(tempfile.mkdtemp()) / "ledger.db"
    engine = open_ledger(f"sqlite:///{path}")
    prepare(engine)
    run_campaign(engine, N_MESSAGES, fallback=FALLBACK)
    engine.dispose()
    return path


def hasten(connection: sqlite3.Connection, _record: object) -> None:
    connection.execute("PRAGMA synchronous=OFF")  # no test cuts the power


def close(engine: Engine, provider: str) -> None:
    do(
        engine,
        trouble.close_account,
        provider,
        check_in_ms=0,
        check_ms=0,
        reason="no credit",
        is_refused=True,
    )


def brake(engine: Engine, provider: str) -> None:
    answers = trouble.Answers(batch_id=1, clear=[False] * 3)
    do(engine, trouble.note_answers, provider, answers, check_ms=0)


def check(engine: Engine, provider: str) -> None:
    do(engine, trouble.note_check, provider, trouble=None)


def pause(engine: Engine, provider: str) -> None:
    do(engine, accounts.pause_account, provider, reason="invoice", author="ann")


def resume(engine: Engine, provider: str) -> None:
    do(engine, accounts.resume_account, provider)


Order = Callable[[Engine, str], None]
ORDERS: Sequence[Order] = [resume, close, brake, check, pause]


class Protocol(RuleBasedStateMachine):
    """Workers that do not know when they have lost a lease, and two gateways that count what they accept."""

    marked = Bundle("marked")  # of which no gateway has decided yet

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        path = shutil.copy(prepared(), self.folder.name)
        self.engine = open_ledger(f"sqlite:///{path}")
        event.listen(self.engine, "connect", hasten)
        self.leases: list[batches.Lease] = []  # also those that were lost
        self.told: list[SubmissionResult] = []  # what workers and gateways say, whenever it is heard
        self.carried: list[Marked] = []  # every request that was marked
        self.decided: set[str] = set()  # requests that will not be accepted any more, or have been
        self.taken: list[Marked] = []  # requests that a gateway accepted
        self.accepted: Counter[int] = Counter()  # messages, how often
        self.resent: Counter[int] = Counter()  # by order of a person
        self.handed_over: set[int] = set()

    def teardown(self) -> None:
        try:
            for end in self.told:  # all of it is heard again: what is old must change nothing
                record(self.engine, end)
                self.nothing_is_accepted_twice_but_by_order()
            self.work_to_the_end()
            assert_counts(self.engine)
            assert {"queued", "submitting"}.isdisjoint(states(self.engine))
            self.nothing_is_accepted_twice_but_by_order()
        finally:
            self.engine.dispose()
            self.folder.cleanup()

    def work_to_the_end(self) -> None:
        """Let everything go on that is not over, with workers and gateways in good order."""
        for provider in (PROVIDER, FALLBACK):
            resume(self.engine, provider)
        self.resume_campaign()
        self.expire()
        self.make_due()
        for batch_id in self.batch_ids():
            held = try_lease(self.engine, batch_id)
            if held is None:
                continue
            granted = try_mark(self.engine, held, due_rows(self.engine, held))
            assert not isinstance(granted, Stop)
            for each in granted:
                self.carried.append(each)
                self.accept(each)
                record(self.engine, result(each, M.ACCEPTED))
            assert release(self.engine, held)

    def batch_ids(self) -> list[int]:
        with reading(self.engine) as connection:
            return list(connection.scalars(select(BATCHES.c.id).order_by(BATCHES.c.id)))

    def make_due(self) -> None:
        change_messages(self.engine, wait_ms=0)
        with writing(self.engine) as connection:
            connection.execute(update(BATCHES).values(next_due_at=1))

    def some(self, *wanted: MessageState) -> bool:
        """Say whether any message is in one of these states."""
        return not set(wanted).isdisjoint(states(self.engine))

    # --- workers

    @initialize(target=marked)
    def begin(self) -> Any:  # noqa: ANN401 - hypothesis gives its values no type
        return self.lease_and_mark_in([1, 2], which=0)

    @precondition(lambda self: self.some(M.QUEUED))
    @rule(target=marked, sizes=SIZES, which=st.integers(0, 3))
    def lease_and_mark(self, sizes: list[int], which: int) -> Any:  # noqa: ANN401 - as above
        return self.lease_and_mark_in(sizes, which=which)

    def lease_and_mark_in(self, sizes: list[int], *, which: int) -> Any:  # noqa: ANN401 - as above
        found = self.batch_ids()
        held = try_lease(self.engine, found[which % len(found)])
        if held is not None:
            self.leases.append(held)
        return self.mark(sizes, which=-1)

    @precondition(lambda self: self.some(M.QUEUED))
    @rule(target=marked, sizes=SIZES, which=st.integers(0, 3))
    def mark_with_any_lease(self, sizes: list[int], which: int) -> Any:  # noqa: ANN401 - as above
        return self.mark(sizes, which=which)

    def mark(self, sizes: list[int], *, which: int) -> Any:  # noqa: ANN401 - as above
        if not self.leases:
            return multiple()
        held = self.leases[which % len(self.leases)]
        found = iter(due_rows(self.engine, held))
        requests = [list(itertools.islice(found, size)) for size in sizes]
        granted = try_mark(self.engine, held, *filter(None, requests))
        if isinstance(granted, Stop):
            return multiple()
        self.carried.extend(granted)
        return multiple(*granted)

    @precondition(lambda self: self.leases)
    @rule(which=st.integers(-1, 3))
    def release(self, which: int) -> None:
        release(self.engine, self.leases[which % len(self.leases)])

    @precondition(lambda self: self.some(M.SUBMITTING))
    @rule()
    def expire(self) -> None:
        """Let the leases run out, if there are any, and sweep."""
        with writing(self.engine) as connection:
            connection.execute(update(BATCHES).values(lease_until=now_ms() - 1, lost_leases=0))
        sweep(self.engine)

    # --- gateways, and what is heard of them

    @rule(marked=consumes(marked), is_read=st.booleans(), at_once=st.booleans())
    def take(self, marked: Marked, is_read: bool, at_once: bool) -> None:  # noqa: FBT001 - given by hypothesis
        self.accept(marked)
        self.tell(result(marked, M.ACCEPTED) if is_read else unclear(marked), at_once=at_once)

    @rule(
        marked=consumes(marked), how=st.sampled_from(REFUSALS), is_read=st.booleans(), at_once=st.booleans()
    )
    def refuse(self, marked: Marked, how: dict[str, Any], is_read: bool, at_once: bool) -> None:  # noqa: FBT001 - as above
        self.decided.add(marked.reference)
        self.tell(result(marked, **how) if is_read else unclear(marked), at_once=at_once)

    @rule(marked=consumes(marked), at_once=st.booleans())
    def take_one_and_name_no_other(self, marked: Marked, at_once: bool) -> None:  # noqa: FBT001 - as above
        first, *others = marked.rows
        self.accept(Marked(reference=marked.reference, rows=(first,)))
        ends = [(first, M.ACCEPTED), *((row, M.UNKNOWN) for row in others)]
        said = SubmissionResult(
            reference=marked.reference,
            outcome=SubmissionOutcome.ANSWERED,
            messages=tuple(MessageOutcome(message_id=row.id, state=state) for row, state in ends),
        )
        self.tell(said, at_once=at_once)

    @rule(marked=consumes(marked), at_once=st.booleans())
    def never_let_it_leave(self, marked: Marked, at_once: bool) -> None:  # noqa: FBT001 - as above
        self.decided.add(marked.reference)
        record(self.engine, not_sent(replace(marked, reference="never")))  # of a mark that was never made
        self.tell(not_sent(marked), at_once=at_once)

    @rule(target=marked, refused=consumes(marked), sizes=SIZES)
    def refuse_for_now_and_mark_again(self, refused: Marked, sizes: list[int]) -> Any:  # noqa: ANN401 - as above
        self.decided.add(refused.reference)
        self.tell(result(refused, M.QUEUED), at_once=True)
        return self.mark(sizes, which=-1)

    def accept(self, marked: Marked) -> None:
        self.decided.add(marked.reference)
        self.taken.append(marked)
        self.accepted.update(row.id for row in marked.rows)

    def tell(self, end: SubmissionResult, *, at_once: bool) -> None:
        self.told.append(end)
        if at_once:
            record(self.engine, end)

    @precondition(lambda self: self.told)
    @rule(which=st.lists(st.integers(0, 5), min_size=1, max_size=2))
    def hear_late_or_again(self, which: list[int]) -> None:
        record(self.engine, *(self.told[each % len(self.told)] for each in which))

    @precondition(lambda self: self.taken)
    @rule(which=st.integers(0, 3), state=st.sampled_from(sorted(PROVEN)))
    def hear_a_receipt(self, which: int, state: MessageState) -> None:
        record(self.engine, result(self.taken[which % len(self.taken)], state))

    @precondition(lambda self: self.some(M.UNKNOWN))
    @rule()
    def ask_the_gateway_twice(self) -> None:
        """Settle what is unknown by what the gateway has; it is sure only of what is no more under way."""
        change_messages(self.engine, changed_at=ago(QUARANTINE_MS))
        for _ in range(2):
            change_submissions(self.engine, missing_at=ago(60_000))
            asked = do(
                self.engine,
                asking.to_ask,
                PROVIDER,
                login=LOGIN,
                settle_ms=0,
                interval_ms=0,
                patience_ms=2 * QUARANTINE_MS,
            )
            record(self.engine, *(self.found(each) for each in asked))
            missing = [each for each in asked if each.reference in self.decided and not self.has(each)]
            do(
                self.engine,
                asking.note_missing,
                missing,
                seen=[YOUNGER],
                login=LOGIN,
                quarantine_ms=QUARANTINE_MS,
            )

    def has(self, asked: Asked) -> set[int]:
        """Return the messages that the gateway has of a request."""
        taken = (row.id for each in self.taken if each.reference == asked.reference for row in each.rows)
        return set(taken) & set(asked.messages.values())

    def found(self, asked: Asked) -> SubmissionResult:
        messages = (MessageOutcome(message_id=each, state=M.ACCEPTED) for each in self.has(asked))
        return SubmissionResult(
            reference=asked.reference, outcome=SubmissionOutcome.UNKNOWN, messages=tuple(messages)
        )

    # --- accounts

    @precondition(lambda self: self.some(M.QUEUED))
    @rule(order=st.sampled_from(ORDERS), provider=st.sampled_from([PROVIDER, FALLBACK]))
    def close_or_open_an_account(self, order: Order, provider: str) -> None:
        order(self.engine, provider)

    @precondition(lambda self: self.some(M.QUEUED, M.UNKNOWN))
    @rule(is_resent_before=st.booleans())
    def hand_over(self, is_resent_before: bool) -> None:  # noqa: FBT001 - as above
        """Have the first account closed for long; what is unknown may be sent again before."""
        if is_resent_before:
            self.settle(M.QUEUED)
        self.make_due()
        close(self.engine, PROVIDER)
        change_account(self.engine, closed_since=ago(60_000))
        while do(self.engine, failover.hand_over, PROVIDER, closed_ms=30_000, providers=[FALLBACK]):
            pass
        resume(self.engine, PROVIDER)

    # --- a person

    def state(self) -> str | None:
        with reading(self.engine) as connection:
            return control.state_of(connection, 1)

    @precondition(lambda self: self.some(M.QUEUED))
    @rule()
    def pause_or_resume_the_campaign(self) -> None:
        if self.state() == "running":
            do(self.engine, control.pause, 1, reason="wrong text", author="ann")
        else:
            self.resume_campaign()

    def resume_campaign(self) -> None:
        if self.state() == "paused":
            do(self.engine, control.resume, 1, author="ann")

    @precondition(lambda self: len(self.told) > 3)
    @rule()
    def cancel(self) -> None:
        do(self.engine, control.cancel, 1, author="ann")
        while do(self.engine, control.cancel_rows, 1) is not None:
            pass

    @precondition(lambda self: self.some(M.UNKNOWN))
    @rule(wish=st.sampled_from([M.ACCEPTED, M.FAILED, M.QUEUED]))
    def settle(self, wish: MessageState) -> None:
        if wish is M.QUEUED:
            unknown = (int(str(row["id"])) for row in rows(self.engine) if row["state"] == "unknown")
            self.resent.update(unknown)
        while do(self.engine, settling.settle, wish, author="ann") is not None:
            pass

    @precondition(lambda self: self.some(M.REJECTED, M.FAILED, M.UNKNOWN) and self.state() != "cancelled")
    @rule(is_settled_before=st.booleans())
    def retry(self, is_settled_before: bool) -> None:  # noqa: FBT001 - as above
        if is_settled_before:
            self.settle(M.FAILED)
        after = 0
        while done := do(self.engine, retrying.retry_some, 1, retrying.RETRIABLE, after=after):
            after = done.last

    # --- what must hold

    @invariant()
    def nothing_is_accepted_twice_but_by_order(self) -> None:
        for row in rows(self.engine):
            number = int(str(row["id"]))
            is_free = row["state"] in {"queued", "rejected"}
            assert self.accepted[number] + is_free <= 1 + self.resent[number]

    @invariant()
    def what_is_called_accepted_was_accepted_or_a_person_said_so(self) -> None:
        for row in rows(self.engine):
            is_proven = row["state"] in PROVEN and row["code"] != "settled"
            assert not is_proven or self.accepted[int(str(row["id"]))]

    @invariant()
    def nothing_went_to_the_fallback_that_the_other_gateway_may_have(self) -> None:
        query = select(BATCHES.c.id).where(BATCHES.c.provider == FALLBACK)
        with reading(self.engine) as connection:
            there = set(connection.scalars(query))
        at_fallback = {int(str(row["id"])) for row in rows(self.engine) if row["batch_id"] in there}
        for number in at_fallback - self.handed_over:
            assert not self.accepted[number]
            assert {each.reference for each in self.carried if number in _ids(each)} <= self.decided
        self.handed_over = at_fallback

    @invariant()
    def counters_equal_rows_and_no_queued_row_is_forgotten(self) -> None:
        assert_counts(self.engine)

    @invariant()
    def no_doubt_is_cleared_up_that_was_none(self) -> None:
        assert all(int(str(row["n_doubts"])) >= 0 for row in rows(self.engine))


def _ids(marked: Marked) -> set[int]:
    return {row.id for row in marked.rows}


Protocol.TestCase.settings = settings(
    max_examples=150,
    stateful_step_count=25,
    phases=[Phase.reuse, Phase.generate],  # a failure has few steps and is not worth minutes of shrinking
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestProtocol = pytest.mark.timeout(400)(Protocol.TestCase)  # a busy machine takes minutes for so many steps
