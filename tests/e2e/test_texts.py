"""Texts from files, in several languages, in the characters that were asked for; and the typed number."""

import os
import signal
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from tests.e2e.place import DEADLINE_S, Place, simulator_accepted
from tests.e2e.terminal import CTRL_C, at_a_terminal
from tests.e2e.test_import_killed import forget_importer, has_begun
from tests.e2e.warm import Warm
from tests.sandbox.running import Sandbox
from worker.ledger.engine import reading
from worker.ledger.models import CAMPAIGNS, MESSAGES
from worker.waiting import within

FILE = "mobil,name,sprog\n20000001,Ann,DA\n20000002,Bo,en_GB\n20000003,Cy,\n20000004,Di,fr\n"
SEVERAL = (
    *("--text-in", "da=Hej {{ name }} \u2013 {{ '2026-11-22' | date }}"),
    *("--text-file-in", "en=en.txt", "--language-column", "Sprog", "--via", "acme"),
)


def write_files(place: Place) -> None:
    place.write("members.csv", FILE)
    place.write("en.txt", "Hi {{ name }} \u2013 {{ '2026-11-22' | date('short') }}\r\nBye\r\n")


def test_several_languages_are_sent_as_they_were_previewed(
    place: Place, gateway: Sandbox, warm: Warm
) -> None:
    write_files(place)
    order = ("members.csv", *SEVERAL, "--default-language", "en", "--smart")

    seen = warm.run(place, "preview", *order, "--json").json
    sent = place.run("send", *order, "--wait", "--json").json

    assert simulator_accepted(gateway) == Counter(
        {
            ("+4520000001", "Hej Ann - 22. november 2026", 1): 1,
            ("+4520000002", "Hi Bo - 11/22/26\nBye", 1): 1,
            ("+4520000003", "Hi Cy - 11/22/26\nBye", 1): 1,
            ("+4520000004", "Hi Di - 11/22/26\nBye", 1): 1,
        }
    )
    assert (seen["parts"], seen["cost"]) == (sent["parts"], sent["cost"]) == (4, {"DKK": "1.40"})
    assert seen["languages"] == {"en": 3, "da": 1}
    assert [(each["name"], each["count"]) for each in seen["replaced"]] == [("U+2013 EN DASH", 4)]


def test_rows_without_a_text_in_their_language_are_refused_by_line(lone_place: Place, warm: Warm) -> None:
    write_files(lone_place)

    done = warm.run(lone_place, "send", "members.csv", *SEVERAL)

    assert done.code == 1
    assert (
        "line 4, column Sprog: there is no language; the texts are in da, en [language_missing]" in done.err
    )
    assert "line 5, column Sprog: the language is none of da, en [language_unknown]" in done.err
    assert lone_place.n_campaigns() == 0


def test_a_text_is_sent_in_the_encoding_that_was_asked_for(place: Place, gateway: Sandbox) -> None:
    place.write_numbers("members.csv", 2)
    text = "x" * 71

    sent = place.run(
        "send", "members.csv", "--text", text, "--via", "acme", "--encoding", "ucs2", "--wait", "--json"
    )

    assert sent.json["parts"] == 4
    assert {(row["text"], row["parts"]) for row in gateway.accepted()} == {(text, 2)}


def test_the_width_of_parts_is_frozen_with_the_campaign(place: Place, gateway: Sandbox, warm: Warm) -> None:
    place.write_numbers("members.csv", 2)
    place.write("more.csv", "msisdn,first_name\n+4520000009,Ann\n")
    settings = (place.folder / "bulksend.toml").read_text()
    place.write("bulksend.toml", settings.replace('timeout = "2s"', 'timeout = "2s"\nudh = 16'))
    sent = warm.run(place, "send", "members.csv", "--text", "x" * 305, "--via", "acme", "--json")
    place.write("bulksend.toml", settings)

    added = warm.run(place, "campaign", "add", "1", "more.csv", "--json")
    place.finish_with_a_worker()

    assert (sent.json["parts"], added.json["parts"]) == (6, 3)
    assert place.counts() == {"accepted": 3}
    assert gateway.stats()["accepted"] == 3


def test_an_import_that_was_killed_is_finished_in_all_its_languages(lone_place: Place, warm: Warm) -> None:
    n = 20_000
    rows = "".join(f"+45{20000000 + i},Ann \u2019{i},{('da', 'en', '')[i % 3]}\n" for i in range(n))
    write_files(lone_place)
    lone_place.write("members.csv", f"msisdn,name,sprog\n{rows}")
    order = ("members.csv", *SEVERAL, "--default-language", "da", "--smart", "--max-parts", "1", "--yes")
    with lone_place.started("send", *order) as send:
        assert within(DEADLINE_S, lambda: has_begun(lone_place), every_s=0.001)
        os.kill(send.process.pid, signal.SIGKILL)
        send.wait()
    forget_importer(lone_place)
    n_before = lone_place.counts()["queued"]
    (lone_place.folder / "en.txt").unlink()  # the campaign has its texts itself

    resumed = warm.run(lone_place, "campaign", "resume", "1")

    assert 0 < n_before < n
    assert (resumed.code, lone_place.counts()) == (0, {"queued": n})
    with reading(lone_place.engine) as connection:
        found = connection.execute(select(MESSAGES.c.text).order_by(MESSAGES.c.line).limit(2)).scalars().all()
        assert connection.scalar(select(CAMPAIGNS.c.text)) is None
    assert found == ["Hej Ann '0 - 22. november 2026", "Hi Ann '1 - 11/22/26\nBye"]


HOSTILE = {
    "loops": "{% for a in range(900) %}{% for b in range(900) %}{% endfor %}{% endfor %}{{ first_name }}",
    "size": "{{ 'x' * 10000000 }}",
    "insides": "{{ ''.__class__.__mro__ }}",
    "nesting": "{{ " + "(" * 4000 + "1" + ")" * 4000 + " }}",
    "power": "{{ 9 ** 9 ** 9 }}",
    "file": "{% include '/etc/passwd' %}",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_template_does_no_harm(lone_place: Place, warm: Warm, name: str) -> None:
    lone_place.write_numbers("members.csv", 5000)
    lone_place.write("text.txt", HOSTILE[name])

    done = warm.run(lone_place, "preview", "members.csv", "--text-file", "text.txt", "--via", "acme")

    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("Error: ")
    assert done.err.count("\n") == 1


@pytest.mark.parametrize("what", ["send", "campaign add"])
def test_a_great_many_messages_need_a_yes_where_nobody_can_type(
    lone_place: Place, warm: Warm, what: str
) -> None:
    confirm_above(lone_place, 2)
    lone_place.write_numbers("members.csv", 3)
    lone_place.write("first.csv", "msisdn\n+4520999999\n")
    words = ["send", "first.csv", "--text", "Hi", "--via", "acme"]
    if what == "campaign add":
        warm.run(lone_place, *words)
        words = ["campaign", "add", "1", "members.csv"]
    else:
        words[1] = "members.csv"

    refused = warm.run(lone_place, *words)
    sent = warm.run(lone_place, *words, "--yes")

    assert (refused.code, sent.code) == (1, 0)
    assert "3 messages, 3 parts, 1.05 DKK: that is more than confirm_above of [send], 2" in refused.err


def test_a_great_many_new_reminders_need_it_too_and_those_that_are_not_new_do_not(
    lone_place: Place, warm: Warm
) -> None:
    confirm_above(lone_place, 2)
    at = (datetime.now(tz=UTC) + timedelta(days=7)).isoformat(timespec="seconds")
    visits = "".join(f"{n},+45{20000000 + n},{at}\n" for n in range(3))
    lone_place.write("visits.csv", f"id,msisdn,at\n{visits}")
    words = ["remind", "visits.csv", "--text", "{{ at }}", "--via", "acme", "--key", "id", "--column", "at"]
    words += ["--before", "2h", "--json"]

    refused = warm.run(lone_place, *words)
    n_before = lone_place.n_campaigns()
    sent = warm.run(lone_place, *words, "--yes")
    again = warm.run(lone_place, *words)

    assert (refused.code, sent.code, again.code) == (1, 0, 0)
    assert "3 messages, 3 parts, 1.05 DKK: that is more than confirm_above of [send], 2" in refused.err
    assert n_before == 0
    assert (sent.json["messages"], again.json["messages"]) == (3, 0)


@pytest.mark.parametrize(("typed", "code"), [("3\n", 0), ("30\n", 1), ("yes\n", 1), (CTRL_C, 130)])
def test_a_great_many_messages_are_sent_when_their_number_is_typed(
    lone_place: Place, typed: str, code: int
) -> None:
    confirm_above(lone_place, 2)
    lone_place.write_numbers("members.csv", 3)

    with at_a_terminal(lone_place, "send", "members.csv", "--text", "Hi", "--via", "acme") as send:
        assert send.shows("Type the number"), send.seen
        send.types(typed)

        assert send.ends() == code, send.seen
    assert lone_place.n_campaigns() == (1 if code == 0 else 0)


def confirm_above(place: Place, n: int) -> None:
    settings = (place.folder / "bulksend.toml").read_text()
    place.write("bulksend.toml", f"{settings}\n[send]\nconfirm_above = {n}\n")


def test_amounts_of_several_currencies_hold_each_for_itself(lone_place: Place, warm: Warm) -> None:
    lone_place.write("members.csv", "msisdn\n+4520000001\n+447400123456\n")
    order = ("send", "members.csv", "--text", "Hi", "--via", "acme")

    dear = warm.run(lone_place, *order, "--max-cost", "1", "--max-cost", "0.03GBP")
    unnamed = warm.run(lone_place, *order, "--max-cost", "1 GBP")
    enough = warm.run(lone_place, *order, "--max-cost", "0.35", "--max-cost", "0.04 GBP")

    assert (dear.code, unnamed.code, enough.code) == (1, 1, 0)
    assert dear.err == "Error: It would cost 0.35 DKK + 0.04 GBP, more than --max-cost 0.03 GBP and 1\n"
