"""What the tables have in common: names of constraints, keys, references, instants, lists of words."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKeyConstraint, Integer, text
from sqlmodel import Field, SQLModel

SQLModel.metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

Key = BigInteger().with_variant(Integer(), "sqlite")  # only INTEGER is a rowid, and so counts by itself


def one_of(column: str, states: type[enum.StrEnum]) -> CheckConstraint:
    """Let a column hold these words only."""
    values = ", ".join(f"'{state}'" for state in states)
    return CheckConstraint(f"{column} IN ({values})", name=column)


def where(condition: str) -> dict[str, Any]:
    """Limit an index to rows; a query uses it only if it says the same."""
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


def key() -> Any:  # noqa: ANN401 - what Field returns
    """Declare a key that counts by itself."""
    return Field(default=None, primary_key=True, sa_type=Key)


def refers_to(target: str, **options: Any) -> Any:  # noqa: ANN401 - what Field takes and returns
    """Declare a reference to another table's key."""
    return Field(foreign_key=target, sa_type=BigInteger, **options)


def refers_on(dialect: str, columns: Mapping[str, str]) -> ForeignKeyConstraint:
    """Declare a reference of columns to those of another table, on one database only."""
    return ForeignKeyConstraint(list(columns), list(columns.values())).ddl_if(dialect=dialect)


def instant(**options: Any) -> Any:  # noqa: ANN401 - what Field takes and returns
    """Declare an instant: epoch milliseconds."""
    return Field(sa_type=BigInteger, **options)
