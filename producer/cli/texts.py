"""The options that say what is sent, in which languages and characters, and what they come to."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import click

from producer.wording import ENCODINGS, Characters, Languages, language_of
from worker.errors import ConfigError, InputError
from worker.providers import Account
from worker.text.formats import is_locale
from worker.text.language import MAX_SOURCE
from worker.text.segments import CHOICES, Encoding

F = TypeVar("F", bound=Callable[..., Any])

STDIN = "-"
_MAX_BYTES = 4 * MAX_SOURCE + 4  # of so many characters, a byte order mark and a line end
_MOST_PARTS = 255  # that a header can count


def text_options(*, help_text: str) -> Callable[[F], F]:
    """Add what says what is sent; ``help_text`` is of the option ``--text``."""
    options = (
        click.option("--text", help=help_text),
        click.option(
            "--text-file", metavar="FILE", help="A file with the message, in UTF-8; - is standard input."
        ),
        click.option(
            "--text-in",
            "texts_in",
            multiple=True,
            metavar="LANGUAGE=TEXT",
            help="The message in one of several languages, as da=Hej; give it for each.",
        ),
        click.option(
            "--text-file-in", "files_in", multiple=True, metavar="LANGUAGE=FILE", help="The same from a file."
        ),
        click.option("--language-column", metavar="COLUMN", help="Column with the language of each row."),
        click.option(
            "--default-language",
            metavar="LANGUAGE",
            help="Of rows with no language, or another one; without it they are refused.",
        ),
        click.option(
            "--locale",
            help="How dates and numbers are written, as da_DK; default is the text's language, else en.",
        ),
        click.option(
            "--encoding",
            type=click.Choice(ENCODINGS),
            default="auto",
            help="auto (default): the cheapest that holds a text; gsm: refuse what it lacks; ucs2.",
        ),
        click.option(
            "--smart",
            is_flag=True,
            help="Plain signs for curly quotes, dashes and the like, where the text then fits into GSM-7.",
        ),
        click.option("--max-parts", type=click.IntRange(1, _MOST_PARTS), help="Refuse longer texts."),
    )

    def add(command: F) -> F:
        for option in reversed(options):
            command = option(command)
        return command

    return add


def make_texts(given: Mapping[str, Any]) -> tuple[str, Languages | None]:
    """Return the text, which stands for all of them where there are several languages.

    Raises:
        ConfigError: none is given, or more than one way.
        InputError: a file of texts cannot be read.
    """
    if [each.partition("=")[2] for each in given["files_in"]].count(STDIN) > 1:
        raise ConfigError("--text-file-in: only one text can come from standard input")
    several = dict(_several(given))
    one = [name for name in ("text", "text_file") if given[name] is not None]
    if len(one) + bool(several) != 1:
        raise ConfigError("Give the message once: with --text, --text-file, or --text-in for each language")
    if not several:
        _refuse(given, ("language_column", "default_language"), "goes with --text-in or --text-file-in")
        return given["text"] if one == ["text"] else _read(given["text_file"], given), None
    if given["language_column"] is None:
        raise ConfigError("--text-in: name the column with the language of each row, with --language-column")
    default = given["default_language"]
    chosen = None if default is None else language_of(default)
    if chosen is not None and chosen not in several:
        raise ConfigError(
            f"--default-language {default}: there is no text for it, only for {', '.join(several)}"
        )
    languages = Languages(column=given["language_column"], texts=several, default=chosen)
    return several[chosen or next(iter(several))], languages


def _refuse(given: Mapping[str, Any], names: tuple[str, ...], why: str) -> None:
    for name in names:
        if given[name] is not None:
            raise ConfigError(f"--{name.replace('_', '-')} {why}")


def _several(given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Give each language with its text."""
    seen = set()
    for option, name in (("--text-in", "texts_in"), ("--text-file-in", "files_in")):
        for written in given[name]:
            language, found, text = written.partition("=")
            key = language_of(language)
            if not (found and key and text and key.isprintable()):
                raise ConfigError(f"{option}: write LANGUAGE=TEXT, as in da=Hej, or a file after the sign")
            if key in seen:
                raise ConfigError(f"{option}: there are two texts for {key}")
            seen.add(key)
            yield key, text if name == "texts_in" else _read(text, given)


def _read(name: str, given: Mapping[str, Any]) -> str:
    """Read a file of text: UTF-8, its last line end dropped, the others as they are on every system."""
    if name == STDIN and str(given["file"]) == STDIN:
        raise ConfigError("Recipients and text cannot both come from standard input: write one into a file")
    shown = "standard input" if name == STDIN else name
    try:
        raw = _bytes(sys.stdin.buffer) if name == STDIN else _bytes_of(Path(name))
        text = raw.decode("utf-8-sig")
    except OSError as error:
        words = f"The text in {shown} cannot be read: {error.strerror}"
        raise InputError(words, code="file_missing") from None
    except UnicodeDecodeError as error:
        line = 1 + raw[: error.start].count(b"\n")
        words = f"The text in {shown} is not UTF-8 in line {line}: save it as UTF-8"
        raise InputError(words, code="encoding", line=line) from None
    return text.replace("\r\n", "\n").removesuffix("\n")


def _bytes_of(path: Path) -> bytes:
    with path.open("rb") as file:
        return _bytes(file)


def _bytes(file: BinaryIO) -> bytes:
    """Read no more than a template may have; what is longer is found too long, or cut within a character."""
    raw = file.read(_MAX_BYTES + 1)
    if len(raw) > _MAX_BYTES:
        raise InputError(f"the template has more than {MAX_SOURCE} characters", code="template_syntax")
    return raw


def make_locale(given: Mapping[str, Any]) -> str | None:
    """Check the locale; raises ConfigError."""
    locale: str | None = given["locale"]
    if locale is not None and not is_locale(locale):
        raise ConfigError(f"--locale {locale}: write a language that is known, such as da or pt_BR")
    return locale


def make_characters(account: Account, given: Mapping[str, Any], options: Mapping[str, object]) -> Characters:
    """Say how texts travel: as asked for here, or by an option of the gateway.

    Raises:
        ConfigError: two of them contradict each other.
    """
    encoding = CHOICES[given["encoding"]]
    by_option = _asked_by_option(account, options)
    if by_option is not None:
        words, found = by_option
        if encoding not in {None, found}:
            raise ConfigError(f"--encoding {given['encoding']}: the option {words} asks for another one")
        encoding = found
    if given["smart"] and encoding is Encoding.UCS_2:
        raise ConfigError("--smart makes texts fit into GSM-7: leave it out, or --encoding ucs2")
    return Characters(
        encoding=encoding,
        is_smart=given["smart"],
        max_parts=given["max_parts"],
        udh_bits=account.provider.udh,
    )


def _asked_by_option(account: Account, options: Mapping[str, object]) -> tuple[str, Encoding] | None:
    """Return the encoding that an option of the gateway asks for, with the option."""
    all_options = {**account.provider.options, **options}
    for (name, word), encoding in account.capabilities.encoding_options.items():
        if str(all_options.get(name, "")).upper() == word:
            return f"{name}={word}", encoding
    return None
