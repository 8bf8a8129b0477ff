"""Bytes -> text -> `Document`: the whole first stage, with an answer for whatever a file may hold."""

from __future__ import annotations

import re

import yaml

from bandari.diagnostics import Diagnostic, Diagnostics, Span, error
from bandari.document.composing import Composer, Stop
from bandari.document.scalars import written
from bandari.document.syntax import in_words
from bandari.document.tree import Document, Node

MAX_BYTES = 2**20
"""A larger file is refused before it is parsed."""
_LOADER: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""https://yaml.org/spec/1.2.2/#51-character-set"""
_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_BOM = "\ufeff"


def decode(data: bytes, file: str) -> tuple[str | None, Diagnostics]:
    """The text of a file's bytes, or why they are none; more than MAX_BYTES are not looked at."""
    if len(data) > MAX_BYTES:
        return None, Diagnostics([_too_large(file)])
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as failure:
        before = data[: failure.start].decode("utf-8", errors="replace")
        why = f"byte 0x{data[failure.start]:02x} is no UTF-8"
        return None, Diagnostics([_binary(_after(before, file), why)])
    return text, Diagnostics()


def load(text: str, file: str) -> tuple[Document | None, Diagnostics]:
    """The document of a text; None when it has none, and then a finding says why. `file` is for the places alone."""
    text = text.removeprefix(_BOM)
    if len(text) > MAX_BYTES:
        return None, Diagnostics([_too_large(file)])
    if bad := _UNPRINTABLE.search(text):
        why = f"it holds the character U+{ord(bad[0]):04X}"
        return None, Diagnostics([_binary(_after(text[: bad.start()], file), why)])
    composer = Composer(file)
    try:
        root = composer.compose(yaml.parse(text, Loader=_LOADER))
    except Stop as stop:
        composer.found.add(stop.diagnostic)
        return None, composer.found
    except yaml.MarkedYAMLError as problem:
        composer.found.add(in_words(problem, text, file))
        return None, composer.found
    return _mapping(root, composer, text)


def _mapping(root: Node | None, composer: Composer, text: str) -> tuple[Document | None, Diagnostics]:
    found, file = composer.found, composer.file
    if root is None or root.value is None:
        found.add(_empty(file, text))
        return None, found
    if not isinstance(root.value, dict):
        kind = "a list" if isinstance(root.value, list) else "a single value"
        why = f"the file holds {kind}, not `key: value` lines"
        fix = "begin with `version:` and the target; `bandari init` writes a starter file"
        found.add(error("BND106", root.span, "cannot read a cluster from what is no mapping", why=why, fix=fix))
        return None, found
    version = root.children.get("version")
    if version and isinstance(version.value, int | float):
        root.value["version"] = version.value = written(version.value)
    return Document(file, root.value, root), found


def _too_large(file: str) -> Diagnostic:
    return error(
        "BND108",
        Span(file, 1, 1),
        f"cannot read a file of more than {MAX_BYTES // 2**20} MiB",
        why="no cluster file is as large; this is probably another file",
        fix="name the cluster file with -f",
    )


def _binary(span: Span, why: str) -> Diagnostic:
    return error("BND107", span, "cannot read the file: it is no text", why=why, fix="save it as UTF-8 text")


def _empty(file: str, text: str) -> Diagnostic:
    why = "it holds nothing but comments" if text.strip() else "it holds nothing"
    fix = "`bandari init` writes a starter file"
    return error("BND105", Span(file, 1, 1), "cannot read a cluster from an empty file", why=why, fix=fix)


def _after(before: str, file: str) -> Span:
    lines = _BREAK.split(before)
    return Span(file, len(lines), len(lines[-1]) + 1)
