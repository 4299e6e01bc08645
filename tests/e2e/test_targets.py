"""Recipients that are groups or contacts of the gateway's own; options that are not a person's to give."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.e2e.gateways import configure, texts
from tests.e2e.place import Place
from tests.e2e.warm import Warm
from tests.sandbox.running import Sandbox
from tests.sandbox.smsend_client import Smsend
from tests.sandbox.txty_client import TxtyV4

MEMBERS = ("+4520304001", "+4520304002")
NUMBER, TEXT = "+4520304050", "See you at 9"
ORDER = ("members.csv", "--text", TEXT, "--via", "acme")


@dataclass(frozen=True, kw_only=True)
class Book:
    """The address book of a gateway: how a target comes into it, and whom a message to it reaches."""

    name: str  # of the gateway
    make: Callable[[Sandbox], str]  # returns the target as a file names it
    reaches: tuple[str, ...]


def group_of_smsend(gateway: Sandbox) -> str:
    Smsend(gateway).group("friends of the club", *MEMBERS)
    return "group:friends of the club"


def contact_of_txty_v4(gateway: Sandbox) -> str:
    made = TxtyV4(gateway).do("contact/create", fullname="Ann", msisdn=MEMBERS[0])
    return f"contact:{made['contact']['controlcontact']}"


def group_of_txty_v4(gateway: Sandbox) -> str:
    txty = TxtyV4(gateway)
    txty.do("group/create", name="club")
    group = txty.do("view/groups")["groups"][0]["controlgroup"]
    for msisdn in MEMBERS:
        contact = txty.do("contact/create", fullname="Ann", msisdn=msisdn)["contact"]["controlcontact"]
        txty.do("contact/addgroup", contact=contact, group=group)
    return f"group:{group}"


def group_of_cpsms(gateway: Sandbox) -> str:
    group = gateway.cpsms("POST", "addgroup", json={"groupName": "club"}).json()["success"]["groupId"]
    for msisdn in MEMBERS:
        gateway.cpsms("POST", "addcontact", json={"groupId": group, "phoneNumber": msisdn[1:]})
    return f"group:{group}"


BOOKS = {
    "cpsms-group": Book(name="cpsms", make=group_of_cpsms, reaches=MEMBERS),
    "smsend-group": Book(name="smsend", make=group_of_smsend, reaches=MEMBERS),
    "txty_v4-group": Book(name="txty_v4", make=group_of_txty_v4, reaches=MEMBERS),
    "txty_v4-contact": Book(name="txty_v4", make=contact_of_txty_v4, reaches=MEMBERS[:1]),
}


@pytest.mark.parametrize("book", BOOKS.values(), ids=BOOKS)
def test_the_gateway_sends_to_whom_it_keeps(place: Place, gateway: Sandbox, warm: Warm, book: Book) -> None:
    configure(place, book.name, gateway=gateway, price='"0.35 DKK"')
    target = book.make(gateway)
    place.write("members.csv", f"msisdn\n{NUMBER}\n{target}\n")

    refused = warm.run(place, "send", *ORDER)
    done = place.run("send", *ORDER, "--yes", "--wait", "--json")

    assert (refused.code, done.json["messages"], done.json["targets"]) == (1, 2, 1)
    assert done.json["cost"] == {"DKK": "0.35"}
    assert texts(gateway) == {(msisdn, TEXT): 1 for msisdn in (NUMBER, *book.reaches)}
    assert gateway.stats()["sends"] == 2
    assert place.counts() == {"accepted": 2}
    assert target in warm.run(place, "message", "show", target).out
    assert warm.run(place, "doctor", "--json").code == 0


@pytest.mark.parametrize(
    ("name", "target"), [("cpsms", "group:99"), ("smsend", "group:nobody"), ("txty_v4", "group:99")]
)
def test_a_group_that_is_not_there_is_refused_and_costs_the_others_nothing(
    place: Place, gateway: Sandbox, name: str, target: str
) -> None:
    configure(place, name, gateway=gateway)
    place.write("members.csv", f"msisdn\n{target}\n{NUMBER}\n")

    done = place.run("send", *ORDER, "--yes", "--wait", "--json", code=3)

    assert done.json["targets"] == 1
    assert place.counts() == {"accepted": 1, "rejected": 1}
    assert texts(gateway) == {(NUMBER, TEXT): 1}


@pytest.mark.parametrize(
    ("name", "target", "takes"),
    [
        ("smsend", "contact:7", "numbers and group:ID"),
        ("textmarketer", "group:7", "numbers"),
        ("txty_v6", "group:7", "numbers"),
    ],
)
def test_what_a_gateway_cannot_be_sent_to_is_a_refused_row(
    lone_place: Place, warm: Warm, name: str, target: str, takes: str
) -> None:
    configure(lone_place, name)
    lone_place.write("members.csv", f"msisdn\n{NUMBER}\n{target}\n")

    found = warm.run(lone_place, "preview", *ORDER)

    assert f"cannot be sent to by this gateway: it takes {takes}" in found.err


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
