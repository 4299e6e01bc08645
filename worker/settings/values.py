"""Single values of the settings: times, names, prices."""

from __future__ import annotations

import re
from functools import partial
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

_UNIT_SECONDS = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0, "day": 86400.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|min|h|day)")
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")


def _seconds(value: object) -> float:
    match = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        msg = 'write a time with its unit, such as "10s", "250ms" or "5min"'
        raise ValueError(msg)
    return float(match[1]) * _UNIT_SECONDS[match[2]]


Duration = Annotated[float, BeforeValidator(_seconds), Field(gt=0)]
"""Seconds as a float, above 0; written with a unit."""

Guard = Annotated[float, BeforeValidator(_seconds), Field(ge=0, le=1)]
"""Seconds as a float; written with a unit. See ``bulksend init``."""


def _name(value: object, *, of: str) -> object:
    if not isinstance(value, str) or not NAME.fullmatch(value):
        msg = f"a {of}'s name is 1 to 40 lower-case letters, digits, - and _"
        raise ValueError(msg)
    return value


ProviderName = Annotated[str, BeforeValidator(partial(_name, of="provider"))]
"""Names a queue in Redis too, hence the narrow alphabet."""

GroupName = Annotated[str, BeforeValidator(partial(_name, of="limit group"))]
"""Of providers that share one limit at their gateway."""


def _price(value: object) -> object:
    if isinstance(value, str) or (
        isinstance(value, dict) and all(isinstance(x, str) for x in value.values())
    ):
        return value
    msg = 'write a price such as "0.35 DKK", or a table such as { DK = "0.35 DKK" }'
    raise ValueError(msg)


Price = Annotated[str | dict[str, str], BeforeValidator(_price)]
"""Per part: one for everywhere, or by country."""


class Frozen(BaseModel):
    """Base of every section: unknown keys are refused, nothing changes after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)
