"""`bulksend provider`: how the accounts stand, and orders to them."""

import json
from typing import Any

import pytest

from tests.e2e.place import DEADLINE_S, Done, Place
from tests.e2e.warm import Warm
from tests.ledgers import run_campaign
from tests.sandbox.running import Sandbox
from worker.ledger import accounts, trouble
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


@pytest.mark.parametrize("order", ["pause", "resume", "check"])
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
