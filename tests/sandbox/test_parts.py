import pytest

from worker.sandbox.parts import count_parts, only_gsm


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("a" * 158 + "€", 1),
        ("a" * 159 + "€", 2),
        ("a" * 152 + "€" + "a" * 151, 2),  # 306 septets, but the pair may not straddle: 152 + 2 + 151
        ("a" * 152 + "€" + "a" * 152, 3),
    ],
)
def test_gsm_parts_are_packed_by_septets(text: str, parts: int) -> None:
    assert count_parts(text, is_unicode=False) == parts


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a" * 70, 1),
        ("a" * 71, 2),
        ("я" * 134, 2),
        ("я" * 135, 3),
        ("я" * 68 + "😀", 1),
        ("я" * 69 + "😀", 2),
        ("я" * 66 + "😀" + "я" * 66, 3),  # 134 units, but the surrogate pair may not straddle
    ],
)
def test_unicode_parts_are_packed_by_16_bit_units(text: str, parts: int) -> None:
    assert count_parts(text, is_unicode=True) == parts


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Smørrebrød [1] {2} ~ €", "Smørrebrød [1] {2} ~ €"),
        ("naïve “quote”", "nave quote"),
        ("a\x1bb😀", "ab"),
    ],
)
def test_characters_beyond_the_gsm_alphabet_are_removed(text: str, shown: str) -> None:
    assert only_gsm(text) == shown
