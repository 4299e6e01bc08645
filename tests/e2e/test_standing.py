"""`bulksend provider check` and `provider balance`, with every gateway."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.contract.lines import PREFIXES
from tests.e2e.conftest import made_place
from tests.e2e.place import SECRET, Done, Place
from tests.e2e.warm import Warm
from tests.sandbox.running import Sandbox

UNITS = {
    "cpsms": "points",
    "smsend": "messages",
    "textmarketer": "credits",
    "txty_v4": "DKK",
    "txty_v6": None,
}
CANNOT_TELL = "txty_v6"
SECTION = """
[providers.{name}]
gateway = "{name}"
base_url = "{url}"
username = "{username}"
secret = "env:ACME_KEY"
sender = "ACME"
"""


def configure(place: Place, *names: str, username: str = "acme") -> None:
    sections = (
        SECTION.format(name=name, url=f"{place.gateway}{PREFIXES[name]}", username=username) for name in names
    )
    place.write("bulksend.toml", "".join(sections))


@pytest.fixture(scope="module")
def placed(shared_gateway: Sandbox) -> Iterator[Place]:
    """Give a folder with a provider for every gateway; the tests only ask."""
    with made_place(shared_gateway.url) as place:
        configure(place, *UNITS)
        yield place


def by_name(done: Done) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in json.loads(done.out)}


@pytest.mark.parametrize("name", [name for name in UNITS if name != CANNOT_TELL])
def test_a_balance_is_told_in_the_unit_of_the_gateway(placed: Place, warm: Warm, name: str) -> None:
    done = warm.run(placed, "provider", "balance", name, "--json")
    for_people = warm.run(placed, "provider", "balance", name)

    (found,) = json.loads(done.out)
    assert done.code == for_people.code == 0
    assert float(found["balance"]) > 0
    assert found["unit"] == UNITS[name]
    assert (found["gateway"], found["tells_balance"], found["reason"]) == (name, True, None)
    assert for_people.out.splitlines()[1].split()[:2] == [name, found["balance"]]


def test_a_gateway_that_cannot_tell_is_said_to_and_is_no_failure(placed: Place, warm: Warm) -> None:
    done = warm.run(placed, "provider", "balance", CANNOT_TELL)
    (found,) = json.loads(warm.run(placed, "provider", "balance", CANNOT_TELL, "--json").out)

    assert done.code == 0
    assert "this gateway does not tell it" in done.out
    assert (found["balance"], found["tells_balance"]) == (None, False)


def test_all_balances_are_told_together(placed: Place, warm: Warm) -> None:
    done = warm.run(placed, "provider", "balance", "--json")

    assert done.code == 0
    assert {name for name, row in by_name(done).items() if row["balance"]} == UNITS.keys() - {CANNOT_TELL}


def test_an_account_without_money_has_a_balance_too(place: Place, gateway: Sandbox, warm: Warm) -> None:
    gateway.set_faults(credit=0)

    (found,) = json.loads(warm.run(place, "provider", "balance", "--json").out)

    assert float(found["balance"]) == 0


def test_a_gateway_that_could_not_be_asked_is_exit_code_3(lone_place: Place, warm: Warm) -> None:
    done = warm.run(lone_place, "provider", "balance", "acme", "--json")

    (found,) = json.loads(done.out)
    assert done.code == 3
    assert (found["balance"], found["tells_balance"]) == (None, True)
    assert "check base_url" in found["reason"]


def test_a_balance_needs_no_ledger(place: Place, warm: Warm) -> None:
    assert warm.run(place, "provider", "balance").code == 0
    assert place.n_campaigns() == 0
    assert not (place.folder / "bulksend.db").exists()


@pytest.mark.parametrize("order", ["balance", "check"])
def test_a_name_that_nobody_knows_is_refused(lone_place: Place, warm: Warm, order: str) -> None:
    done = warm.run(lone_place, "provider", order, "acne")

    assert (done.code, done.out) == (2, "")
    assert "no provider acne" in done.err


@pytest.mark.parametrize("name", UNITS)
def test_a_check_says_how_login_balance_and_abilities_are(placed: Place, warm: Warm, name: str) -> None:
    done = warm.run(placed, "provider", "check", name, "--json")
    for_people = warm.run(placed, "provider", "check", name)

    (found,) = json.loads(done.out)
    assert done.code == for_people.code == 0
    assert found["login"] is (None if name == CANNOT_TELL else True)
    assert found["unit"] == UNITS[name]
    lines = dict(line.split(maxsplit=1) for line in for_people.out.splitlines())
    assert (lines["provider"], lines["well"]) == (name, "yes")
    assert lines["login"] == ("not known" if name == CANNOT_TELL else "taken")
    assert lines["balance"].split()[0] == (found["balance"] or "this")


def test_a_check_says_what_the_account_can_do(placed: Place, warm: Warm) -> None:
    (found,) = json.loads(warm.run(placed, "provider", "check", "smsend", "--json").out)

    assert any(word.startswith("N: ") for word in found["abilities"])
    assert f"can       {found['abilities'][0]}, " in warm.run(placed, "provider", "check", "smsend").out


@pytest.mark.parametrize("name", ["cpsms", "smsend", "textmarketer"])
def test_a_refused_login_is_said_with_exit_code_3(place: Place, warm: Warm, name: str) -> None:
    configure(place, name, username="bad")

    done = warm.run(place, "provider", "check", name, "--json")
    for_people = warm.run(place, "provider", "check", name)

    (found,) = json.loads(done.out)
    assert (done.code, found["is_well"], found["login"]) == (3, False, False)
    assert "login     refused\n" in for_people.out
    assert SECRET not in done.out + done.err + for_people.out + for_people.err


def test_doctor_shows_the_balance_with_its_unit(placed: Place, warm: Warm) -> None:
    found = warm.run(placed, "doctor", "--json").json
    for_people = warm.run(placed, "doctor")

    balances = {row["name"]: (row["balance"], row["unit"]) for row in found["providers"]}
    amount, unit = balances["smsend"]
    assert unit == "messages"
    assert f"{amount} messages" in for_people.out
    assert balances[CANNOT_TELL] == (None, None)
