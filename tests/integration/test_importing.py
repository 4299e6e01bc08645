"""A previewed order is written in the order of its file, wholly or not at all."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select

from producer import importing
from producer.preview import Order, preview
from producer.spool import Spool
from tests.ledgers import assert_counts
from worker.errors import ConfigError
from worker.ledger.claims import Identity
from worker.ledger.drafts import BATCH_ROWS, NewMessage
from worker.ledger.engine import reading
from worker.ledger.models import BATCHES, CAMPAIGNS, MESSAGES
from worker.providers import account_named
from worker.settings import Settings

N = 11 * BATCH_ROWS + 7  # three transactions on Postgres, twelve on SQLite
PROVIDER = {"gateway": "cpsms", "username": "acme", "secret": "env:KEY", "price": "0.35 DKK"}


class Torn(Spool):
    """Messages of which some cannot be read back, as from a disk that fails."""

    def __iter__(self) -> Iterator[NewMessage]:
        """Yield what fills a transaction of Postgres, and some of what is read while that is written."""
        for number, message in enumerate(super().__iter__()):
            if number == 8 * BATCH_ROWS:
                raise ConfigError("The folder for temporary files cannot be used")
            yield message


def order(folder: Path) -> Order:
    path = folder / "members.csv"
    lines = (f"+45{20_000_000 + n},{n}\n" for n in range(N))
    path.write_text("msisdn,n\n" + "".join(lines), encoding="utf-8")
    account = account_named(Settings.model_validate({"providers": {"acme": PROVIDER}}), "acme")
    return Order(path=path, template="Hi {{ n }}", account=account, sender="ACME", name="members")


def prepared(order: Order, spool: Spool) -> importing.Prepared:
    found = preview(order, on_message=spool.add)
    identity = Identity(content=found.content, repeat_ms=1, key=None, again=True)
    return importing.Prepared(found=found, messages=spool, identity=identity)


@pytest.mark.slow
def test_messages_are_written_in_the_order_of_the_file(engine: Engine, tmp_path: Path) -> None:
    told: list[int] = []
    ordered = order(tmp_path)

    with closing(Spool()) as spool:
        importing.create(engine, ordered, prepared(ordered, spool), on_messages=told.append)

    with reading(engine) as connection:
        lines = list(connection.scalars(select(MESSAGES.c.line).order_by(MESSAGES.c.id)))
        sizes = list(connection.scalars(select(BATCHES.c.queued).order_by(BATCHES.c.id)))
    assert lines == list(range(2, N + 2))
    assert sizes == [BATCH_ROWS] * 11 + [7]
    assert sum(told) == N
    assert_counts(engine)


@pytest.mark.slow
def test_messages_that_cannot_be_read_back_leave_nothing_behind(engine: Engine, tmp_path: Path) -> None:
    told: list[int] = []
    ordered = order(tmp_path)

    with closing(Torn()) as spool, pytest.raises(ConfigError):
        importing.create(engine, ordered, prepared(ordered, spool), on_messages=told.append)

    with reading(engine) as connection:
        left = connection.scalar(select(func.count()).select_from(MESSAGES))
        states = list(connection.scalars(select(CAMPAIGNS.c.state)))
    assert (left, states) == (0, ["discarded"])
    is_beside = engine.dialect.name == "postgresql"  # then it was found while the first was written
    assert told == ([] if is_beside else [BATCH_ROWS] * 7)
