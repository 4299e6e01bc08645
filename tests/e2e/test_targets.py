"""Recipients that are groups of the gateway's own, and options that are not the person's to give."""

import json

import pytest

from tests.e2e.place import Place
from tests.e2e.warm import Warm
from tests.sandbox.running import Sandbox

ORDER = ("members.csv", "--text", "See you at 9", "--via", "acme")


def make_group(gateway: Sandbox, *numbers: str) -> str:
    """Make a group at the simulator and return its number."""
    group = gateway.cpsms("POST", "addgroup", json={"groupName": "club"}).json()["success"]["groupId"]
    for number in numbers:
        gateway.cpsms("POST", "addcontact", json={"groupId": group, "phoneNumber": number})
    return str(group)


def test_a_group_is_sent_to_by_the_gateway(place: Place, gateway: Sandbox, warm: Warm) -> None:
    group = make_group(gateway, "4520304001", "4520304002")
    place.write("members.csv", f"msisdn\n20304050\ngroup:{group}\n")

    done = place.run("send", *ORDER, "--yes", "--wait", "--json")

    assert (done.json["messages"], done.json["targets"], done.json["cost"]) == (2, 1, {"DKK": "0.35"})
    assert {each["msisdn"] for each in gateway.accepted()} == {"+4520304050", "+4520304001", "+4520304002"}
    assert place.counts() == {"accepted": 2}
    shown = warm.run(place, "message", "show", f"group:{group}")
    assert shown.code == 0
    assert f"group:{group}" in shown.out
    assert json.loads(warm.run(place, "doctor", "--json").out)


@pytest.fixture
def group_place(lone_place: Place) -> Place:
    """Give a place with a group in its file, whose gateway is not needed."""
    lone_place.write("members.csv", "msisdn\n20304050\ngroup:7\n")
    return lone_place


def test_it_is_sent_only_after_a_yes(group_place: Place, warm: Warm) -> None:
    done = warm.run(group_place, "send", *ORDER)

    assert done.code == 1
    assert "Bulksend cannot see who gets them, nor count or price what is sent" in done.err
    assert "--yes" in done.err
    assert group_place.n_campaigns() == 0


def test_accepting_good_rows_is_no_yes_to_a_group(group_place: Place, warm: Warm) -> None:
    assert warm.run(group_place, "send", *ORDER, "--accept-good-rows").code == 1


def test_a_preview_says_what_is_not_known(group_place: Place, warm: Warm) -> None:
    done = warm.run(group_place, "preview", *ORDER)
    found = warm.run(group_place, "preview", *ORDER, "--json").json

    assert "0.35 DKK, and an unknown price" in done.out
    assert "Bulksend cannot see who gets them" in done.err
    assert (found["targets"], found["unpriced"], found["cost"]) == (1, 1, {"DKK": "0.35"})


def test_the_most_that_it_may_cost_cannot_be_kept(group_place: Place, warm: Warm) -> None:
    done = warm.run(group_place, "send", *ORDER, "--yes", "--max-cost", "100")

    assert done.code == 2
    assert "--max-cost" in done.err
    assert group_place.n_campaigns() == 0


@pytest.mark.parametrize(
    ("option", "says"),
    [
        ("reference=1", "option reference is written by Bulksend itself"),
        ("dlr_url=https://x.example.org", "option dlr_url is written by Bulksend itself"),
        ("nonsense=1", "option nonsense is not known"),
        ("flash=perhaps", "flash"),
    ],
)
@pytest.mark.parametrize("command", ["preview", "send"])
def test_an_option_that_cannot_be_carried_is_refused_before_the_file_is_read(
    lone_place: Place, warm: Warm, command: str, option: str, says: str
) -> None:
    done = warm.run(lone_place, command, *ORDER, "--option", option)

    assert done.code == 2
    assert says in done.err
    assert len(done.err.splitlines()) == 1
