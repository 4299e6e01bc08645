"""Every command explains itself."""

from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from producer.cli import cli
from tests.e2e.place import Place
from tests.e2e.warm import Warm


def commands() -> Iterator[tuple[str, ...]]:
    """Give every command and every command of a group."""
    context = click.Context(cli)
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        yield (name,)
        if isinstance(command, click.Group):
            yield from ((name, inner) for inner in command.commands)


@pytest.mark.parametrize("words", list(commands()), ids=" ".join)
@pytest.mark.parametrize("option", ["-h", "--help"])
def test_every_command_has_help(words: tuple[str, ...], option: str) -> None:
    done = CliRunner().invoke(cli, [*words, option])

    assert done.exit_code == 0
    assert done.output.startswith(f"Usage: cli {' '.join(words)}")
    assert "\\b" not in done.output


def test_the_map_lists_every_command_with_a_whole_sentence(lone_place: Place) -> None:
    done = lone_place.run("--help")

    for name, *inner in commands():
        assert inner or f"\n  {name} " in done.out
    assert "..." not in done.out.partition("Commands:")[2]


def test_without_a_command_the_map_is_shown_with_exit_code_2(lone_place: Place, warm: Warm) -> None:
    done = warm.run(lone_place)

    assert done.code == 2
    assert "Commands:" in done.err


def test_the_map_comes_without_loading_what_the_commands_need(lone_place: Place) -> None:
    lone_place.write("sqlmodel.py", "raise RuntimeError('loaded')")
    lone_place.environment["PYTHONPATH"] += f":{lone_place.folder}"

    assert lone_place.run("--help").code == 0
