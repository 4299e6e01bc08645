import os
from itertools import islice

import phonenumbers
import pytest

from tests.unit.text.near_numbers import REGIONS, near_numbers
from worker.errors import InputError
from worker.text.numbers import quick
from worker.text.numbers.judging import judge
from worker.text.numbers.value import Msisdn

PIECE = 50_000
NUMBERS = int(os.environ.get("NUMBERS", "200000"))  # a million takes three minutes of one core


def verdict(number: str, *, region: str | None) -> Msisdn | str:
    try:
        return judge(number, region=region)
    except InputError as error:
        return error.code


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(NUMBERS // PIECE))
def test_what_is_read_quickly_is_what_the_library_says(seed: int) -> None:
    quickly = (
        (number, region, msisdn)
        for number, region in near_numbers(seed=seed)
        if (msisdn := quick.read(number, region=region))
    )

    wrong = [
        (number, region, msisdn)
        for number, region, msisdn in islice(quickly, PIECE)
        if verdict(number, region=region) != msisdn
    ]
    assert wrong == []


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
