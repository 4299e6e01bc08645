import os
from dataclasses import fields
from pathlib import Path

import pytest

from producer import demo
from worker.gateways import GATEWAYS
from worker.providers import Account, accounts_of
from worker.sandbox.app import GATEWAYS as SIMULATORS
from worker.settings import load_settings

PREFIXES = {simulator.name: simulator.prefix for simulator in SIMULATORS}
KNOBS = {simulator.name: simulator.make_knobs for simulator in SIMULATORS}

each_gateway = pytest.mark.parametrize("gateway", demo.GATEWAYS)


@pytest.fixture
def account(gateway: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Account:
    for name in [name for name in os.environ if name.startswith("BULKSEND_")]:
        monkeypatch.delenv(name)  # so that it is there again afterwards
    for name in ("BULKSEND_LEDGER", "BULKSEND_NONSENSE", "BULKSEND_CONFIG", "DEMO_KEY"):
        monkeypatch.setenv(name, "of the surroundings")
    demo.write_settings(tmp_path, "http://127.0.0.1:9", gateway=gateway)
    demo.use_environment(tmp_path)
    (account,) = accounts_of(load_settings()).values()
    return account


def test_every_gateway_has_its_demo() -> None:
    assert demo.GATEWAYS.keys() == GATEWAYS.keys()


@each_gateway
def test_the_settings_of_a_demo_are_sound_whatever_the_surroundings_say(
    account: Account, gateway: str
) -> None:
    assert account.provider.gateway == gateway
    assert account.secret() == "no-secret-in-a-demo"
    assert account.prices.price_of("GB", calling_code=44, parts=1)


@each_gateway
def test_a_demo_sends_to_the_simulator_of_its_gateway(account: Account, gateway: str) -> None:
    assert account.provider.base_url == f"http://127.0.0.1:9{PREFIXES[gateway]}"


@pytest.mark.parametrize("gateway", [name for name, scene in demo.GATEWAYS.items() if scene.panel])
def test_a_panel_is_a_knob_of_the_simulator(gateway: str) -> None:
    assert demo.GATEWAYS[gateway].panel in {knob.name for knob in fields(KNOBS[gateway])}
