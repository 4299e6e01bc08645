"""What deploy/ says, read as Docker Compose reads it, for the tests that hold it to its word."""

import re
from pathlib import Path
from typing import Any

import click
import yaml

from producer.cli import cli

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
VARIABLE = re.compile(r"\$\{(\w+)(?::\?[^}]*)?\}")

COMPOSE_TEXT = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE_TEXT)["services"]
OURS = [name for name, service in SERVICES.items() if "build" in service]

_EXAMPLE_LINES = (DEPLOY / "env.example").read_text(encoding="utf-8").splitlines()
EXAMPLE = dict(line.split("=", 1) for line in _EXAMPLE_LINES if line and not line.startswith("#"))


def environment_of(service: str) -> dict[str, str]:
    """Return what a service finds in its environment when .env is env.example."""
    given = EXAMPLE if "env_file" in SERVICES[service] else {}
    own: dict[str, str] = SERVICES[service].get("environment", {})
    return given | {name: VARIABLE.sub(lambda found: EXAMPLE[found[1]], text) for name, text in own.items()}


def parse_command(words: list[str]) -> None:
    """Parse the words after ``bulksend`` as the command line does, without running anything.

    Raises:
        click.ClickException: there is no such command, option or value.
    """
    command: click.Command = cli
    context = click.Context(cli, **cli.context_settings)  # without these, Click would remember other options
    while isinstance(command, click.Group):
        name, found, words = command.resolve_command(context, words)
        assert name is not None
        assert found is not None
        command = found
    command.make_context(name, words, parent=context)
