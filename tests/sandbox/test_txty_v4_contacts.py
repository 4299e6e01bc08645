import pytest

from tests.sandbox.running import Sandbox
from tests.sandbox.txty_client import TxtyV4

CONTACT = {
    "birthday": None,
    "controlcontact": 100,
    "dialcode": 45,
    "email": None,
    "fullname": "Fullname",
    "groups": None,
    "msisdn": 4512345678,
    "number": 12345678,
    "sex": None,
    "street": None,
    "zipcode": None,
}


@pytest.fixture
def txty(sandbox: Sandbox) -> TxtyV4:
    return TxtyV4(sandbox)


@pytest.fixture
def group(txty: TxtyV4) -> TxtyV4:
    """An account with group 100, and contacts 100 and 101 in it."""
    txty.do("group/create", name="Groupname")
    for number in ("4512345678", "4520304050"):
        txty.do("contact/create", fullname="Fullname", msisdn=number)
    for contact in (100, 101):
        txty.do("contact/addgroup", contact=contact, group=100)
    return txty


def test_a_contact_is_created_and_shown_as_documented(txty: TxtyV4) -> None:
    created = txty.do("contact/create", fullname="Fullname", msisdn="4512345678")

    assert created == {
        "status": "success",
        "success": "CREATE_CONTACT",
        "contact": {
            "fullname": "Fullname",
            "msisdn": 4512345678,
            "dialcode": 45,
            "number": 12345678,
            "controluser": 0,
            "controlcontact": 100,
        },
    }
    assert txty.do("view/contacts") == {
        "status": "success",
        "success": "VIEW_CONTACTS",
        "contacts": [CONTACT],
    }
    assert txty.do("view/contact", contact=100) == {
        "status": "success",
        "success": "VIEW_CONTACT",
        "contact": CONTACT,
    }


def test_a_group_is_created_and_shown_as_documented(group: TxtyV4) -> None:
    assert group.do("group/create", name="Name") == {
        "status": "success",
        "success": "CREATE_GROUP",
        "group": {"name": "Name"},
    }
    shown = group.do("view/group", group=100)["group"]
    assert (shown["controlgroup"], shown["name"]) == (100, "Groupname")
    assert shown["contacts"][0] == CONTACT | {"groups": [100]}
    assert [each["controlgroup"] for each in group.do("view/groups")["groups"]] == [100, 101]


def test_a_contact_enters_and_leaves_a_group(group: TxtyV4) -> None:
    assert group.do("contact/addgroup", contact=100, group=100) == {
        "status": "success",
        "success": "ADD_GROUP",
        "addgroup": {"groups": ["100"]},
    }
    assert group.do("contact/removegroup", contact=100, group=100) == {
        "status": "success",
        "success": "REMOVE_GROUP",
        "removegroup": {"groups": ["100"]},
    }
    assert len(group.do("view/group", group=100)["group"]["contacts"]) == 1


def test_contacts_and_groups_are_changed_and_deleted(group: TxtyV4) -> None:
    group.do("contact/edit", contact=100, fullname="New", zipcode="5550")
    group.do("group/edit", group=100, name="New")

    assert group.do("view/contact", contact=100)["contact"]["zipcode"] == 5550
    assert group.do("view/group", group=100)["group"]["name"] == "New"
    assert group.do("contact/delete", contact=101) == {"status": "success", "success": "DELETE_CONTACT"}
    assert group.do("group/delete", group=100) == {"status": "success", "success": "DELETE_GROUP"}
    assert group.do("view/contacts")["contacts"][0]["groups"] is None
    assert group.do("view/groups")["groups"] == []


@pytest.mark.parametrize(
    ("resource", "error", "about"),
    [
        ("contact/create", "FULLNAME_EMPTY", {"contact": {"fullname": None}}),
        ("contact/delete", "EMPTY_CONTACT", {"contact": {"contact": None}}),
        ("contact/edit", "EMPTY_CONTACT", {"contact": {"contact": None}}),
        ("contact/addgroup", "EMPTY_CONTACT", {"contact": {"contact": None}}),
        ("view/contact", "EMPTY_CONTACT", {"contact": {"contact": None}}),
        ("group/create", "NAME_EMPTY", {"group": {"name": None}}),
        ("group/delete", "EMPTY_GROUP", {"group": {"group": None}}),
        ("view/group", "EMPTY_GROUP", {"group": {"group": None}}),
    ],
)
def test_what_is_missing_is_named_as_documented(
    txty: TxtyV4, resource: str, error: str, about: dict[str, object]
) -> None:
    assert txty.do(resource) == {"status": "error", "error": error, **about}


def test_a_contact_goes_before_a_group_and_both_before_a_number(group: TxtyV4) -> None:
    group.send(msisdn="4520304059", group="100", contact="101")
    group.send(msisdn="4520304059", group="100")

    numbers = [line["msisdn"] for line in group.sandbox.accepted()]
    assert numbers == ["+4520304050", "+4512345678", "+4520304050"]


@pytest.mark.parametrize("target", [{"group": "7"}, {"contact": "7"}, {"group": "x"}])
def test_a_group_or_contact_that_is_not_there_is_no_recipient(group: TxtyV4, target: dict[str, str]) -> None:
    assert group.send(**target).json()["error"] == "EMPTY_RECIPIENT"
    assert group.stats()["accepted"] == 0


def test_the_answer_to_a_group_is_one_or_a_list(group: TxtyV4) -> None:
    one = group.send(group="100").json()["sms"]
    group.set(group_reply="list")
    listed = group.send(group="100").json()["sms"]

    assert (one["cost"], one["msg-count"]) == (0.4, 2)
    assert [(each["cost"], each["msg-count"]) for each in listed] == [(0.2, 1), (0.2, 1)]
    assert len({each["smsid"] for each in listed}) == 2


def test_a_bad_number_in_a_group_is_left_out(group: TxtyV4) -> None:
    group.do("contact/create", fullname="Bad", msisdn="45123")
    group.do("contact/create", fullname="None")
    for contact in (102, 103):
        group.do("contact/addgroup", contact=contact, group=100)

    assert group.send(group="100").json()["status"] == "success"
    assert (group.stats()["accepted"], group.stats()["refused"]) == (2, 1)
