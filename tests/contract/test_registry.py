import pytest

from worker.errors import ConfigError
from worker.gateways import GATEWAYS, make_adapter

SECRET = "the-api-key"

each_gateway = pytest.mark.parametrize("gateway", GATEWAYS)


@each_gateway
def test_adapter_has_the_name_and_the_capabilities_of_its_entry(gateway: str) -> None:
    adapter = make_adapter(gateway, username="acme", secret=SECRET)

    assert (adapter.name, adapter.capabilities) == (gateway, GATEWAYS[gateway].capabilities)


@each_gateway
def test_adapter_speaks_to_the_gateways_own_address_by_default(gateway: str) -> None:
    adapter = make_adapter(gateway, username="acme", secret=SECRET)

    assert adapter.base_url == GATEWAYS[gateway].base_url.rstrip("/")
    assert adapter.base_url.startswith("https://")


def test_unknown_gateway_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(ConfigError, match=r"'cpsm1' .* cpsms"):
        make_adapter("cpsm1", username="acme", secret=SECRET)


@each_gateway
@pytest.mark.parametrize(
    "base_url",
    [
        "ftp://127.0.0.1",
        "127.0.0.1/v2",
        "https://",
        "https://user:the-api-key@127.0.0.1/v2",
        "https://127.0.0.1/v2?key=the-api-key",
        "https://127.0.0.1/v2#x",
        "https://127.0.0.1:port/v2",
        "https://[::1/v2",
        "https://127.0.0.1/v 2",
        "https://b\u00fccher.example/v2",
    ],
)
def test_address_that_is_none_is_refused_by_its_key_and_without_the_secret(
    gateway: str, base_url: str
) -> None:
    with pytest.raises(ConfigError, match="base_url") as raised:
        make_adapter(gateway, base_url=base_url, username="acme", secret=SECRET)

    assert SECRET not in str(raised.value)


@each_gateway
@pytest.mark.parametrize(("username", "secret"), [("", SECRET), ("acme", "")])
def test_login_of_which_a_half_is_missing_is_refused(gateway: str, username: str, secret: str) -> None:
    with pytest.raises(ConfigError, match="username"):
        make_adapter(gateway, username=username, secret=secret)


@each_gateway
def test_dialect_that_is_not_known_is_refused_by_its_name(gateway: str) -> None:
    with pytest.raises(ConfigError, match=f"{gateway}: dialect colour .*known: ") as raised:
        make_adapter(gateway, username="acme", secret=SECRET, dialect={"colour": SECRET})

    assert SECRET not in str(raised.value)


def test_user_name_that_basic_authentication_cannot_carry_is_refused() -> None:
    with pytest.raises(ConfigError, match="username"):
        make_adapter("cpsms", username="ac:me", secret=SECRET)
