import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Protocol

import pytest

from tests.e2e.place import Place
from tests.e2e.warm import Warm, warm_command
from tests.fault import table
from tests.fault.arena import Arena
from tests.fault.judge import judge
from tests.fault.servers import OwnPostgres, own_postgres, own_redis
from tests.sandbox.running import running_sandbox


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(table.OPTION, action="store_true", help="write tests/fault/README.md")


SELECTED = (
    "test_steps.py::test_a_child_is_killed[sqlite-after_request]",
    "test_steps.py::test_a_child_is_killed[postgres-after_mark]",
    "test_redis.py::test_redis_is_emptied_again_and_again[sqlite]",
    "test_databases.py::test_postgres_is_restarted[fast]",
    "test_databases.py::test_sqlite_is_locked_by_another_program[5]",
    "test_gateway.py::test_requests_get_no_readable_answer[postgres-reset_after]",
)  # of every kind of fault one, as quick as they are


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.nodeid.endswith(SELECTED):
            item.add_marker("selected")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption(table.OPTION, default=False) and not hasattr(config, "workerinput"):
        config.pluginmanager.register(table.Table())
    config.addinivalue_line("markers", "fault: real processes, and something that befalls them")
    config.addinivalue_line("markers", "selected: one of the fault tests that `make test` runs")


@pytest.fixture(scope="session")
def cluster() -> Iterator[OwnPostgres]:
    """Give a Postgres that tests may stop, if they start it again."""
    with own_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def warm() -> Iterator[Warm]:
    """Give the command without its start-up time."""
    with warm_command() as command:
        yield command


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def arena(request: pytest.FixtureRequest, warm: Warm) -> Iterator[Arena]:
    """Give a run of its own on SQLite and on Postgres."""
    with ExitStack() as stack:
        if request.param == "postgres":
            ledger = stack.enter_context(request.getfixturevalue("cluster").database())
        else:
            ledger = "sqlite:///bulksend.db"
        yield stack.enter_context(_made_arena(ledger, warm))


@pytest.fixture
def sqlite_arena(warm: Warm) -> Iterator[Arena]:
    """Give a run of its own on SQLite only."""
    with _made_arena("sqlite:///bulksend.db", warm) as made:
        yield made


@pytest.fixture
def postgres_arena(cluster: OwnPostgres, warm: Warm) -> Iterator[Arena]:
    """Give a run of its own on Postgres only."""
    with cluster.database() as ledger, _made_arena(ledger, warm) as made:
        yield made


class Judged(Protocol):
    """Judges a run, keeps its figures for the table, and says what is wrong with it."""

    def __call__(  # noqa: D102 - as in judge
        self, arena: Arena, *, n_ambiguous: int = 0, workers: int = 1
    ) -> Sequence[str]: ...


@pytest.fixture
def judged(record_property: Callable[[str, object], None]) -> Judged:
    """Give the judge."""

    def judged_(arena: Arena, *, n_ambiguous: int = 0, workers: int = 1) -> Sequence[str]:
        verdict = judge(arena, n_ambiguous=n_ambiguous, workers=workers)
        record_property(table.FIGURES, asdict(verdict))
        return verdict.problems

    return judged_


@contextmanager
def _made_arena(ledger: str, warm: Warm) -> Iterator[Arena]:
    with (
        tempfile.TemporaryDirectory(prefix="bs-fault-") as parent,
        own_redis() as broker,
        running_sandbox() as gateway,
    ):
        folder = Path(parent).resolve() / "here"
        folder.mkdir()
        place = Place(folder, gateway=gateway.url)
        arena = Arena(place, gateway=gateway, broker=broker, ledger=ledger, warm=warm)
        try:
            yield arena
        finally:
            arena.end()
            if "engine" in vars(place):
                place.engine.dispose()
            place.end()
