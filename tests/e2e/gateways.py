"""One gateway of several in an end to end test: its settings, and its simulator's counts and knobs."""

from collections import Counter
from typing import Any

from tests.contract.lines import PREFIXES
from tests.e2e.place import Place
from tests.sandbox.running import Sandbox

SECTION = """
[providers.acme]
gateway = "{name}"
base_url = "{url}"
username = "acme"
secret = "env:ACME_KEY"
sender = "ACME"
country = "DK"
timeout = "2s"
connections = 4
"""


def configure(place: Place, name: str, **more: object) -> None:
    """Let the provider acme be this gateway; more keys, such as a number, are added."""
    section = SECTION.format(name=name, url=f"{place.gateway}{PREFIXES[name]}")
    place.write("bulksend.toml", section + "".join(f"{key} = {value}\n" for key, value in more.items()))


def set_knobs(gateway: Sandbox, name: str, **knobs: object) -> None:
    """Set faults and knobs of this gateway."""
    url = f"{gateway.url}/_sandbox/faults"
    gateway.session.post(url, json={name: knobs}, timeout=5).raise_for_status()


def stats(gateway: Sandbox, name: str) -> dict[str, Any]:
    """Return its counts."""
    found: dict[str, Any] = gateway.session.get(f"{gateway.url}/_sandbox/stats", timeout=5).json()[name]
    return found


def texts(gateway: Sandbox) -> Counter[tuple[str, str]]:
    """Return number and text of what was accepted."""
    return Counter((row["msisdn"], row["text"]) for row in gateway.accepted())
