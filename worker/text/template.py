"""A text with places to fill in, as Jinja2's sandbox understands it (Jinja 3.1, "Sandbox")."""

import unicodedata
import warnings
from collections.abc import Callable, Mapping
from operator import itemgetter
from typing import Final, NamedTuple

from jinja2 import TemplateSyntaxError, UndefinedError, nodes
from jinja2.exceptions import SecurityError
from jinja2.meta import TrackingCodeGenerator

from worker.errors import InputError
from worker.text.formats import Unreadable
from worker.text.grammar import Checked
from worker.text.language import (
    MAX_CHARACTERS,
    MAX_SOURCE,
    ROOM,
    Exhausted,
    Language,
    TooLong,
    language,
)
from worker.text.needs import needed
from worker.text.uses import Use, uses_of, worked_on

_MAX_PLACES: Final = 50  # that are filled in before anybody counts the characters
_MAX_PARTS: Final = 255  # a concatenated message cannot have more

EXHAUSTED: Final = "template_exhausted"
"""The code of a row with which the template does too much."""

_REASONS: Final[dict[type[Exception], str]] = {
    OverflowError: "a range in it is too long",
    SecurityError: "it calculates or asks what a template may not",
    TooLong: f"it makes a text of more than {MAX_CHARACTERS} characters",
    TypeError: "it prints or combines what is neither a text nor a number; are brackets missing?",
    UndefinedError: "it asks for something that a text does not have",
    ZeroDivisionError: "it divides by zero",
}

_Fill = Callable[[Mapping[str, str]], str | None]


def variable_name(header: str) -> str:
    """Return the name by which a template calls a column.

    >>> variable_name(" First name")
    'first_name'
    """
    folded = unicodedata.normalize("NFKC", header).casefold()
    return "_".join("".join(char if _is_of_a_word(char) else " " for char in folded).split())


def _is_of_a_word(char: str) -> bool:
    return char.isalnum() or unicodedata.category(char).startswith("M")  # vowel signs and accents


class Template:
    """A compiled template.

    Attributes:
        variables: the names, as ``variable_name`` writes them, that it asks for: each has to be a column.
        needed: those of them that each row must fill; the template allows for a blank in the others.
        is_constant: every row gets the same text.
        parts: how many the whole text shall have, where ``shorten(parts=...)`` makes a value give way.
    """

    def __init__(self, source: str, *, locale: str = "en") -> None:
        """Compile ``source``.

        Args:
            source: the text.
            locale: how dates and numbers are written where the template does not say it, such as ``da``.

        Raises:
            InputError: ``template_syntax``, with the line of the template.
        """
        if len(source) > MAX_SOURCE:
            raise InputError(f"the template has more than {MAX_SOURCE} characters", code="template_syntax")
        compiled = _compile(source, language(locale))
        self._names, self._needed, self.parts, self._uses, self._render, self._fill = compiled
        self.variables: Final = frozenset(self._names.values())
        self.needed: Final = frozenset(self._names[written] for written in self._needed)
        self.is_constant: Final = not self.variables

    def render(self, values: Mapping[str, str], *, room: int | None = None) -> str:
        """Fill in one row.

        Args:
            values: by variable name; a value is never read as a template.
            room: the characters that ``shorten(parts=...)`` leaves of its value; all of them by default.

        Raises:
            InputError: ``missing_value`` or ``value_too_long`` with its column, ``template_error`` or
                ``template_exhausted``; no
                value is shown.
        """
        if self._fill is not None:
            try:
                text = self._fill(values)
            except (KeyError, TypeError):
                text = None
            if text is not None and len(text) <= MAX_CHARACTERS:
                return text
        row: dict[str, object] = {written: self._value(values, written) for written in self._names}
        if room is not None:
            row[ROOM] = room
        column = None
        try:
            return self._render(row)
        except Exhausted:
            words = f"the template does too much{self._for_a_row}: fewer or shorter loops are needed"
            raise InputError(words, code=EXHAUSTED) from None
        except Unreadable as error:
            column = self._column(error, row)
            reason = f"the filter {error.filter}{f' of the column {column!r}' if column else ''}: {error}"
        except Exception as error:  # noqa: BLE001 -- a template can raise whatever Python can
            reason = _REASONS.get(type(error), type(error).__name__)
        words = f"the template cannot be filled in{self._for_a_row}: {reason}"
        raise InputError(words, code="template_error", column=column)

    @property
    def _for_a_row(self) -> str:
        return "" if self.is_constant else " for this row"

    def _column(self, error: Unreadable, row: Mapping[str, object]) -> str | None:
        """Return the column whose value a filter cannot use, where that is certain."""
        written = worked_on(self._uses.get(error.filter, []), error.value, row)
        return None if written is None else self._names[written]

    def _value(self, values: Mapping[str, str], written: str) -> str:
        name = self._names[written]
        value = values.get(name, "")
        if len(value) > MAX_CHARACTERS:
            raise InputError(
                f"the column {name!r} has more than {MAX_CHARACTERS} characters",
                code="value_too_long",
                column=name,
            )
        if value.strip():
            return value
        if name not in self.needed:
            return ""
        raise InputError(
            f"the column {name!r} is empty, and the template needs it", code="missing_value", column=name
        )


class _Compiled(NamedTuple):
    names: dict[str, str]  # as the template writes them: as they are named
    needed: frozenset[str]
    parts: int | None
    uses: dict[str, list[Use]]
    render: Callable[[Mapping[str, object]], str]
    fill: _Fill | None


def _compile(source: str, known: Language) -> _Compiled:
    try:
        tree = Checked().visit(known.parse(source))
        written = _asked(tree, known)
        names = {name: variable_name(name) for name in sorted(written)}
        fill, needs, parts = _fill(tree, names), needed(tree) & written, _parts(tree)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)  # Python's, of what Jinja2 made of the template
            render = known.from_string(tree).render
    except TemplateSyntaxError as error:
        message, line = f"line {error.lineno} of the template: {error.message}", error.lineno
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        message, line = "the template is nested too deeply or holds too large a number", 1
    else:
        return _Compiled(names, needs, parts, uses_of(tree), render, fill)
    raise InputError(message, code="template_syntax", line=line)


def _asked(tree: nodes.Template, known: Language) -> set[str]:
    """Return what Jinja2's ``find_undeclared_variables`` does, without calculating constants on the way."""
    finder = TrackingCodeGenerator(known)
    finder.optimizer = None
    finder.visit(tree)
    return finder.undeclared_identifiers - known.globals.keys()


def _parts(tree: nodes.Template) -> int | None:
    """Return the parts to which a value is shortened; nothing but one number can be meant for one text."""
    asked = [
        (each, pair) for each in tree.find_all(nodes.Filter) for pair in each.kwargs if each.name == "shorten"
    ]
    found = {
        pair.value.value if isinstance(pair.value, nodes.Const) else None: each.lineno
        for each, pair in asked
        if pair.key == "parts"
    }
    if not found:
        return None
    parts, line = found.popitem()
    if found or not isinstance(parts, int) or not 1 <= parts <= _MAX_PARTS:
        raise TemplateSyntaxError(f"shorten(parts=...) takes one number from 1 to {_MAX_PARTS}", line)
    return parts


def _fill(tree: nodes.Template, names: Mapping[str, str]) -> _Fill | None:
    """Return what fills in a template of texts and names alone, far faster; ``None`` asks for more care."""
    pieces = [
        piece for each in tree.body for piece in (each.nodes if isinstance(each, nodes.Output) else [each])
    ]
    pattern, places = "", []
    for piece in pieces:
        if isinstance(piece, nodes.TemplateData):
            pattern += piece.data.replace("%", "%%")
        elif isinstance(piece, nodes.Name) and piece.name in names:
            pattern += "%s"
            places.append(names[piece.name])
        else:
            return None
    if len(places) > _MAX_PLACES:
        return None
    if len(places) > 1:
        return _fill_several(pattern, itemgetter(*places))
    return _fill_one(pattern, places[0]) if places else None


def _fill_several(pattern: str, values_of: Callable[[Mapping[str, str]], tuple[str, ...]]) -> _Fill:
    def fill(values: Mapping[str, str]) -> str | None:
        found = values_of(values)
        return pattern % found if all(map(str.strip, found)) else None

    return fill


def _fill_one(pattern: str, place: str) -> _Fill:
    def fill(values: Mapping[str, str]) -> str | None:
        found = values[place]
        return pattern % found if str.strip(found) else None

    return fill
