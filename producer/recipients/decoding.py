"""Bytes become text: the encoding is found by rules, and a guess that looks wrong is refused.

UTF-8 is certain where bytes above 127 form its sequences. UTF-16 is told by its mark or its NULs. What is
neither is taken for CP1252, which reads ISO-8859-1 too, only where the country writes in it and the letters
stand as they do in its languages; everything else is to be said by a person.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import Final

from producer.recipients.form import GUESS, OTHER, Found
from worker.errors import InputError

_ASCII: Final = "ascii"
_UTF8: Final = "utf-8"
_SAMPLE_BYTES: Final = 1 << 14
_LEAST_NULS: Final = (
    0.2  # of the bytes of a file in UTF-16: digits, delimiters and ends of lines have one each
)
_STRAY_NULS: Final = 0.02  # of all NULs, on the side where the others are not

_MARKS: Final = (  # the longer first: that of UTF-32 begins like one of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, _UTF8),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)

_ORDERED: Final = {"utf-16": "utf-16-le", "utf-32": "utf-32-le", "utf-8-sig": _UTF8}  # without a mark

#: Where spreadsheets save CSV in another code page than CP1252 (the ANSI code pages of Windows).
_CODE_PAGES: Final = {
    region: page
    for page, regions in {
        "cp1250": "AL BA CZ HR HU ME PL RO RS SI SK XK",
        "cp1251": "BG BY KG KZ MK MN RU TJ UA",
        "cp1253": "CY GR",
        "cp1254": "AZ TR UZ",
        "cp1255": "IL",
        "cp1256": "AE AF BH DZ EG IQ IR JO KW LB LY MA OM PK QA SA SD SY TN YE",
        "cp1257": "EE LT LV",
        "cp1258": "VN",
        "cp874": "TH",
        "shift_jis": "JP",
        "gbk": "CN SG",
        "cp949": "KR",
        "big5": "HK MO TW",
    }.items()
    for region in regions.split()
}

#: What no language of CP1252 writes: four of its letters in a row, a sign between two letters, or a capital
#: of the upper rows behind a small letter.
_implausible: Final = re.compile(
    "[\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u00ff]{4}"
    "|[^\\W\\d_][\u00a1-\u00a9\u00ab\u00ac\u00ae-\u00b1\u00b6\u00b8\u00b9\u00bb-\u00bf\u00d7\u00f7"
    "\u201a\u0192\u201e\u2020\u2021\u02c6\u2030\u2039\u203a\u201c\u201d\u02dc\u20ac][^\\W\\d_]"
    "|[a-z\u00df-\u00f6\u00f8-\u00ff][\u0160\u0152\u017d\u0178]"
).search
_words: Final = re.compile(rb"[^\0- ,;|\"]+").finditer
_is_foreign: Final = re.compile(rb"[\x80-\x9f\xa1-\xff]").search  # not ASCII alone
_SHOWN_BYTES: Final = 40  # of a word
_in_utf8: Final = re.compile(rb"\xc3[\x80-\xbf]|\xe2\x80[\x90-\xbf]").search  # letters and quotes: a mixture


class Decoder:
    """Makes text of whole lines in UTF-8, or in what is guessed at the first line that is not.

    Args:
        found: takes the encoding.
        name: of the file, for messages.
        region: ISO code of the country of the file, or None.
        is_given: whether the encoding was said: nothing is guessed then.
    """

    def __init__(self, found: Found, *, name: str, region: str | None, is_given: bool) -> None:
        self._found = found
        self._name = name
        self._region = region
        self._is_given = is_given
        self._guessed_at = 0  # line
        self._noted = 0  # line: what came up to it is counted

    def text(self, lines: bytes, *, number: int) -> str:
        """Return the text of lines, of which the first has this number.

        Raises:
            InputError: ``encoding``, with its line.
        """
        if not self._found.is_guessed:
            text, n_good = _decode(lines, _UTF8)
            if n_good is None:
                if self._found.encoding == _ASCII and not text.isascii():
                    self._found.encoding = _UTF8
                return text
            self._guess(number + _ends(text), is_mixed=not text.isascii())
        return self._guessed(lines, number=number)

    def close(self) -> None:
        """Say what is said of a file that ended without a character above 127."""
        if self._found.encoding == _ASCII:
            self._found.encoding = _UTF8

    def _guess(self, at: int, *, is_mixed: bool) -> None:
        if self._is_given or is_mixed or self._found.encoding != _ASCII:
            other = "" if self._is_given else ", though the lines before it are"
            step = 'save the file as "CSV UTF-8", or say what it is, such as --file-encoding cp1252'
            raise _refused(f"line {at} of {self._name} is not UTF-8{other}: {step}", line=at)
        page = _CODE_PAGES.get(self._region or "")
        if page is not None:
            raise _refused(
                f"line {at} of {self._name} is not UTF-8: say what it is, such as --file-encoding {page}, "
                'or save the file as "CSV UTF-8"',
                line=at,
            )
        self._found.encoding, self._found.is_guessed, self._guessed_at = GUESS, True, at

    def _guessed(self, lines: bytes, *, number: int) -> str:
        text, n_good = _decode(lines, GUESS)
        if n_good is None:
            odd = _implausible(text) or _in_utf8(lines)
            if odd is None:
                self._note(lines, number=number)
                return text
            text = text[: odd.start()]
        at = number + _ends(text)
        first = self._guessed_at
        other = "certainly CP1252 either" if at == first else f"certainly CP1252 either, by its line {at}"
        raise _refused(
            f"line {first} of {self._name} is not UTF-8, and the file is not {other}: say what it is, as "
            'in --file-encoding cp1250, or save it as "CSV UTF-8"',
            line=first,
        )

    def _note(self, lines: bytes, *, number: int) -> None:
        """Count lines with letters that may be others; some lines come here twice."""
        if lines.isascii():
            return
        found = self._found
        for at, line in enumerate(lines.splitlines(), start=number):
            if line.isascii() or at <= self._noted:
                continue
            self._noted = at
            found.n_doubtful += 1
            if found.otherwise is None:
                _look_at_words(line, found)


def _look_at_words(line: bytes, found: Found) -> None:
    """Keep a word of a line to be shown, better one that another encoding reads otherwise."""
    for word in filter(_is_foreign, (each[0] for each in _words(line))):
        read = word[:_SHOWN_BYTES].decode(GUESS)
        other, n_good = _decode(word[:_SHOWN_BYTES], OTHER)
        if n_good is None and other != read:
            found.doubtful, found.otherwise = read, other
            return
        found.doubtful = found.doubtful or read


def as_utf8(pieces: Iterator[bytes], found: Found, *, given: str | None, name: str) -> Iterator[bytes]:
    """Find the encoding as far as the first piece tells it, and yield the content in UTF-8 without a mark.

    What is undecided, or found to be UTF-8, is passed on as it is.

    Args:
        pieces: the content.
        found: takes the encoding; ``ascii`` stands for what is undecided.
        given: the encoding, where a person said it.
        name: of the file, for messages.

    Raises:
        InputError: ``encoding``.
    """
    first = next(pieces, b"")
    mark, marked = next(((m, e) for m, e in _MARKS if first.startswith(m)), (b"", None))
    if given is not None and marked is not None and not _agree(given, marked):
        raise _refused(
            f"{name} begins with the mark of {marked.upper()}, and --file-encoding says {given}", line=1
        )
    encoding = marked or _ORDERED.get(given or "") or given or _without_mark(first)
    if marked is None and given == "utf-16":
        encoding = _without_mark(first) or encoding
    found.encoding = encoding or _ASCII
    first = first.removeprefix(mark)
    if encoding in {None, _UTF8}:
        yield first
        yield from pieces
    else:
        yield from _decoded(first, pieces, encoding=str(encoding), name=name)


def _decode(content: bytes, encoding: str) -> tuple[str, int | None]:
    """Return the text, or that of the good bytes in front and how many these are."""
    try:
        return content.decode(encoding), None
    except UnicodeDecodeError as error:
        n_good = error.start
    return content[:n_good].decode(encoding), n_good


def _agree(given: str, marked: str) -> bool:
    return given.removesuffix("-sig").startswith(marked) or marked.startswith(given)


def _without_mark(first: bytes) -> str | None:
    sample = first[: _SAMPLE_BYTES & ~1]
    n_even, n_odd = sample[::2].count(0), sample[1::2].count(0)
    if n_even + n_odd < max(1, len(sample) * _LEAST_NULS):
        return None
    if n_even <= n_odd * _STRAY_NULS:
        return "utf-16-le"
    return "utf-16-be" if n_odd <= n_even * _STRAY_NULS else None


def _decoded(first: bytes, pieces: Iterator[bytes], *, encoding: str, name: str) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(encoding)()
    line, is_first = 1, True
    for piece, is_last in _with_last(first, pieces):
        text, good = "", None
        try:
            text = decoder.decode(piece, final=is_last)
        except UnicodeError as error:
            good = ""
            if isinstance(error, UnicodeDecodeError):
                good = error.object[: error.start].decode(encoding, "ignore")
        if good is not None:
            at = line + _ends(good)
            raise _refused(
                f"line {at} of {name} is not {encoding.upper()}: say what it is with --file-encoding, "
                'or save the file as "CSV UTF-8"',
                line=at,
            )
        content = text.encode("utf-8", "replace")
        yield content.removeprefix(codecs.BOM_UTF8) if is_first else content
        is_first = is_first and not content
        line += _ends(text)


def _with_last(first: bytes, pieces: Iterator[bytes]) -> Iterator[tuple[bytes, bool]]:
    before = first
    for piece in pieces:
        yield before, False
        before = piece
    yield before, True


def _ends(text: str) -> int:
    """Count the ends of lines, of whatever kind."""
    return text.count("\n") or text.count("\r")


def _refused(sentence: str, *, line: int) -> InputError:
    return InputError(sentence, code="encoding", line=line)
