from typing import Any

import pytest

from tests.sandbox.running import Sandbox
from tests.sandbox.textmarketer_client import Textmarketer, codes, fields, tree


@pytest.fixture
def gateway(sandbox: Sandbox) -> Textmarketer:
    return Textmarketer(sandbox)


def listed(gateway: Textmarketer, name: str) -> dict[str, list[str]]:
    """The numbers that were added, stopped and there before."""
    numbers = "+447777000001,07777000002,447777000003,447777000001"
    answer = tree(gateway.call("POST", f"group/{name}", data={"numbers": numbers}))
    return {each.tag: [number.text or "" for number in each] for each in answer}


def test_every_account_has_a_stop_group(gateway: Textmarketer) -> None:
    (group,) = tree(gateway.call("GET", "groups")).iterfind("groups/group")

    assert group.attrib == {"name": "STOP", "numbers": "0", "id": "56", "is_stop": "true"}


def test_numbers_are_added_to_a_group_by_its_name_or_id(gateway: Textmarketer) -> None:
    created = tree(gateway.call("PUT", "group/my-group")).find("group")
    gateway.call("POST", "group/STOP", data={"numbers": "447777000003"})

    assert created is not None
    assert listed(gateway, "My-Group") == {
        "added": ["447777000001", "447777000002"],
        "stopped": ["447777000003"],
        "duplicates": ["447777000001"],
    }
    group = tree(gateway.call("GET", f"group/{created.attrib['id']}")).find("group")
    assert group is not None
    assert [number.text for number in group] == ["447777000001", "447777000002"]
    assert group.attrib["numbers"] == "2"


@pytest.mark.parametrize(
    ("method", "path", "numbers", "expected"),
    [
        ("PUT", "group/stop", "", ["1"]),
        ("PUT", "group/my group", "", ["2"]),
        ("PUT", "group/123", "", ["2"]),
        ("PUT", f"group/{'a' * 26}", "", ["2"]),
        ("PUT", "group", "", ["0"]),
        ("GET", "group", "", ["0"]),
        ("GET", "group/nobody", "", ["404"]),
        ("POST", "group/nobody", "447777000001", ["404"]),
        ("POST", "group", "447777000001", ["0"]),
        ("POST", "group/STOP", "", ["2"]),
        ("POST", "group/STOP", "44x", ["3"]),
        ("POST", "group?name=STOP", "447777000001", []),
    ],
)
def test_a_group_is_refused_with_the_documented_codes(
    gateway: Textmarketer, method: str, path: str, numbers: str, expected: list[str]
) -> None:
    answer = gateway.call(method, path, data={"numbers": numbers})

    status = 200 if not expected else 404 if expected == ["404"] else 400
    assert (answer.status_code, codes(answer)) == (status, expected)


def test_a_keyword_is_available_unless_it_is_taken(gateway: Textmarketer) -> None:
    gateway.set(taken_keywords=["gold"])

    assert fields(gateway.call("GET", "keywords/silver")) == {"available": "true", "recycle": "false"}
    assert fields(gateway.call("GET", "keywords/Gold"))["available"] == "false"
    assert gateway.call("GET", "keywords").status_code == 400


def test_credits_are_moved_to_another_account(gateway: Textmarketer) -> None:
    gateway.set(credit=10)
    moved = fields(gateway.call("POST", "credits", data={"quantity": "3", "target": "902"}))

    assert moved == {
        "source_credits_before": "10",
        "source_credits_after": "7",
        "target_credits_before": "10",
        "target_credits_after": "13",
    }
    assert gateway.credits() == 7


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"quantity": "11", "target": "902"}, ["0"]),
        ({"quantity": "0", "target": "902"}, ["0"]),
        ({"quantity": "-1", "target": "902"}, ["0"]),
        ({"quantity": "1", "target": "x"}, ["1"]),
        ({"quantity": "1", "target_username": "x"}, ["1"]),
        ({"quantity": "1", "target_username": "x", "target_password": "y"}, []),
    ],
)
def test_credits_that_cannot_be_moved_stay(
    gateway: Textmarketer, data: dict[str, str], expected: list[str]
) -> None:
    gateway.set(credit=10)

    assert codes(gateway.call("POST", "credits", data=data)) == expected
    assert gateway.credits() == (10 if expected else 9)


def details(answer: Any) -> dict[str, str]:  # noqa: ANN401 - a response
    account = tree(answer).find("account")
    assert account is not None
    return {each.tag: each.text or "" for each in account}


def test_an_account_shows_and_keeps_its_details(gateway: Textmarketer) -> None:
    own = details(gateway.call("GET", "account"))
    changed = details(gateway.call("POST", "account", data={"company_name": "Bill's & Co"}))

    assert (own["api_username"], own["api_password"]) == ("acme", "key")
    assert changed == own | {"company_name": "Bill's & Co"}
    assert details(gateway.call("GET", f"account/{own['account_id']}")) == changed
    assert gateway.call("GET", "account/nobody").status_code == 404


@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_an_account_below_can_be_created_where_that_is_allowed(gateway: Textmarketer, method: str) -> None:
    given = {"company_name": "New", "notification_mobile": "44123456789", "account_username": "subuser"}
    created = details(gateway.call(method, "account/sub", params=given, auth=("acme", "key")))
    gateway.set(sub_accounts=False)

    assert (created["username"], created["api_username"], created["credits"]) == ("subuser", "subuser", "0")
    assert details(gateway.call("GET", f"account/{created['account_id']}")) == created
    assert gateway.call(method, "account/sub", params=given).status_code == 403


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"company_name": "ab"}, ["4"]),
        ({"account_password": "1234"}, ["4"]),
        ({"account_password": "12345\u00e9"}, ["5"]),
        ({"notification_email": "me"}, ["2"]),
        ({"notification_mobile": "4520304050"}, ["3"]),
        ({"account_username": "subuser"}, ["7"]),
    ],
)
def test_details_are_refused_with_the_documented_codes(
    gateway: Textmarketer, data: dict[str, str], expected: list[str]
) -> None:
    below = {"company_name": "New", "notification_email": "me@example.org", "account_username": "subuser"}
    gateway.call("PUT", "account/sub", data=below)

    assert codes(gateway.call("POST", "account", data=data)) == expected
