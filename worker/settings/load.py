"""Reading the settings once: the file, then the environment; what is wrong is one sentence with its key."""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from worker.errors import ConfigError
from worker.settings.shape import DEFAULT_FILE, Provider, Settings

CONFIG_VARIABLE = "BULKSEND_CONFIG"
CAMPAIGN_VARIABLE = "BULKSEND_CAMPAIGN"
"""Tells the command of a notice which campaign is done; that command may call `bulksend` in turn."""

_NO_SETTINGS = frozenset({CONFIG_VARIABLE, CAMPAIGN_VARIABLE})
_PREFIX = "BULKSEND_"


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
        raise ConfigError(_sentence(error, file)) from None
    return settings.model_copy(update={"ledger": _absolute_ledger(settings)})


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
    known = [f"{_PREFIX}{name.upper()}" for name in Settings.model_fields if name != "source"]
    for variable in os.environ:
        if not variable.startswith(_PREFIX) or variable in _NO_SETTINGS or "_TEST_" in variable:
            continue
        if variable.split("__")[0] not in known:
            raise ConfigError(f"{variable} is not a setting{_hint(variable, known)}")


def _sentence(error: ValidationError, file: Path) -> str:
    """Turn the first of pydantic's findings into one sentence that names the key and what to write."""
    first = error.errors(include_input=False, include_url=False)[0]
    parts = [str(part) for part in first["loc"] if part != "[key]"]
    return f"{_place(parts, file)}: {_finding(first['type'], first['msg'], '.'.join(parts))}"


def _place(parts: Sequence[str], file: Path) -> str:
    """Say where the value came from: the variable that sets it, else the file."""
    for n in range(len(parts), 0, -1):
        variable = _PREFIX + "__".join(parts[:n]).upper()
        if variable in os.environ:
            return variable
    return str(file)


def _finding(kind: str, message: str, key: str) -> str:
    if kind == "extra_forbidden":
        return f"{key} is not a setting{_hint(key.rsplit('.', maxsplit=1)[-1], _known_keys(key))}"
    if kind == "missing":
        return f"{key} is missing; add it"
    text = message.removeprefix("Value error, ")
    return f"{key}: {text[:1].lower()}{text[1:]}" if key else text


def _known_keys(key: str) -> list[str]:
    section, found, _ = key.partition(".")
    model = _section(section) if found else Settings
    return [name for name in model.model_fields if name != "source"]


def _section(name: str) -> type[BaseModel]:
    if name == "providers":
        return Provider
    field = Settings.model_fields.get(name)
    kind = field.annotation if field else None
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else Settings


def _hint(word: str, known: list[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean {close[0]}?" if close else f"; known are: {', '.join(known)}"


def _absolute_ledger(settings: Settings) -> str:
    """Make the path of a SQLite ledger relative to the settings file, not to the working directory."""
    scheme, found, path = settings.ledger.partition(":///")
    if scheme.split("+")[0] != "sqlite" or not found or not path:
        return settings.ledger
    if path == ":memory:" or path.startswith("file:"):  # no path; opening it says so
        return settings.ledger
    return f"{scheme}:///{settings.directory / path}"
