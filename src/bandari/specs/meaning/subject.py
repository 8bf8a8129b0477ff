"""What rules look at: plain values of any shape, by their paths.

What has not the shape that a rule wants is passed over; `shape` speaks about it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bandari.desired.state import ProviderName
from bandari.diagnostics import Span
from bandari.document import Document, Path, written
from bandari.specs.fields import whole


@dataclass(frozen=True, slots=True)
class Item:
    """A mapping of the file and its path."""

    document: Document
    path: Path
    value: Mapping[str, Any]

    def span(self, *path: str | int) -> Span:
        """Where a value in it stands."""
        return self.document.span((*self.path, *path))

    def key_span(self, *path: str | int) -> Span:
        """Where a key in it stands."""
        return self.document.key_span((*self.path, *path))

    def whole(self, key: str) -> int | None:
        """A whole number, quoted or not; None for anything else."""
        return whole(self.value.get(key))

    def text(self, key: str) -> str | None:
        """Text, or a number as it is written; None for anything else."""
        value = self.value.get(key)
        return written(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else None

    def inner(self, key: str) -> Item | None:
        """A mapping in it."""
        value = self.value.get(key)
        return Item(self.document, (*self.path, key), value) if isinstance(value, dict) else None

    def items(self, key: str) -> Iterator[Item]:
        """The mappings of a list in it."""
        value = self.value.get(key)
        for index, entry in enumerate(value if isinstance(value, list) else ()):
            if isinstance(entry, dict):
                yield Item(self.document, (*self.path, key, index), entry)


@dataclass(frozen=True, slots=True)
class Subject:
    """A file: the mapping of its target, and where that is to run."""

    document: Document
    key: str
    provider: ProviderName

    @property
    def target(self) -> Item:
        value = self.document.value.get(self.key)
        return Item(self.document, (self.key,), value if isinstance(value, dict) else {})

    @property
    def local(self) -> Item:
        """The options of this machine; they may stand beside another target."""
        value = self.document.value.get("local")
        return Item(self.document, ("local",), value if isinstance(value, dict) else {})

    def groups(self) -> Iterator[Item]:
        """The model groups, plain and mixed."""
        yield from self.target.items("modelGroups")
        yield from self.target.items("mixedModelGroups")

    def runtimes(self) -> Iterator[Item]:
        """The `runtime` of each group."""
        for group in self.groups():
            if runtime := group.inner("runtime"):
                yield runtime

    def node_groups(self) -> Iterator[Item]:
        """The node groups of functions and jobs."""
        for section in ("function", "job"):
            if found := self.target.inner(section):
                yield from found.items("nodeGroups")
