import pytest

from producer.recipients.columns import find_number_column, list_columns, name_variables
from worker.errors import InputError


@pytest.mark.parametrize(
    "header",
    [
        "msisdn", "Phone", "phone_number", "Phone-No.", "cell", "MOBILE NUMBER", "Mobile #", "mobil",
        "Mobilnummer", "Mobil nr.", "telefon", "Tlf.", "tlf nr", "Cellulare", "Numero", "Handy", "Handy-Nr.",
        "GSM", "Tel.",
        "Téléphone", "Te\N{COMBINING ACUTE ACCENT}le\N{COMBINING ACUTE ACCENT}phone", "Móvil", "Komórka",
        "Телефон", "手机号码", "رقم الهاتف", "मोबाइल",
        "Phone 1 - Value", "Mobilní telefon", "telefonszám", "Mobitel", "Mobile (SMS)",
        "Tlf. mobil", "電話", "N° portable", "Număr de telefon", "No. HP", "Số điện thoại",
        "Mobilni telefon", "핸드폰",
        "Κινητό", "Cep Telefonu", "Мобільний телефон", "Phone (mobile)",
    ],
)  # fmt: skip
def test_the_number_column_is_found_by_its_usual_name(header: str) -> None:
    assert find_number_column(["Name", header, "City"], wanted=None) == 1


@pytest.mark.parametrize("headers", [["Number", "Mobile"], ["Numero", "Telefono"], ["号码", "手机"]])
def test_a_number_of_anything_is_not_taken_where_there_is_one_of_the_phone(headers: list[str]) -> None:
    assert find_number_column(headers, wanted=None) == 1


def test_a_number_of_anything_is_that_of_the_phone_in_a_list_of_numbers_only() -> None:
    assert find_number_column(["Name", "Nummer"], wanted=None, is_list=True) == 1
    with pytest.raises(InputError):
        find_number_column(["Name", "Nummer"], wanted=None)


@pytest.mark.parametrize(
    "header", ["Phone model", "Mobile home", "Order number", "Telefon privat", "Fax", "CEP", "SMS"]
)
def test_no_number_column_is_guessed_from_a_part_of_its_name(header: str) -> None:
    with pytest.raises(InputError):
        find_number_column(["Name", header], wanted=None)


@pytest.mark.parametrize(
    ("wanted", "position"), [("Contact", 1), ("contact", 1), (" CONTACT ", 1), ("Mobile", 2), ("the_boss", 0)]
)
def test_the_number_column_can_be_given(wanted: str, position: int) -> None:
    assert find_number_column(["The boss", "Contact", "Mobile"], wanted=wanted) == position


def test_an_exact_name_comes_before_a_similar_one() -> None:
    assert find_number_column(["no", "NO"], wanted="NO") == 1


@pytest.mark.parametrize(
    ("headers", "wanted", "sentence"),
    [
        (["Name", "City"], None, "choose one of 'Name', 'City' with --column"),
        (["Phone", "Name", "Mobile"], None, r"\('Phone', 'Mobile'\): name one of them with --column"),
        (["Phone", "Name"], "Fax", "no column is called 'Fax': choose one of 'Phone', 'Name'"),
        (["Phone", "Phone"], "Phone", "more than one column is called 'Phone': rename all but one of them"),
        (["Phone", "Phone"], None, "more than one column is called 'Phone': rename all but one of them"),
        (
            ["Phone", "Tlf", "Phone"],
            None,
            r"\('Phone', 'Tlf'\): name one of them with --column, or rename all but one of those that are",
        ),
        (["Name"], "", "no column is called ''"),
    ],
)
def test_without_one_number_column_the_choice_is_shown(
    headers: list[str], wanted: str | None, sentence: str
) -> None:
    with pytest.raises(InputError, match=sentence) as refused:
        find_number_column(headers, wanted=wanted)

    assert refused.value.code == "no_number_column"


@pytest.mark.parametrize("headers", [["+4520304050"], ["20 30 40 50", "Ann"], ["Ann", "(+45) 2030-4050"]])
@pytest.mark.parametrize("wanted", [None, "msisdn"])
def test_a_recipient_in_the_first_line_is_not_shown(headers: list[str], wanted: str | None) -> None:
    with pytest.raises(InputError, match="the first line must name the columns") as refused:
        find_number_column(headers, wanted=wanted)

    assert "Ann" not in str(refused.value)
    assert "2" not in str(refused.value)


def test_a_date_may_name_a_column() -> None:
    assert find_number_column(["Mobil", "2026-11-01"], wanted=None) == 0


def test_columns_become_variables_and_the_first_of_two_is_kept() -> None:
    positions, twice = name_variables(["First name", "", "City", "first_name", " "])

    assert positions == {"first_name": 0, "city": 2}
    assert twice == {"first_name"}


def test_a_list_of_columns_stays_short() -> None:
    listed = list_columns(["x" * 1000] * 500)

    assert listed.endswith(" and 480 more")
    assert len(listed) < 1000
