"""`python -m tests.gateway_table`: writes into the README what the adapter of each gateway declares."""

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from worker.gateways import make_adapter
from worker.gateways.base import Adapter, Capabilities, Lookup
from worker.text.segments import Encoding

README = Path(__file__).parents[1] / "README.md"
BEGIN = "<!-- written by python -m tests.gateway_table -->"
END = "<!-- end of the table -->"
ORDER = ("txty_v6", "txty_v4", "smsend", "cpsms", "textmarketer")

_ALPHABETS = {Encoding.GSM_7: "GSM-7", Encoding.UCS_2: "UCS-2"}
_NO = "no"


def table() -> str:
    """Render the table: a row for each feature, a column for each gateway."""
    adapters = [make_adapter(name, username="acme", secret="-") for name in ORDER]
    heads = ["feature", *(f"`{name}`" for name in ORDER)]
    rows = [[feature, *map(cell, adapters)] for feature, cell in _FEATURES.items()]
    return "\n".join([_line(heads), "|---" * len(heads) + "|", *map(_line, rows)])


def written(readme: str) -> str:
    """Return the README with the table of now between its marks."""
    block = f"{BEGIN}\n\n{table()}\n\n{END}"
    return re.sub(f"{re.escape(BEGIN)}.*{re.escape(END)}", lambda _: block, readme, flags=re.DOTALL)


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _of(cell: Callable[[Capabilities], str]) -> Callable[[Adapter], str]:
    return lambda adapter: cell(adapter.capabilities)


def _yes(holds: object) -> str:
    return "yes" if holds else _NO


def _listed(words: Iterable[str]) -> str:
    return ", ".join(f"`{word}`" for word in sorted(words)) or _NO


def _alphabets(has: Capabilities) -> str:
    return ", ".join(name for encoding, name in _ALPHABETS.items() if encoding in has.encodings)


def _length(has: Capabilities) -> str:
    limits = (f"{limit} characters in {_ALPHABETS[each]}" for each, limit in has.max_characters.items())
    return ", ".join([f"{has.max_parts} parts", *limits])


def _back(has: Capabilities) -> str:
    if has.cancel_ahead_s is None:
        return _NO
    return f"until {has.cancel_ahead_s / 60:.0f} min before" if has.cancel_ahead_s else "until it leaves"


def _asked(has: Capabilities) -> str:
    if has.lookup is None or not has.lookup.tells_delivery:
        return _NO
    return f"every {has.lookup.interval_s:g} s at most"


def _settled(has: Capabilities) -> str:
    return _NO if has.lookup is None else _strength(has.lookup)


def _strength(lookup: Lookup) -> str:
    if lookup.is_alike:
        return "what it has that looks alike"
    return "what it has and has not" if lookup.is_proof else "what it has"


_FEATURES: Mapping[str, Callable[[Adapter], str]] = {
    "recipients of a request": _of(lambda has: str(has.max_recipients)),
    "a text for each of them": _of(lambda has: _yes(has.differs)),
    "alphabets": _of(_alphabets),
    "longest text": _of(_length),
    "longest sender": _of(lambda has: f"{has.max_sender_alnum} characters, {has.max_sender_digits} digits"),
    "options": _of(lambda has: _listed(has.options)),
    "recipients of its own": _of(lambda has: _listed(f"{kind}:ID" for kind in has.targets)),
    "`--schedule-at gateway`": _of(lambda has: _yes(has.schedules)),
    "gives back what it keeps": _of(_back),
    "pushes delivery reports": _of(lambda has: _yes(has.pushes)),
    "is asked what was delivered": _of(_asked),
    "is asked about the unknown, and tells": _of(_settled),
    "balance and check": lambda adapter: _yes(adapter.check()),
    "login": lambda adapter: "a session, shared" if adapter.login else "in each request",
}


if __name__ == "__main__":
    README.write_text(written(README.read_text(encoding="utf-8")), encoding="utf-8")
