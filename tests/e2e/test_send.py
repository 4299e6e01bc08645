"""`send --wait` without a broker: its own Redis and worker, real requests, and what is left afterwards."""

import csv
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.conftest import made_place
from tests.e2e.place import SECRET, Done, Place, simulator_accepted
from tests.e2e.warm import Warm
from tests.sandbox.running import Sandbox
from worker.ledger.engine import reading

pytestmark = pytest.mark.xdist_group("e2e_send")  # they look at one campaign

FIGURES = ("rows", "messages", "duplicates", "refused", "parts", "cost")
NAMES = ("Ann", "Zoë", "Łukasz", "李雷", "Ольга", "{O'Neil}", "🎉" * 40, "x" * 150)
TEXT = "Hi {{ first_name }}, see you at 9"
ORDER = ("members.csv", "--text", TEXT, "--via", "acme")


def members() -> str:
    """Give 64 recipients in two countries, eight of them written a second time."""
    numbers = [f"{20000000 + i}" for i in range(56)] + [f"+44740012345{i}" for i in range(8)]
    rows = [f"{number};{NAMES[i % len(NAMES)]}" for i, number in enumerate([*numbers, *numbers[:8]])]
    return "\n".join(["Mobil;first_name", *rows]) + "\n"


@dataclass(frozen=True, kw_only=True)
class Sent:
    """A personalised campaign that was previewed, then sent to its end."""

    place: Place
    gateway: Sandbox
    files_before: set[str]
    files_previewed: set[str]
    preview: Done
    send: Done
    was_quiet: bool


@pytest.fixture(scope="module")
def sent(shared_gateway: Sandbox) -> Iterator[Sent]:
    with made_place(shared_gateway.url) as place:
        place.write("members.csv", members())
        files_before = place.files()
        preview = place.run("preview", *ORDER, "--json")
        files_previewed = place.files()
        send = place.run("send", *ORDER, "--wait", "--json")
        yield Sent(
            place=place,
            gateway=shared_gateway,
            files_before=files_before,
            files_previewed=files_previewed,
            preview=preview,
            send=send,
            was_quiet=place.is_quiet(0),
        )


def test_the_simulator_accepted_what_the_ledger_says_one_for_one(sent: Sent) -> None:
    accepted = simulator_accepted(sent.gateway)

    assert accepted == sent.place.ledger_accepted()
    assert accepted.total() == 64


def test_no_message_is_sent_twice(sent: Sent) -> None:
    stats = sent.gateway.stats()

    assert stats["unique"] == stats["accepted"] == 64
    assert stats["duplicates"] == {"reference": 0, "text": 0}


def test_the_texts_are_the_composed_ones(sent: Sent) -> None:
    texts = {text for _, text, _ in simulator_accepted(sent.gateway)}

    assert texts == {f"Hi {name}, see you at 9" for name in NAMES}


def test_long_texts_and_other_scripts_count_their_parts(sent: Sent) -> None:
    parts = {text: parts for _, text, parts in simulator_accepted(sent.gateway)}

    assert parts["Hi Ann, see you at 9"] == 1
    assert parts[f"Hi {'🎉' * 40}, see you at 9"] == 2
    assert parts[f"Hi {'x' * 150}, see you at 9"] == 2


def test_nothing_is_left_running(sent: Sent) -> None:
    assert sent.was_quiet


def test_no_temporary_file_is_left(sent: Sent) -> None:
    assert list(sent.place.temporary.iterdir()) == []


def test_a_preview_writes_nothing(sent: Sent) -> None:
    assert sent.files_previewed == sent.files_before


@pytest.mark.parametrize("figure", FIGURES)
def test_what_was_previewed_is_what_was_sent(sent: Sent, warm: Warm, figure: str) -> None:
    shown = warm.run(sent.place, "campaign", "show", "1", "--json").json

    assert sent.preview.json[figure] == sent.send.json[figure] == shown[figure]


def test_the_figures_are_right(sent: Sent) -> None:
    found = sent.preview.json

    assert (found["rows"], found["messages"], found["duplicates"], found["refused"]) == (72, 64, 8, 0)
    assert found["parts"] == 80
    assert found["cost"] == {"DKK": "24.50", "GBP": "0.40"}


def test_the_json_of_send_has_the_keys_of_the_contract(sent: Sent) -> None:
    found = sent.send.json

    assert {*FIGURES, "campaign_id", "id", "name", "state", "counts", "due_at", "ends_at"} <= found.keys()
    assert found["state"] == "done"
    assert found["counts"]["accepted"] == 64


def test_the_same_send_again_is_refused_and_names_the_campaign(sent: Sent, warm: Warm) -> None:
    done = warm.run(sent.place, "send", *ORDER, "--wait")

    assert done.code == 1
    assert "campaign 1 (members), which is done" in done.err
    assert sent.place.n_campaigns() == 1


def test_a_message_is_found_by_its_number(sent: Sent, warm: Warm) -> None:
    found = warm.run(sent.place, "message", "show", "+4520000001", "--json").json

    assert found["text"] == "Hi Zoë, see you at 9"
    assert found["state"] == "accepted"
    assert [submission["outcome"] for submission in found["submissions"]] == ["answered"]


@pytest.mark.parametrize("name", ["worker.log", "appendonly.aof", "redis.log", "keeper.log"])
def test_no_number_text_or_secret_is_in_logs_or_in_redis(sent: Sent, name: str) -> None:
    content = (sent.place.folder / "bulksend.db-run" / name).read_bytes()

    for word in ("20000001", "7400123450", "see you at 9", SECRET):
        assert word.encode() not in content


def test_rows_of_a_preview_are_the_messages(sent: Sent, warm: Warm, tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"

    warm.run(sent.place, "preview", *ORDER, "--rows", str(file))

    with file.open(newline="", encoding="utf-8") as rows:
        found = {(row["msisdn"].lstrip("'"), row["text"], int(row["parts"])) for row in csv.DictReader(rows)}
    assert found == set(sent.place.ledger_accepted())


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm"])
def test_a_new_ledger_is_its_owners_only(lone_place: Place, suffix: str) -> None:
    with reading(lone_place.engine):
        status = (lone_place.folder / f"bulksend.db{suffix}").stat()

    assert stat.S_IMODE(status.st_mode) == 0o600


def test_the_texts_of_a_preview_are_the_first_and_the_dearest(sent: Sent) -> None:
    texts = [(text["line"], text["parts"], text["text"]) for text in sent.preview.json["texts"]]

    assert texts == [
        (2, 1, "Hi Ann, see you at 9"),
        (8, 2, f"Hi {'🎉' * 40}, see you at 9"),
    ]


def test_a_person_who_previews_sees_the_texts(sent: Sent, warm: Warm) -> None:
    said = warm.run(sent.place, "preview", *ORDER).out

    assert "The text of line 2 (1 part, gsm7):\n  Hi Ann, see you at 9\n" in said
    assert f"  Hi {'🎉' * 40}, see you at 9\n" in said


def test_one_text_for_all_is_shown_once(lone_place: Place, warm: Warm) -> None:
    lone_place.write("members.csv", members())

    done = warm.run(lone_place, "preview", "members.csv", "--text", "See you", "--via", "acme", "--json")

    assert [text["text"] for text in done.json["texts"]] == ["See you"]


def test_a_message_that_the_rate_would_never_let_leave_is_refused_and_nothing_is_sent(
    lone_place: Place, warm: Warm
) -> None:
    settings = lone_place.folder / "bulksend.toml"
    settings.write_text(settings.read_text() + 'rate = "1/min"\n')
    lone_place.write("members.csv", members())

    done = warm.run(lone_place, "send", "members.csv", "--text", "x" * 161, "--via", "acme")

    assert done.code == 1
    assert "the text needs 2 parts, and the rate of acme is 1/min [above_rate]" in done.err
    assert lone_place.n_campaigns() == 0


def test_a_preview_needs_no_ledger(lone_place: Place, warm: Warm) -> None:
    lone_place.configure(ledger="sqlite:///not/here/bulksend.db")
    lone_place.write("members.csv", members())

    assert warm.run(lone_place, "preview", *ORDER).code == 0
