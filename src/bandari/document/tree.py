"""What a read file is: its values, and beside them a tree of the places where they stand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from bandari.diagnostics import Origin, Span

Path: TypeAlias = tuple[str | int, ...]
"""Keys and list indexes from the top of the file down to a value."""


@dataclass(slots=True)
class Node:
    """A value and its place; an alias shares the node of its anchor.

    `at_key`: the value begins below its key (a block mapping or list) or is empty, so the key tells its place better.
    """

    value: Any
    span: Span
    at_key: bool = False
    children: dict[str | int, Node] = field(default_factory=dict)
    keys: dict[str | int, Span] = field(default_factory=dict)
    size: int = 1
    """Values in it, with aliases written out."""
    height: int = 1


@dataclass(frozen=True, slots=True)
class Document:
    """A YAML mapping: plain values (`value`, never to be changed), and the place of each by its path."""

    file: str
    value: dict[str, Any]
    root: Node

    def span(self, path: Path) -> Span:
        """Where a value stands; the nearest enclosing one when the file does not hold it."""
        node, place = self.root, self.root.span
        for step in path:
            if step not in node.children:
                return place
            place = _place(node, step)
            node = node.children[step]
        return place

    def key_span(self, path: Path) -> Span:
        """Where the key of a value stands; the place of the value itself for an item of a list."""
        above = self._node(path[:-1]) if path else None
        return above.keys[path[-1]] if above and path[-1] in above.keys else self.span(path)

    def origin(self, path: Path) -> Origin:
        """The place of an item and of everything in it, by the keys as they are written."""
        node = self._node(path)
        return Origin(self.span(path), dict(_fields(node, ())) if node else {})

    def _node(self, path: Path) -> Node | None:
        node = self.root
        for step in path:
            if step not in node.children:
                return None
            node = node.children[step]
        return node


def _place(above: Node, step: str | int) -> Span:
    node = above.children[step]
    return above.keys[step] if node.at_key and step in above.keys else node.span


def _fields(node: Node, path: Path) -> Iterator[tuple[Path, Span]]:
    for step, child in node.children.items():
        yield (*path, step), _place(node, step)
        yield from _fields(child, (*path, step))
