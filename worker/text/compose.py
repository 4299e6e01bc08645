"""The pure step from a row and a template to the text that is kept and sent."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from worker.errors import InputError
from worker.text.segments import Encoding, segment
from worker.text.template import Template


@dataclass(frozen=True, kw_only=True, slots=True)
class Composed:
    """A text ready to be kept.

    Attributes:
        text: as it will be sent.
        encoding: of all its parts.
        units: septets or 16 bit units of the whole text.
        n_parts: what is billed.
    """

    text: str = field(repr=False)
    encoding: Encoding
    units: int
    n_parts: int


#: Line feed, carriage return and form feed are the control characters of the GSM alphabet.
_unsendable: Final = re.compile("[\x00-\x09\x0b\x0e-\x1f\x7f-\x9f\ud800-\udfff]").search


def compose(template: Template, values: Mapping[str, str], *, max_parts: int, udh_bits: int = 8) -> Composed:
    """Fill in a row and count its parts.

    Args:
        template: compiled.
        values: by variable name.
        max_parts: the most that the provider takes.
        udh_bits: 8 or 16, see ``segment``.

    Raises:
        InputError: ``missing_value``, ``template_error``, ``text_empty``, ``text_control_character`` or
            ``text_too_long``; the message shows nothing of the text.
    """
    text = template.render(values)
    if not text.strip():
        raise InputError("the text is empty", code="text_empty")
    if found := _unsendable(text):
        raise InputError(
            f"the text holds U+{ord(found[0]):04X}, a control character that no handset can show",
            code="text_control_character",
        )
    cut = segment(text, udh_bits=udh_bits)
    if len(cut.parts) > max_parts:
        raise InputError(
            f"the text needs {len(cut.parts)} parts, and at most {max_parts} can be sent",
            code="text_too_long",
        )
    return Composed(text=text, encoding=cut.encoding, units=cut.units, n_parts=len(cut.parts))
