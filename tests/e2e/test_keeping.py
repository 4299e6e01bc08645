"""What is kept, given back and removed, as a person orders it."""

import csv
import json
import shutil
import signal
import sqlite3
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import update

from tests.e2e.place import Place, simulator_accepted
from tests.e2e.warm import Warm
from tests.sandbox.running import Sandbox
from tests.traces import found_in_files, found_in_tables
from worker.ledger.engine import writing
from worker.ledger.models import CAMPAIGNS, MESSAGES
from worker.waiting import within

TEXT = "Hi {{ name }}, see you"
DAY_MS = 86_400_000
MEMBERS = """Name;Mobile;Note
Anna;20304050;=1+2
Søren;+45 26 12 34 56;"a;b"
Bad;+4599990001;-5
"""


def table(text: str) -> list[list[str]]:
    return list(csv.reader(text.removeprefix("\ufeff").splitlines()))


def test_what_failed_is_exported_and_sent_again(place: Place) -> None:
    place.write("members.csv", MEMBERS)
    place.run("send", "members.csv", "--text", TEXT, "--via", "acme", "--wait", code=3)

    whole = table(place.run("campaign", "export", "1").out)
    place.run("campaign", "export", "1", "--failed", "--to", "again.csv")
    again = place.run("send", "again.csv", "--text", TEXT, "--via", "acme", "--wait", "--json", code=3).json

    assert [row[:3] for row in whole] == [
        ["Name", "Mobile", "Note"],
        ["Anna", "20304050", "'=1+2"],
        ["Søren", "'+45 26 12 34 56", "a;b"],
        ["Bad", "'+4599990001", "'-5"],
    ]
    assert whole[3][whole[0].index("bulksend_state")] == "rejected"
    assert (again["rows"], again["messages"], again["parts"]) == (1, 1, 1)
    second = table(place.run("campaign", "export", "2").out)
    assert [row[:3] for row in second] == [whole[0][:3], whole[3][:3]]


def test_an_export_is_whole_or_not_there_and_replaces_nothing_unasked(place: Place) -> None:
    place.write("members.csv", MEMBERS)
    place.run("send", "members.csv", "--text", TEXT, "--via", "acme", "--wait", code=3)
    place.run("campaign", "export", "1", "--to", "out.jsonl")

    refused = place.run("campaign", "export", "1", "--to", "out.jsonl", code=1)
    told = place.run("campaign", "export", "1", "--to", "out.jsonl", "--force", "--json").json

    assert "--force" in refused.err
    assert (told["campaign_id"], told["rows"]) == (1, 3)
    lines = [json.loads(line) for line in (place.folder / "out.jsonl").read_text("utf-8").splitlines()]
    assert [line["row"]["Note"] for line in lines] == ["=1+2", "a;b", "-5"]
    assert (place.folder / "out.jsonl").stat().st_mode & 0o777 == 0o600
    place.run("campaign", "export", "1", "--json", code=2)
    place.run("campaign", "export", "7", code=1)


@pytest.mark.slow
def test_a_backup_that_is_restored_sends_nothing_before_a_person_says_so(
    place: Place, gateway: Sandbox
) -> None:
    place.write_numbers("members.csv", 400)
    gateway.set_faults(latency_ms=200)
    place.run("send", "members.csv", "--text", "Hi {{ first_name }}", "--via", "acme")
    with place.started("worker") as worker:
        assert within(30, lambda: place.counts().get("accepted", 0) > 0, every_s=0.05)
        told = place.run("ledger", "backup", "copy.db", "--json").json
        assert within(60, lambda: place.report().is_done, every_s=0.1)
        worker.signal(signal.SIGTERM)
        worker.wait()
    place.engine.dispose()
    del place.engine
    sent = simulator_accepted(gateway)
    _restore(place, Path(told["file"]))

    place.run("doctor")  # which ends with 0 when all adds up
    place.write("one.csv", "msisdn\n+4520304050\n")
    place.run("send", "one.csv", "--text", "Now", "--via", "acme")
    place.finish_with_a_worker(2)

    assert simulator_accepted(gateway) - sent == Counter({("+4520304050", "Now", 1): 1})
    assert place.report().state == "paused"
    assert str(place.report().reason).startswith("restored from the backup of")


def _restore(place: Place, copy: Path) -> None:
    """Put a backup in the place of the ledger, as the README says."""
    for path in place.folder.glob("bulksend.db*"):
        if path.is_file():
            path.unlink()
    shutil.copy(place.folder / copy, place.folder / "bulksend.db")


def test_a_backup_names_what_it_cannot_do(place: Place) -> None:
    absent = place.run("ledger", "backup", "copy.db", code=1)
    place.run("campaign", "list")
    place.run("ledger", "backup", "copy.db")
    taken = place.run("ledger", "backup", "copy.db", code=1)
    itself = place.run("ledger", "backup", "bulksend.db", "--force", code=1)
    place.configure(ledger="postgresql+psycopg://localhost/nowhere")
    elsewhere = place.run("ledger", "backup", "other.db", code=2)

    assert "nothing to back up" in absent.err
    assert "--force" in taken.err
    assert "the ledger itself" in itself.err
    assert "pg_dump" in elsewhere.err
    with sqlite3.connect(place.folder / "copy.db") as copy:
        assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    copy.close()


def test_pruning_says_what_it_would_remove_and_removes_it_after_a_yes(place: Place) -> None:
    place.write("members.csv", MEMBERS)
    place.run("send", "members.csv", "--text", TEXT, "--via", "acme", "--wait", code=3)
    with writing(place.engine) as connection:
        past = 100 * DAY_MS
        connection.execute(update(CAMPAIGNS).values(created_at=CAMPAIGNS.c.created_at - past))
        connection.execute(update(MESSAGES).values(changed_at=MESSAGES.c.changed_at - past))
    before = place.run("campaign", "show", "1", "--json").json

    too_young = place.run("ledger", "prune", "--older-than", "1d", code=2)
    only_told = place.run("ledger", "prune", "--older-than", "90d", "--dry-run", "--json").json
    not_asked = place.run("ledger", "prune", "--older-than", "90d", code=1)
    done = place.run("ledger", "prune", "--older-than", "90d", "--yes", "--vacuum", "--json").json

    assert "at least 3 days" in too_young.err
    assert (only_told["messages"], only_told["is_done"]) == (3, False)
    assert "--yes" in not_asked.err
    assert (done["campaigns"], done["messages"], done["is_done"]) == (1, 3, True)
    words = ["Anna", "Søren", "20304050", "26123456", "see you"]
    assert found_in_tables(place.engine, words) == set()
    place.engine.dispose()
    assert found_in_files(place.engine, words) == set()
    after = place.run("campaign", "show", "1", "--json").json
    same = ("state", "counts", "parts", "cost", "codes", "rows", "messages")
    assert {name: after[name] for name in same} == {name: before[name] for name in same}
    assert after["pruned_at"]
    export = place.run("campaign", "export", "1")
    assert "was pruned" in export.err
    assert "was pruned" in place.run("campaign", "export", "1", "--failed", code=1).err
    assert "was pruned" in place.run("campaign", "retry", "1", "--yes", code=1).err
    place.run("doctor")


def test_a_person_is_shown_and_erased(place: Place) -> None:
    place.write("members.csv", MEMBERS)
    place.run("send", "members.csv", "--text", TEXT, "--via", "acme", "--wait", code=3)
    place.run("send", "members.csv", "--text", "Later, {{ name }}", "--via", "acme", "--at", "in 2h")

    shown = place.run("person", "export", "+4520304050").json
    not_asked = place.run("person", "erase", "+4520304050", code=1)
    done = place.run("person", "erase", "20304050", "--country", "DK", "--yes", "--vacuum", "--json").json
    again = place.run("person", "erase", "+4520304050", "--yes")
    nobody = place.run("person", "export", "+4520304050")

    assert [each["text"] for each in shown["messages"]] == ["Hi Anna, see you", "Later, Anna"]
    assert [each["cells"] for each in shown["messages"]] == [["Anna", "20304050", "=1+2"]] * 2
    assert "Søren" not in str(shown)
    assert "--yes" in not_asked.err
    assert (done["messages"], done["cancelled"], done["on_their_way"]) == (2, 1, 0)
    assert "Nothing is held" in again.err
    assert (nobody.json["messages"], "Nothing is held" in nobody.err) == ([], True)
    assert found_in_tables(place.engine, ["Anna", "20304050"]) == set()
    place.engine.dispose()
    assert found_in_files(place.engine, ["Anna", "20304050"]) == set()
    assert place.counts(2) == {"queued": 2, "cancelled": 1}
    place.run("doctor")


def test_a_number_without_a_country_code_is_read_in_the_one_country_of_the_settings(
    lone_place: Place, warm: Warm
) -> None:
    lone_place.write("members.csv", MEMBERS)
    warm.run(lone_place, "send", "members.csv", "--text", TEXT, "--via", "acme", "--accept-good-rows")

    shown = warm.run(lone_place, "person", "export", "20304050")
    erased = warm.run(lone_place, "person", "erase", "20304050", "--yes", "--json")
    settings = (lone_place.folder / "bulksend.toml").read_text()
    lone_place.write("bulksend.toml", settings.replace('country = "DK"', ""))
    nowhere = warm.run(lone_place, "person", "export", "26123456")

    assert (shown.json["number"], len(shown.json["messages"])) == ("+4520304050", 1)
    assert (erased.code, erased.json["messages"]) == (0, 1)
    assert nowhere.code == 1
    assert "country" in nowhere.err


@pytest.mark.slow
def test_nothing_goes_to_a_number_after_it_was_erased(place: Place, gateway: Sandbox) -> None:
    place.write_numbers("members.csv", 600)
    gateway.set_faults(latency_ms=100)
    place.run("send", "members.csv", "--text", "Hi {{ first_name }}", "--via", "acme")
    erased = [f"+45{20000000 + n}" for n in (300, 450, 599)]
    with place.started("worker") as worker:
        assert within(30, lambda: place.counts().get("accepted", 0) > 0, every_s=0.02)
        before = {}
        for number in erased:
            place.run("person", "erase", number, "--yes")
            before[number] = _n_accepted(gateway, number)
        assert within(90, lambda: place.report().is_done, every_s=0.1)
        worker.signal(signal.SIGTERM)
        worker.wait()

    after = {number: _n_accepted(gateway, number) for number in erased}
    assert after == before
    counts = place.counts()
    assert counts["accepted"] == len(simulator_accepted(gateway))
    assert counts["accepted"] + counts.get("cancelled", 0) == 600
    assert counts["cancelled"] == 3 - sum(after.values())


def _n_accepted(gateway: Sandbox, number: str) -> int:
    return sum(n for (msisdn, _, _), n in simulator_accepted(gateway).items() if msisdn == number)
