import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.text import gsm7
from worker.text.replacing import Replacement, replaced
from worker.text.segments import is_gsm7

LETTERS_KEPT = st.text(st.characters(categories=["L", "N"]), max_size=10)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("\N{LEFT DOUBLE QUOTATION MARK}Hi\N{RIGHT DOUBLE QUOTATION MARK}", '"Hi"'),
        ("\N{DOUBLE LOW-9 QUOTATION MARK}Hi\N{LEFT DOUBLE QUOTATION MARK}", '"Hi"'),
        ("«Hi» it\N{RIGHT SINGLE QUOTATION MARK}s `a\N{ACUTE ACCENT}", "\"Hi\" it's 'a'"),
        ("9\N{EN DASH}10 \N{EM DASH} a\N{NON-BREAKING HYPHEN}b \N{MINUS SIGN}5", "9-10 - a-b -5"),
        ("5\N{NO-BREAK SPACE}kr\N{NARROW NO-BREAK SPACE}.\N{IDEOGRAPHIC SPACE}a\tb", "5 kr . a b"),
        ("wait\N{HORIZONTAL ELLIPSIS}", "wait..."),
        ("\N{BULLET} one\N{LINE SEPARATOR}\N{BULLET} two", "- one\n- two"),
        ("\N{LATIN SMALL LIGATURE FI}ne a\N{LATIN SMALL LIGATURE FFL}e", "fine affle"),
        ("\N{FULLWIDTH LATIN CAPITAL LETTER A}\N{FULLWIDTH DIGIT ONE}\N{FULLWIDTH EXCLAMATION MARK}", "A1!"),
        ("a\N{ZERO WIDTH SPACE}b\N{ZERO WIDTH NO-BREAK SPACE}c\N{SOFT HYPHEN}d\N{WORD JOINER}", "abcd"),
        ("a\N{ZERO WIDTH JOINER}b\N{VARIATION SELECTOR-16}\N{LEFT-TO-RIGHT MARK}", "ab"),
        ("cafe\N{COMBINING ACUTE ACCENT}", "café"),
    ],
)
def test_signs_are_replaced_by_plain_ones(text: str, plain: str) -> None:
    assert replaced(text)[0] == plain


def test_each_replacement_is_listed_with_its_count() -> None:
    text = (
        "\N{RIGHT SINGLE QUOTATION MARK}\N{EN DASH}\N{RIGHT SINGLE QUOTATION MARK}e\N{COMBINING GRAVE ACCENT}"
    )

    assert replaced(text)[1] == (
        Replacement(character="\N{RIGHT SINGLE QUOTATION MARK}", replacement="'", count=2),
        Replacement(character="\N{EN DASH}", replacement="-", count=1),
        Replacement(character="e\N{COMBINING GRAVE ACCENT}", replacement="è", count=1),
    )


@pytest.mark.parametrize(
    "text",
    [
        "plain [5€] æøå",
        "l\N{EN DASH}ç",  # the letter keeps the text in UCS-2
        "Łódź \N{EN DASH} 5",
        "👨\N{ZERO WIDTH JOINER}👩 \N{EN DASH}",
        "1\N{VARIATION SELECTOR-16}\N{COMBINING ENCLOSING KEYCAP}",
        "\N{RIGHT-TO-LEFT MARK}שלום\N{HORIZONTAL ELLIPSIS}",
        "o\N{COMBINING DOUBLE ACUTE ACCENT}",
        "Hawai\N{MODIFIER LETTER TURNED COMMA}i",
        "½ ™ © œ",
        "",
    ],
)
def test_a_text_that_would_not_fit_into_gsm_stays_as_it_was_written(text: str) -> None:
    assert replaced(text) == (text, ())


@given(st.text(st.sampled_from("aé€ \u2019\u2013\u2026\u00a0\u200b\ufb01\uff21e\u0301ç"), max_size=30))
def test_what_is_replaced_is_all_that_differs_and_all_is_listed(text: str) -> None:
    plain, listed = replaced(text)

    assert plain == text or is_gsm7(plain)
    assert bool(listed) == (plain != text)
    grown = sum(each.count * (len(each.replacement) - len(each.character)) for each in listed)
    assert len(plain) == len(text) + grown


@given(LETTERS_KEPT, st.sampled_from("\u2019\u2013\u2026\u00a0\u200b"))
def test_no_letter_or_digit_is_lost(letters: str, sign: str) -> None:
    plain, _ = replaced(letters + sign + letters)

    assert _letters(plain) == _letters(letters * 2)


def test_nothing_but_signs_spaces_and_forms_is_replaced() -> None:
    every = [chr(code) for code in range(0x110000) if not 0xD800 <= code <= 0xDFFF]

    changed = {char: replaced(char)[0] for char in every if replaced(char)[0] != char}

    assert all(
        unicodedata.normalize("NFKC", char) == plain for char, plain in changed.items() if char.isalnum()
    )
    assert not changed.keys() & (gsm7.BASIC | gsm7.EXTENSION)


def _letters(text: str) -> str:
    return "".join(char for char in unicodedata.normalize("NFKC", text) if char.isalnum())
