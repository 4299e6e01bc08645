"""Secrets are named in the settings, never written there: ``env:NAME`` or ``file:PATH``."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import SecretStr

from worker.errors import ConfigError


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
