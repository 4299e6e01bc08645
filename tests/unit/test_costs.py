from decimal import Decimal

import pytest

from producer.cli.costs import Most, amount, require_within
from producer.preview import Preview
from worker.errors import ConfigError, InputError
from worker.text.pricing import Totals


def found(**micros: int) -> Preview:
    return Preview(cost=Totals(micros=micros))


@pytest.mark.parametrize(
    ("written", "most"),
    [
        ((), None),
        (("250.00",), Most(elsewhere=Decimal("250.00"))),
        (("100", "5USD"), Most(elsewhere=Decimal(100), by_currency={"USD": Decimal(5)})),
        ((" 5 usd ", "0.5 DKK"), Most(by_currency={"USD": Decimal(5), "DKK": Decimal("0.5")})),
    ],
)
def test_amounts_are_read(written: tuple[str, ...], most: Most | None) -> None:
    assert amount(written) == most


@pytest.mark.parametrize(
    "written", [("x",), ("-1",), ("1e9",), ("nan",), ("1.0000001",), ("5 US",), ("1", "2"), ("1 DKK", "2DKK")]
)
def test_what_is_no_amount_or_comes_twice_is_refused(written: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError, match="--max-cost"):
        amount(written)


@pytest.mark.parametrize(
    ("written", "micros"),
    [
        (("1",), {"DKK": 1_000_000}),
        (("1",), {"DKK": 1_000_000, "USD": 1_000_000}),
        (("1", "5USD"), {"USD": 5_000_000}),
        (("5USD",), {"USD": 5_000_000}),
        (("0",), {}),
    ],
)
def test_what_costs_no_more_is_sent(written: tuple[str, ...], micros: dict[str, int]) -> None:
    require_within(found(**micros), amount(written))


@pytest.mark.parametrize(
    ("written", "micros"),
    [
        (("1",), {"DKK": 1_000_001}),
        (("1",), {"DKK": 1, "USD": 1_000_001}),
        (("1", "5USD"), {"USD": 5_000_001}),
        (("5USD",), {"USD": 1, "DKK": 1}),
    ],
    ids=["a millionth more", "in the second currency", "in its own", "in one without an amount"],
)
def test_what_costs_more_is_refused(written: tuple[str, ...], micros: dict[str, int]) -> None:
    with pytest.raises(InputError, match="more than --max-cost"):
        require_within(found(**micros), amount(written))
