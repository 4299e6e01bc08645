"""The addresses that gateways call: nobody signs a delivery report, so only the gateway knows where it goes.

An address is ``PUBLIC_URL/TOKEN`` for a gateway whose panel asks for one, and ``PUBLIC_URL/TOKEN/REFERENCE``
where it is given with each request. Replies have an address of their own for each provider. A token is
derived from a secret of the ledger (HMAC-SHA-256, RFC 2104).
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import urlsplit

from worker.gateways import find_gateway
from worker.settings import Settings

_TOKEN_DIGITS = 32  # 128 bits
_REPLIES = "replies:"  # no provider's name holds a colon
_REFERENCE = re.compile(r"[a-z0-9]{20}", re.ASCII)


def pushing(settings: Settings) -> list[str]:
    """Return the providers whose gateway pushes delivery reports."""
    providers = settings.providers.items()
    return [name for name, each in providers if find_gateway(each.gateway).capabilities.pushes]


def address(settings: Settings, *, key: bytes, provider: str) -> str | None:
    """Return where a provider's gateway is to push; None where it pushes nothing, or cannot reach us."""
    public_url = settings.receipts.public_url
    if public_url is None or provider not in pushing(settings):
        return None
    return f"{public_url}/{_token(key, provider=provider)}"


def dlr_urls(settings: Settings, *, key: bytes, provider: str) -> Callable[[str], str] | None:
    """Return what gives the address for the reports of each submission; None as ``address``."""
    place = address(settings, key=key, provider=provider)
    return None if place is None else lambda reference: f"{place}/{reference}"


def reply_address(settings: Settings, *, key: bytes, provider: str) -> str:
    """Return where replies that come to a provider are to be posted: at the public URL, if there is one."""
    place = settings.receipts.public_url or f"http://{settings.receipts.listen}"
    return f"{place}/{_token(key, provider=_REPLIES + provider)}"


def _token(key: bytes, *, provider: str) -> str:
    return hmac.new(key, provider.encode(), hashlib.sha256).hexdigest()[:_TOKEN_DIGITS]


@dataclass(frozen=True, kw_only=True)
class Doors:
    """Who calls at which path; ``prefix`` is what a proxy may leave of the public address."""

    tokens: Mapping[str, str] = field(repr=False)  # by provider
    replies: Mapping[str, str] = field(default_factory=dict, repr=False)  # tokens by provider
    prefix: str

    @classmethod
    def of(cls, settings: Settings, *, key: bytes) -> Self:
        """Give every provider that pushes its door."""
        tokens = {name: _token(key, provider=name) for name in pushing(settings)}
        replies = {name: _token(key, provider=_REPLIES + name) for name in settings.providers}
        return cls(tokens=tokens, replies=replies, prefix=urlsplit(settings.receipts.public_url or "").path)

    def caller(self, path: str) -> tuple[str, str | None] | None:
        """Return provider and reference that a path stands for; None for every other path.

        It takes as long whichever token is wrong, and however much of it is right.
        """
        token, slash, reference = self._inside(path).partition("/")
        names = _whose(token, self.tokens)
        if not names or (slash and not _REFERENCE.fullmatch(reference)):
            return None
        return names[0], reference or None

    def replied_to(self, path: str) -> str | None:
        """Return the provider whose replies come at a path; None for every other path."""
        return next(iter(_whose(self._inside(path), self.replies)), None)

    def _inside(self, path: str) -> str:
        return path.removeprefix(self.prefix).removeprefix("/")


def _whose(token: str, tokens: Mapping[str, str]) -> list[str]:
    given = token.encode(errors="replace")
    return [name for name, ours in tokens.items() if hmac.compare_digest(given, ours.encode())]
