"""Numbers around every numbering plan: of each kind, too short and too long, and written in many ways."""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import cache
from itertools import cycle, islice

import phonenumbers
from phonenumbers import PhoneNumberType

from worker.errors import InputError
from worker.text.numbers import quick
from worker.text.numbers.judging import judge
from worker.text.numbers.value import Msisdn

PIECE = 50_000  # numbers of one seed
REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)
IN_A_ROW = 50  # the library's expressions are compiled once in a row, and not for each number
KINDS = sorted(PhoneNumberType.values())


def verdict(number: str, *, region: str | None) -> Msisdn | str:
    """Return what the library says of a number, or the code with which it is refused."""
    try:
        return judge(number, region=region)
    except InputError as error:
        return error.code


def wrongly_read(*, seed: int) -> list[tuple[str, str | None, Msisdn]]:
    """Return those of a piece that are read quickly, and not as the library reads them; there are none."""
    quickly = (
        (number, region, msisdn)
        for number, region in near_numbers(seed=seed)
        if (msisdn := quick.read(number, region=region))
    )
    return [
        (number, region, msisdn)
        for number, region, msisdn in islice(quickly, PIECE)
        if verdict(number, region=region) != msisdn
    ]


def near_numbers(*, seed: int) -> Iterator[tuple[str, str | None]]:
    """Yield numbers without end, each with the region that it is read for."""
    chance = random.Random(seed)  # noqa: S311 - samples, no secrets
    for region in cycle(REGIONS):
        for _ in range(IN_A_ROW):
            number = _written(_national(region, chance=chance), region=region, chance=chance)
            yield number, _read_for(region, chance=chance)


def _national(region: str, *, chance: random.Random) -> str:
    """Keep the beginning of a real number, or nothing of it, and miss its length by a digit at times."""
    examples = _examples(region)
    example = chance.choice(examples[:1] if chance.random() < 0.5 else examples)
    length = len(example) + chance.choice((0, 0, 0, 0, 0, 0, 0, -1, 1))
    kept = example[: chance.choice((0, 1, 2, 2, 3, 3, 3, 4, 5, 6))]
    return kept + "".join(chance.choices("0123456789", k=max(0, length - len(kept))))


@cache
def _examples(region: str) -> tuple[str, ...]:
    """Return a number of each kind, a mobile first."""
    kinds = (PhoneNumberType.MOBILE, *KINDS)
    found = (phonenumbers.example_number_for_type(region, kind) for kind in kinds)
    return tuple(phonenumbers.national_significant_number(number) for number in found if number)


def _written(national: str, *, region: str, chance: random.Random) -> str:
    code = phonenumbers.country_code_for_region(region)
    trunk = phonenumbers.ndd_prefix_for_region(region, strip_non_digits=True) or "0"
    heads = (
        "+{code}",
        "+{code}",
        "00{code}",
        "{code}",
        "",
        "",
        "0",
        "{trunk}",
        "{code}{trunk}",
        "+{code}{trunk}",
    )
    return chance.choice(heads).format(code=code, trunk=trunk) + national


def _read_for(region: str, *, chance: random.Random) -> str | None:
    """Choose the region itself mostly, or a neighbour behind the same calling code, or another, or none."""
    neighbours = phonenumbers.region_codes_for_country_code(phonenumbers.country_code_for_region(region))
    return chance.choice((*[region] * 7, chance.choice(neighbours), chance.choice(REGIONS), None))
