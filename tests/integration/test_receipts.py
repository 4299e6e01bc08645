import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlencode

import pytest
from sqlalchemy import Engine, select
from starlette.types import Message

from tests.ledgers import (
    PROVIDER,
    assert_counts,
    do,
    due_rows,
    lease,
    mark,
    record,
    release,
    result,
    rows,
    run_campaign,
    states,
)
from worker.gateways.base import Push, Report
from worker.gateways.cpsms.adapter import Cpsms
from worker.gateways.smsend.adapter import Smsend
from worker.ledger import deliveries, messages, optouts
from worker.ledger.engine import reading, writing
from worker.ledger.matching import Pushed
from worker.ledger.models import PUSHED_REPORTS
from worker.ledger.values import Marked
from worker.receipts.addresses import Doors
from worker.receipts.intake import Intake
from worker.receipts.reader import Reader
from worker.receipts.service import Service
from worker.states import MessageState
from worker.waiting import Flag, within

M = MessageState


@dataclass(frozen=True, kw_only=True)
class Odd(Cpsms):
    """A gateway that says odd things."""

    def report(self, push: Push) -> Sequence[Report]:
        """Fail, date a report absurdly, or say what is no word about delivery."""
        (report,) = super().report(push)
        if report.code == "2":
            raise RuntimeError(f"of {report.msisdn}")
        state = M.QUEUED if report.code == "4" else report.delivery
        return (Report(delivery=state, msisdn=report.msisdn, code=report.code, at_s=1e300),)


def reader_of(engine: Engine, kind: type[Cpsms] = Cpsms) -> Reader:
    return Reader(engine=engine, adapters={PROVIDER: kind(username="acme", secret="-")})


def pushed(marked: Marked, *, code: int) -> Pushed:
    return Pushed(
        provider=PROVIDER,
        reference=marked.reference,
        method="GET",
        query=f"status={code}&receiver={marked.rows[0].msisdn.removeprefix('+')}",
        content_type="",
        body=b"",
    )


def accepted(engine: Engine, n: int = 1) -> list[Marked]:
    """Send so many messages, each in a request of its own."""
    held = lease(engine, run_campaign(engine, n))
    marked = mark(engine, held, *([row] for row in due_rows(engine, held)))
    record(engine, *(result(each, M.ACCEPTED) for each in marked))
    release(engine, held)
    return marked


def keep_all(engine: Engine, *calls: Pushed) -> list[bool]:
    async def keep() -> list[bool]:
        intake = Intake(engine, on_kept=lambda: None)
        return await asyncio.gather(*map(intake.keep, calls))

    return asyncio.run(keep())


def outcomes_of(engine: Engine) -> list[str | None]:
    with reading(engine) as connection:
        return list(connection.scalars(select(PUSHED_REPORTS.c.outcome).order_by(PUSHED_REPORTS.c.id)))


def test_calls_that_come_together_are_all_kept_in_their_order(engine: Engine) -> None:
    calls = [pushed(each, code=1) for each in accepted(engine, 9) * 100]

    said = keep_all(engine, *calls)

    kept = do(engine, deliveries.to_read, [PROVIDER], limit=1000)
    assert said == [True] * 900
    assert [each.pushed for each in kept] == calls


def test_what_is_kept_is_read_and_recorded(engine: Engine) -> None:
    marked = accepted(engine, 4)
    keep_all(engine, *(pushed(each, code=code) for each, code in zip(marked, [1, 2, 4, 8], strict=True)))

    n_read = reader_of(engine).round()

    assert n_read == 4
    assert states(engine) == ["delivered", "undelivered", "accepted", "expired"]
    assert outcomes_of(engine) == ["matched"] * 4
    assert_counts(engine)


@pytest.mark.parametrize(("status", "scopes"), [("BLACKLISTED", ["all"]), ("UNKNRCPT", [])])
def test_who_is_blocked_by_its_report_gets_no_more(engine: Engine, status: str, scopes: list[str]) -> None:
    (marked,) = accepted(engine)
    number = marked.rows[0].msisdn
    said = urlencode({"order_id": marked.reference, "status": status, "recipient": number})
    keep_all(engine, replace(pushed(marked, code=1), query=said))
    smsend = Smsend(username="acme", secret="-", base_url="https://sms.example.org/API/v1.0/REST")

    Reader(engine=engine, adapters={PROVIDER: smsend}).round()

    with reading(engine) as connection:
        assert [each["scope"] for each in optouts.of_number(connection, number)] == scopes
    assert states(engine) == ["undelivered"]


def test_the_reader_reads_what_comes_while_it_runs(engine: Engine) -> None:
    (marked,) = accepted(engine)
    reader, stop = reader_of(engine), Flag()

    async def serve() -> None:
        running = asyncio.create_task(asyncio.to_thread(reader.run, lambda: stop.is_set))
        await Intake(engine, on_kept=reader.wake).keep(pushed(marked, code=1))
        await asyncio.to_thread(within, 10, lambda: states(engine) == ["delivered"])
        stop.set()
        await running

    asyncio.run(serve())

    assert states(engine) == ["delivered"]


def test_a_call_that_an_adapter_fails_on_stops_none_of_the_others(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    marked = accepted(engine, 3)
    keep_all(engine, *(pushed(each, code=code) for each, code in zip(marked, [1, 2, 1], strict=True)))

    with caplog.at_level(logging.INFO):
        reader_of(engine, Odd).round()

    said = " ".join(str(vars(record)) for record in caplog.records)
    assert states(engine) == ["delivered", "accepted", "delivered"]
    assert outcomes_of(engine) == ["matched", "unreadable", "matched"]
    assert "RuntimeError" in said
    assert marked[1].rows[0].msisdn not in said


def test_an_absurd_date_and_a_word_that_is_none_do_no_harm(engine: Engine) -> None:
    marked = accepted(engine, 2)
    keep_all(engine, pushed(marked[0], code=1), pushed(marked[1], code=4))

    reader_of(engine, Odd).round()

    first = do(engine, messages.history, int(str(rows(engine)[0]["id"])))
    assert states(engine) == ["delivered", "accepted"]
    assert [report["told_at"] for report in first["reports"]] == [None]
    assert outcomes_of(engine) == ["matched", "unreadable"]


def test_without_its_ledger_nothing_is_kept_and_nothing_read_and_nobody_told_more(
    sqlite_engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    (marked,) = accepted(sqlite_engine)
    call = pushed(marked, code=1)
    with writing(sqlite_engine) as connection:
        connection.exec_driver_sql("ALTER TABLE pushed_reports RENAME TO elsewhere")

    with caplog.at_level(logging.INFO):
        said, n_read = keep_all(sqlite_engine, call), reader_of(sqlite_engine).round()

    assert (said, n_read) == ([False], 0)
    assert "reports not kept" in caplog.text
    assert call.query not in " ".join(str(vars(record)) for record in caplog.records)


def call_door(engine: Engine) -> int:
    """Call at the address of the provider and return the status of the answer."""
    doors = Doors(tokens={PROVIDER: "token"}, prefix="")
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    async def call() -> None:
        scope = {
            "type": "http",
            "method": "GET",
            "path": "/token",
            "query_string": b"status=1",
            "headers": [],
        }
        await Service(doors, Intake(engine, on_kept=lambda: None))(scope, receive, send)

    asyncio.run(call())
    return int(sent[0]["status"])


def test_a_gateway_whose_report_cannot_be_kept_now_is_answered_so_that_it_calls_again(
    sqlite_engine: Engine,
) -> None:
    kept = call_door(sqlite_engine)
    with writing(sqlite_engine) as connection:
        connection.exec_driver_sql("ALTER TABLE pushed_reports RENAME TO elsewhere")

    assert (kept, call_door(sqlite_engine)) == (200, 404)
