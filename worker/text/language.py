"""What a template may say: Jinja2's sandbox without what takes any time or makes a text of any size.

Every value is a text, a number, or a flat list of these; every text is bounded; and each render has a budget
of steps, which loops, filters and calls use up by the size of what they work on. (Jinja 3.1, "Sandbox".)
"""

import math
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from functools import cache, partial
from typing import Any, Final

from jinja2 import StrictUndefined, Undefined, pass_context
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context, LoopContext
from jinja2.sandbox import SandboxedEnvironment

from worker.text import formats, words
from worker.text.formats import Unreadable

#: Characters of a text or a value; ten times the longest message that a handset can join.
MAX_CHARACTERS: Final = 20_000

#: Characters of a template: longer ones take too long to compile.
MAX_SOURCE: Final = 10_000

#: The variable that says how many characters ``shorten(parts=...)`` leaves; no template can write it.
ROOM: Final = " room"

_STEPS: Final = 50_000
_MAX_FACTOR: Final = 10**12
_MAX_RANGE: Final = 1_000
_SCALARS: Final = (str, int, float, Decimal, Undefined)

_METHODS: Final = frozenset(
    {
        "endswith",
        "find",
        "isalpha",
        "isdigit",
        "lower",
        "lstrip",
        "rstrip",
        "split",
        "startswith",
        "strip",
        "upper",
    }
)
_OF_A_LOOP: Final = frozenset(
    {"cycle", "first", "index", "index0", "last", "length", "nextitem", "previtem", "revindex", "revindex0"}
)
_TESTS: Final = frozenset(
    {
        *("!=", "<", "<=", "==", ">", ">=", "eq", "ge", "gt", "in", "le", "lt", "ne"),
        *("defined", "none", "number", "string", "undefined"),
    }
)


class Exhausted(Exception):
    """A render used up its steps."""


class TooLong(Exception):
    """A text, whole or in the making, is longer than any message."""


class TextContext(Context):
    """The variables of one render, and the steps that it has left."""

    steps = _STEPS

    def charge(self, steps: int) -> None:
        """Take from what is left."""
        self.steps -= steps
        if self.steps < 0:
            raise Exhausted


class Language(SandboxedEnvironment):
    """Jinja2 without what could give two results for one row, or take any time or memory."""

    context_class = TextContext
    intercepted_binops = frozenset({"*", "**", "%", "+"})

    def __init__(self, locale: str) -> None:
        # No optimizer, and a finalizer with context: nothing is calculated before there is a budget.
        super().__init__(undefined=StrictUndefined, autoescape=False, optimized=False, finalize=_printable)
        self.globals = {"range": _range}
        self.tests = {name: self.tests[name] for name in _TESTS} | {"even": _even, "odd": _odd}
        self.filters = {name: _charged(name, each) for name, each in _filters(locale).items()}
        self.filters |= {" steps": _steps, "shorten": _shorten}

    def concat(self, pieces: Iterable[str]) -> str:
        """Join what a render yields."""
        return _bounded(pieces)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:  # noqa: ANN401 -- Jinja's signature
        """Calculate with numbers only; texts can be joined."""
        if operator == "+" and isinstance(left, str) and isinstance(right, str):
            context.charge(_size(left) + _size(right))
            return _bounded((left, right))
        are_small = all(isinstance(x, int | float) and abs(x) < _MAX_FACTOR for x in (left, right))
        if operator == "**" or not are_small:
            raise SecurityError("this calculation is not allowed")
        return super().call_binop(context, operator, left, right)

    def call(__self, __context: Any, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401, N805, PYI063 -- Jinja's signature
        """Call a range, or a method of a text."""
        __context.charge(1 + _size(getattr(__obj, "__self__", None)))
        result = super().call(__context, __obj, *args, **kwargs)
        __context.charge(_size(result))  # a range can be slow to search
        return result

    def is_safe_attribute(self, obj: object, attr: str, value: object) -> bool:  # noqa: ARG002 -- Jinja's signature
        """Allow the few methods that cannot make a text longer."""
        return (isinstance(obj, str) and attr in _METHODS) or (
            isinstance(obj, LoopContext) and attr in _OF_A_LOOP
        )

    def wrap_str_format(self, value: object) -> None:
        """Treat ``format`` as every other method: it can pad to any width."""


@cache
def language(locale: str) -> Language:
    """Return the one environment of a locale."""
    return Language(locale)


def _filters(locale: str) -> dict[str, Callable[..., object]]:
    return {
        " flat": _flat,
        " scalar": _scalar,
        "abs": abs,
        "capitalize": lambda value: _string(value).capitalize(),
        "count": len,
        "d": _default,
        "date": partial(formats.date_text, locale=locale),
        "default": _default,
        "first": lambda values: values[0],
        "first_word": words.first_word,
        "float": lambda value: float(formats.number(value)),
        "int": lambda value: int(formats.number(value)),
        "join": _join,
        "last": lambda values: values[-1],
        "length": len,
        "lower": lambda value: _string(value).lower(),
        "money": partial(formats.money_text, locale=locale),
        "number": partial(formats.number_text, locale=locale),
        "replace": _replace,
        "round": _round,
        "string": _string,
        "time": partial(formats.time_text, locale=locale),
        "title": lambda value: words.title(_string(value)),
        "trim": lambda value: _string(value).strip(),
        "upper": lambda value: _string(value).upper(),
    }


def _charged(name: str, each: Callable[..., object]) -> Callable[..., object]:
    @pass_context
    def charged(context: TextContext, value: object, *args: object, **kwargs: object) -> object:
        context.charge(1 + _size(value))
        try:
            return each(value, *args, **kwargs)
        except Unreadable as error:
            raise _of(name, value, error) from None

    return charged


def _of(name: str, value: object, error: Unreadable) -> Unreadable:
    error.filter, error.value = name, value
    return error


def _size(value: object) -> int:
    """Return the steps that it takes to go through a value, whatever is done with it."""
    if isinstance(value, str):
        return len(value) // 64
    return len(value) // 8 if isinstance(value, list | tuple | dict | range) else 0


def _bounded(pieces: Iterable[str]) -> str:
    room, kept = MAX_CHARACTERS, []
    for piece in pieces:
        room -= len(piece)
        if room < 0:
            raise TooLong
        kept.append(piece)
    return "".join(kept)


@pass_context
def _printable(_context: TextContext, value: object) -> object:
    """Let nothing into a message that only a programmer can read, such as a forgotten pair of brackets."""
    return _scalar(value)


def _scalar(value: object) -> object:
    if isinstance(value, _SCALARS) and not (isinstance(value, float) and not math.isfinite(value)):
        return value
    raise TypeError("only texts and numbers can be printed")


def _flat(values: object) -> object:
    pairs = [*values, *values.values()] if isinstance(values, dict) else values
    if isinstance(pairs, list | tuple) and all(
        value is None or isinstance(value, _SCALARS) for value in pairs
    ):
        return values
    raise TypeError("a list holds texts and numbers only")


def _range(*bounds: int) -> range:
    numbers = range(*bounds)
    if len(numbers) > _MAX_RANGE:
        raise OverflowError
    return numbers


def _string(value: object) -> str:
    return str(_scalar(value))


def _join(values: Iterable[object], between: object = "") -> str:
    sign = _string(between)
    pieces = (piece for n, value in enumerate(values) for piece in ((sign,) if n else ()) + (_string(value),))
    return _bounded(pieces)


def _replace(value: str, old: str, new: str) -> str:
    if len(value) + value.count(old) * (len(new) - len(old)) > MAX_CHARACTERS:
        raise TooLong
    return value.replace(old, new)


def _default(value: object, fallback: object = "", boolean: object = None) -> object:  # noqa: ARG001 -- as Jinja's, which tells blank from undefined
    return (
        fallback if isinstance(value, Undefined) or (isinstance(value, str) and not value.strip()) else value
    )


def _round(value: float, decimals: int = 0) -> float:
    if 0 <= decimals <= 10:  # noqa: PLR2004 -- more than any amount has
        return float(formats.rounded(formats.number(value), decimals))
    raise Unreadable("it takes 0 to 10 decimals")


def _even(value: object) -> bool:
    return isinstance(value, int) and value % 2 == 0  # a text would be formatted by a percent sign


def _odd(value: object) -> bool:
    return isinstance(value, int) and value % 2 == 1


@pass_context
def _shorten(
    context: TextContext,
    value: str,
    characters: int | None = None,
    *,
    parts: int | None = None,
    end: str = "...",
) -> str:
    """Shorten to so many characters; or so that the whole text has so many parts, which ``compose`` finds."""
    context.charge(1 + 16 * _size(value))
    room = characters if parts is None else context.resolve(ROOM)
    if not isinstance(room, int) or room < 0:
        if parts is not None:
            return value
        raise _of("shorten", value, Unreadable("it needs a number of characters, or parts="))
    return words.shorten(value, room, end=end)


@pass_context
def _steps(context: TextContext, values: Iterable[object], cost: int) -> Iterator[object]:
    if not isinstance(values, str | list | tuple | dict | range):
        raise TypeError("only lists can be looped over")
    for value in values:
        context.charge(cost)
        yield value
