"""The pure step from a row and a template to the text that is kept and sent."""

import re
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from worker.errors import InputError
from worker.text.replacing import Replacement, replaced
from worker.text.segments import Encoding, measure
from worker.text.template import Template


@dataclass(frozen=True, kw_only=True, slots=True)
class Composed:
    """A text ready to be kept.

    Attributes:
        text: as it will be sent.
        encoding: of all its parts.
        units: septets or 16 bit units of the whole text.
        n_parts: what is billed.
        replacements: the signs that were replaced by plainer ones, where this was asked for.
    """

    text: str = field(repr=False)
    encoding: Encoding
    units: int
    n_parts: int
    replacements: tuple[Replacement, ...] = field(default=(), repr=False)


#: Line feed, carriage return and form feed are the only control characters of the GSM alphabet.
_unsendable: Final = re.compile("[\x00-\x09\x0b\x0e-\x1f\x7f-\x9f\ud800-\udfff]").search


def compose(  # noqa: PLR0913 -- each is a choice of its own
    template: Template,
    values: Mapping[str, str],
    *,
    max_parts: int,
    udh_bits: int = 8,
    encoding: Encoding | None = None,
    is_smart: bool = False,
) -> Composed:
    """Fill in a row and count its parts.

    A value that the template shortens to a number of parts gives way until the whole text fits.

    Args:
        template: compiled.
        values: by variable name.
        max_parts: the most that the provider takes, or fewer that a person allows.
        udh_bits: 8 or 16, see ``segment``.
        encoding: asked for, see ``CHOICES``; or else the cheapest that holds the text.
        is_smart: replace typographic signs where the text then fits into GSM-7, see ``replaced``.

    Raises:
        InputError: ``missing_value``, ``template_error``, ``text_empty``, ``text_control_character``,
            ``text_not_gsm`` or ``text_too_long``; the message shows no more of the text than one character.
    """
    rules = _Rules(encoding=encoding, udh_bits=udh_bits, is_smart=is_smart)
    composed = _composed(template.render(values), rules)
    if template.parts is not None and composed.n_parts > template.parts:
        max_parts = min(max_parts, template.parts)
        composed = _fitted(template, values, rules, characters=len(composed.text))
    if composed.n_parts > max_parts:
        raise InputError(
            f"the text needs {composed.n_parts} parts, and at most {max_parts} can be sent",
            code="text_too_long",
        )
    return composed


class _Rules(NamedTuple):
    encoding: Encoding | None
    udh_bits: int
    is_smart: bool


def _composed(text: str, rules: _Rules) -> Composed:
    encoding, udh_bits, is_smart = rules
    if not text or text.isspace():
        raise InputError("the text is empty", code="text_empty")
    replacements: tuple[Replacement, ...] = ()
    if is_smart and encoding is not Encoding.UCS_2:
        text, replacements = replaced(text)
    used, units, n_parts = measure(text, encoding=encoding, udh_bits=udh_bits)
    if used is Encoding.UCS_2 and (found := _unsendable(text)):
        raise InputError(
            f"the text holds U+{ord(found[0]):04X}, a control character that no handset can show",
            code="text_control_character",
        )
    return Composed(text=text, encoding=used, units=units, n_parts=n_parts, replacements=replacements)


def _fitted(template: Template, values: Mapping[str, str], rules: _Rules, *, characters: int) -> Composed:
    """Find how long the shortened value can be at most, or leave nothing of it."""

    def needs_more(room: int) -> bool:
        return _composed(template.render(values, room=room), rules).n_parts > (template.parts or 0)

    first_too_long = bisect_left(range(characters), True, key=needs_more)  # noqa: FBT003 -- what is looked for
    return _composed(template.render(values, room=max(0, first_too_long - 1)), rules)
