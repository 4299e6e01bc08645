"""Files of appointments for tests, runs over them, and what the ledger has of them then."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, select, update

from producer.cli.remind_told import facts, told_of
from producer.preview import Order, Preview
from producer.reminders.comparing import Comparison, compare
from producer.reminders.outlook import plan_of
from producer.reminders.reading import Read, Wish, read
from producer.reminders.run import Run, campaign_of
from producer.reminders.sheet import Sheet
from producer.schedule.column import open_time_column
from producer.schedule.plan import Plan
from producer.schedule.timing import ALWAYS, Timing
from worker.ledger.engine import reading, writing
from worker.ledger.models import BATCHES, CAMPAIGNS, MESSAGES, REMINDERS
from worker.providers import account_named
from worker.settings import Settings
from worker.states import Late, MessageState
from worker.timing.windows import Windows

SERIES = "visits"
TEXT = "{{ name }}: see you at {{ appointment }}"
HOUR_MS = 3_600_000
LONG_AHEAD_MS = 4_102_444_800_000
"""The beginning of 2100: what is due then is not due by any clock."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def written(epoch_ms: int) -> str:
    """Write an instant as a file has it."""
    return (_EPOCH + timedelta(milliseconds=epoch_ms)).isoformat()


def csv_of(appointments: Iterable[tuple[str, int | str, str]]) -> str:
    """Write rows of key, appointment (epoch ms or a text) and number as a file."""
    lines = [
        f"{msisdn},{key},{written(at) if isinstance(at, int) else at},Ann" for key, at, msisdn in appointments
    ]
    return "\n".join(["msisdn,id,appointment,name", *lines, ""])


def number(key: int) -> str:
    """Return a number of its own for a key."""
    return f"+45{20_000_000 + key}"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a run came to."""

    campaign_id: int | None
    compared: Comparison
    figures: Preview
    skips: Mapping[str, int]
    n_cancelled: int
    told: Mapping[str, object]
    read: Read


@dataclass(frozen=True, kw_only=True)
class Book:
    """A ledger with a series, and the way in which its files are read."""

    engine: Engine
    folder: Path
    befores_ms: tuple[int, ...] = (24 * HOUR_MS, 2 * HOUR_MS)
    now_ms: int = LONG_AHEAD_MS
    windows: Windows = ALWAYS
    validity_ms: int | None = None
    zone: str | None = "UTC"
    text: str = TEXT
    sender: str = "ACME"
    series: str = SERIES
    stopped: frozenset[str] = frozenset()  # numbers that want none
    changes: Mapping[str, object] = field(default_factory=dict)  # of the provider

    def wish(self, content: str) -> Wish:
        """Write a file and make a wish of it."""
        path = self.folder / "appointments.csv"
        path.write_text(content, encoding="utf-8")
        provider = {
            "gateway": "cpsms",
            "username": "acme",
            "secret": "env:KEY",
            "price": "0.35 DKK",
            **self.changes,
        }
        account = account_named(Settings.model_validate({"providers": {"acme": provider}}), "acme")
        timing = Timing(
            now_ms=self.now_ms,
            column=open_time_column(path, "appointment"),
            zone=self.zone,
            windows=self.windows,
            validity_ms=self.validity_ms,
            late=Late.SKIP,
        )
        order = Order(
            path=path,
            template=self.text,
            account=account,
            sender=self.sender,
            name="appointments",
            stopped=self.stopped.intersection if self.stopped else None,
        )
        return Wish(order=order, timing=timing, series=self.series, key="id", befores_ms=self.befores_ms)

    def at(self, now_ms: int) -> "Book":
        """Return the book at another time."""
        return replace(self, now_ms=now_ms)

    def compare(
        self, content: str, *, keeps_removed: bool = False
    ) -> tuple[Comparison, Plan, dict[str, int]]:
        """Say what a run over a file would do: the comparison, when it leaves, and the verdicts."""
        with closing(Sheet()) as sheet:
            wish = self.wish(content)
            campaign = campaign_of(wish, read(wish, sheet))
            compared = compare(self.engine, campaign, sheet, now_ms=self.now_ms, keeps_removed=keeps_removed)
            return compared, plan_of(wish, sheet), sheet.verdicts()

    def run(
        self,
        content: str,
        *,
        keeps_removed: bool = False,
        check: Callable[[], None] = lambda: None,
        before_apply: Callable[[], None] = lambda: None,
        on_doubled: Callable[[Counter[str]], None] = lambda _: None,
    ) -> Outcome:
        """Run over a file to the end, whatever it cancels or doubles; what ``check`` raises is a kill."""
        with closing(Sheet()) as sheet:
            wish = self.wish(content)
            found = read(wish, sheet)
            run = Run(self.engine, wish, found, sheet)
            compared = run.compare(keeps_removed=keeps_removed)
            before_apply()
            run.apply(author="tester", check=check)
            check()
            campaign_id = run.end(author="tester", on_doubled=on_doubled)
            return Outcome(
                campaign_id=campaign_id,
                compared=compared,
                figures=run.figures(),
                skips=run.skips(),
                n_cancelled=run.gone.total(),
                told=facts(told_of(wish, found, sheet, compared, gone=run.gone, n_removed=run.n_removed)),
                read=found,
            )

    # --- the ledger

    def forget_importer(self) -> None:
        """Do as if the half minute had passed after which an importer is taken for dead."""
        with writing(self.engine) as connection:
            connection.execute(
                update(CAMPAIGNS).where(CAMPAIGNS.c.state == "importing").values(importing_until=0)
            )

    def messages(self, *states: MessageState) -> list[dict[str, Any]]:
        """Return the messages of released campaigns with their slots, by id; of some states, or all."""
        query = (
            select(MESSAGES, REMINDERS.c.key, REMINDERS.c.before_ms, REMINDERS.c.version)
            .join(CAMPAIGNS, CAMPAIGNS.c.id == MESSAGES.c.campaign_id)
            .outerjoin(REMINDERS, REMINDERS.c.message_id == MESSAGES.c.id)
            .where(CAMPAIGNS.c.state.not_in(["importing", "discarded"]))
            .where(MESSAGES.c.state.in_(states or list(MessageState)))
        )
        with reading(self.engine) as connection:
            return [dict(row) for row in connection.execute(query.order_by(MESSAGES.c.id)).mappings()]

    def set_states(self, ids: Iterable[int], state: MessageState) -> None:
        """Move messages to a state behind the ledger's back, their batches' counters with them."""
        for message_id in ids:
            with writing(self.engine) as connection:
                batch_id, former = connection.execute(
                    select(MESSAGES.c.batch_id, MESSAGES.c.state).where(MESSAGES.c.id == message_id)
                ).one()
                connection.execute(update(MESSAGES).where(MESSAGES.c.id == message_id).values(state=state))
                counters = {former: BATCHES.c[former] - 1, state.value: BATCHES.c[state.value] + 1}
                connection.execute(
                    update(BATCHES).where(BATCHES.c.id == batch_id).values(**counters, state="open")
                )

    def come_back(self, message_id: int, withdrawn: str | None) -> None:
        """Refuse for now what is on its way, as an outcome does: what was withdrawn is cancelled."""
        self.set_states([message_id], MessageState.CANCELLED if withdrawn else MessageState.QUEUED)
        with writing(self.engine) as connection:
            connection.execute(update(MESSAGES).where(MESSAGES.c.id == message_id).values(code=withdrawn))

    def counts(self) -> Counter[str]:
        """Count the messages of released campaigns by state."""
        return Counter(str(row["state"]) for row in self.messages())
