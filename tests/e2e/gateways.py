"""Settings for one gateway of several, in an end to end test."""

from collections import Counter

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


def configure(place: Place, name: str, *, gateway: Sandbox | None = None, **more: object) -> None:
    """Let the provider acme be this gateway, and its simulator be controlled; ``more`` keys are added."""
    section = SECTION.format(name=name, url=f"{place.gateway}{PREFIXES[name]}")
    place.write("bulksend.toml", section + "".join(f"{key} = {value}\n" for key, value in more.items()))
    if gateway is not None:
        gateway.name = name


def texts(gateway: Sandbox) -> Counter[tuple[str, str]]:
    """Return number and text of what was accepted."""
    return Counter((row["msisdn"], row["text"]) for row in gateway.accepted())
