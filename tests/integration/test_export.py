import csv
import io
import json
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, update

from producer import adding as use_case
from producer import export, people
from producer.export import Format, Wanted
from producer.recipients import Row, open_recipients
from producer.spreadsheet import as_written
from tests.ledgers import (
    PROVIDER,
    a_campaign,
    cancel,
    do,
    due_rows,
    lease,
    mark,
    only_batch,
    record,
    release,
    result,
    some_messages,
    unclear,
)
from worker.errors import InputError
from worker.ledger import adding, campaigns, cells, exporting, unreported
from worker.ledger.adding import Addition
from worker.ledger.drafts import NewMessage, SourceCounts, batched
from worker.ledger.engine import reading, writing
from worker.ledger.exporting import Choice
from worker.ledger.models import CAMPAIGNS, MESSAGES
from worker.states import MessageState

HEADERS = ("Name", "Mobile", "Note")
HOUR_MS = 3_600_000
PATIENCE_MS = 72 * HOUR_MS


def row_of(number: int) -> tuple[str, ...]:
    return f"Ann {number}", f"+45{20_000_000 + number}", "=1+2"


def message_to(number: int, row: Sequence[str] | None) -> NewMessage:
    (one,) = some_messages(1)
    return replace(one, msisdn=f"+45{20_000_000 + number}", line=number + 2, cells=cells.written(row))


def write(
    engine: Engine, n: int, *, name: str = "spring", first: int = 0, headers: Sequence[str] | None = HEADERS
) -> int:
    """Write and release a campaign of so many messages with their rows; return its id."""
    importer = do(engine, campaigns.create, replace(a_campaign(name), headers=headers))
    messages = (message_to(first + i, headers and row_of(first + i)) for i in range(n))
    for chunk in batched(messages):
        importer = do(engine, campaigns.add_batch, importer, chunk)
    do(engine, campaigns.release, importer, SourceCounts(rows=n, duplicates=0, refused=0))
    return importer.campaign_id


def wanted(
    campaign_id: int, *states: MessageState, form: Format = Format.CSV, choice: Choice | None = None
) -> Wanted:
    chosen = choice or Choice(campaign_id=campaign_id, states=states or list(MessageState))
    is_again = choice is not None
    return Wanted(choice=chosen, format=form, telling={PROVIDER}, silent_ms=PATIENCE_MS, is_again=is_again)


def exported(engine: Engine, what: Wanted) -> str:
    file = io.StringIO(newline="")
    found = do(engine, exporting.campaign, what.choice.campaign_id)
    export.export(engine, found, what, file)
    return file.getvalue()


def table(engine: Engine, what: Wanted) -> list[list[str]]:
    text = exported(engine, what)
    assert text.startswith("\ufeff")
    return list(csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline="")))


def send(engine: Engine, *states: MessageState | None) -> int:
    """Send a campaign of one batch; None is for what nobody knows. Return its id."""
    campaign_id = write(engine, len(states))
    held = lease(engine, do(engine, only_batch, campaign_id))
    marked = mark(engine, held, *([row] for row in due_rows(engine, held)))
    for each, state in zip(marked, states, strict=True):
        record(engine, unclear(each) if state is None else result(each, state, code="7", detail="no luck"))
    release(engine, held)
    return campaign_id


def test_the_columns_come_first_and_what_became_of_the_row_after_them(engine: Engine) -> None:
    campaign_id = send(engine, MessageState.ACCEPTED, MessageState.REJECTED)

    headers, first, second = table(engine, wanted(campaign_id))

    assert headers[:3] == list(HEADERS)
    assert all(name.startswith("bulksend_") for name in headers[3:])
    assert first[:3] == ["Ann 0", "'+4520000000", "'=1+2"]
    facts = dict(zip(headers, second, strict=True))
    chosen = ("line", "msisdn", "state", "parts", "price", "currency", "provider", "code", "reason")
    assert [facts[f"bulksend_{name}"] for name in chosen] == [
        *("3", "'+4520000001", "rejected", "1", "0.35", "DKK", PROVIDER, "7", "no luck"),
    ]
    assert all(facts[f"bulksend_{name}"].endswith("Z") for name in ("due_at", "sent_at", "ended_at"))


def test_every_row_comes_once_though_campaigns_lie_between_each_other(engine: Engine) -> None:
    importers = [
        do(engine, campaigns.create, replace(a_campaign(name), headers=HEADERS)) for name in ("one", "two")
    ]
    for chunk in range(7):
        for place, importer in enumerate(importers):
            numbers = range(chunk * 1000, chunk * 1000 + 1000)
            messages = [message_to(number, row_of(number)) for number in numbers]
            importers[place] = do(engine, campaigns.add_batch, importer, messages)

    rows = table(engine, wanted(importers[0].campaign_id))

    assert [row[0] for row in rows[1:]] == [f"Ann {number}" for number in range(7000)]


def test_json_lines_hold_the_same_as_they_are(engine: Engine) -> None:
    campaign_id = send(engine, MessageState.ACCEPTED)

    text = exported(engine, wanted(campaign_id, form=Format.JSONL))

    (line,) = map(json.loads, text.splitlines())
    assert line["row"] == {"Name": "Ann 0", "Mobile": "+4520000000", "Note": "=1+2"}
    assert (line["msisdn"], line["state"]) == ("+4520000000", "accepted")


def test_only_the_states_that_are_asked_for(engine: Engine) -> None:
    campaign_id = send(engine, MessageState.ACCEPTED, MessageState.REJECTED, None)

    rows = table(engine, wanted(campaign_id, MessageState.UNKNOWN, MessageState.REJECTED))

    assert [row[0] for row in rows[1:]] == ["Ann 1", "Ann 2"]


def test_what_failed_is_given_without_what_may_have_been_accepted(engine: Engine) -> None:
    states = (MessageState.ACCEPTED, MessageState.REJECTED, None, MessageState.UNDELIVERED)
    campaign_id = send(engine, *states)
    with writing(engine) as connection:
        doubtful = MESSAGES.c.state == MessageState.UNKNOWN
        connection.execute(update(MESSAGES).where(doubtful).values(state=MessageState.FAILED))
    choice = export.failed(campaign_id)

    rows = table(engine, wanted(campaign_id, choice=choice))

    assert rows == [list(HEADERS), ["Ann 1", "'+4520000001", "'=1+2"], ["Ann 3", "'+4520000003", "'=1+2"]]
    assert do(engine, exporting.n_left_out, choice) == (1, 0)


CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0")).map(str.strip)


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=5))
def test_failed_rows_are_read_back_as_they_were(sqlite_engine: Engine, cells_: list[tuple[str, str]]) -> None:
    written = [(_plain(a), f"+45{20_000_000 + n}", _plain(b)) for n, (a, b) in enumerate(cells_)]
    messages = [message_to(n, row) for n, row in enumerate(written)]
    importer = do(sqlite_engine, campaigns.create, replace(a_campaign(), headers=HEADERS))
    do(sqlite_engine, campaigns.add_batch, importer, messages)
    with writing(sqlite_engine) as connection:
        connection.execute(update(MESSAGES).values(state=MessageState.FAILED))
    number = importer.campaign_id

    text = exported(sqlite_engine, wanted(number, choice=export.failed(number)))

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "again.csv"
        path.write_text(text, encoding="utf-8", newline="")
        read = list(open_recipients(path, region=None))
    assert [row.cells for row in read if isinstance(row, Row)] == written
    assert len(read) == len(written)


def _plain(cell: str) -> str:
    """Give a cell as our reader has it: it takes off what a spreadsheet adds."""
    return as_written(cell)


def test_a_further_file_gives_its_new_columns_after_those_of_the_first(engine: Engine) -> None:
    campaign_id = write(engine, 1)
    ground = do(engine, adding.ground, campaign_id)
    row = ("+4520000009", "Odense", "Zoe")
    addition = Addition(
        content="x",
        counts=SourceCounts(rows=1, duplicates=0, refused=0),
        author="operator",
        headers=("Mobile", "City", "Name"),
    )
    told = use_case.Told(on_cleared=lambda _n: None, on_messages=lambda _n: None)
    use_case.add(engine, ground, [message_to(9, row)], addition, told=told)

    headers, first, second = table(engine, wanted(campaign_id))

    assert headers[:4] == ["Name", "Mobile", "Note", "City"]
    assert first[:4] == ["Ann 0", "'+4520000000", "'=1+2", ""]
    assert second[:4] == ["Zoe", "'+4520000009", "", "Odense"]


def test_a_file_that_is_not_wholly_added_is_not_in_it(engine: Engine) -> None:
    campaign_id = write(engine, 1)
    importer = do(engine, adding.begin, do(engine, adding.ground, campaign_id))
    do(engine, adding.add_batches, importer, [[message_to(9, row_of(9))]])

    assert len(table(engine, wanted(campaign_id))) == 2


def test_rows_that_were_not_kept_are_not_given_to_be_sent_again(engine: Engine) -> None:
    campaign_id = write(engine, 1, headers=None)
    cancel(engine, campaign_id)
    with writing(engine) as connection:
        connection.execute(update(MESSAGES).values(state=MessageState.FAILED))
    found = do(engine, exporting.campaign, campaign_id)
    _, n_bare = do(engine, exporting.n_left_out, export.failed(campaign_id))

    with pytest.raises(InputError, match="were not kept"):
        export.require_rows(found, n_bare)


def test_an_erased_row_is_left_out_without_a_word(engine: Engine) -> None:
    campaign_id = send(engine, MessageState.REJECTED, MessageState.REJECTED)
    people.erase(engine, "+4520000000", author="me", patience_s=0.1, on_wait=lambda _n: None)
    choice = export.failed(campaign_id)

    rows = table(engine, wanted(campaign_id, choice=choice))

    assert rows[1:] == [["Ann 1", "'+4520000001", "'=1+2"]]
    assert do(engine, exporting.n_left_out, choice) == (0, 0)


# --- accepted, and nothing was heard since


def grow_old(engine: Engine, ms: int) -> None:
    with writing(engine) as connection:
        connection.execute(update(MESSAGES).values(changed_at=MESSAGES.c.changed_at - ms))
        connection.execute(update(CAMPAIGNS).values(created_at=CAMPAIGNS.c.created_at - ms))


def n_unreported(engine: Engine, campaign_id: int, *, telling: frozenset[str] = frozenset({PROVIDER})) -> int:
    return do(engine, unreported.n_unreported, campaign_id, telling=telling, silent_ms=PATIENCE_MS)


@pytest.mark.parametrize(("hours", "n"), [(71, 0), (73, 1)])
def test_what_was_accepted_long_ago_without_a_report_says_so(engine: Engine, hours: int, n: int) -> None:
    campaign_id = send(engine, MessageState.ACCEPTED, MessageState.DELIVERED)
    grow_old(engine, hours * HOUR_MS)

    headers, first, second = table(engine, wanted(campaign_id))
    lines = exported(engine, wanted(campaign_id, form=Format.JSONL)).splitlines()
    told = [json.loads(line)["no_report"] for line in lines]

    place = headers.index("bulksend_no_report")
    assert n_unreported(engine, campaign_id) == n
    assert [first[place], second[place]] == ["yes" if n else "", ""]
    assert told == [bool(n), False]


def test_nothing_is_expected_of_a_gateway_that_never_tells(engine: Engine) -> None:
    campaign_id = send(engine, MessageState.ACCEPTED)
    grow_old(engine, 100 * HOUR_MS)

    assert n_unreported(engine, campaign_id, telling=frozenset()) == 0
    assert n_unreported(engine, campaign_id, telling=frozenset({"other"})) == 0


def test_one_message_says_so_too(engine: Engine) -> None:
    send(engine, MessageState.ACCEPTED, MessageState.DELIVERED)
    grow_old(engine, 100 * HOUR_MS)

    with reading(engine) as connection:
        said = [
            unreported.is_unreported(connection, number, telling={PROVIDER}, silent_ms=PATIENCE_MS)
            for number in (1, 2)
        ]

    assert said == [True, False]
