"""Numbers that were removed, what stands in their place, and that nothing is ever sent to them again.

A pruned number leaves a digest under a key of this ledger: the same number has the same one, so that what
went to it can still be found by who knows it, and nobody without the ledger can try all numbers. One that was
erased leaves nothing.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

from sqlalchemy import ColumnElement, Connection, literal_column, select

from worker.ledger.models import LEDGER_KEYS, MESSAGES

ERASED: Final = "gone:"
"""In the place of a number that was erased."""

_DIGITS: Final = 32


def numbers_key(connection: Connection) -> bytes:
    """Return the key of the digests."""
    query = select(LEDGER_KEYS.c.secret).where(LEDGER_KEYS.c.name == "numbers")
    return bytes.fromhex(connection.execute(query).scalar_one())


def digest(key: bytes, recipient: str) -> str:
    """Return what stands for a recipient that was pruned."""
    return ERASED + hmac.digest(key, recipient.encode(), hashlib.sha256).hex()[:_DIGITS]


def has_number(recipient: str) -> bool:
    """Say whether the recipient of a message is still known."""
    return not recipient.startswith(ERASED)


def is_gone() -> ColumnElement[bool]:
    """Say, as SQL, that the recipient of a message is not known any more."""
    return MESSAGES.c.msisdn.like(literal_column("'gone:%'"))
