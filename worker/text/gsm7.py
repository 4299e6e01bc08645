"""The GSM 7 bit default alphabet and its extension table (3GPP TS 23.038, 6.2.1 and 6.2.1.1)."""

from typing import Final

#: Announces an extension character: a position of the basic table, no character of a text.
ESCAPE: Final = "\x1b"

_ROWS: Final = (
    "@£$¥èéùìòÇ\nØø\rÅå",
    "Δ_ΦΓΛΩΠΨΣΘΞ" + ESCAPE + "ÆæßÉ",
    " !\"#¤%&'()*+,-./",
    "0123456789:;<=>?",
    "¡ABCDEFGHIJKLMNO",
    "PQRSTUVWXYZÄÖÑÜ§",
    "¿abcdefghijklmno",
    "pqrstuvwxyzäöñüà",
)

#: The 128 positions of the basic table, in order.
BASIC_TABLE: Final = "".join(_ROWS)

#: Characters of one septet.
BASIC: Final = frozenset(BASIC_TABLE) - {ESCAPE}

#: Characters of two septets, with the septet that follows the escape.
EXTENSION_TABLE: Final = {
    "\f": 0x0A,
    "^": 0x14,
    "{": 0x28,
    "}": 0x29,
    "\\": 0x2F,
    "[": 0x3C,
    "~": 0x3D,
    "]": 0x3E,
    "|": 0x40,
    "€": 0x65,
}

#: Characters of two septets.
EXTENSION: Final = frozenset(EXTENSION_TABLE)
