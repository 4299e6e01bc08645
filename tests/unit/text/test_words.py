import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.text.words import first_word, shorten, title

FAMILY = "👨\N{ZERO WIDTH JOINER}👩\N{ZERO WIDTH JOINER}👧"


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("ann", "Ann"),
        ("ANN LEE", "Ann Lee"),
        ("o'neill", "O'Neill"),
        ("O\N{RIGHT SINGLE QUOTATION MARK}NEILL", "O\N{RIGHT SINGLE QUOTATION MARK}Neill"),
        ("d'angelo", "D'Angelo"),
        ("dell'acqua", "Dell'Acqua"),
        ("mother's", "Mother's"),
        ("i'll", "I'll"),
        ("mcdonald", "McDonald"),
        ("MCCOY-O'BRIEN", "McCoy-O'Brien"),
        ("mackenzie", "Mackenzie"),  # MacKenzie, too, is a name: nobody can know
        ("émile", "Émile"),
        ("ÅSE ØSTERGAARD", "Åse Østergaard"),
        ("e\N{COMBINING ACUTE ACCENT}mile", "E\N{COMBINING ACUTE ACCENT}mile"),
        ("ΣΟΦΟΣ", "Σοφος"),
        ("ALİ İPEK", "Ali İpek"),
        ("jean-luc", "Jean-Luc"),
        ("j.r. ewing", "J.R. Ewing"),
        ("anne/marie (kit)", "Anne/Marie (Kit)"),
        ("McKay", "McKay"),
        ("DeShawn van der Berg", "DeShawn van der Berg"),
        ("ana de la CRUZ", "Ana de la Cruz"),
        ("PJ Harvey", "PJ Harvey"),
        ("van den Berg", "Van den Berg"),
        ("2nd lt. jones", "2nd Lt. Jones"),
        ("  ann  lee ", "  Ann  Lee "),
        ("", ""),
    ],
)
def test_names_are_written_as_people_write_them(written: str, expected: str) -> None:
    assert title(written) == expected


@given(st.text(st.sampled_from("aAéÉ'-. mcMCoO"), max_size=12))
def test_a_title_loses_no_letter(written: str) -> None:
    assert title(written).casefold() == written.casefold()


@given(st.text(st.sampled_from("aAéÉ'-. mcMCoO"), max_size=12))
def test_a_title_stays_as_it_is(written: str) -> None:
    assert title(title(title(written))) == title(title(written))


@pytest.mark.parametrize(
    ("value", "word"), [("Anna Lena", "Anna"), (" Anna", "Anna"), ("Anna", "Anna"), (" ", ""), ("", "")]
)
def test_the_first_word_stands_before_the_first_space(value: str, word: str) -> None:
    assert first_word(value) == word


@pytest.mark.parametrize(
    ("value", "characters", "expected"),
    [
        ("Your parcel is here", 19, "Your parcel is here"),
        ("Your parcel is here", 18, "Your parcel is..."),
        ("Your parcel is here", 17, "Your parcel is..."),
        ("Your parcel is here", 16, "Your parcel..."),
        ("Your parcel is here", 15, "Your parcel..."),
        ("Your parcel is here", 8, "Your..."),
        ("Your parcel is here", 6, "You..."),
        ("Your parcel is here", 3, "You"),
        ("Your parcel is here", 0, ""),
        (FAMILY + "abc", 7, "..."),
        (FAMILY + "abc", 2, ""),
        ("e\N{COMBINING ACUTE ACCENT}" * 5, 6, "e\N{COMBINING ACUTE ACCENT}..."),
    ],
)
def test_a_value_is_shortened_between_words_and_whole_characters(
    value: str, characters: int, expected: str
) -> None:
    assert shorten(value, characters) == expected


@given(st.text(st.sampled_from("ab  é🎉👩\N{ZERO WIDTH JOINER}"), max_size=20), st.integers(0, 25))
def test_what_is_shortened_begins_as_the_value_and_is_never_longer(value: str, characters: int) -> None:
    short = shorten(value, characters)

    assert len(short) <= characters or short == value
    assert value.startswith((short, short.removesuffix("...")))
