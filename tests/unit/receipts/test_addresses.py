import re
from pathlib import Path

import pytest

from worker.receipts.addresses import Doors, address, dlr_urls
from worker.settings import Settings, load_settings

KEY = bytes(range(32))
REFERENCE = "abcdefghij0123456789"
PUBLIC = '\n[receipts]\npublic_url = "https://sms.example.org{path}"\n'
PROVIDERS = """
[providers.{name}]
gateway = "{gateway}"
username = "acme"
secret = "env:KEY"
sender = "ACME"
"""


def settings_at(folder: Path, *, public: str | None = "", gateway: str = "cpsms") -> Settings:
    text = "".join(PROVIDERS.format(name=name, gateway=gateway) for name in ("one", "other"))
    file = folder / "bulksend.toml"
    file.write_text(text if public is None else text + PUBLIC.format(path=public))
    return load_settings(file)


def path_of(url: str | None) -> str:
    assert url is not None
    return url.removeprefix("https://sms.example.org")


def test_an_address_is_the_public_one_with_a_token_that_nobody_guesses(tmp_path: Path) -> None:
    settings = settings_at(tmp_path)

    found = [address(settings, key=KEY, provider=name) for name in ("one", "other")]
    elsewhere = address(settings, key=bytes(32), provider="one")

    assert all(re.fullmatch(r"https://sms\.example\.org/[0-9a-f]{32}", str(each)) for each in found)
    assert len({*found, elsewhere}) == 3


def test_each_submission_has_its_own_address(tmp_path: Path) -> None:
    settings = settings_at(tmp_path)

    url_of = dlr_urls(settings, key=KEY, provider="one")

    assert url_of is not None
    assert url_of(REFERENCE) == f"{address(settings, key=KEY, provider='one')}/{REFERENCE}"


@pytest.mark.parametrize(("public", "gateway"), [(None, "cpsms"), ("", "txty_v6")])
def test_there_is_none_without_a_public_address_and_for_a_gateway_that_pushes_nothing(
    tmp_path: Path, public: str | None, gateway: str
) -> None:
    settings = settings_at(tmp_path, public=public, gateway=gateway)

    assert address(settings, key=KEY, provider="one") is None
    assert dlr_urls(settings, key=KEY, provider="one") is None


@pytest.mark.parametrize("public", ["", "/dlr", "/a/b/"])
@pytest.mark.parametrize("reference", [None, REFERENCE])
def test_a_door_leads_to_its_provider_whether_a_proxy_leaves_the_prefix_or_not(
    tmp_path: Path, public: str, reference: str | None
) -> None:
    settings = settings_at(tmp_path, public=public)
    doors = Doors.of(settings, key=KEY)
    whole = path_of(address(settings, key=KEY, provider="other"))
    end = f"/{reference}" if reference else ""

    callers = [doors.caller(path + end) for path in (whole, f"/{whole.rpartition('/')[2]}")]

    assert callers == [("other", reference)] * 2


@pytest.mark.parametrize(
    "wrong",
    ["/", "", "/x", "{token}x", "/{token}/", "/{token}/short", "/{token}/{reference}/more", "/é{token}"],
)
def test_every_other_path_leads_nowhere(tmp_path: Path, wrong: str) -> None:
    settings = settings_at(tmp_path)
    token = path_of(address(settings, key=KEY, provider="one")).strip("/")

    path = wrong.format(token=token, reference=REFERENCE)

    assert Doors.of(settings, key=KEY).caller(path) is None


def test_what_shows_doors_shows_no_token(tmp_path: Path) -> None:
    doors = Doors.of(settings_at(tmp_path), key=KEY)

    assert not any(token in repr(doors) for token in doors.tokens.values())
