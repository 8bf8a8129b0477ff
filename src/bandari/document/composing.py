"""Events of the YAML parser -> one tree; says what is wrong with it and stops where going on would be dangerous."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import yaml

from bandari.diagnostics import Diagnostic, Diagnostics, Related, Span, error
from bandari.document.scalars import TAG, Scalar, plain, tagged, written
from bandari.document.syntax import MAX_DEPTH, too_deep
from bandari.document.tree import Node

MAX_ALIASED = 50_000
"""Values that a file may get by its aliases and merge keys."""
_MERGE = f"{TAG}merge"


class Stop(Exception):  # noqa: N818 - reads as the sentence it is
    """The text cannot be read any further."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        self.diagnostic = diagnostic
        super().__init__(diagnostic.message)


@dataclass(frozen=True, slots=True)
class _Key:
    name: str
    span: Span
    kept: bool = True
    """False: the value is read and dropped, because the key is wrong."""
    merge: bool = False


@dataclass(slots=True)
class _Open:
    """A mapping or list whose end is not reached yet."""

    node: Node
    anchor: str | None
    key: _Key | None = None
    merges: list[tuple[Node, Span]] = field(default_factory=list)
    is_map: bool = False


class Composer:
    """Builds the tree of one document; findings that do not stop it are in `found`."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.found = Diagnostics()
        self.root: Node | None = None
        self._open: list[_Open] = []
        self._anchors: dict[str, Node | None] = {}
        self._aliased = 0
        self._documents = 0

    def compose(self, events: Iterable[yaml.Event]) -> Node | None:
        """The root of the document, or None when there is none; raises Stop, and what the parser raises."""
        for event in events:
            match event:
                case yaml.DocumentStartEvent():
                    self._document(event)
                case yaml.ScalarEvent():
                    self._finish(self._scalar(event), event.anchor)
                case yaml.AliasEvent():
                    self._finish(self._alias(event), None)
                case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                    self._begin(event)
                case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                    self._end(event)
        return self.root

    def span(self, event: yaml.Event) -> Span:
        """Where an event begins; as long as it goes on in its line."""
        start, end = event.start_mark, event.end_mark
        assert start
        assert end
        length = end.column - start.column if end.line == start.line else 1
        return Span(self.file, start.line + 1, start.column + 1, max(1, length))

    def _document(self, event: yaml.DocumentStartEvent) -> None:
        self._documents += 1
        if self._documents > 1:
            raise Stop(
                error(
                    "BND104",
                    self.span(event),
                    "cannot read more than one document from a file",
                    why="a second `---` begins another document, and a cluster is one",
                    fix="keep one document a file, and remove the `---`",
                )
            )

    def _scalar(self, event: yaml.ScalarEvent) -> Node:
        span = self.span(event)
        return Node(self._value(event, span), span, at_key=not event.value and not event.style)

    def _value(self, event: yaml.ScalarEvent, span: Span) -> Scalar:
        if event.tag is None or event.tag == _MERGE:
            return plain(event.value) if event.implicit[0] and not event.style else str(event.value)
        try:
            return tagged(event.value, event.tag)
        except ValueError:
            kind = event.tag.removeprefix(TAG)
            self.found.add(
                error("BND109", span, f"cannot read the value as !!{kind}: it is none", fix="remove the tag")
            )
        except LookupError:
            self._unknown_tag(event.tag, span)
        return str(event.value)

    def _unknown_tag(self, tag: str, span: Span) -> None:
        name = f"!!{tag.removeprefix(TAG)}" if tag.startswith(TAG) else tag
        why = "only plain data is read: text, numbers, true, false, null, mappings and lists"
        self.found.add(error("BND109", span, f"cannot read the tag {name!r}", why=why, fix="remove the tag"))

    def _alias(self, event: yaml.AliasEvent) -> Node:
        span, name = self.span(event), str(event.anchor)
        if name not in self._anchors:
            fix = f"write `&{name}` before the value that is meant, above this line"
            self.found.add(error("BND111", span, f"cannot find the anchor of alias {'*' + name!r}", fix=fix))
            return Node(None, span)
        node = self._anchors[name]
        if node is None:
            why = f"`*{name}` stands inside the value that `&{name}` names"
            raise Stop(
                error("BND113", span, "cannot write out an alias that contains itself", why=why, fix="remove it")
            )
        self._count(node.size, span)
        if node.height + len(self._open) > MAX_DEPTH:
            raise Stop(too_deep(span))
        return node

    def _count(self, values: int, span: Span) -> None:
        self._aliased += values
        if self._aliased > MAX_ALIASED:
            raise Stop(
                error(
                    "BND112",
                    span,
                    f"cannot write out the aliases: they make more than {MAX_ALIASED} values",
                    why="aliases of aliases multiply, and such a file could fill the memory",
                    fix="use fewer aliases, or write the values out",
                )
            )

    def _begin(self, event: yaml.MappingStartEvent | yaml.SequenceStartEvent) -> None:
        span, is_map = self.span(event), isinstance(event, yaml.MappingStartEvent)
        if len(self._open) >= MAX_DEPTH:
            raise Stop(too_deep(span))
        if event.tag not in (None, "!", f"{TAG}map" if is_map else f"{TAG}seq"):
            self._unknown_tag(event.tag, span)
        if event.anchor:
            self._anchors[event.anchor] = None
        node = Node({} if is_map else [], span, at_key=not event.flow_style)
        self._open.append(_Open(node, event.anchor, is_map=is_map))

    def _end(self, event: yaml.Event) -> None:
        opened = self._open.pop()
        node = opened.node
        for merged, span in opened.merges:
            self._merge(node, merged, span)
        values = [child.value for child in node.children.values()]
        node.value = dict(zip(node.children, values, strict=True)) if opened.is_map else values
        node.size += sum(child.size for child in node.children.values())
        node.height += max((child.height for child in node.children.values()), default=0)
        end = event.end_mark
        if end and not node.at_key and end.line + 1 == node.span.line:
            length = end.column + 1 - node.span.column
            node.span = Span(self.file, node.span.line, node.span.column, length)
        self._finish(node, opened.anchor)

    def _merge(self, node: Node, merged: Node, span: Span) -> None:
        self._count(len(merged.children), span)
        for key, child in merged.children.items():
            if key not in node.children:
                node.children[key] = child
                node.keys[key] = merged.keys[key]

    def _finish(self, node: Node, anchor: str | None) -> None:
        if anchor:
            self._anchors[anchor] = node
        if not self._open:
            self.root = node
            return
        above = self._open[-1]
        if not above.is_map:
            above.node.children[len(above.node.children)] = node
        elif above.key is None:
            above.key = self._key(above, node)
        else:
            self._assign(above, above.key, node)
            above.key = None

    def _key(self, above: _Open, node: Node) -> _Key:
        if not above.node.keys and above.node.at_key:
            above.node.span = node.span
        if not isinstance(node.value, str):
            self._no_text(node)
            return _Key("", node.span, kept=False)
        name = node.value
        if (first := above.node.keys.get(name)) is not None:
            self.found.add(
                error(
                    "BND103",
                    node.span,
                    f"cannot have the key {name!r} twice in one mapping",
                    why="one of the two values would be ignored",
                    fix="remove one of them",
                    related=[Related(first, "first here")],
                )
            )
            return _Key(name, node.span, kept=False)
        above.node.keys[name] = node.span
        return _Key(name, node.span, merge=name == "<<")

    def _no_text(self, node: Node) -> None:
        simple = not isinstance(node.value, dict | list)
        kind = f"`{written(node.value) or 'null'}` is none" if simple else "a mapping or list is none"
        fix = f'write it in quotes: "{written(node.value)}"' if simple else "write the key as text"
        self.found.add(error("BND110", node.span, f"cannot take a key that is not text: {kind}", fix=fix))

    def _assign(self, above: _Open, key: _Key, node: Node) -> None:
        if key.merge:
            above.merges.extend(self._to_merge(node, key.span))
        elif key.kept:
            above.node.children[key.name] = node

    def _to_merge(self, node: Node, span: Span) -> list[tuple[Node, Span]]:
        sources = list(node.children.values()) if isinstance(node.value, list) else [node]
        if all(isinstance(source.value, dict) for source in sources):
            return [(source, span) for source in sources]
        why = "`<<` takes the keys of other mappings"
        fix = "give it an alias of a mapping, or a list of such"
        self.found.add(error("BND114", span, "cannot merge what is not a mapping", why=why, fix=fix))
        return []
