"""Which of Jinja2's language a template may use, and where the checks of a render belong in it."""

from typing import Any, Final

from jinja2 import TemplateSyntaxError, nodes
from jinja2.visitor import NodeTransformer

_MAX_LOOPS: Final = 3  # one inside another

_EXPRESSIONS: Final = (
    *(nodes.Add, nodes.And, nodes.Call, nodes.Compare, nodes.Concat, nodes.CondExpr, nodes.Const, nodes.Dict),
    *(nodes.Div, nodes.Filter, nodes.FloorDiv, nodes.Getattr, nodes.Getitem, nodes.Keyword, nodes.List),
    *(nodes.Mod, nodes.Mul, nodes.Name, nodes.Neg, nodes.Not, nodes.Operand, nodes.Or, nodes.Pair, nodes.Pos),
    *(nodes.Slice, nodes.Sub, nodes.TemplateData, nodes.Test, nodes.Tuple),
)
_STATEMENTS: Final = (nodes.Assign, nodes.For, nodes.If, nodes.Output, nodes.Template)
_WRITTEN: Final = {
    "AssignBlock": "set with a block",
    "CallBlock": "call",
    "FilterBlock": "filter with a block",
    "FromImport": "import",
    "Pow": "a power",
    "ScopedEvalContextModifier": "autoescape",
}


class Checked(NodeTransformer):
    """Refuses what a text does not need, and puts the checks of a render where they belong."""

    def __init__(self) -> None:
        self._loops = 0

    def visit(self, node: nodes.Node, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 -- Jinja's signature
        """Return what replaces a node.

        Raises:
            TemplateSyntaxError: with its line.
        """
        _allow(node, loops=self._loops)
        is_loop = isinstance(node, nodes.For)
        cost = 1 + sum(1 for _ in node.find_all(nodes.Node)) if is_loop else 0
        self._loops += is_loop
        self.generic_visit(node, *args, **kwargs)
        self._loops -= is_loop
        return _checked(node, cost=cost)


def _allow(node: nodes.Node, *, loops: int) -> None:
    kind = type(node).__name__
    if not isinstance(node, (*_STATEMENTS, *_EXPRESSIONS)):
        raise TemplateSyntaxError(f"a template cannot have {_WRITTEN.get(kind, kind.lower())}", node.lineno)
    if isinstance(node, nodes.For) and (node.recursive or loops == _MAX_LOOPS):
        raise TemplateSyntaxError("a template cannot have so many loops inside each other", node.lineno)


def _checked(node: nodes.Node, *, cost: int) -> nodes.Node:
    match node:
        case nodes.For():
            node.iter = _filter(" steps", node.iter, nodes.Const(cost))
        case nodes.Assign():
            node.node = _filter(" scalar", node.node)
        case nodes.Concat():
            return _filter("join", nodes.List(node.nodes, lineno=node.lineno))
        case nodes.Tuple(ctx="store"):
            pass  # what a loop unpacks into
        case nodes.Tuple() | nodes.List() | nodes.Dict():
            return _filter(" flat", node)
        case _:
            pass
    return node


def _filter(name: str, of: nodes.Node, *args: nodes.Expr) -> nodes.Filter:
    return nodes.Filter(of, name, list(args), [], None, None, lineno=of.lineno, environment=of.environment)
