"""What holds for campaigns: what is asked first, what pauses them, who wants none, who is told of the end."""

from __future__ import annotations

import re
import shlex
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, model_validator

from worker.settings.values import NAME, Frozen

_PERCENT = re.compile(r"(\d+(?:\.\d+)?)\s*%")
_WHOLE = 100
_VISIBLE_QUERY = re.compile(r"[!$-~]+")  # printable ASCII without quotes and fragments


def _share(value: object) -> object:
    match = _PERCENT.fullmatch(value.strip()) if isinstance(value, str) else None
    if value == "off":
        return None
    if match is None or not 0 < float(match[1]) < _WHOLE:
        msg = 'write a share such as "50%", or "off"'
        raise ValueError(msg)
    return float(match[1]) / _WHOLE


def _count(value: object) -> object:
    if value == "off":
        return None
    if not isinstance(value, int) or isinstance(value, bool):
        msg = 'write a number of messages such as 10000, or "off"'
        raise ValueError(msg)  # noqa: TRY004 - what pydantic reports
    return value


class Send(Frozen):
    """What is asked before anything is sent."""

    confirm_above: Annotated[int | None, BeforeValidator(_count), Field(ge=1)] = 10_000  # messages


def _purpose(value: object) -> object:
    is_name = isinstance(value, str) and NAME.fullmatch(value) and value not in {"all", "confirmation"}
    if not is_name:
        msg = "a purpose is 1 to 40 lower-case letters, digits, - and _, such as marketing"
        raise ValueError(msg)
    return value


class Campaigns(Frozen):
    """When a campaign is paused by itself, what it is for, and what is kept of its file."""

    pause_refused: Annotated[float | None, BeforeValidator(_share)] = 0.5  # a share of the last outcomes
    pause_refused_of: int = Field(default=200, ge=4, le=10_000)  # so many outcomes
    purpose: Annotated[str, BeforeValidator(_purpose)] = "marketing"  # where none is given
    keep_columns: bool = True  # of recipient files, for `campaign export`


class OptOuts(Frozen):
    """How opt-outs are kept, and what follows a STOP."""

    hashed: bool = False  # the list holds digests alone
    reply: Literal["purpose", "sender", "all"] = "purpose"  # what a STOP is of
    confirmation: Annotated[str, Field(min_length=1, max_length=459)] | None = None  # its text; None: none


def _webhook(value: object) -> object:
    parts = urlsplit(value) if isinstance(value, str) else None
    is_plain = parts is not None and parts.scheme in {"http", "https"} and parts.hostname
    if not is_plain or "@" in str(value) or not _VISIBLE_QUERY.fullmatch(str(value)):
        msg = 'write where it is posted to, such as "https://example.org/sms-done"'
        raise ValueError(msg)
    return value


def _command(value: object) -> object:
    try:
        words = shlex.split(value) if isinstance(value, str) else []
    except ValueError:
        words = []
    if not words:
        msg = (
            'write a program with its arguments, such as "/usr/local/bin/sms-done --quiet"; no shell reads it'
        )
        raise ValueError(msg)
    return value


class Notice(Frozen):
    """Who is told when a campaign is done."""

    command: Annotated[str, BeforeValidator(_command)] | None = None
    webhook: Annotated[str, BeforeValidator(_webhook)] | None = None
    secret: str | None = None  # signs what is posted

    @property
    def is_wanted(self) -> bool:
        """Whether anybody is."""
        return self.command is not None or self.webhook is not None

    @model_validator(mode="after")
    def _is_signed(self) -> Self:
        if (self.webhook is None) != (self.secret is None):
            msg = 'webhook and secret go together: add secret = "env:NAME", which signs what is posted'
            raise ValueError(msg)
        return self
