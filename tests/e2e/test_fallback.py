"""What an order says of its fallback before anything is sent."""

import pytest
from sqlalchemy import select

from tests.e2e.place import Place
from tests.e2e.warm import Warm
from worker.ledger.engine import reading
from worker.ledger.models import CAMPAIGNS

ORDER = ("members.csv", "--text", "See you at 9", "--via", "acme")
OTHER = """
[providers.acme-uk]
gateway = "cpsms"
username = "acme"
secret = "env:ACME_KEY"
timeout = "2s"
price = "0.50 DKK"
"""


@pytest.fixture
def place(lone_place: Place) -> Place:
    """Give a place with a fallback that can take over."""
    settings = lone_place.folder / "bulksend.toml"
    settings.write_text(settings.read_text() + 'fallback = "acme-uk"\n' + OTHER)
    lone_place.write_numbers("members.csv", 2)
    return lone_place


@pytest.mark.parametrize("command", ["preview", "send"])
def test_the_fallback_and_its_cost_are_told(place: Place, warm: Warm, command: str) -> None:
    found = warm.run(place, command, *ORDER, "--json").json

    assert (found["fallback"], found["cost_fallback"]) == ("acme-uk", {"DKK": "1.00"})
    assert found["cost"] == {"DKK": "0.70"}


def test_a_person_sees_what_it_costs_at_most(place: Place, warm: Warm) -> None:
    said = warm.run(place, "preview", *ORDER).out

    assert "0.70 DKK; at most 1.00 DKK if acme-uk takes over" in said


def test_the_most_that_it_may_cost_is_kept_with_the_fallback(place: Place, warm: Warm) -> None:
    done = warm.run(place, "send", *ORDER, "--max-cost", "0.80")

    assert done.code == 1
    assert "1.00 DKK by its fallback, acme-uk" in done.err


def test_the_campaign_keeps_its_fallback(place: Place, warm: Warm) -> None:
    warm.run(place, "send", *ORDER)

    with reading(place.engine) as connection:
        assert connection.scalar(select(CAMPAIGNS.c.fallback)) == "acme-uk"


def test_without_a_fallback_there_is_none(lone_place: Place, warm: Warm) -> None:
    lone_place.write_numbers("members.csv", 2)

    found = warm.run(lone_place, "preview", *ORDER, "--json").json

    assert (found["fallback"], found["cost_fallback"]) == (None, {})
