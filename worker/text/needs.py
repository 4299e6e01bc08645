"""Which variables a template cannot do without: those used where nothing allows for a blank."""

from collections.abc import Iterator

from jinja2 import nodes


def needed(tree: nodes.Template) -> frozenset[str]:
    """Return the names, as they are written, that would leave a hole in the text if they were blank.

    ``{{ name | default("you") }}`` allows for a blank, and so does ``{% if name %}`` with what is inside it.
    """
    return frozenset(_needed(tree, allowed=frozenset()))


def _needed(node: nodes.Node, *, allowed: frozenset[str]) -> Iterator[str]:
    match node:
        case nodes.Name():
            if node.name not in allowed:
                yield node.name
        case nodes.If():
            yield from _in_test(node.test, allowed=allowed)
            yield from _in_all(node.body, allowed=allowed | _given(node.test))
            yield from _in_all([*node.elif_, *node.else_], allowed=allowed)
        case nodes.CondExpr():
            yield from _in_test(node.test, allowed=allowed)
            yield from _needed(node.expr1, allowed=allowed | _given(node.test))
            yield from _in_all([node.expr2] if node.expr2 else [], allowed=allowed)
        case nodes.Filter(name="default" | "d"):
            yield from _in_all(node.iter_child_nodes(), allowed=allowed | _innermost(node))
        case _:
            yield from _in_all(node.iter_child_nodes(), allowed=allowed)


def _in_all(several: Iterator[nodes.Node] | list[nodes.Node], *, allowed: frozenset[str]) -> Iterator[str]:
    for node in several:
        yield from _needed(node, allowed=allowed)


def _in_test(test: nodes.Node, *, allowed: frozenset[str]) -> Iterator[str]:
    """A name that is tested for being there may be blank; one that is compared may not."""
    match test:
        case nodes.Name():
            return
        case nodes.Not():
            yield from _in_test(test.node, allowed=allowed)
        case nodes.And() | nodes.Or():
            given = _given(test.left) if isinstance(test, nodes.And) else frozenset()
            yield from _in_test(test.left, allowed=allowed)
            yield from _in_test(test.right, allowed=allowed | given)
        case _:
            yield from _needed(test, allowed=allowed)


def _given(test: nodes.Node) -> frozenset[str]:
    """Return what is not blank where this test is true."""
    match test:
        case nodes.Name():
            return frozenset({test.name})
        case nodes.And():
            return _given(test.left) | _given(test.right)
        case _:
            return frozenset()


def _innermost(node: nodes.Filter) -> frozenset[str]:
    """Return what a chain of filters begins with."""
    inner: nodes.Node | None = node
    while isinstance(inner, nodes.Filter):
        inner = inner.node
    return frozenset({inner.name}) if isinstance(inner, nodes.Name) else frozenset()
