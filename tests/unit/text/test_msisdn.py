from typing import get_args

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.errors import ConfigError, InputError
from worker.text.msisdn import REPAIRS, Msisdn, Repair, check_region, parse

MOBILE_EXAMPLES = [
    (region, example)
    for region in sorted(phonenumbers.SUPPORTED_REGIONS)
    if (example := phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.MOBILE))
]


@pytest.mark.parametrize(
    ("raw", "region", "e164"),
    [
        ("+4520304050", None, "+4520304050"),
        ("+45 20 30-40.50", None, "+4520304050"),
        ("(+45) 20304050", None, "+4520304050"),
        ("+4520304050", "GB", "+4520304050"),
        ("004520304050", None, "+4520304050"),
        ("(0045) 20304050", None, "+4520304050"),
        ("004520304050", "DK", "+4520304050"),
        ("004520304050", "US", "+4520304050"),
        ("011 45 20304050", "US", "+4520304050"),
        ("20304050", "DK", "+4520304050"),
        ("4520304050", "DK", "+4520304050"),
        ("12024560123", "US", "+12024560123"),
        ("8 (916) 123-45-67", "RU", "+79161234567"),
        ("07797 712345", "GB", "+447797712345"),
        ("0 11 15-2345-6789", "AR", "+5491123456789"),
        ("20\N{NON-BREAKING HYPHEN}30\N{EN DASH}40.50", "DK", "+4520304050"),
        ("07400 123456", "GB", "+447400123456"),
        ("7400123456", "GB", "+447400123456"),
        ("447400123456", "GB", "+447400123456"),
        ("+44 (0)7400 123456", None, "+447400123456"),
        ("393331234567", "IT", "+393331234567"),
        ("4915112345678", "DE", "+4915112345678"),  # with an area code 4915 it would be a fixed line
        ("62812345678", "ID", "+62812345678"),
        ("38343201234", "XK", "+38343201234"),
        ("3931234567", "IT", "+393931234567"),  # a national mobile number that begins like the country code
        ("'07400123456", "GB", "+447400123456"),
        ("\N{RIGHT SINGLE QUOTATION MARK}07400123456", "GB", "+447400123456"),
        ("7400123456.0", "GB", "+447400123456"),
        (
            "\N{ZERO WIDTH NO-BREAK SPACE}+45\N{ZERO WIDTH SPACE}20304050\N{LEFT-TO-RIGHT MARK}",
            None,
            "+4520304050",
        ),
        ("20\N{NO-BREAK SPACE}30\t40\n50", "DK", "+4520304050"),
        ("٢٠٣٠٤٠٥٠", "DK", "+4520304050"),
        ("+４５２０３０４０５０", None, "+4520304050"),  # noqa: RUF001 -- full width is the case
    ],
)
def test_a_number_is_understood_however_it_is_written(raw: str, region: str | None, e164: str) -> None:
    assert parse(raw, region=region).e164 == e164


@pytest.mark.parametrize(
    ("raw", "region", "code"),
    [
        ("", "DK", "number_empty"),
        (" \N{ZERO WIDTH SPACE}'", "DK", "number_empty"),
        ("ukendt", "DK", "number_not_a_number"),
        ("-", "DK", "number_not_a_number"),
        ("++4520304050", None, "number_not_a_number"),
        ("+ +4520304050", "DK", "number_not_a_number"),
        ("==20304050", "DK", "number_not_a_number"),
        ('="20304050', "DK", "number_not_a_number"),
        ("=20304050-1", "DK", "number_not_a_number"),
        ("*20304050", "DK", "number_not_a_number"),
        ("#20304050", "DK", "number_not_a_number"),
        ("+", "DK", "number_not_a_number"),
        ("2,03E+07", "DK", "number_rounded"),
        ("4.52E+09", "DK", "number_rounded"),
        ("4.52030405E+09", "DK", "number_rounded"),  # the last of ten digits is missing
        ("1-800-FLOWERS", "US", "number_letters"),
        ("20304050 ext 5", "DK", "number_letters"),
        ("2O304050", "DK", "number_letters"),
        ("\N{SUPERSCRIPT TWO}20304050", "DK", "number_letters"),
        ("20304050#5", "DK", "number_not_a_number"),
        ("20304050; 20304051", "DK", "number_two"),
        ("2030405", "DK", "number_too_short"),
        ("112", "DK", "number_emergency"),
        ("9 9 9", "GB", "number_emergency"),
        ("1818", "DK", "number_short_code"),
        ("118500", "GB", "number_short_code"),
        ("+1900", None, "number_too_short"),
        ("0045", "DK", "number_too_short"),
        ("203040506", "DK", "number_too_long"),
        ("20304050 / 20304051", "DK", "number_two"),
        ("+45 20304050 / 20304051", None, "number_two"),
        ("+4520304050;+46701234567,20304051", "DK", "number_two"),
        ("20304050 / 51", "DK", "number_too_long"),
        ("20304050 2030405120304052", "DK", "number_too_long"),
        ("1" * 80, "DK", "number_too_long"),
        ("+999123456789", None, "number_unknown_country"),
        ("20304050", None, "number_unknown_country"),
        ("00999123456", None, "number_unknown_country"),
        ("10304050", "DK", "number_invalid"),
        ("+4510304050", None, "number_invalid"),
        ("+4990012345", None, "number_invalid"),  # of no known series, and no mobile is so short
        ("+442079460958", None, "number_not_mobile"),
        ("06 12345678", "IT", "number_not_mobile"),
        ("+448001234567", None, "number_not_mobile"),
        ("+80012345678", None, "number_not_mobile"),
        ("+445600123456", None, "number_not_mobile"),
        ("+447012345678", None, "number_not_mobile"),
        ("+447640123456", None, "number_not_mobile"),
        ("+445512345678", None, "number_not_mobile"),
        ("+49800" + "1" * 11, None, "number_not_mobile"),
        ("+449098790000", None, "number_premium"),
        ("+448454640000", None, "number_premium"),
        ("+4590123456", None, "number_premium"),
    ],
)
def test_a_bad_number_is_refused_with_its_reason(raw: str, region: str | None, code: str) -> None:
    with pytest.raises(InputError) as refused:
        parse(raw, region=region)

    assert refused.value.code == code


@pytest.mark.parametrize(
    ("raw", "region", "repairs"),
    [
        ("+45 20 30-40.50", None, ()),
        ("0045 20304050", None, ()),
        ("(07400) 123456", "GB", ()),
        ("2025550123", "US", ()),
        ("1 (202) 555-0123", "US", ()),
        ("3331234567", "IT", ()),
        ("8 (916) 123-45-67", "RU", ()),
        ("'20304050", "DK", ("apostrophe",)),
        ("20\N{ZERO WIDTH SPACE}304050", "DK", ("hidden_characters",)),
        ("٢٠٣٠٤٠٥٠", "DK", ("foreign_digits",)),
        ("+\N{ARABIC-INDIC DIGIT FOUR}\N{ARABIC-INDIC DIGIT FIVE}20304050", None, ("foreign_digits",)),
        ("20304050,00", "DK", ("spreadsheet_decimal",)),
        ("2.0304050E+07", "DK", ("spreadsheet_exponent",)),
        ("=20304050", "DK", ("spreadsheet_formula",)),
        ("=+4520304050", None, ("spreadsheet_formula",)),
        ('="20 30 40 50"', "DK", ("spreadsheet_formula",)),
        ('"+4520304050"', None, ("spreadsheet_formula",)),
        ("'=4520304050", "DK", ("apostrophe", "missing_plus", "spreadsheet_formula")),
        ("7400123456", "GB", ("leading_zero",)),
        ("712345678", "CI", ("leading_zero",)),  # a zero of the number itself, not one that is dialled first
        ("66123456", "CG", ("leading_zero",)),
        ("4520304050", "DK", ("missing_plus",)),
        ("4915112345678", "DE", ("missing_plus",)),
        ("+44 (0)7400 123456", None, ("national_prefix",)),
        ("4407400123456", "GB", ("missing_plus", "national_prefix")),
        ("004520304050", "US", ("international_prefix",)),
        ("'7400123456.0", "GB", ("apostrophe", "leading_zero", "spreadsheet_decimal")),
        ("4,520304050E+09", "DK", ("missing_plus", "spreadsheet_exponent")),
    ],
)
def test_what_was_repaired_is_said(raw: str, region: str | None, repairs: tuple[str, ...]) -> None:
    assert parse(raw, region=region).repairs == repairs


def test_every_repair_has_a_sentence() -> None:
    assert set(REPAIRS) == set(get_args(Repair))


@pytest.mark.parametrize(
    ("raw", "region"),
    [
        ("612345678", "IT"),  # with a zero it would be a fixed line
        ("0712345678", "CG"),  # has its zero
        ("712345678", "GB"),  # with a zero it would still be too short
    ],
)
def test_no_zero_is_put_where_that_makes_no_mobile(raw: str, region: str) -> None:
    with pytest.raises(InputError):
        parse(raw, region=region)


@pytest.mark.parametrize(
    ("raw", "region"), [("+4520010203", None), ("20 01 02 03", "DK"), ("4520010203", "DK")]
)
def test_a_series_that_no_table_lists_yet_is_taken_when_it_fits_the_plan(
    raw: str, region: str | None
) -> None:
    assert parse(raw, region=region).e164 == "+4520010203"


def test_a_number_without_country_asks_for_the_option() -> None:
    with pytest.raises(InputError, match="--country"):
        parse("20304050", region=None)


def test_a_rounded_number_says_what_the_spreadsheet_did() -> None:
    with pytest.raises(InputError, match="rounded"):
        parse("2.03E+07", region="DK")


@pytest.mark.parametrize(
    ("region", "example"), MOBILE_EXAMPLES, ids=[region for region, _ in MOBILE_EXAMPLES]
)
def test_an_example_of_every_region_is_understood_in_every_form(
    region: str, example: phonenumbers.PhoneNumber
) -> None:
    formats = phonenumbers.PhoneNumberFormat
    written = [phonenumbers.format_number(example, form) for form in (formats.E164, formats.INTERNATIONAL)]

    found = {parse(form, region=None) for form in written}
    found.add(parse(phonenumbers.format_number(example, formats.NATIONAL), region=region))

    assert len(found) == 1
    assert {msisdn.e164 for msisdn in found} == {written[0]}


def outcome(raw: str, *, region: str | None) -> Msisdn | InputError:
    try:
        return parse(raw, region=region)
    except InputError as error:
        return error


@given(
    st.text(max_size=40) | st.text("0123456789+-() ", max_size=20), st.sampled_from([None, "DK", "US", "IT"])
)
def test_any_text_is_a_possible_number_or_refused_without_showing_it(raw: str, region: str | None) -> None:
    found = outcome(raw, region=region)

    if isinstance(found, Msisdn):  # its series may be newer than any table
        assert phonenumbers.is_possible_number(phonenumbers.parse(found.e164))
    else:
        assert found.code.startswith("number_")
        assert not any(char.isdigit() for char in str(found))


def test_region_and_calling_code_come_with_the_number() -> None:
    found = parse("+870773111632", region=None)

    assert found == Msisdn(e164="+870773111632", region="001", calling_code=870)


@pytest.mark.parametrize("written", ["DK", "dk", " dk "])
def test_a_region_is_known_in_any_case(written: str) -> None:
    assert check_region(written) == "DK"


@pytest.mark.parametrize("written", ["UK", "Denmark", "45", "", "ZZ"])
def test_an_unknown_region_is_refused_by_name(written: str) -> None:
    with pytest.raises(ConfigError, match=f"country '{written}'"):
        check_region(written)


@pytest.mark.parametrize(
    ("written", "country"), [("07400 123456", "DK"), ("+4520", "DK"), ("+44 7400 1234567", "GB")]
)
def test_a_number_of_a_wrong_length_is_told_of_which_country(written: str, country: str) -> None:
    with pytest.raises(InputError, match=f"digits for {country}$"):
        parse(written, region="DK")
