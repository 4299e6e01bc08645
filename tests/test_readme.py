"""The README and what it leads to are true: commands are run; targets, options and links exist."""

import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import click
import pytest

from producer.cli import cli

ROOT = Path(__file__).parents[1]
DOCUMENTS = ("README.md", "producer/README.md", "worker/README.md")
TEXT = "\n".join((ROOT / name).read_text(encoding="utf-8") for name in DOCUMENTS)
EXECUTED = re.findall(r"<!-- executed by the tests -->\s*```sh\n(.*?)```", TEXT, flags=re.DOTALL)
SHELL = re.findall(r"```(?:sh|console|shell|bash)\n(.*?)```", TEXT, flags=re.DOTALL)
INDENTED = re.findall(r"^ {4}(\S.*)$", TEXT, flags=re.MULTILINE)
DEADLINE_S = 100


def lines() -> list[str]:
    """Give every command line that begins with our command, once; lines joined, prompts removed."""
    whole = "\n".join([*SHELL, *INDENTED]).replace("\\\n", " ").splitlines()
    stripped = (line.strip().removeprefix("$ ") for line in whole)
    return list(dict.fromkeys(line for line in stripped if line.startswith("bulksend ")))


def targets() -> list[str]:
    """Give every target of make that the README names, in a block or between backticks."""
    named = re.findall(r"^\s*(?:\$ )?make ([a-z-]+)\b", "\n".join([*SHELL, *INDENTED]), flags=re.MULTILINE)
    return sorted({*named, *re.findall(r"`make ([a-z-]+)", TEXT)})


def links() -> list[tuple[str, str]]:
    """Give every document with each of its links that leads to a file or a place of ours."""
    found = ((each, re.findall(r"\]\(([^)\s]+)\)", (ROOT / each).read_text("utf-8"))) for each in DOCUMENTS)
    return [(each, link) for each, all_of_it in found for link in all_of_it if "://" not in link]


def anchors(document: Path) -> set[str]:
    """Give the names of the headings of a document, as those who show it make them."""
    heads = re.findall(r"^#+ (.+)$", document.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}


def test_there_are_commands_to_execute() -> None:
    assert EXECUTED
    assert {"demo", "test"} <= set(targets())


@pytest.mark.parametrize(("document", "link"), links(), ids=str)
def test_a_link_of_the_readme_leads_somewhere(document: str, link: str) -> None:
    name, _, place = link.partition("#")
    target = (ROOT / document).parent / name if name else ROOT / document

    assert target.exists()
    assert not place or place in anchors(target)


@pytest.mark.parametrize("block", EXECUTED, ids=lambda block: block.splitlines()[0])
def test_a_block_of_the_readme_runs_word_for_word(block: str, folder: Path) -> None:
    code, said = _run(block, folder=folder)

    assert code == 0, said
    assert "Traceback" not in said


@pytest.mark.parametrize("target", targets())
def test_a_target_of_the_readme_is_in_the_makefile(target: str) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")

    assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE)


@pytest.mark.parametrize("line", lines())
def test_a_command_line_of_the_readme_has_an_existing_command_and_options(line: str) -> None:
    words = shlex.split(line, comments=True)[1:]
    command, rest = _command(words)
    known = {"-h", "--help", "--version", *(name for each in command.params for name in each.opts)}

    assert {word.partition("=")[0] for word in rest if word.startswith("--")} <= known


@pytest.fixture
def folder() -> Iterator[Path]:
    """Give an empty folder; everything that was started in it is ended."""
    with tempfile.TemporaryDirectory(prefix="bs-readme-") as name:
        yield Path(name)


def _run(block: str, *, folder: Path) -> tuple[int, str]:
    """Run a block in a session of its own; what it leaves in the background ends with it."""
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    with (folder / ".said").open("w+", encoding="utf-8") as said:
        process = subprocess.Popen(
            ["bash", "-e", "-u", "-o", "pipefail", "-c", block],  # noqa: S607 - whichever bash a reader has
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code = process.wait(DEADLINE_S)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
        said.seek(0)
        return code, said.read()


def _command(words: Sequence[str]) -> tuple[click.Command, Sequence[str]]:
    """Walk down to the command that the words name; fails where there is none."""
    command: click.Command = cli
    rest = list(words)
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        found = command.get_command(click.Context(command), rest[0])
        assert found is not None, f"there is no command {rest[0]}"
        command = found
        rest.pop(0)
    return command, rest
