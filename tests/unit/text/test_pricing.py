from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.errors import ConfigError
from worker.text.pricing import Price, PriceTable, Totals

TABLE = PriceTable.parse({"DK": "0.35 DKK", "44": "0.05 GBP", "*": "1.00 DKK"})


@pytest.mark.parametrize(
    ("region", "calling_code", "expected"),
    [("DK", 45, "1.05 DKK"), ("GB", 44, "0.15 GBP"), ("JE", 44, "0.15 GBP"), ("SE", 46, "3.00 DKK")],
)
def test_the_nearest_place_has_the_price(region: str, calling_code: int, expected: str) -> None:
    assert str(TABLE.price_of(region, calling_code=calling_code, parts=3)) == expected


def test_a_region_comes_before_its_calling_code() -> None:
    table = PriceTable.parse({"44": "1 GBP", "JE": "2 GBP"})

    assert str(table.price_of("JE", calling_code=44, parts=1)) == "2.00 GBP"


@pytest.mark.parametrize("written", [None, {}, {"DK": "0.35 DKK"}])
def test_no_price_is_invented(written: dict[str, str] | None) -> None:
    assert PriceTable.parse(written).price_of("SE", calling_code=46, parts=1) is None


def test_one_price_holds_everywhere() -> None:
    assert PriceTable.parse("0.35 DKK").price_of("SE", calling_code=46, parts=2) == Price.parse("0.70 DKK")


@pytest.mark.parametrize(
    "written",
    [
        "",
        "0.35",
        "DKK",
        "0,35 DKK",
        "-1 DKK",
        "0.1234567 DKK",
        "1e3 DKK",
        "NaN DKK",
        "0.35 dkk",
        "٣ DKK",
        "0.35 DKK x",
    ],
)
def test_a_malformed_price_is_refused_by_name(written: str) -> None:
    with pytest.raises(ConfigError) as refused:
        PriceTable.parse(written)

    assert repr(written) in str(refused.value)


@pytest.mark.parametrize("place", ["UK", "Denmark", "045", "0", "", "999"])
def test_an_unknown_place_is_refused_by_name(place: str) -> None:
    with pytest.raises(ConfigError) as refused:
        PriceTable.parse({place: "1 DKK"})

    assert repr(place) in str(refused.value)


@pytest.mark.parametrize("table", [{"dk": "1 DKK", "DK": "2 DKK"}, {"45": "1 DKK", "+45": "2 DKK"}])
def test_a_place_with_two_prices_is_refused(table: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="twice"):
        PriceTable.parse(table)


@given(st.integers(0, 10**18))
def test_micros_are_exact_both_ways(micros: int) -> None:
    assert Price.of_micros(micros, currency="DKK").micros == micros


@given(st.lists(st.tuples(st.decimals(0, 10**6, places=6), st.sampled_from(["DKK", "GBP"])), max_size=20))
def test_totals_are_exact_decimals(amounts: list[tuple[Decimal, str]]) -> None:
    totals = Totals()
    for amount, currency in amounts:
        totals.add(Price(amount=amount, currency=currency))

    expected = {c: sum(a for a, other in amounts if other == c) for c in {c for _, c in amounts}}
    assert {currency: Decimal(amount) for currency, amount in totals.render().items()} == expected
    assert all("E" not in amount and len(amount.split(".")[1]) >= 2 for amount in totals.render().values())


@pytest.mark.parametrize(
    ("micros", "written"),
    [(0, "0.00"), (1, "0.000001"), (350_000, "0.35"), (1_750_000_000, "1750.00"), (123_400_000, "123.40")],
)
def test_an_amount_is_written_with_two_digits_or_as_many_as_it_needs(micros: int, written: str) -> None:
    assert Totals(micros={"DKK": micros}).render() == {"DKK": written}
