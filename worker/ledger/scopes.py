"""Scopes of opt-outs: everything, a purpose such as reminders, or a sender."""

from __future__ import annotations

import re

from worker.errors import ConfigError

ALL = "all"
CONFIRMATION = "confirmation"
"""The purpose of the one message that may follow an opt-out."""

_PURPOSE = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_LONGEST_SENDER = 40


def purpose_named(written: str) -> str:
    """Return the name of a purpose, in lower case.

    Raises:
        ConfigError: it is none, or one that is kept for confirmations.
    """
    name = written.strip().lower()
    if not _PURPOSE.fullmatch(name):
        raise ConfigError("a purpose is 1 to 40 letters, digits, - and _, such as marketing")
    if name in {ALL, CONFIRMATION}:
        raise ConfigError(f"{name} is no purpose of a campaign: name another, such as marketing")
    return name


def of_purpose(name: str) -> str:
    """Return the scope of a purpose."""
    return f"purpose:{name}"


def of_sender(sender: str) -> str:
    """Return the scope of a sender, however it is spelt."""
    return f"sender:{sender.strip().casefold()}"


def scope_named(written: str) -> str:
    """Read a scope as it is kept: ``all``, ``purpose:NAME`` or ``sender:NAME``.

    Raises:
        ConfigError: it is none.
    """
    kind, _, name = written.strip().partition(":")
    kind, name = kind.strip().lower(), name.strip()
    if kind == ALL and not name:
        return ALL
    if kind == "purpose":
        return of_purpose(purpose_named(name))
    if kind == "sender" and name and name.isprintable() and len(name) <= _LONGEST_SENDER:
        return of_sender(name)
    raise ConfigError("a scope is all, purpose:NAME or sender:NAME")


def scopes_of(*, purpose: str, sender: str) -> tuple[str, ...]:
    """Return the scopes that keep a message of a campaign from leaving; none where it is a confirmation."""
    return () if purpose == CONFIRMATION else (ALL, of_purpose(purpose), of_sender(sender))
