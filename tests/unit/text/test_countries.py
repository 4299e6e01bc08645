import contextlib

import pytest

from worker.errors import ConfigError, InputError
from worker.text.msisdn import Countries, parse

NUMBERS = {
    "DK": "+4520304050",
    "GB": "+447400123456",
    "JE": "+447797712345",
    "CA": "+14162345678",
    "satellite": "+870773111632",
}


def sent_to(countries: Countries) -> set[str]:
    taken = set()
    for name, number in NUMBERS.items():
        with contextlib.suppress(InputError):
            parse(number, region=None, countries=countries)
            taken.add(name)
    return taken


@pytest.mark.parametrize(
    ("allowed", "denied", "names"),
    [
        (None, [], {"DK", "GB", "JE", "CA", "satellite"}),
        ([], [], {"DK", "GB", "JE", "CA", "satellite"}),
        (["dk", " GB "], [], {"DK", "GB"}),
        (["44"], [], {"GB", "JE"}),
        (["+44", "870"], ["JE"], {"GB", "satellite"}),
        (None, ["1", "GB"], {"DK", "JE", "satellite"}),
        (["DK"], ["DK"], set()),
    ],
)
def test_only_countries_of_the_lists_are_sent_to(
    allowed: list[str] | None, denied: list[str], names: set[str]
) -> None:
    assert sent_to(Countries.parse(allowed=allowed, denied=denied)) == names


def test_a_refusal_names_the_country_and_not_the_number() -> None:
    with pytest.raises(InputError, match="numbers of DK are not to be sent to") as refused:
        parse("20304050", region="DK", countries=Countries.parse(denied=["DK"]))

    assert refused.value.code == "number_country_refused"


@pytest.mark.parametrize("place", ["UK", "999", "Denmark", ""])
def test_an_unknown_place_is_refused_by_name(place: str) -> None:
    with pytest.raises(ConfigError, match=f"country '{place}'"):
        Countries.parse(allowed=[place])
