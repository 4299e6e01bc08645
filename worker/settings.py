"""Settings: ``bulksend.toml``, then environment ``BULKSEND_...``; one frozen object, read at the edge.

Only programs read settings; everything else gets values as arguments. Secrets are named, never written:
``env:NAME`` or ``file:PATH``.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from worker.errors import ConfigError

CONFIG_VARIABLE = "BULKSEND_CONFIG"
DEFAULT_FILE = "bulksend.toml"

_UNIT_SECONDS = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0, "day": 86400.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|min|h|day)")
_RATE = re.compile(r"(\d+)\s*/\s*(s|min|h|day)")


def _seconds(value: object) -> float:
    match = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        msg = 'write a time with its unit, such as "10s", "250ms" or "5min"'
        raise ValueError(msg)
    return float(match[1]) * _UNIT_SECONDS[match[2]]


Duration = Annotated[float, BeforeValidator(_seconds)]
"""Seconds as a float; written with a unit."""


ProviderName = Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,39}$")]
"""Names a queue in Redis too, hence the narrow alphabet."""


class Frozen(BaseModel):
    """Base of every section: unknown keys are refused, nothing changes after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Rate(Frozen):
    """So many units per window."""

    amount: int = Field(gt=0)
    window_s: int


def _rates(value: object) -> object:
    items = value if isinstance(value, list | tuple) else [value]
    return tuple(item if isinstance(item, Rate) else _rate(item) for item in items)


def _rate(value: object) -> Rate:
    match = _RATE.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None or int(match[1]) == 0:
        msg = 'write a rate such as "50/s", "5/min" or ["50/s", "10000/day"]'
        raise ValueError(msg)
    return Rate(amount=int(match[1]), window_s=int(_UNIT_SECONDS[match[2]]))


class Provider(Frozen):
    """One configured account at a gateway."""

    gateway: str
    base_url: str | None = None
    username: str
    secret: str
    sender: str | None = None
    country: str | None = None
    rate: Annotated[tuple[Rate, ...], BeforeValidator(_rates)] = ()
    unit: Annotated[str, Field(pattern="^(parts|messages|requests)$")] = "parts"
    connections: int = Field(default=16, ge=1, le=1000)
    max_recipients: int | None = Field(default=None, ge=1)
    price: str | dict[str, str] | None = None
    fallback: str | None = None
    timeout: Annotated[Duration, Field(gt=0, le=20)] = 10.0
    options: dict[str, str | int | float | bool] = Field(default_factory=dict)


class Receipts(Frozen):
    """Where delivery reports come in."""

    listen: str = "127.0.0.1:8026"
    public_url: str | None = None


class Timers(Frozen):
    """The timers of the protocol, in one list; tests shorten them."""

    mark_to_write: Duration = 0.25
    lease: Duration = 30.0
    slice: Duration = 5.0
    slot_wait: Duration = 2.0
    horizon: Duration = 5.0
    tick: Duration = 0.5
    hint_repeat: Duration = 10.0
    visibility: Duration = 300.0
    soft_shutdown: Duration = 25.0
    grace: Duration = 30.0

    @model_validator(mode="after")
    def _shutdown_fits(self) -> Self:
        if self.soft_shutdown >= self.grace:
            msg = "soft_shutdown must be shorter than grace"
            raise ValueError(msg)
        return self


class Settings(BaseSettings):
    """Everything that can be configured; see ``bulksend init`` for a commented file."""

    model_config = SettingsConfigDict(
        extra="forbid",
        frozen=True,
        env_prefix="BULKSEND_",
        env_nested_delimiter="__",
        hide_input_in_errors=True,
    )
    ledger: str = "sqlite:///bulksend.db"
    broker: str | None = None
    receipts: Receipts = Receipts()
    timers: Timers = Timers()
    providers: dict[ProviderName, Provider] = Field(default_factory=dict)
    source: Path = Field(default=Path(DEFAULT_FILE), exclude=True)

    @property
    def directory(self) -> Path:
        """The folder of the settings file: what relative paths are relative to."""
        return self.source.parent

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the signature is pydantic's
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - no .env files
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - secrets are named in the file
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Put the environment above what is handed in, which is the file."""
        return env_settings, init_settings

    @model_validator(mode="after")
    def _timers_fit(self) -> Self:
        for name, provider in self.providers.items():
            problem = _misfit(self.timers, timeout=provider.timeout)
            if problem:
                msg = f"providers.{name}.timeout: {problem}"
                raise ValueError(msg)
        return self


def _misfit(timers: Timers, *, timeout: float) -> str | None:
    """Say which timers contradict each other: a lease must outlive a request, a stop must let it end."""
    if timers.mark_to_write + timeout + 5 >= timers.lease:
        return "mark_to_write + timeout + 5 s must be shorter than timers.lease"
    if timeout + 3 >= timers.soft_shutdown:
        return "timeout + 3 s must be shorter than timers.soft_shutdown"
    if 2 * (timers.horizon + timers.slice + timeout) >= timers.visibility:
        return "twice horizon + slice + timeout must be shorter than timers.visibility"
    return None


def load_settings(path: Path | None = None) -> Settings:
    """Read the settings once, from the file and the environment.

    Args:
        path: the settings file; by default ``BULKSEND_CONFIG``, else ``bulksend.toml`` here.

    Raises:
        ConfigError: the file is missing or unreadable, or a key is wrong; the sentence names the key.
    """
    file = path or Path(os.environ.get(CONFIG_VARIABLE) or DEFAULT_FILE)
    values = _read_toml(file)
    _refuse_unknown_variables()
    try:
        settings = Settings(**{**values, "source": file.resolve()})
    except ValidationError as error:
        raise ConfigError(f"{file}: {_sentence(error)}") from None
    return settings.model_copy(update={"ledger": _absolute_ledger(settings)})


def read_secret(reference: str, *, key: str, directory: Path) -> SecretStr:
    """Fetch the secret that ``env:NAME`` or ``file:PATH`` names; a path is relative to ``directory``.

    Raises:
        ConfigError: the reference has another form, or what it names is missing or empty.
    """
    kind, _, name = reference.partition(":")
    if kind == "env" and name:
        value, place = os.environ.get(name, ""), f"the environment variable {name}"
    elif kind == "file" and name:
        value, place = _read_secret_file(directory / name), f"the file {name}"
    else:
        raise ConfigError(f'{key}: write "env:NAME" or "file:PATH", never the secret itself')
    if not value.strip():
        raise ConfigError(f"{key}: {place} is missing or empty; put the secret there")
    return SecretStr(value.strip())


def _read_secret_file(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def _read_toml(file: Path) -> dict[str, Any]:
    try:
        values = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise ConfigError(
            f"There is no {file}: run `bulksend init` to write one, or name yours with {CONFIG_VARIABLE}"
        ) from None
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} is not valid TOML: {error}") from None
    if "source" in values:
        raise ConfigError(f"{file}: source is not a setting; remove it")
    return values


def _refuse_unknown_variables() -> None:
    known = [f"BULKSEND_{name.upper()}" for name in Settings.model_fields if name != "source"]
    for variable in os.environ:
        if not variable.startswith("BULKSEND_") or variable == CONFIG_VARIABLE or "_TEST_" in variable:
            continue
        if variable.split("__")[0] not in known:
            raise ConfigError(f"{variable} is not a setting{_hint(variable, known)}; unset it")


def _sentence(error: ValidationError) -> str:
    """Turn the first of pydantic's findings into one sentence that names the key and what to write."""
    first = error.errors(include_input=False, include_url=False)[0]
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"{key} is not a setting{_hint(key.split('.')[-1], _known_keys(key))}"
    if first["type"] == "missing":
        return f"{key} is missing; add it"
    text = first["msg"].removeprefix("Value error, ")
    return f"{key}: {text[:1].lower()}{text[1:]}" if key else text


def _known_keys(key: str) -> list[str]:
    section, found, _ = key.partition(".")
    models: dict[str, type[BaseModel]] = {"providers": Provider, "receipts": Receipts, "timers": Timers}
    model = models.get(section, Settings) if found else Settings
    return [name for name in model.model_fields if name != "source"]


def _hint(word: str, known: list[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean {close[0]}?" if close else f"; known are: {', '.join(known)}"


def _absolute_ledger(settings: Settings) -> str:
    """Make the path of a SQLite ledger relative to the settings file, not to the working directory."""
    scheme, found, path = settings.ledger.partition(":///")
    if scheme.split("+")[0] != "sqlite" or not found or not path or path == ":memory:":
        return settings.ledger
    return f"{scheme}:///{settings.directory / path}"
