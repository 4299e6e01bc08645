import pytest

from tests.contract.cases import PROVIDER_REF, QUESTIONS, REFERENCE
from worker.errors import ConfigError
from worker.gateways.textmarketer.adapter import Textmarketer

ADAPTER = Textmarketer(username="acme", secret="key")


@pytest.mark.parametrize(
    "changes",
    [
        {"username": ""},
        {"username": "ac:me"},
        {"secret": ""},
        {"base_url": "api.textmarketer.co.uk"},
        {"dialect": {"slash": True}},
    ],
)
def test_login_address_and_dialect_that_are_of_no_use_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        Textmarketer(**({"username": "acme", "secret": "key"} | changes))  # type: ignore[arg-type]  # on purpose


@pytest.mark.parametrize("n", [0, 2])
def test_it_is_asked_of_one_reference_at_a_time(n: int) -> None:
    with pytest.raises(ConfigError, match="one reference"):
        ADAPTER.ask(QUESTIONS[:n])


def test_what_has_no_id_of_the_gateway_cannot_be_taken_back() -> None:
    with pytest.raises(ConfigError, match=REFERENCE):
        ADAPTER.cancel(reference=REFERENCE, provider_ref=None)

    assert ADAPTER.cancel(reference=REFERENCE, provider_ref=PROVIDER_REF).body == b""
