"""Which variable each filter of a template works on, so that what it cannot read has a column."""

from collections.abc import Mapping
from typing import NamedTuple

from jinja2 import nodes


class Use(NamedTuple):
    """One place where a filter stands.

    Attributes:
        variable: the one that it works on, as the template writes it; None: none, or several.
        is_bare: the filter gets its value as it is.
    """

    variable: str | None
    is_bare: bool


def uses_of(tree: nodes.Template) -> dict[str, list[Use]]:
    """Return the places of each filter, by its name."""
    found: dict[str, list[Use]] = {}
    for each in tree.find_all(nodes.Filter):
        if each.node is not None:
            found.setdefault(each.name, []).append(_use(each.node))
    return found


def _use(value: nodes.Expr) -> Use:
    if isinstance(value, nodes.Name):
        return Use(value.name, is_bare=True)
    names = {name.name for name in value.find_all(nodes.Name)}
    return Use(names.pop() if len(names) == 1 else None, is_bare=False)


def worked_on(uses: list[Use], value: object, row: Mapping[str, object]) -> str | None:
    """Return the variable on which a filter failed with a value; None where that is not certain."""
    possible = {_variable(each, row) for each in uses if not each.is_bare or _may_be(_held(each, row), value)}
    return possible.pop() if len(possible) == 1 else None


def _variable(use: Use, row: Mapping[str, object]) -> str | None:
    return use.variable if use.variable in row else None


def _may_be(held: object, value: object) -> bool:
    """Say whether a filter was given what a row holds; an undefined value raises where it is compared."""
    return held is None or (isinstance(value, str) and held == value)


def _held(use: Use, row: Mapping[str, object]) -> object:
    return None if use.variable is None else row.get(use.variable)
