"""`bulksend provider`: how the accounts stand, and orders to them."""

import json
import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.e2e.place import DEADLINE_S, Done, Place
from tests.e2e.warm import Warm
from tests.ledgers import run_campaign
from tests.sandbox.running import Sandbox
from worker.ledger import accounts, rates, trouble
from worker.ledger.engine import reading, writing
from worker.waiting import within


def listed(done: Done) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(done.out)
    return found


def test_a_provider_is_listed_with_what_waits_for_it(place: Place, warm: Warm) -> None:
    run_campaign(place.engine, 3)

    (found,) = listed(warm.run(place, "provider", "list", "--json"))
    for_people = warm.run(place, "provider", "list")

    assert (found["name"], found["gateway"], found["state"]) == ("acme", "cpsms", "open")
    assert (found["queued"], found["in_flight"], found["unknown"]) == (3, 0, 0)
    assert for_people.out.splitlines()[1].split()[:4] == ["acme", "cpsms", "open", "3"]


def test_what_is_queued_waits_for_a_paused_provider_and_goes_on_with_a_resumed_one(
    place: Place, gateway: Sandbox, warm: Warm
) -> None:
    run_campaign(place.engine, 30)
    paused = warm.run(place, "provider", "pause", "acme", "--reason", "price talks")
    shown = warm.run(place, "provider", "list")
    with place.started("worker") as worker:
        assert worker.says("Running")
        assert not within(3.0, lambda: gateway.stats()["requests"] > 0, every_s=0.2)
        resumed = warm.run(place, "provider", "resume", "acme")
        is_sent = within(DEADLINE_S, lambda: place.counts() == {"accepted": 30}, every_s=0.2)

    assert (paused.code, resumed.code) == (0, 0)
    assert "price talks" in shown.out
    assert is_sent
    assert gateway.stats()["unique"] == gateway.stats()["accepted"] == 30


@pytest.mark.parametrize("order", ["pause", "resume", "check", "rate"])
def test_a_provider_that_nobody_knows_is_refused_with_those_there_are(
    lone_place: Place, warm: Warm, order: str
) -> None:
    done = warm.run(lone_place, "provider", order, "acne")

    assert done.code == 2
    assert "no provider acne" in done.err
    assert "are: acme" in done.err


def test_a_check_shows_the_balance(place: Place, gateway: Sandbox, warm: Warm) -> None:
    (found,) = listed(warm.run(place, "provider", "check", "--json"))
    for_people = warm.run(place, "provider", "check", "acme")

    assert found["is_well"] is True
    assert float(found["balance"]) > 0
    assert for_people.code == 0
    assert found["balance"] in for_people.out
    assert gateway.stats()["accepted"] == 0


def test_a_check_that_finds_no_credit_says_so_with_exit_code_3(
    place: Place, gateway: Sandbox, warm: Warm
) -> None:
    gateway.set_faults(out_of_credit=True, reads=True)

    done = warm.run(place, "provider", "check")

    assert done.code == 3
    assert "credit" in done.out


def test_a_check_that_finds_nobody_says_so_with_exit_code_3(lone_place: Place, warm: Warm) -> None:
    done = warm.run(lone_place, "provider", "check")

    assert done.code == 3
    assert "check base_url" in done.out


def test_a_check_without_a_secret_says_what_is_missing_with_exit_code_3(
    lone_place: Place, warm: Warm
) -> None:
    del lone_place.environment["ACME_KEY"]

    done = warm.run(lone_place, "provider", "check")

    assert done.code == 3
    assert "ACME_KEY is missing" in done.out


def in_trouble(place: Place) -> None:
    with writing(place.engine) as connection:
        trouble.close_account(
            connection,
            "acme",
            check_in_ms=3_600_000,
            check_ms=3_600_000,
            reason="402 out of credit",
            is_refused=True,
        )


def state_of(place: Place) -> str:
    with reading(place.engine) as connection:
        return accounts.standings(connection)["acme"].state


def test_a_check_that_succeeds_ends_the_trouble(place: Place, warm: Warm) -> None:
    in_trouble(place)
    shown = warm.run(place, "provider", "list")

    warm.run(place, "provider", "check", "acme")

    assert "402 out of credit" in shown.out
    assert state_of(place) == "open"


def test_a_check_that_fails_leaves_the_trouble(place: Place, gateway: Sandbox, warm: Warm) -> None:
    in_trouble(place)
    gateway.set_faults(out_of_credit=True, reads=True)

    warm.run(place, "provider", "check", "acme")

    assert state_of(place) == "trouble"


def test_a_check_does_not_undo_a_pause(place: Place, warm: Warm) -> None:
    warm.run(place, "provider", "pause", "acme")

    warm.run(place, "provider", "check")

    assert state_of(place) == "paused"


def test_a_resume_ends_trouble_too(place: Place, warm: Warm) -> None:
    in_trouble(place)

    warm.run(place, "provider", "resume", "acme")

    assert state_of(place) == "open"


# --- the rate


def limited(place: Place, *lines: str) -> None:
    """Add lines to the settings of the provider."""
    settings = place.folder / "bulksend.toml"
    place.write("bulksend.toml", "\n".join([settings.read_text(encoding="utf-8"), *lines, ""]))


TWIN = """
[providers.twin]
gateway = "cpsms"
base_url = "{gateway}/cpsms/v2"
username = "acme"
secret = "env:ACME_KEY"
connections = 8
timeout = "2s"
"""


def test_a_rate_is_shown_with_where_it_comes_from(lone_place: Place, warm: Warm) -> None:
    limited(lone_place, 'rate = ["10000/day", "50/s"]', 'unit = "messages"')

    found = warm.run(lone_place, "provider", "rate", "acme", "--json")
    for_people = warm.run(lone_place, "provider", "rate", "acme")

    assert (found.json["rate"], found.json["rate_from"]) == ("50/s, 10000/day", "settings")
    assert (found.json["unit"], found.json["connections"]) == ("messages", 8)
    assert "50/s, 10000/day (messages)" in for_people.out


def test_a_provider_without_a_rate_has_no_limit(lone_place: Place, warm: Warm) -> None:
    found = warm.run(lone_place, "provider", "rate", "acme", "--json")

    assert found.json["rate"] is None
    assert "no limit" in warm.run(lone_place, "provider", "rate", "acme").out


def test_a_rate_that_is_set_holds_until_it_is_reset(lone_place: Place, warm: Warm) -> None:
    limited(lone_place, 'rate = "50/s"')

    ordered = warm.run(lone_place, "provider", "rate", "acme", "20/s", "500/h")
    (shown,) = listed(warm.run(lone_place, "provider", "list", "--json"))
    for_people = warm.run(lone_place, "provider", "list")
    reset = warm.run(lone_place, "provider", "rate", "acme", "--reset", "--json")

    assert (ordered.code, ordered.out) == (0, "")
    assert ordered.err.startswith("Provider acme sends at most 20/s, 500/h (parts) from now on; `bulksend")
    assert (shown["rate"], shown["rate_from"], shown["settings_rate"]) == ("20/s, 500/h", "command", "50/s")
    assert "20/s, 500/h (parts)" in for_people.out
    assert (reset.json["rate"], reset.json["rate_author"]) == ("50/s", None)


def test_a_rate_holds_for_all_providers_of_the_account(lone_place: Place, warm: Warm) -> None:
    limited(lone_place, TWIN.format(gateway=lone_place.gateway))

    ordered = warm.run(lone_place, "provider", "rate", "twin", "20/s", "--json")

    assert ordered.err.startswith("Providers acme, twin send at most 20/s (parts) from now on together")
    assert ordered.json["shared_with"] == ["acme"]
    assert warm.run(lone_place, "provider", "rate", "acme", "--json").json["rate"] == "20/s"


def test_providers_of_one_account_that_do_not_agree_are_refused(lone_place: Place, warm: Warm) -> None:
    limited(lone_place, TWIN.format(gateway=lone_place.gateway), 'rate = "5/s"')

    done = warm.run(lone_place, "provider", "rate", "acme")

    assert done.code == 2
    assert "providers.twin.rate: acme and twin are one login at the gateway" in done.err


def test_a_rate_below_what_a_message_may_have_is_said(lone_place: Place, warm: Warm) -> None:
    done = warm.run(lone_place, "provider", "rate", "acme", "2/min")

    assert "A message of more than 2 parts never fits: it pauses its campaign" in done.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["20"], "The rate '20' is of no use: write a rate such as"),
        (["0/s"], "write a rate such as"),
        ([""], "write a rate such as"),
        (["20/s", "30/s"], "two of the rates are for the same time"),
        (["20/s", "--reset"], "Give a rate or --reset, not both"),
    ],
)
def test_a_wrong_rate_is_one_sentence_with_exit_code_2(
    lone_place: Place, warm: Warm, words: list[str], said: str
) -> None:
    done = warm.run(lone_place, "provider", "rate", "acme", *words)

    assert (done.code, done.out, len(done.err.splitlines())) == (2, "", 1)
    assert said in done.err


def test_a_rate_of_the_settings_that_no_worker_knows_yet_is_said(lone_place: Place, warm: Warm) -> None:
    with writing(lone_place.engine) as connection:
        rates.note_rates(connection, {"acme": ("0123456789abcdef", "50/s")})

    done = warm.run(lone_place, "provider", "rate", "acme", "--json")

    assert done.json["rate"] == "50/s"
    assert done.err == "bulksend.toml says no limit: known once a worker starts\n"


def test_a_provider_that_is_throttled_says_until_when_and_why(lone_place: Place, warm: Warm) -> None:
    with writing(lone_place.engine) as connection:
        rates.note_rates(connection, {"acme": ("0123456789abcdef", "5/min")})
        rates.note_throttled(
            connection, "0123456789abcdef", wait_ms=60_000, reason="5/min is used up", rate="5/min"
        )

    (found,) = listed(warm.run(lone_place, "provider", "list", "--json"))
    for_people = warm.run(lone_place, "provider", "list")

    assert (found["state"], found["throttled_reason"]) == ("open", "5/min is used up")
    until = datetime.fromisoformat(found["throttled_until"]).astimezone(ZoneInfo("Europe/Copenhagen"))
    assert f"{until:%Y-%m-%d %H:%M:%S} +0" in for_people.out
    assert "5/min is used up" in for_people.out


def noted(place: Place) -> str | None:
    with reading(place.engine) as connection:
        return rates.effective(connection, "acme")


@pytest.mark.parametrize("role", ["worker", "dispatcher"])
def test_a_role_that_starts_tells_the_ledger_the_rate_of_its_settings(place: Place, role: str) -> None:
    limited(place, 'rate = "50/s"')

    with place.started(role) as started:
        assert started.says("Running")

        assert noted(place) == "50/s"


def test_a_send_that_brings_its_own_worker_tells_the_ledger_the_rate(place: Place) -> None:
    limited(place, 'rate = "50/s"')
    place.write_numbers("few.csv", 2)

    with place.started("send", "few.csv", "--text", "Hi", "--via", "acme", "--wait"):
        assert within(DEADLINE_S, lambda: noted(place) == "50/s", every_s=0.2)


# --- lanes


@pytest.mark.parametrize(("options", "lane"), [([], "bulk"), (["--urgent"], "urgent")])
def test_a_campaign_is_shown_with_its_lane(
    lone_place: Place, warm: Warm, options: list[str], lane: str
) -> None:
    lone_place.write_numbers("few.csv", 2)
    sent = warm.run(lone_place, "send", "few.csv", "--text", "Hi", "--via", "acme", *options, "--json")

    shown = warm.run(lone_place, "campaign", "show", str(sent.json["campaign_id"]), "--json")
    for_people = warm.run(lone_place, "campaign", "show", "1")
    (found,) = listed(warm.run(lone_place, "campaign", "list", "--json"))

    assert shown.json["lane"] == found["lane"] == lane
    assert re.search(rf"^lane +{lane}$", for_people.out, re.MULTILINE)
    assert lane in warm.run(lone_place, "campaign", "list").out


# --- what leaves now


@contextmanager
def sending(place: Place, warm: Warm, n: int, *, rate: str) -> Iterator[None]:
    """Have a worker send so many messages at a rate."""
    limited(place, f'rate = "{rate}"', 'unit = "messages"')
    place.write_numbers("many.csv", n)
    with place.started("worker") as worker:
        assert worker.says("Running")
        assert warm.run(place, "send", "many.csv", "--text", "Hi", "--via", "acme").code == 0
        yield


def test_what_leaves_is_listed_beside_the_limit(place: Place, warm: Warm) -> None:
    def is_leaving() -> bool:
        (found,) = listed(warm.run(place, "provider", "list", "--json"))
        return (found["per_second"] or 0) > 5 and 1 <= found["connections_held"] <= 8

    with sending(place, warm, 1000, rate="20/s"):
        is_listed = within(DEADLINE_S, is_leaving, every_s=0.1)
        for_people = warm.run(place, "provider", "list").out
        of_one = warm.run(place, "provider", "rate", "acme").out

    assert is_listed
    assert re.search(r" \d of 8 +\d+/s of 20/s \(messages\)", for_people)
    assert re.search(r"rate +\d+/s of 20/s \(messages\)\n", of_one)


def test_where_no_redis_runs_nothing_is_told_of_this_moment(lone_place: Place, warm: Warm) -> None:
    with writing(lone_place.engine) as connection:
        rates.note_rates(connection, {"acme": ("0123456789abcdef", "50/s")})

    (found,) = listed(warm.run(lone_place, "provider", "list", "--json"))

    assert (found["per_second"], found["connections_held"], found["connections"]) == (None, None, 8)
    assert " 8            50/s (parts)" in warm.run(lone_place, "provider", "list").out


@pytest.mark.parametrize("answers", ["nobody", "silence"])
def test_a_redis_that_does_not_answer_costs_half_a_second_and_is_no_error(
    lone_place: Place, warm: Warm, answers: str
) -> None:
    with writing(lone_place.engine) as connection:
        rates.note_rates(connection, {"acme": ("0123456789abcdef", "50/s"), "b": ("another", "")})

    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        if answers == "silence":
            silent.listen()
        without = timed(lambda: warm.run(lone_place, "provider", "list"))
        lone_place.configure(broker=f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
        done: list[Done] = []
        within_s = timed(lambda: done.append(warm.run(lone_place, "provider", "list", "--json")))

    assert (done[0].code, done[0].err) == (0, "")
    assert {each["per_second"] for each in listed(done[0])} == {None}
    assert within_s - without < 3.0  # other commands wait for 5 s and more


def timed(call: Callable[[], object]) -> float:
    """Return the seconds that a call takes."""
    begun_s = time.monotonic()
    call()
    return time.monotonic() - begun_s


def test_urgent_messages_that_are_queued_are_counted(lone_place: Place, warm: Warm) -> None:
    lone_place.write_numbers("few.csv", 2)
    for options in (["--urgent"], ["--again"]):
        warm.run(lone_place, "send", "few.csv", "--text", "Hi", "--via", "acme", *options)

    (found,) = listed(warm.run(lone_place, "provider", "list", "--json"))

    assert (found["queued"], found["urgent"]) == (4, 2)


def test_a_watcher_sees_the_limit_and_soon_another(place: Place, warm: Warm) -> None:
    with sending(place, warm, 1000, rate="20/s"), place.started("campaign", "watch", "1") as watch:
        is_shown = watch.says("/s of 20/s, ")
        warm.run(place, "provider", "rate", "acme", "5/min")
        took_s = timed(lambda: watch.says("From now on at most 5/min (messages)", 5))
        is_told = watch.says(" - 5/min is used up: next at ")
        shown = warm.run(place, "campaign", "show", "1")

    assert is_shown, watch.said
    assert took_s < 3.0
    assert is_told, watch.said
    assert re.search("^because +5/min is used up: next at ", shown.out, re.MULTILINE)


def test_a_role_is_refused_whose_metrics_nobody_could_read(lone_place: Place, warm: Warm) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        lone_place.environment["BULKSEND_METRICS"] = f"127.0.0.1:{port}"
        done = [warm.run(lone_place, *words) for words in (["worker"], ["dispatcher"], ["up", "--no-flower"])]

    for each in done:
        assert (each.code, len(each.err.splitlines())) == (2, 1)
        assert f"Port {port} of 127.0.0.1 cannot be used (Address already in use): give another" in each.err
