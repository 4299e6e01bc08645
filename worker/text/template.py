"""A text with places to fill in, as Jinja2's sandbox understands it (Jinja 3.1, "Sandbox")."""

import unicodedata
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

from jinja2 import StrictUndefined, TemplateSyntaxError, Undefined, UndefinedError, meta
from jinja2.exceptions import SecurityError
from jinja2.sandbox import SandboxedEnvironment, safe_range

from worker.errors import InputError

_MAX_SOURCE: Final = 20_000  # characters; ten times the longest message that a handset can join
_MAX_FACTOR: Final = 10**12

_REASONS: Final[dict[type[Exception], str]] = {
    OverflowError: "a range in it is too long",
    SecurityError: "it calculates or asks what a template may not",
    TypeError: "it prints or combines what is neither a text nor a number; are brackets missing?",
    UndefinedError: "it asks for something that a text does not have",
    ZeroDivisionError: "it divides by zero",
}


def variable_name(header: str) -> str:
    """Return the name by which a template calls a column.

    >>> variable_name(" First name")
    'first_name'
    """
    folded = unicodedata.normalize("NFKC", header).casefold()
    return "_".join("".join(char if _is_of_a_word(char) else " " for char in folded).split())


def _is_of_a_word(char: str) -> bool:
    return char.isalnum() or unicodedata.category(char).startswith("M")  # vowel signs and accents


def _printable(value: object) -> object:
    """Let nothing into a message that only a programmer can read, such as a forgotten pair of brackets."""
    if isinstance(value, str | int | float | Decimal | Undefined):
        return value
    raise TypeError("only texts and numbers can be printed")


class _Environment(SandboxedEnvironment):
    """Jinja2 without what could give two results for one row, or a result of any size."""

    intercepted_binops = frozenset({"*", "**", "%"})

    def __init__(self) -> None:
        super().__init__(undefined=StrictUndefined, autoescape=False, finalize=_printable)
        self.globals = {"range": safe_range}
        del self.filters["random"]

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:  # noqa: ANN401 -- Jinja's signature
        """Calculate with numbers only: a repeated or padded text, or a power, can be of any size."""
        operands_are_small = all(isinstance(x, int | float) and abs(x) < _MAX_FACTOR for x in (left, right))
        if operator == "**" or not operands_are_small:
            raise SecurityError("this calculation is not allowed")
        return super().call_binop(context, operator, left, right)


_environment: Final = _Environment()


class Template:
    """A compiled template.

    Attributes:
        variables: the names, as ``variable_name`` writes them, that each row must fill.
        is_constant: every row gets the same text.
    """

    def __init__(self, source: str) -> None:
        """Compile ``source``.

        Raises:
            InputError: ``template_syntax``, with the line of the template.
        """
        if len(source) > _MAX_SOURCE:
            raise InputError(f"the template has more than {_MAX_SOURCE} characters", code="template_syntax")
        self._names, self._render = _compile(source)
        self.variables: Final = frozenset(self._names.values())
        self.is_constant: Final = not self.variables

    def render(self, values: Mapping[str, str]) -> str:
        """Fill in one row.

        Args:
            values: by variable name; a value is never read as a template.

        Raises:
            InputError: ``missing_value`` with its column, or ``template_error``; neither shows a value.
        """
        row = {written: _filled(values, name) for written, name in self._names.items()}
        try:
            return self._render(row)
        except Exception as error:  # noqa: BLE001 -- a template can raise whatever Python can
            reason = _REASONS.get(type(error), type(error).__name__)
        raise InputError(f"the template cannot be filled in for this row: {reason}", code="template_error")


def _filled(values: Mapping[str, str], name: str) -> str:
    value = values.get(name, "")
    if value.strip():
        return value
    raise InputError(
        f"the column {name!r} is empty, and the template needs it", code="missing_value", column=name
    )


def _compile(source: str) -> tuple[dict[str, str], Callable[[Mapping[str, str]], str]]:
    """Return the variables, as the template writes them and as they are named, and what renders them."""
    try:
        tree = _environment.parse(source)
        written = meta.find_undeclared_variables(tree) - _environment.globals.keys()
        render = _environment.from_string(source).render
    except TemplateSyntaxError as error:
        message, line = f"line {error.lineno} of the template: {error.message}", error.lineno
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        message, line = "the template is nested too deeply or holds too large a number", 1
    else:
        return {name: variable_name(name) for name in sorted(written)}, render
    raise InputError(message, code="template_syntax", line=line)
