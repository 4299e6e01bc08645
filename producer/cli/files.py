"""The options about the recipient file: how it is written, where it may lead, and the lists made of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain, combinations, product
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from producer.cli.piped import SPOOLED, STANDARD_INPUT, is_piped
from producer.cli.places import is_same, leave_room, require_place
from producer.output_file import is_standard_output
from producer.preview import Preview
from producer.recipients import Form, Problem
from producer.recipients.problems import ProblemsFile, file_beside, write_dropped
from worker.errors import ConfigError, InputError
from worker.providers import Account
from worker.settings import Settings
from worker.text.msisdn import REPAIRS, Countries

_NONE: Final = "none"

F = TypeVar("F", bound=Callable[..., Any])


def form_options(command: F) -> F:
    """Add what says how the file is written, where that is not found by itself."""
    for option in reversed(
        (
            click.option("--file-encoding", metavar="NAME", help="Encoding of FILE, such as cp1252."),
            click.option("--delimiter", metavar="CHAR", help="Between its cells: a character, or tab."),
            click.option("--quote", metavar="CHAR", help="Around its cells: a character, or none."),
            click.option("--sheet", metavar="NAME|N", help="Of a workbook; default is the first."),
        )
    ):
        command = option(command)
    return command


def country_options(command: F) -> F:
    """Add where numbers may be."""
    for option in reversed(
        (
            click.option(
                "--allow-country",
                "allowed",
                multiple=True,
                metavar="DK,SE",
                help="Refuse numbers of all other countries; a calling code such as 1 is all behind it.",
            ),
            click.option(
                "--deny-country", "denied", multiple=True, metavar="DK,SE", help="Refuse numbers of these."
            ),
        )
    ):
        command = option(command)
    return command


def problems_option(*, default: str) -> Callable[[F], F]:
    """Add where refused rows are listed; ``default`` says where they are if nothing is said."""
    words = (
        f"List every refused row, to be corrected and sent again; - is standard output. Default: {default}."
    )
    return click.option("--problems", metavar="FILE", help=words)


duplicates_option: Final = click.option(
    "--duplicates",
    metavar="FILE",
    help="List every row that is left out, and why: double (of which line), opted out, reached lately;"
    " - is standard output.",
)

good_rows_option: Final = click.option(
    "--accept-good-rows", is_flag=True, help="Go on with the good rows of a file that has refused ones."
)


def make_form(given: Mapping[str, Any]) -> Form:
    """Read what was said of how the file is written; raises ConfigError."""
    return Form.parse(
        encoding=given.get("file_encoding"),
        delimiter=given.get("delimiter"),
        quote=given.get("quote"),
        sheet=given.get("sheet"),
    )


def make_countries(account: Account, given: Mapping[str, Any]) -> Countries | None:
    """Read where numbers may be: as it was said, else as the provider has it.

    Raises:
        ConfigError: a country is not known, or none is given: a variable of the shell that is not set.
    """
    allowed = _places("--allow-country", given.get("allowed", ()))
    denied = _places("--deny-country", given.get("denied", ()))
    provider = account.provider
    allowed, denied = allowed or provider.countries, denied or provider.denied_countries
    if not allowed and not denied:
        return None
    return Countries.parse(allowed=allowed, denied=denied)


def _places(option: str, written: Iterable[str]) -> tuple[str, ...]:
    places = [[place.strip() for place in each.split(",") if place.strip()] for each in written]
    if not all(places):
        raise ConfigError(f"{option}: it names no country; write codes such as DK,SE, or leave it out")
    return tuple(chain.from_iterable(places))


# --- lists


@dataclass(frozen=True, kw_only=True)
class Lists:
    """Where refused and dropped rows are listed.

    Attributes:
        problems: takes the refused rows; None: they are not listed.
        is_asked: whether somebody named that file: it must be written then.
        duplicates: None: nowhere.
        may_replace: whether a list takes the place of what is there.
        may_end: whether a command is done when the reader of a list has seen enough: it shows, and no more.
        advice: what a person is to do with the list, of ``{them}``.
    """

    problems: ProblemsFile | None = None
    is_asked: bool = False
    duplicates: Path | None = None
    may_replace: bool = False
    may_end: bool = False
    advice: str = "correct {them} there, and give that file"

    @classmethod
    def of(cls, settings: Settings, given: Mapping[str, Any], *, is_beside: bool) -> Lists:
        """Read --problems and --duplicates, and look where they and --rows lead, before anything is read.

        Args:
            settings: which say where Bulksend's own files are.
            given: what was given on the command line, its file among it.
            is_beside: whether refused rows are listed beside it where nothing else was said.

        Raises:
            ConfigError: a list would be written over the recipients, the ledger, the settings or another
                list.
            InputError: a list is there already, and is not to be replaced.
        """
        source, force = Path(given["file"]), given["force"]
        written, duplicates = given["problems"], given.get("duplicates")
        outputs = {"--problems": written, "--duplicates": duplicates, "--rows": given.get("rows")}
        named = [(option, Path(each)) for option, each in outputs.items() if each not in {None, _NONE}]
        texts = [("the text", path) for path in _texts(given)]
        read = [each for each in [("the recipients", source), *texts] if str(each[1]) != STANDARD_INPUT]
        for (option, path), (what, other) in [*combinations(named, 2), *product(named, read)]:
            if is_same(path, other):
                raise ConfigError(f"{option} would write over {what}: name another file")
        for option, path in named:
            require_place(settings, option, path, force=force)
        leave_room(path for _, path in named)
        dropped = None if duplicates is None else Path(duplicates)
        lists = cls(duplicates=dropped, may_replace=force, may_end=not is_beside)
        if written == _NONE or (written is None and not is_beside):
            return lists
        if written is not None:
            asked = ProblemsFile(target=Path(written), may_replace=force)
            return replace(lists, problems=asked, is_asked=True)
        return replace(lists, problems=_beside(source))

    @contextmanager
    def filled(self) -> Iterator[Callable[[Problem, list[str]], None] | None]:
        """Give what takes refused rows; the list has its name when the block is left without an error."""
        if self.problems is None:
            yield None
            return
        writing = _Writing(self.problems, lists=self)
        try:
            yield writing.add
            writing.keep()
        finally:
            self.problems.drop()

    def write_doubles(self, found: Preview) -> None:
        """List the rows that were dropped; raises ConfigError where that fails."""
        if self.duplicates is None:
            return
        try:
            write_dropped(found.dropped, self.duplicates, may_replace=self.may_replace)
        except OSError as error:
            if self.may_end and isinstance(error, BrokenPipeError):
                raise
            raise ConfigError(
                f"--duplicates {self.duplicates}: {error.strerror}; name another file"
            ) from None


def _texts(given: Mapping[str, Any]) -> Iterator[Path]:
    if given.get("text_file"):
        yield Path(given["text_file"])
    yield from (Path(each.partition("=")[2]) for each in given.get("files_in", ()))


def _beside(source: Path) -> ProblemsFile:
    """Return the list beside a file; here, where that comes from a pipe: it is gone in a moment."""
    if not is_piped(source):
        return file_beside(source)
    name = SPOOLED if str(source) == STANDARD_INPUT else source.name
    return file_beside(Path(name), folder=Path())


class _Writing:
    """A list of refused rows; one that nobody asked for may fail, and says so."""

    def __init__(self, file: ProblemsFile, *, lists: Lists) -> None:
        self._file = file
        self._advice = lists.advice
        self._is_asked = lists.is_asked
        self._may_end = lists.may_end
        self._is_failed = False

    def add(self, problem: Problem, headers: list[str]) -> None:
        if self._is_failed:
            return
        try:
            self._file.add(problem, headers)
        except OSError as error:
            self._fail(error)

    def keep(self) -> None:
        if self._is_failed:
            return
        try:
            target = self._file.keep()
        except InputError as error:
            if self._is_asked:
                raise
            click.echo(f"The refused rows are not listed: {error}", err=True)
            return
        except OSError as error:
            self._fail(error)
            return
        if target is not None:
            n = self._file.n
            rows, them = ("1 refused row is", "it") if n == 1 else (f"{n} refused rows are", "them")
            place = "on standard output" if is_standard_output(target) else f"in {target}"
            click.echo(f"{rows} listed {place}: {self._advice.format(them=them)}", err=True)

    def _fail(self, error: OSError) -> None:
        if self._may_end and isinstance(error, BrokenPipeError):
            raise error
        self._is_failed = True
        words = f"{self._file.target}: {error.strerror}"
        if self._is_asked:
            raise ConfigError(f"--problems {words}; name another file") from None
        click.echo(
            f"The refused rows cannot be listed in {words}; name another file with --problems", err=True
        )


def say_how_read(found: Preview) -> None:
    """Say what is unusual about the file, and what was repaired in it."""
    if found.source is not None and not found.source.is_plain:
        click.echo(f"Read as {found.source.words}", err=True)
        if found.source.doubt:
            click.echo(found.source.doubt, err=True)
    for repair, n in found.repairs.most_common():
        numbers = "1 number was" if n == 1 else f"{n} numbers were"
        click.echo(f"{numbers} repaired: {REPAIRS[repair]} [{repair}]", err=True)  # type: ignore[index]
