import io
import sys
from pathlib import Path
from typing import Any

import pytest

from producer.cli.texts import make_characters, make_locale, make_texts
from producer.wording import Characters, Languages
from tests.unit.test_trial import account
from worker.errors import ConfigError, InputError
from worker.text.segments import Encoding

NOTHING: dict[str, Any] = {
    **dict.fromkeys(("text", "text_file", "language_column", "default_language", "locale", "max_parts")),
    "texts_in": (),
    "files_in": (),
    "encoding": "auto",
    "smart": False,
    "file": Path("members.csv"),
}
BOTH = {"texts_in": ("da=Hej", "en=Hi"), "language_column": "Sprog"}


def texts(**given: Any) -> tuple[str, Languages | None]:  # noqa: ANN401 - as click gives them
    return make_texts({**NOTHING, **given})


def characters(
    gateway: str = "cpsms",
    *,
    options: dict[str, object] | None = None,
    **given: Any,  # noqa: ANN401 - as click gives them
) -> Characters:
    return make_characters(account(gateway), {**NOTHING, **given}, options or {})


def test_a_text_is_one_for_all() -> None:
    assert texts(text="Hi {{ name }}") == ("Hi {{ name }}", None)


@pytest.mark.parametrize(
    ("written", "text"),
    [
        (b"Hi", "Hi"),
        (b"Hi\n", "Hi"),
        (b"Hi\r\n", "Hi"),
        (b"Hi\n\n", "Hi\n"),
        (b"\xef\xbb\xbfHej S\xc3\xb8ren\r\nVi ses\r\n", "Hej Søren\nVi ses"),
    ],
    ids=["no end", "a line end", "of Windows", "one of two", "byte order mark"],
)
def test_a_file_of_text_loses_one_line_end(tmp_path: Path, written: bytes, text: str) -> None:
    (tmp_path / "t").write_bytes(written)

    assert texts(text_file=str(tmp_path / "t")) == (text, None)


def test_a_text_comes_from_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("Hej Søren\n".encode()), encoding="ascii"))

    assert texts(text_file="-") == ("Hej Søren", None)


def test_two_texts_cannot_both_come_from_standard_input() -> None:
    with pytest.raises(ConfigError, match="only one text"):
        texts(files_in=("da=-", "en=-"), language_column="Sprog")


def test_recipients_and_text_cannot_both_come_from_standard_input() -> None:
    with pytest.raises(ConfigError, match="cannot both come from standard input"):
        texts(text_file="-", file=Path("-"))


@pytest.mark.parametrize(
    ("written", "says"),
    [
        (b"Hi\n\xff", r"not UTF-8 in line 2"),
        (b"H\0i\0", None),
        (b"x" * 50_000, "more than 10000 characters"),
    ],
    ids=["another encoding", "NUL characters are characters", "too long"],
)
def test_a_file_that_is_no_text_is_refused(tmp_path: Path, written: bytes, says: str | None) -> None:
    (tmp_path / "t").write_bytes(written)

    if says is None:
        assert texts(text_file=str(tmp_path / "t"))[0] == "H\0i\0"
        return
    with pytest.raises(InputError, match=says):
        texts(text_file=str(tmp_path / "t"))


@pytest.mark.parametrize("name", ["missing", ""])
def test_a_file_of_text_that_cannot_be_read_is_said(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="cannot be read: "):
        texts(text_file=str(tmp_path / name))


def test_a_file_without_an_end_is_not_read_to_it() -> None:
    with pytest.raises(InputError, match="more than 10000 characters"):
        texts(text_file="/dev/zero")


def test_texts_in_several_languages_are_chosen_by_a_column(tmp_path: Path) -> None:
    (tmp_path / "en.txt").write_text("Hi\n")

    one, languages = texts(
        texts_in=("DA_dk=Hej = hallo",),
        files_in=(f"en={tmp_path / 'en.txt'}",),
        language_column="Sprog",
        default_language="EN",
    )

    assert languages == Languages(column="Sprog", texts={"da-dk": "Hej = hallo", "en": "Hi"}, default="en")
    assert one == "Hi"


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({}, "Give the message once"),
        ({"text": "a", "text_file": "b"}, "Give the message once"),
        ({"text": "a", **BOTH}, "Give the message once"),
        ({**BOTH, "language_column": None}, "name the column with the language"),
        ({**BOTH, "texts_in": ("Hej",)}, "write LANGUAGE=TEXT"),
        ({**BOTH, "texts_in": ("=Hej",)}, "write LANGUAGE=TEXT"),
        ({**BOTH, "texts_in": ("da=",)}, "write LANGUAGE=TEXT"),
        ({**BOTH, "texts_in": ("da=a", "DA=b")}, "two texts for da"),
        ({**BOTH, "default_language": "fr"}, "no text for it, only for da, en"),
        ({"text": "a", "default_language": "da"}, "goes with --text-in"),
        ({"text": "a", "language_column": "Sprog"}, "goes with --text-in"),
    ],
)
def test_what_does_not_say_which_text_is_meant_is_refused(given: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        texts(**given)


@pytest.mark.parametrize(
    ("cell", "language"),
    [
        ("da", "da"),
        (" DA ", "da"),
        ("da_DK", "da"),
        ("en-GB", "en-gb"),
        ("en-US", None),
        ("", None),
        ("d", None),
    ],
)
def test_a_row_takes_its_language_or_the_wider_one(cell: str, language: str | None) -> None:
    languages = Languages(column="Sprog", texts={"da": "Hej", "en-gb": "Hi"})

    assert languages.chosen(cell) == language


def test_languages_are_the_same_when_they_are_read_again() -> None:
    languages = Languages(column="Sprog", texts={"da": "Hej"}, default="da")

    assert Languages.of_kept(languages.kept) == languages


@pytest.mark.parametrize(
    "given", [{}, {"encoding": "gsm", "smart": True, "max_parts": 2}, {"encoding": "ucs2"}]
)
def test_rules_of_characters_are_the_same_when_they_are_read_again(given: dict[str, Any]) -> None:
    found = characters(**given)

    assert Characters.of_kept(found.kept, udh_bits=8) == found


def test_a_campaign_that_kept_no_rules_has_the_usual_ones() -> None:
    assert Characters.of_kept({}, udh_bits=8) == Characters()


@pytest.mark.parametrize(
    ("locale", "is_known"), [("da_DK", True), ("pt-BR", True), ("xx", False), ("", False)]
)
def test_a_locale_is_known_or_refused(locale: str, *, is_known: bool) -> None:
    if is_known:
        assert make_locale({"locale": locale}) == locale
        return
    with pytest.raises(ConfigError, match="--locale"):
        make_locale({"locale": locale})


def test_an_option_of_the_gateway_that_asks_for_an_encoding_is_composed_in_it() -> None:
    assert characters(options={"format": "unicode"}).encoding is Encoding.UCS_2
    assert characters(options={"format": "GSM"}).encoding is Encoding.GSM_7
    assert characters(encoding="ucs2", options={"format": "UNICODE"}).encoding is Encoding.UCS_2
    assert characters("smsend", options={"format": "unicode"}).encoding is None


@pytest.mark.parametrize(
    ("given", "options", "says"),
    [
        ({"encoding": "gsm"}, {"format": "UNICODE"}, "option format=UNICODE asks for another"),
        ({"smart": True}, {"format": "UNICODE"}, "--smart makes texts fit"),
        ({"smart": True, "encoding": "ucs2"}, {}, "--smart makes texts fit"),
    ],
)
def test_rules_that_contradict_each_other_are_refused(
    given: dict[str, Any], options: dict[str, object], says: str
) -> None:
    with pytest.raises(ConfigError, match=says):
        characters(options=options, **given)
