"""Opt-outs as a person meets them: the list, what a preview and a send leave out, and a reply."""

import csv
import json

import pytest
import requests

from tests.e2e.place import DEADLINE_S, Done, Place
from tests.e2e.test_recipient_files import with_input
from tests.e2e.warm import Warm
from tests.sandbox.running import Sandbox
from worker.waiting import within

ORDER = ("members.csv", "--text", "Hi {{ first_name }}", "--via", "acme")
FIRST = "+4520000000"
LIST = """msisdn,scope,source,time
20000000,purpose:marketing,reply,2026-01-02T03:04:05+01:00
20000001,,,
nobody,all,,
20000002,everything,,
"""


@pytest.fixture
def members(lone_place: Place) -> Place:
    """Give a place with four recipients, whose gateway is not needed."""
    lone_place.write_numbers("members.csv", 4)
    return lone_place


def adds_up(found: dict[str, int]) -> bool:
    return found["rows"] == found["messages"] + found["duplicates"] + found["skipped"] + found["refused"]


def test_a_number_is_noted_checked_and_let_in_again(members: Place, warm: Warm) -> None:
    noted = warm.run(members, "optout", "add", FIRST, "--purpose", "marketing")
    checks = [
        warm.run(members, "optout", "check", FIRST, *of).code
        for of in ([], ["--purpose", "reminders"], ["--purpose", "marketing", "--sender", "ACME"])
    ]
    removed = warm.run(members, "optout", "remove", FIRST, "--json")

    assert noted.code == 0
    assert checks == [1, 0, 1]
    assert removed.json == {"numbers": 1, "removed": 1, "still_opted_out": 0}
    assert warm.run(members, "optout", "check", FIRST).code == 0
    assert warm.run(members, "optout", "check", "nobody").code == 2


def test_a_preview_and_a_send_leave_out_who_opted_out_of_their_purpose(members: Place, warm: Warm) -> None:
    before = warm.run(members, "preview", *ORDER, "--json").json
    warm.run(members, "optout", "add", FIRST, "--purpose", "marketing")

    preview = warm.run(members, "preview", *ORDER, "--json").json
    reminder = warm.run(members, "preview", *ORDER, "--purpose", "reminders", "--json").json
    sent = warm.run(members, "send", *ORDER, "--json")
    shown = warm.run(members, "campaign", "show", "1", "--json").json

    assert (before["suppressed"], before["optouts_looked_up"]) == (0, False)
    assert (preview["messages"], preview["suppressed"], preview["optouts_looked_up"]) == (3, 1, True)
    assert preview["left_out"] == [{"line": 2, "code": "opted_out"}]
    assert (reminder["messages"], reminder["suppressed"]) == (4, 0)
    assert adds_up(preview)
    assert "line 2: its number has opted out" in sent.err
    assert FIRST not in sent.err
    assert (shown["messages"], shown["skipped"], shown["purpose"]) == (3, 1, "marketing")
    assert (shown["ordered_cost"], shown["cost"]) == (preview["cost"], {"DKK": "0.00"})
    wrong = warm.run(members, "doctor", "--json").json["problems"]
    assert {each["code"] for each in wrong} <= {"gateway"}  # nobody answers for it


def test_an_opt_out_in_between_does_not_make_a_repeat_look_new(members: Place, warm: Warm) -> None:
    warm.run(members, "send", *ORDER)
    warm.run(members, "optout", "add", FIRST)

    again = warm.run(members, "send", *ORDER)

    assert again.code == 1
    assert "This was sent before" in again.err


def test_a_list_is_read_and_written_so_that_it_is_read_again(members: Place, warm: Warm) -> None:
    members.write("stopped.csv", LIST)

    first = warm.run(members, "optout", "import", "stopped.csv", "--json")
    again = warm.run(members, "optout", "import", "stopped.csv", "--json")
    warm.run(members, "optout", "list", "--csv", "out.csv")
    warm.run(members, "optout", "remove", FIRST)
    back = warm.run(members, "optout", "import", "out.csv", "--json")

    codes = {each["line"]: each["code"] for each in first.json["problems"]}
    with (members.folder / "out.csv").open(newline="") as file:
        written = sorted((row["msisdn"], row["scope"], row["time"][:19]) for row in csv.DictReader(file))
    assert (first.code, again.code, back.code) == (3, 3, 0)
    assert (first.json["added"], again.json["added"], again.json["known"]) == (2, 0, 2)
    assert codes == {4: "number_not_a_number", 5: "scope_unknown"}
    assert written[0] == ("'+4520000000", "purpose:marketing", "2026-01-02T02:04:05")
    assert back.json["known"] == 2  # one holds, one has ended since
    assert (members.folder / "out.csv").stat().st_mode & 0o777 == 0o600


def test_only_a_number_or_a_scope_that_cannot_be_read_keeps_an_opt_out_from_being_noted(
    members: Place, warm: Warm
) -> None:
    rows = "20000000,webform,\n20000001,Reply,gestern\n20000002,,2999-01-01\n20000003,webform,2026-01-02\n"
    members.write("stopped.csv", f"msisdn,source,time,provider\n{rows}".replace("\n2", ",\n2", 4))

    done = warm.run(members, "optout", "import", "stopped.csv", "--json")
    listed = json.loads(warm.run(members, "optout", "list", "--json").out)

    assert (done.code, done.json["added"], done.json["refused"]) == (0, 4, 0)
    assert done.json["doubts"] == {"source_unknown": 2, "time_invalid": 1, "time_ahead": 1}
    assert (
        "2 rows have a source that is none of operator, import, gateway, reply: noted as import" in done.err
    )
    assert {each["msisdn"][-1]: each["source"] for each in listed} == {
        "0": "import",
        "1": "reply",
        "2": "import",
        "3": "import",
    }
    assert [each["time"][:10] for each in listed if each["msisdn"][-1] == "3"] == ["2026-01-02"]
    assert warm.run(members, "preview", *ORDER, "--json").json["suppressed"] == 4


def test_refused_rows_of_a_list_are_listed_and_taken_back_when_they_are_corrected(
    members: Place, warm: Warm
) -> None:
    members.write("stopped.csv", "msisdn,scope\n20000000,all\n2000000,all\n20000002,everything\n")

    done = warm.run(members, "optout", "import", "stopped.csv")
    wrong = (members.folder / "stopped.problems.csv").read_text(encoding="utf-8-sig")
    members.write("stopped.problems.csv", wrong.replace("2000000,", "20000001,").replace("everything", "all"))
    again = warm.run(members, "optout", "import", "stopped.problems.csv", "--json")

    assert done.code == 3
    assert "2 refused rows are listed in stopped.problems.csv" in done.err
    assert [row["bulksend_line"] for row in csv.DictReader(wrong.splitlines())] == ["3", "4"]
    assert (again.code, again.json["added"]) == (0, 2)
    assert warm.run(members, "optout", "import", "stopped.csv", "--problems", "none").code == 3


def test_an_opt_out_is_noted_with_who_said_so_and_since_when(members: Place, warm: Warm) -> None:
    noted = warm.run(members, "optout", "add", FIRST, "--source", "reply", "--at", "2026-01-02T03:04:05Z")
    (held,) = warm.run(members, "optout", "check", FIRST, "--json").json["scopes"]
    refused = [
        warm.run(members, "optout", "add", "+4520000001", *words)
        for words in (("--at", "2999-01-01"), ("--at", "gestern"), ("--source", "gossip"))
    ]

    assert noted.code == 0
    assert (held["source"], held["since"]) == ("reply", "2026-01-02T03:04:05.000Z")
    assert [each.code for each in refused] == [2, 2, 2]
    assert "--at: the time is not in the past" in refused[0].err
    assert warm.run(members, "optout", "check", "+4520000001").code == 0


def test_a_list_may_come_through_a_pipe_and_in_any_encoding(members: Place) -> None:
    content = "msisdn;name\n20000000;Ольга\n20000001;Ann\n".encode("cp1251")

    def given(*words: str) -> Done:
        return with_input(members, content, "optout", "import", "-", *words)

    guessed, said = given(), given("--file-encoding", "cp1251", "--json")

    assert (guessed.code, said.code) == (1, 0), said.err
    assert "--file-encoding" in guessed.err
    assert said.json["added"] == 2


def test_the_help_says_what_an_opt_out_cannot_stop(members: Place, warm: Warm) -> None:
    said = " ".join(warm.run(members, "optout", "--help").out.split())

    assert "It cannot stop what a gateway has already" in said
    assert "`bulksend campaign cancel`" in said


def test_two_columns_that_may_hold_the_numbers_are_named(members: Place, warm: Warm) -> None:
    members.write("out.csv", "phone,mobile\n20000000,20000001\n")

    done = warm.run(members, "optout", "import", "out.csv")

    assert (done.code, "('phone', 'mobile')" in done.err) == (1, True)


def test_a_list_calculates_nothing_and_is_forgotten_in_every_file(members: Place, warm: Warm) -> None:
    members.write("stopped.csv", f"msisdn,provider\n{FIRST},=1+1\n+4520000009,=1+1\n")
    warm.run(members, "optout", "import", "stopped.csv")

    written = warm.run(members, "optout", "list", "--csv", "-").out
    members.write("out.csv", written)
    again = warm.run(members, "optout", "import", "out.csv", "--json").json
    forgotten = warm.run(members, "optout", "forget", "--yes")

    assert ",'=1+1," in written
    assert (again["known"], again["refused"]) == (2, 0)
    assert "removed: 2" in forgotten.err
    kept = [each for each in members.folder.glob("bulksend.db*") if b"4520000009" in each.read_bytes()]
    assert kept == []


def test_a_list_of_digests_holds_and_shows_no_number(members: Place, warm: Warm) -> None:
    with (members.folder / "bulksend.toml").open("a") as settings:
        settings.write("\n[optouts]\nhashed = true\n")
    warm.run(members, "optout", "add", FIRST)

    listed = json.loads(warm.run(members, "optout", "list", "--json").out)
    (members.folder / "out.csv").write_text(warm.run(members, "optout", "list", "--csv", "-").out)
    again = warm.run(members, "optout", "import", "out.csv", "--json").json

    assert [each["msisdn"] for each in listed] == [None]
    assert (again["known"], again["refused"]) == (1, 0)
    assert warm.run(members, "preview", *ORDER, "--json").json["suppressed"] == 1
    assert b"4520000000" not in (members.folder / "bulksend.db").read_bytes()


def test_who_wants_no_reminders_has_none_and_a_stop_to_marketing_does_not_matter(
    members: Place, warm: Warm
) -> None:
    members.write(
        "week.csv",
        "id,msisdn,when\n1,+4520000000,2027-01-31 09:00\n2,+4520000001,2027-01-31 10:00\n",
    )
    warm.run(members, "optout", "add", FIRST, "--purpose", "reminders")
    warm.run(members, "optout", "add", "+4520000001", "--purpose", "marketing")
    remind = ("remind", "week.csv", "--text", "At {{ when }}", "--via", "acme", "--key", "id")

    done = warm.run(members, *remind, "--column", "when", "--before", "2h", "--zone", "UTC", "--json")

    assert done.code == 0, done.err
    assert (done.json["messages"], done.json["skips"], done.json["skipped"]) == (1, {"suppressed": 1}, 1)
    assert warm.run(members, "campaign", "show", "1", "--json").json["purpose"] == "reminders"


def test_a_purpose_that_is_kept_for_confirmations_is_refused(members: Place, warm: Warm) -> None:
    done = warm.run(members, "send", *ORDER, "--purpose", "confirmation")

    assert done.code == 2
    assert members.n_campaigns() == 0


def test_who_got_the_same_text_lately_is_left_out_where_that_is_wanted(place: Place, warm: Warm) -> None:
    place.write_numbers("members.csv", 3)
    place.run("send", *ORDER, "--wait")
    place.write_numbers("members.csv", 5)

    preview = warm.run(place, "preview", *ORDER, "--skip-reached", "30d", "--json").json
    other = ("members.csv", "--text", "Bye {{ first_name }}", "--via", "acme")
    another_text = warm.run(place, "preview", *other, "--skip-reached", "30d", "--json").json

    assert (preview["messages"], preview["skips"]) == (2, {"reached": 3})
    assert another_text["messages"] == 5
    assert adds_up(preview)


def test_a_stop_that_is_posted_holds_and_is_confirmed_once(
    place: Place, gateway: Sandbox, warm: Warm, free_port: int
) -> None:
    place.write_numbers("members.csv", 2)
    with (place.folder / "bulksend.toml").open("a") as settings:
        settings.write(f'\n[receipts]\nlisten = "127.0.0.1:{free_port}"\n')
        settings.write(f'public_url = "http://127.0.0.1:{free_port}/in"\n')
        settings.write('[optouts]\nconfirmation = "You get no more."\n')
    place.run("send", *ORDER, "--wait")
    (told,) = json.loads(warm.run(place, "receipts", "--replies", "--json").out)

    with place.started("receipts") as role:
        assert role.says("receipts listening"), role.said
        reply = {"from": "4520000000", "text": "Stop"}
        answers = [requests.post(told["address"], data=reply, timeout=10).status_code for _ in range(3)]
        assert FIRST.removeprefix("+45") not in role.said
    left_out = warm.run(place, "preview", *ORDER, "--json").json
    with place.started("worker"):
        is_confirmed = within(DEADLINE_S, lambda: gateway.stats()["accepted"] == 3, every_s=0.2)

    assert answers == [200] * 3
    assert left_out["suppressed"] == 1
    assert is_confirmed
    assert [row["msisdn"] for row in gateway.accepted() if row["text"] == "You get no more."] == [FIRST]
