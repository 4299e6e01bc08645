"""The command ``segments``: what a text costs, and which of its characters make it cost more."""

import json
import sys
import unicodedata
from dataclasses import asdict, dataclass
from typing import Final

import click

from producer.cli.characters import name_of
from worker.errors import ConfigError, InputError
from worker.text.counting import counted
from worker.text.replacing import Replacement, replaced
from worker.text.segments import CHOICES, CONCATENATED, SINGLE, Encoding, Segmented, costly, is_gsm7, segment

_ENCODING_NAMES: Final = {Encoding.GSM_7: "GSM-7", Encoding.UCS_2: "UCS-2"}
_UNIT_NAMES: Final = {Encoding.GSM_7: "septets", Encoding.UCS_2: "16 bit units"}
_LAST_OF_ONE_UNIT: Final = "\uffff"


@click.command()
@click.argument("text", required=False, default="-", metavar="[TEXT|-]")
@click.option(
    "--encoding",
    type=click.Choice(list(CHOICES)),
    default="auto",
    help="auto (default): the cheapest that holds it; gsm: refuse what it lacks; ucs2.",
)
@click.option(
    "--udh",
    type=click.Choice(["8", "16"]),
    default="8",
    help="Bits of the number that joins the parts, as udh of a provider; default is 8.",
)
@click.option(
    "--smart", is_flag=True, help="Plain signs for curly quotes, dashes and the like, where it fits then."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def segments(text: str, *, encoding: str, udh: str, smart: bool, as_json: bool) -> None:
    """Show how TEXT is cut into parts, and which characters are costly.

    Without TEXT, or with -, it is read from standard input; one line end at its end is dropped.

    Example: bulksend segments "Hi Zoë, see you at 9"
    """
    text = _standard_input() if text == "-" else text
    _check(text)
    if smart and encoding == "ucs2":
        raise ConfigError("--smart makes texts fit into GSM-7: leave it out, or --encoding ucs2")
    text, replacements = replaced(text) if smart else (text, None)
    cut = segment(text, encoding=CHOICES[encoding], udh_bits=int(udh))
    found = _Found(cut=cut, udh_bits=int(udh), costly=_costly(cut, text), replacements=replacements)
    click.echo(_as_json(found) if as_json else "\n".join(_report(found)))


def _standard_input() -> str:
    text = sys.stdin.buffer.read().decode(errors="surrogateescape")
    return text.removesuffix("\n").removesuffix("\r")


def _check(text: str) -> None:
    """Refuse lone surrogates: they stand for bytes that are not UTF-8, on the command line too."""
    if any("\ud800" <= char <= "\udfff" for char in text):
        raise InputError("the text is not UTF-8: convert it and try again", code="encoding")


def _costly(cut: Segmented, text: str) -> list[str]:
    """Return the costly characters: what UCS-2 was asked for is none."""
    found = costly(text)
    is_asked = cut.encoding is Encoding.UCS_2 and is_gsm7(text)
    return [] if is_asked else found


@dataclass(frozen=True, kw_only=True)
class _Found:
    cut: Segmented
    udh_bits: int
    costly: list[str]
    replacements: tuple[Replacement, ...] | None  # None: nobody asked


def _as_json(found: _Found) -> str:
    cut = found.cut
    facts: dict[str, object] = {
        "encoding": cut.encoding,
        "units": cut.units,
        "parts": len(cut.parts),
        "costly": found.costly,
    }
    if found.replacements is not None:
        facts["replaced"] = [asdict(each) for each in found.replacements]
    return json.dumps(facts, ensure_ascii=False)


def _report(found: _Found) -> list[str]:
    cut = found.cut
    limit = (SINGLE if len(cut.parts) == 1 else CONCATENATED[found.udh_bits])[cut.encoding]
    lines = [
        f"encoding  {_ENCODING_NAMES[cut.encoding]}",
        f"units     {cut.units} {_UNIT_NAMES[cut.encoding]}",
        f"parts     {len(cut.parts)}, each of at most {limit} {_UNIT_NAMES[cut.encoding]}",
    ]
    lines += [f"costly    {_describe(char, encoding=cut.encoding)}" for char in found.costly]
    return lines + [f"replaced  {_replacement(each)}" for each in found.replacements or ()]


def _replacement(each: Replacement) -> str:
    instead = f'"{each.replacement}"' if each.replacement else "nothing"
    return f"{name_of(each.character)} by {instead}, {counted(each.count, 'time')}"


def _describe(char: str, *, encoding: Encoding) -> str:
    shown = f"{char} " if char.isprintable() else ""
    name = unicodedata.name(char, "character without a name")
    if encoding is Encoding.GSM_7:
        cost = "counts twice"
    else:
        cost = "forces UCS-2" + (" and counts twice" if char > _LAST_OF_ONE_UNIT else "")
    return f"{shown}U+{ord(char):04X} {name}: {cost}"
