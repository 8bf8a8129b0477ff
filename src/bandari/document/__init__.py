"""The first stage: YAML text in, plain values out, with the place where each of them stands.

Knows YAML (1.2, core schema) and nothing of clusters. PyYAML's parser, in C where libyaml is there, gives a stream of
events; the tree is built from it here, so that depth and aliases are bounded and no text exhausts stack or memory.
"""

from __future__ import annotations

from bandari.document.reading import MAX_BYTES, decode, load
from bandari.document.scalars import WrittenFloat, WrittenInt, written
from bandari.document.tree import Document, Path

__all__ = ["MAX_BYTES", "Document", "Path", "WrittenFloat", "WrittenInt", "decode", "load", "written"]
