"""Rewriting a read file without losing a place: mappings are taken apart and put together, each value with its span.

A legacy schema is upgraded and flags are moved into fields in this way, so every finding still points at the line
that the user wrote.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bandari.diagnostics import Span
from bandari.document import Document, Path
from bandari.document.tree import Node


class Draft:
    """A mapping that is being rewritten; the nodes in it are never changed, only moved."""

    def __init__(self, node: Node) -> None:
        self.span = node.span
        self.at_key = node.at_key
        self.items: dict[str, tuple[Node, Span]] = {
            str(key): (child, node.keys.get(key, child.span)) for key, child in node.children.items()
        }

    def __contains__(self, key: str) -> bool:
        return key in self.items

    def value(self, key: str) -> Any:
        """The value of a key; None when it is absent, too."""
        return self.items[key][0].value if key in self.items else None

    def where(self, key: str) -> Span:
        """The place of a key; the mapping's own when it is absent."""
        return self.items[key][1] if key in self.items else self.span

    def put(self, key: str, node: Node, place: Span) -> None:
        """Sets a key, with the place of the words it came from."""
        self.items[key] = (node, place)

    def pop(self, key: str) -> tuple[Node, Span] | None:
        """Takes a key out."""
        return self.items.pop(key, None)

    def rename(self, old: str, new: str) -> None:
        """Moves a value to another key, unless that is taken; the order of the mapping stays."""
        if old in self.items and new not in self.items:
            self.items = {new if key == old else key: item for key, item in self.items.items()}

    def node(self) -> Node:
        """The mapping as it is now."""
        return mapping(self.items, self.span, at_key=self.at_key)


def mapping(items: Mapping[str, tuple[Node, Span]], span: Span, *, at_key: bool = True) -> Node:
    """A mapping of nodes and the places of their keys."""
    return Node(
        {key: child.value for key, (child, _) in items.items()},
        span,
        at_key,
        {key: child for key, (child, _) in items.items()},
        {key: place for key, (_, place) in items.items()},
    )


def sequence(items: list[Node], like: Node) -> Node:
    """A list of nodes at the place of another."""
    children: dict[str | int, Node] = dict(enumerate(items))
    return Node([child.value for child in items], like.span, like.at_key, children)


def made(value: Any, span: Span) -> Node:
    """A value that the file does not hold in this form, at the place of what it was made from."""
    if isinstance(value, dict):
        return mapping({key: (made(child, span), span) for key, child in value.items()}, span, at_key=False)
    if isinstance(value, list):
        return Node(value, span, False, {n: made(child, span) for n, child in enumerate(value)})
    return Node(value, span)


def node_at(document: Document, path: Path) -> Node | None:
    """The node at a path; None where the file holds none."""
    node = document.root
    for step in path:
        if step not in node.children:
            return None
        node = node.children[step]
    return node


def at(document: Document, path: Path) -> Mapping[str, Any]:
    """The mapping at a path; empty where there is none."""
    node = node_at(document, path)
    return node.value if node and isinstance(node.value, dict) else {}


def part(document: Document, path: Path) -> Document:
    """The mapping at a path as a document of its own; one that is absent or null is empty."""
    node = node_at(document, path)
    if node is None or node.value is None:
        node = Node({}, document.key_span(path) if path else document.root.span)
    elif node.at_key and path:
        node = Node(node.value, document.key_span(path), False, node.children, node.keys)
    return Document(document.file, node.value, node)


def of(document: Document, node: Node) -> Document:
    """A rewritten document of the same file."""
    return Document(document.file, node.value, node)


def where_of(path: Path) -> str:
    """The head or a group in a message."""
    return "the head" if path[0] == "head_node" else f"worker_nodes[{path[1]}]"
