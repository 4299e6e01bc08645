from contextlib import suppress
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.text.formats import Unreadable, date_text, money_text, number, number_text, time_text
from worker.text.segments import is_gsm7


@pytest.mark.parametrize(
    ("value", "order", "expected"),
    [
        ("2026-11-05", None, "5. november 2026"),
        ("2026/11/5", None, "5. november 2026"),
        (" 2026-11-05T14:30:00 ", None, "5. november 2026"),
        ("05.11.2026", None, "5. november 2026"),
        ("5/11/2026", "dmy", "5. november 2026"),
        ("11/5/2026", "mdy", "5. november 2026"),
        ("5-11-2026 9:05", "dmy", "5. november 2026"),
    ],
)
def test_a_date_is_read_and_written_in_a_language(value: str, order: str | None, expected: str) -> None:
    assert date_text(value, locale="da", order=order) == expected


@pytest.mark.parametrize(
    "value",
    [
        "05/11/2026",
        "5-11-2026",
        "22/11/2026",
        "05.11.26",
        "2026-02-30",
        "2026-13-01",
        "46000",
        "soon",
        "",
        "2026-11",
    ],
)
def test_a_date_with_two_meanings_or_none_is_refused(value: str) -> None:
    with pytest.raises(Unreadable):
        date_text(value, locale="da")


@pytest.mark.parametrize(
    ("pattern", "locale", "expected"),
    [
        ("short", "en", "11/22/26"),
        ("full", "de", "Sonntag, 22. November 2026"),
        ("EEEE d. MMMM 'kl.' HH:mm", "da", "søndag 22. november kl. 14:30"),
        ("d MMM", "pt-BR", "22 nov."),
        ("d MMM", "pt_BR", "22 nov."),
    ],
)
def test_a_pattern_chooses_what_is_written(pattern: str, locale: str, expected: str) -> None:
    assert date_text("2026-11-22 14:30", pattern, locale=locale) == expected


@pytest.mark.parametrize(
    ("value", "locale", "expected"),
    [
        ("14:30", "da", "14.30"),
        ("14.30", "de", "14:30"),
        ("2:30 pm", "de", "14:30"),
        ("12:05 a.m.", "de", "00:05"),
        ("2026-11-22 14:30:59.5", "en", "2:30 PM"),
    ],
)
def test_a_time_of_day_is_read_and_written(value: str, locale: str, expected: str) -> None:
    assert time_text(value, locale=locale) == expected


@pytest.mark.parametrize("value", ["2026-11-22", "25:00", "14:60", "13:30 pm", "soon"])
def test_what_is_no_time_of_day_is_refused(value: str) -> None:
    with pytest.raises(Unreadable):
        time_text(value, locale="en")


@pytest.mark.parametrize(
    ("pattern", "locale"),
    [("HH:mm", "en"), ("d MMMM z", "en"), ("y" * 101, "en"), ("long", "xx"), ("long", "../da"), ("long", "")],
)
def test_a_pattern_or_language_that_cannot_be_used_is_refused(pattern: str, locale: str) -> None:
    with pytest.raises(Unreadable):
        date_text("2026-11-22", pattern, locale=locale)


@pytest.mark.parametrize(
    ("value", "decimal", "expected"),
    [
        ("1234", None, "1234"),
        ("-12.5", None, "-12.5"),
        ("12,5", None, "12.5"),
        ("1.234,50", None, "1234.50"),
        ("1,234.50", None, "1234.50"),
        ("1 234,50", None, "1234.50"),
        ("1\N{NO-BREAK SPACE}234", None, "1234"),
        ("1'234'567.8", None, "1234567.8"),
        ("1.234.567", None, "1234567"),
        ("0.125", None, "0.125"),
        ("0,125", None, "0.125"),
        ("1.2345", None, "1.2345"),
        ("1.234", ".", "1.234"),
        ("1.234", ",", "1234"),
        ("1234.567", None, "1234.567"),
        (7, None, "7"),
        (2.5, None, "2.5"),
    ],
)
def test_a_number_is_read_in_its_one_meaning(value: str | float, decimal: str | None, expected: str) -> None:
    assert number(value, decimal=decimal) == Decimal(expected)


@pytest.mark.parametrize(
    ("value", "decimal"),
    [
        ("1.234", None),
        ("12,500", None),
        ("1.234.5", None),
        ("1,23,456", None),
        ("12.5", ","),
        ("1.234,5", "."),
        ("4.52E+09", None),
        ("nan", None),
        (float("inf"), None),
        ("", None),
        ("12 kr", None),
        ("9" * 41, None),
    ],
)
def test_a_number_with_two_meanings_or_none_is_refused(value: str | float, decimal: str | None) -> None:
    with pytest.raises(Unreadable):
        number(value, decimal=decimal)


@pytest.mark.parametrize(
    ("locale", "written", "amount"),
    [
        ("da", "-1.234,50", "-1.234,50 EUR"),
        ("de", "-1.234,50", "-1.234,50 €"),
        ("de-CH", "-1'234.50", "EUR-1'234.50"),
        ("en", "-1,234.50", "-€1,234.50"),
        ("fr", "-1 234,50", "-1 234,50 €"),
        ("sv", "-1 234,50", "-1 234,50 €"),
    ],
)
def test_numbers_and_amounts_cost_no_more_than_their_text(locale: str, written: str, amount: str) -> None:
    assert number_text("-1234.5", 2, locale=locale) == written
    assert money_text("-1234.5", "EUR", locale=locale).replace("EUR", "€") == amount.replace("EUR", "€")
    assert is_gsm7(amount)


@pytest.mark.parametrize(
    ("value", "decimals", "expected"),
    [("2", None, "2"), ("2.50", None, "2.50"), ("2.5", 0, "3"), ("-0.125", 2, "-0.13")],
)
def test_a_number_keeps_its_decimals_unless_others_are_asked_for(
    value: str, decimals: int | None, expected: str
) -> None:
    assert number_text(value, decimals, locale="en") == expected


@pytest.mark.parametrize("currency", ["eur", "EURO", "XQX", ""])
def test_an_unknown_currency_is_refused(currency: str) -> None:
    with pytest.raises(Unreadable):
        money_text("1", currency, locale="en")


@given(st.one_of(st.text(max_size=45), st.text(st.sampled_from("0123.,' -+e"), max_size=12)))
def test_what_is_read_is_a_number_or_refused(value: str) -> None:
    with suppress(Unreadable):
        assert number(value).is_finite()


@given(st.decimals(-(10**9), 10**9, places=2))
def test_a_number_in_a_language_is_read_back(value: Decimal) -> None:
    for locale, decimal in {"en": ".", "da": ",", "fr": ",", "de-CH": "."}.items():
        assert number(number_text(value, locale=locale), decimal=decimal) == value
