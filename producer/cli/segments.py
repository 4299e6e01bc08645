"""The command ``segments``: what a text costs, and which of its characters make it cost more."""

import json
import sys
import unicodedata
from typing import Final

import click

from worker.errors import InputError
from worker.text.segments import CONCATENATED, SINGLE, Encoding, Segmented, costly, segment

_ENCODING_NAMES: Final = {Encoding.GSM_7: "GSM-7", Encoding.UCS_2: "UCS-2"}
_UNIT_NAMES: Final = {Encoding.GSM_7: "septets", Encoding.UCS_2: "16 bit units"}
_LAST_OF_ONE_UNIT: Final = "\uffff"


@click.command()
@click.argument("text", required=False, default="-", metavar="[TEXT|-]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def segments(text: str, *, as_json: bool) -> None:
    """Show how TEXT is cut into parts, and which characters are costly.

    Without TEXT, or with -, it is read from standard input; one line end at its end is dropped.

    Example: bulksend segments "Hi Zoë, see you at 9"
    """
    text = _standard_input() if text == "-" else text
    _check(text)
    cut = segment(text)
    click.echo(_as_json(cut, text=text) if as_json else "\n".join(_report(cut, text=text)))


def _standard_input() -> str:
    text = sys.stdin.buffer.read().decode(errors="surrogateescape")
    return text.removesuffix("\n").removesuffix("\r")


def _check(text: str) -> None:
    """Refuse lone surrogates: they stand for bytes that are not UTF-8, on the command line too."""
    if any("\ud800" <= char <= "\udfff" for char in text):
        raise InputError("the text is not UTF-8: convert it and try again", code="encoding")


def _as_json(cut: Segmented, *, text: str) -> str:
    return json.dumps(
        {"encoding": cut.encoding, "units": cut.units, "parts": len(cut.parts), "costly": costly(text)},
        ensure_ascii=False,
    )


def _report(cut: Segmented, *, text: str) -> list[str]:
    limit = (SINGLE if len(cut.parts) == 1 else CONCATENATED[8])[cut.encoding]
    lines = [
        f"encoding  {_ENCODING_NAMES[cut.encoding]}",
        f"units     {cut.units} {_UNIT_NAMES[cut.encoding]}",
        f"parts     {len(cut.parts)}, each of at most {limit} {_UNIT_NAMES[cut.encoding]}",
    ]
    return lines + [f"costly    {_describe(char, encoding=cut.encoding)}" for char in costly(text)]


def _describe(char: str, *, encoding: Encoding) -> str:
    shown = f"{char} " if char.isprintable() else ""
    name = unicodedata.name(char, "character without a name")
    if encoding is Encoding.GSM_7:
        cost = "counts twice"
    else:
        cost = "forces UCS-2" + (" and counts twice" if char > _LAST_OF_ONE_UNIT else "")
    return f"{shown}U+{ord(char):04X} {name}: {cost}"
