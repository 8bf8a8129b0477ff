"""The rules of the house that no linter knows: sizes, docstrings, banned names, what the public API is."""

from __future__ import annotations

import ast
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import TypeGuard

import pytest

import bandari

SOURCE = Path(bandari.__file__).parent
FILES = sorted(SOURCE.rglob("*.py"))
LONGEST_FILE = 400
LONGEST_FUNCTION = 80
BANNED = {"utils", "util", "helpers", "helper", "common", "manager", "context", "misc", "base_model"}
Function = ast.FunctionDef | ast.AsyncFunctionDef


def trees() -> Iterator[tuple[Path, ast.Module]]:
    for path in FILES:
        yield path, ast.parse(path.read_text())


def functions(tree: ast.AST) -> Iterator[Function]:
    yield from (node for node in ast.walk(tree) if isinstance(node, Function))


def length(node: Function) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def test_no_file_is_longer_than_a_reader_can_hold() -> None:
    long = {str(p.relative_to(SOURCE)): n for p in FILES if (n := p.read_text().count("\n")) > LONGEST_FILE}
    assert long == {}


def test_no_function_is_longer_than_a_screen_and_most_are_short() -> None:
    sizes = {f"{p.relative_to(SOURCE)}:{f.name}": length(f) for p, tree in trees() for f in functions(tree)}
    assert {name: n for name, n in sizes.items() if n > LONGEST_FUNCTION} == {}
    assert statistics.median(sizes.values()) <= 9


def test_files_are_nouns_and_none_is_a_junk_drawer() -> None:
    assert {p.stem for p in FILES} & BANNED == set()


@pytest.mark.parametrize(
    "path", [p for p in FILES if p.name != "__init__.py"], ids=lambda p: str(p.relative_to(SOURCE))
)
def test_every_module_says_its_role(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text())), "a module docstring is missing"


def _says_nothing(node: ast.stmt) -> TypeGuard[Function]:
    return isinstance(node, Function) and not node.name.startswith("_") and not ast.get_docstring(node)


def undocumented(tree: ast.Module, path: Path) -> Iterator[str]:
    """Public classes and functions without a docstring, and methods of more than three statements."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from _class(node, path)
        elif _says_nothing(node):
            yield f"{path.relative_to(SOURCE)}:{node.lineno} {node.name}"


def _class(node: ast.ClassDef, path: Path) -> Iterator[str]:
    if not ast.get_docstring(node):
        yield f"{path.relative_to(SOURCE)}:{node.lineno} {node.name}"
    for method in node.body:
        public = isinstance(method, Function) and not method.name.startswith("_")
        if isinstance(method, Function) and public and not ast.get_docstring(method) and len(method.body) > 3:
            yield f"{path.relative_to(SOURCE)}:{method.lineno} {node.name}.{method.name}"


def test_every_public_name_is_documented() -> None:
    assert [name for path, tree in trees() for name in undocumented(tree, path)] == []


def test_the_public_api_is_this_and_nothing_else() -> None:
    assert bandari.__all__ == ["__version__", "apply", "check", "load", "plan", "status"]
    for name in bandari.__all__:
        assert getattr(bandari, name) is not None


def test_no_unfinished_mark_and_no_swallowed_exception_stands_in_the_source() -> None:
    marks = ("TO" + "DO", "FIX" + "ME", "X" + "XX", "except Exception: pass", "raise NotImplementedError")
    found = [f"{p.relative_to(SOURCE)}: {mark}" for p in FILES for mark in marks if mark in p.read_text()]
    assert found == []
