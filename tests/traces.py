"""What is to be found nowhere in a ledger: looked for in every column, and in every byte of its files."""

from collections.abc import Iterable
from pathlib import Path

from sqlalchemy import Engine, select
from sqlmodel import SQLModel

from worker.ledger.engine import reading


def found_in_tables(engine: Engine, words: Iterable[str]) -> set[str]:
    """Return which of some words stand anywhere in the tables, as 'table.column: word'."""
    wanted = list(words)
    found = set()
    with reading(engine) as connection:
        for table in SQLModel.metadata.sorted_tables:
            for row in connection.execute(select(table)).mappings():
                for name, value in row.items():
                    shown = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
                    found |= {f"{table.name}.{name}: {word}" for word in wanted if word in shown}
    return found


def found_in_files(engine: Engine, words: Iterable[str]) -> set[str]:
    """Return which of some words stand in a file of a SQLite ledger; none on Postgres."""
    if engine.dialect.name != "sqlite":
        return set()
    database = Path(str(engine.url.database))
    files = [path for path in database.parent.glob(f"{database.name}*") if path.is_file()]
    content = b"\n".join(path.read_bytes() for path in files if not path.name.endswith("-shm"))
    return {word for word in words if word.encode() in content}
