"""Rows handed to one statement as JSON, so that many updates are one round trip on both databases."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, CursorResult, text

_SQLITE = "json_extract(value, '$[{index}]')"
_POSTGRES = "(value->>{index})::{kind}"
_SOURCE = {
    "sqlite": "json_each(:given)",
    "postgresql": "jsonb_array_elements(CAST(:given AS jsonb)) AS rows(value)",
}


def execute_given(
    connection: Connection,
    statement: str,
    *,
    columns: Mapping[str, str],
    rows: Sequence[Sequence[object]],
) -> CursorResult[*tuple[Any, ...]]:
    """Run a statement that may use ``given``, a table of the rows.

    Args:
        connection: of an open transaction.
        statement: SQL that both databases understand; constant text, never built from input.
        columns: name to Postgres type of the columns of ``given``; choose names that no table has.
        rows: plain JSON values in the order of the columns.
    """
    dialect = connection.dialect.name
    pattern = _SQLITE if dialect == "sqlite" else _POSTGRES
    cells = ", ".join(
        f"{pattern.format(index=index, kind=kind)} AS {name}"
        for index, (name, kind) in enumerate(columns.items())
    )
    given = f"WITH given AS (SELECT {cells} FROM {_SOURCE[dialect]}) "  # noqa: S608 - constants of ours
    written = json.dumps([[_storable(cell) for cell in row] for row in rows])
    return connection.execute(text(given + statement), {"given": written})


def _storable(cell: object) -> object:
    """Replace what a database refuses in a text, NUL and half a surrogate pair: the rest is not lost."""
    if not isinstance(cell, str):
        return cell
    return cell.replace("\0", "?").encode(errors="replace").decode()
