"""The pure step from a row and a template to the text that is kept and sent."""

import re
from bisect import bisect_left
from collections.abc import Mapping
from typing import Final, NamedTuple

from worker.errors import InputError
from worker.text.plain import is_plain
from worker.text.replacing import Replacement, replaced
from worker.text.segments import SINGLE, Encoding, is_short, measure
from worker.text.template import Template


class Composed(NamedTuple):  # one is made of each row: a dataclass would take twice as long
    """A text ready to be kept; printing it does not show it.

    Attributes:
        text: as it will be sent.
        encoding: of all its parts.
        units: septets or 16 bit units of the whole text.
        n_parts: what is billed.
        replacements: the signs that were replaced by plainer ones, where this was asked for.
        is_plain: known to hold nothing that a gateway minds; false: not looked at.
    """

    text: str
    encoding: Encoding
    units: int
    n_parts: int
    replacements: tuple[Replacement, ...] = ()
    is_plain: bool = False

    def __repr__(self) -> str:
        """Say what it costs, and nothing of what it says."""
        return f"Composed(encoding={self.encoding.value!r}, units={self.units}, n_parts={self.n_parts})"


_GSM_7, _UCS_2 = Encoding.GSM_7, Encoding.UCS_2  # quicker to look up, for every row
_SHORT = SINGLE[_GSM_7]
_new = tuple.__new__  # half the time of calling the class

#: Line feed, carriage return and form feed are the only control characters of the GSM alphabet.
_unsendable: Final = re.compile("[\x00-\x09\x0b\x0e-\x1f\x7f-\x9f\ud800-\udfff]").search


class Rules(NamedTuple):
    """How texts become parts.

    Attributes:
        max_parts: the most that the provider takes, or fewer that a person allows.
        udh_bits: 8 or 16, see ``segment``.
        encoding: asked for, see ``CHOICES``; or else the cheapest that holds the text.
        is_smart: replace typographic signs where the text then fits into GSM-7, see ``replaced``.
    """

    max_parts: int
    udh_bits: int = 8
    encoding: Encoding | None = None
    is_smart: bool = False


def compose(template: Template, values: Mapping[str, str], rules: Rules) -> Composed:
    """Fill in a row and count its parts.

    A value that the template shortens to a number of parts gives way until the whole text fits.

    Args:
        template: compiled.
        values: by variable name.
        rules: the same for all rows.

    Raises:
        InputError: ``missing_value``, ``template_error``, ``template_exhausted``, ``text_empty``,
            ``text_control_character``, ``text_not_gsm`` or ``text_too_long``; the message shows no more of
            the text than one character.
    """
    composed = _composed(template.render(values), rules)
    most = rules.max_parts
    if template.parts is not None and composed.n_parts > template.parts:
        most = min(most, template.parts)
        composed = _fitted(template, values, rules, characters=len(composed.text))
    if composed.n_parts > most:
        raise InputError(
            f"the text needs {composed.n_parts} parts, and at most {most} can be sent",
            code="text_too_long",
        )
    return composed


def _composed(text: str, rules: Rules) -> Composed:
    if not text or text.isspace():
        raise InputError("the text is empty", code="text_empty")
    _, udh_bits, encoding, is_smart = rules
    if encoding is not _UCS_2 and len(text) <= _SHORT:
        plain = is_plain(text)
        if plain or is_short(text):  # at once: there is nothing to replace or to refuse
            return _new(Composed, (text, _GSM_7, len(text), 1, (), plain))
    replacements: tuple[Replacement, ...] = ()
    if is_smart and encoding is not _UCS_2:
        text, replacements = replaced(text)
    used, units, n_parts = measure(text, encoding=encoding, udh_bits=udh_bits)
    if used is _UCS_2 and (found := _unsendable(text)):
        raise InputError(
            f"the text holds U+{ord(found[0]):04X}, a control character that no handset can show",
            code="text_control_character",
        )
    return Composed(text, used, units, n_parts, replacements)


def _fitted(template: Template, values: Mapping[str, str], rules: Rules, *, characters: int) -> Composed:
    """Find how long the shortened value can be at most, or leave nothing of it."""

    def needs_more(room: int) -> bool:
        return _composed(template.render(values, room=room), rules).n_parts > (template.parts or 0)

    first_too_long = bisect_left(range(characters), True, key=needs_more)  # noqa: FBT003 -- what is looked for
    return _composed(template.render(values, room=max(0, first_too_long - 1)), rules)
