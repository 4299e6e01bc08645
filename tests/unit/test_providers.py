from collections.abc import Mapping

import pytest

from worker.errors import ConfigError
from worker.providers import Account, accounts_of
from worker.settings import Settings


def accounts(**providers: Mapping[str, object]) -> dict[str, Account]:
    """Make the accounts of some providers, each given by what it has besides a login that is the same."""
    login = {"gateway": "cpsms", "username": "acme", "secret": "env:KEY"}
    return accounts_of(
        Settings.model_validate({"providers": {name: {**login, **more} for name, more in providers.items()}})
    )


def keys(**providers: Mapping[str, object]) -> set[str]:
    return {account.account_key for account in accounts(**providers).values()}


@pytest.mark.parametrize(
    "other",
    [
        {"sender": "OTHER", "price": "1.00 DKK"},
        {"base_url": "https://api.cpsms.dk/v2"},
        {"base_url": "https://api.cpsms.dk/v2/"},
    ],
)
def test_providers_with_one_login_are_one_account(other: Mapping[str, object]) -> None:
    assert len(keys(one={}, other=other)) == 1


@pytest.mark.parametrize(
    "other", [{"username": "other"}, {"base_url": "http://127.0.0.1:8025/cpsms/v2"}, {"limit_group": "g"}]
)
def test_providers_with_another_login_or_group_are_another_account(other: Mapping[str, object]) -> None:
    assert len(keys(one={}, other=other)) == 2


def test_providers_of_one_group_are_one_account_whatever_their_logins() -> None:
    assert len(keys(one={"limit_group": "g"}, other={"limit_group": "g", "username": "other"})) == 1


@pytest.mark.parametrize(
    ("other", "n_logins"),
    [
        ({"limit_group": "g"}, 1),
        ({"dialect": {"dlr_codes": 2016}}, 1),
        ({"base_url": "HTTPS://API.cpsms.dk/v2/"}, 1),
        ({"base_url": "https://api.cpsms.dk/V2"}, 2),
        ({"username": "other"}, 2),
    ],
)
def test_a_login_is_gateway_address_and_user_name_and_nothing_else(
    other: Mapping[str, object], n_logins: int
) -> None:
    assert len({account.login for account in accounts(one={}, other=other).values()}) == n_logins


def test_the_key_of_an_account_is_a_digest_that_shows_nothing() -> None:
    (key,) = keys(one={})

    assert len(key) == 16
    assert int(key, 16)


@pytest.mark.parametrize(
    ("key", "ours", "others"),
    [
        ("rate", "50/s", "20/s"),
        ("rate", [], "20/s"),
        ("unit", "parts", "messages"),
        ("connections", 4, 5),
        ("guard", "25ms", "0ms"),
        ("timeout", "10s", "5s"),
    ],
)
def test_providers_of_one_account_must_agree_about_its_limits(key: str, ours: object, others: object) -> None:
    with pytest.raises(ConfigError) as caught:
        accounts(one={key: ours}, other={key: others})

    assert str(caught.value) == (
        f"providers.other.{key}: one and other are one login at the gateway, so write the same {key} for both"
    )


def test_providers_of_one_group_must_agree_too() -> None:
    with pytest.raises(ConfigError, match="one and other are the limit_group g, so"):
        accounts(one={"limit_group": "g"}, other={"limit_group": "g", "username": "other", "connections": 1})


def test_providers_of_two_accounts_need_not_agree() -> None:
    assert len(accounts(one={"rate": "50/s"}, other={"username": "other", "rate": "20/s"})) == 2


def test_the_order_in_which_rates_are_written_is_no_difference() -> None:
    assert len(accounts(one={"rate": ["50/s", "9/min"]}, other={"rate": "9/min, 50/s"})) == 2
