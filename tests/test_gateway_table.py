"""What the README says of the gateways is what their adapters declare."""

import re

import pytest

from tests.gateway_table import BEGIN, END, ORDER, README, written
from worker.errors import ConfigError
from worker.gateways import GATEWAYS, make_adapter

TEXT = README.read_text(encoding="utf-8")
SETTINGS = (README.parent / "worker" / "README.md").read_text(encoding="utf-8")
_LISTED = re.compile(r"\(known: ([\w, ]+)\)|must be one of ([\w, ]+)")


def refused(gateway: str, **dialect: str) -> list[str]:
    """Return the words that the refusal of a dialect lists; none where it is taken, or lists nothing."""
    try:
        make_adapter(gateway, username="acme", secret="-", dialect=dialect)
    except ConfigError as error:
        found = _LISTED.search(str(error))
        return [] if found is None else (found[1] or found[2]).split(", ")
    return []


def dialects() -> list[tuple[str, str]]:
    """Give every gateway with each name that its dialect may have."""
    return [(gateway, name) for gateway in ORDER for name in refused(gateway, nonsense="-") if name != "none"]


def test_the_table_has_every_gateway() -> None:
    assert sorted(ORDER) == sorted(GATEWAYS)
    assert TEXT.count(BEGIN) == TEXT.count(END) == 1


def test_the_table_is_what_the_adapters_declare() -> None:
    assert written(TEXT) == TEXT, "write it anew: python -m tests.gateway_table"


def test_there_are_dialects() -> None:
    assert ("cpsms", "dlr_codes") in dialects()


@pytest.mark.parametrize(("gateway", "name"), dialects())
def test_the_readme_names_each_dialect_with_its_words(gateway: str, name: str) -> None:
    (line,) = re.findall(rf"^\| `{gateway}` \| `{name}` \|(.*)\|$", SETTINGS, flags=re.MULTILINE)

    assert set(refused(gateway, **{name: "no word of a dialect"})) <= set(re.findall(r"`([^`]+)`", line))
