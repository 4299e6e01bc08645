import phonenumbers
import pytest

from tests.unit.text.near_numbers import PIECE, REGIONS, verdict, wrongly_read
from worker.text.numbers import quick

NUMBERS = 200_000  # ``python -m tests.bench numbers`` compares a million


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(NUMBERS // PIECE))
def test_what_is_read_quickly_is_what_the_library_says(seed: int) -> None:
    assert wrongly_read(seed=seed) == []


@pytest.mark.parametrize(
    ("number", "region"),
    [
        ("0856202321", "JE"),  # Great Britain's plan has numbers of this length, Jersey's has none
        ("4915112345678", "DE"),  # a fixed line, or a mobile with its country code
        ("+4407400123456", None),
        ("0117400123456", "US"),
    ],
)
def test_what_is_unusual_is_read_as_the_library_says_or_not_at_all(number: str, region: str | None) -> None:
    assert quick.read(number, region=region) in {None, verdict(number, region=region)}


def test_mobiles_of_every_region_are_read_quickly() -> None:
    examples = {
        region: phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)
        for region in REGIONS
        if (example := phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.MOBILE))
    }

    slow = [region for region, number in examples.items() if quick.read(number, region=None) is None]
    assert slow == []
