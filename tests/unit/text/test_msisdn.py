import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.errors import ConfigError, InputError
from worker.text.msisdn import Msisdn, check_region, parse

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
        ("07400 123456", "GB", "+447400123456"),
        ("7400123456", "GB", "+447400123456"),
        ("447400123456", "GB", "+447400123456"),
        ("+44 (0)7400 123456", None, "+447400123456"),
        ("393331234567", "IT", "+393331234567"),
        ("55800123456", "BR", "+55800123456"),  # the one that libphonenumber leaves to us
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
        ("2,03E+07", "DK", "number_not_a_number"),
        ("1-800-FLOWERS", "US", "number_not_a_number"),
        ("20304050 ext 5", "DK", "number_not_a_number"),
        ("20304050#5", "DK", "number_not_a_number"),
        ("20304050; 20304051", "DK", "number_not_a_number"),
        ("2030405", "DK", "number_too_short"),
        ("112", "DK", "number_too_short"),
        ("+1900", None, "number_too_short"),
        ("0045", "DK", "number_too_short"),
        ("203040506", "DK", "number_too_long"),
        ("20304050 / 20304051", "DK", "number_too_long"),
        ("1" * 80, "DK", "number_too_long"),
        ("+49" + "800" + "1" * 11, None, "number_too_long"),  # valid in its plan, and beyond E.164
        ("+999123456789", None, "number_unknown_country"),
        ("20304050", None, "number_unknown_country"),
        ("00999123456", None, "number_unknown_country"),
        ("10304050", "DK", "number_invalid"),
        ("+4510304050", None, "number_invalid"),
    ],
)
def test_a_bad_number_is_refused_with_its_reason(raw: str, region: str | None, code: str) -> None:
    with pytest.raises(InputError) as refused:
        parse(raw, region=region)

    assert refused.value.code == code


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
def test_any_text_is_a_valid_number_or_refused_without_showing_it(raw: str, region: str | None) -> None:
    found = outcome(raw, region=region)

    if isinstance(found, Msisdn):
        assert phonenumbers.is_valid_number(phonenumbers.parse(found.e164))
    else:
        assert found.code.startswith("number_")
        assert not any(char.isdigit() for char in str(found))


def test_region_and_calling_code_come_with_the_number() -> None:
    assert parse("+80012345678", region=None) == Msisdn(e164="+80012345678", region="001", calling_code=800)


@pytest.mark.parametrize("written", ["DK", "dk", " dk "])
def test_a_region_is_known_in_any_case(written: str) -> None:
    assert check_region(written) == "DK"


@pytest.mark.parametrize("written", ["UK", "Denmark", "45", "", "ZZ"])
def test_an_unknown_region_is_refused_by_name(written: str) -> None:
    with pytest.raises(ConfigError, match=f"country '{written}'"):
        check_region(written)
