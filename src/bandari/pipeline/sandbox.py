"""Renders one template and says so on stdout: the inside of the process that `rendering` starts. Never imported by it.

stdin: `template`, `variables`, `largest` (characters of output), `memory` (bytes). stdout: `text`, or `findings`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment, nodes


def main() -> None:
    """The process."""
    asked = json.load(sys.stdin)
    _bound(asked["memory"])
    try:
        answer = _answer(asked["template"], asked["variables"], asked["largest"])
    except (MemoryError, RecursionError):
        answer = _one("BND731", 1, "it took more memory than a file is worth", "bound its loops")
    json.dump(answer, sys.stdout)


def _bound(memory: int) -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def _answer(template: str, variables: Mapping[str, Any], largest: int) -> dict[str, Any]:
    try:
        from jinja2 import TemplateError, TemplateSyntaxError
    except ImportError:
        return _one("BND733", 1, "Jinja is not installed", "install it: pip install 'bandari[render]'")
    missing: dict[str, None] = {}
    environment = _environment(missing)
    try:
        tree = environment.parse(template)
        text = _bounded(environment.from_string(template).generate(dict(variables)), largest)
    except TemplateSyntaxError as failure:
        return _one("BND731", failure.lineno, _line(failure.message), "correct the template")
    except (TemplateError, ArithmeticError, LookupError, TypeError, ValueError, AttributeError) as failure:
        if not missing:
            return _one("BND731", _line_of(failure), _line(failure), "correct the template, or its variables")
        text = None
    if missing:
        return {"findings": [finding for name in missing for finding in _undefined(tree, template, name)]}
    if text is None:
        return _one("BND731", 1, f"it makes more than {largest // 2**20} MiB", "bound its loops")
    return {"text": text}


def _environment(missing: dict[str, None]) -> Environment:
    """The sandbox: no loader, so nothing is included; a name that is not defined is remembered, not printed."""
    from jinja2 import ChainableUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Remembered(ChainableUndefined):
        """Stands for what is not defined; used as a value, it is a finding."""

        __slots__ = ()

        def _used(self) -> None:
            missing[str(self._undefined_name)] = None

        def __str__(self) -> str:
            self._used()
            return ""

        def __iter__(self) -> Iterator[Any]:
            self._used()
            return iter(())

        def __bool__(self) -> bool:
            self._used()
            return False

        def __len__(self) -> int:
            self._used()
            return 0

        def __eq__(self, _other: object) -> bool:
            self._used()
            return False

        def __hash__(self) -> int:
            return 0

    return ImmutableSandboxedEnvironment(undefined=Remembered, keep_trailing_newline=True)


def _bounded(pieces: Iterator[str], largest: int) -> str | None:
    """The text; None when it is too large."""
    parts, size = [], 0
    for piece in pieces:
        size += len(piece)
        if size > largest:
            return None
        parts.append(piece)
    return "".join(parts)


def _line_of(failure: BaseException) -> int:
    """The line of the template where it failed: Jinja rewrites tracebacks to its lines."""
    line, trace = 1, failure.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "<template>":
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def _undefined(tree: nodes.Template, template: str, name: str) -> Iterator[dict[str, Any]]:
    """Every place of a name that is not defined."""
    lines = template.split("\n")
    for line in sorted({node.lineno for node in _named(tree, name)}) or [1]:
        text = lines[line - 1] if line <= len(lines) else ""
        column = text.find(name) + 1
        yield {
            "code": "BND730",
            "line": line,
            "column": column or 1,
            "length": len(name) if column else 1,
            "reason": f"{name!r} is not defined",
            "fix": f"add {name} to VARIABLES",
        }


def _named(tree: nodes.Template, name: str) -> Iterator[nodes.Node]:
    from jinja2 import nodes

    for node in tree.find_all((nodes.Name, nodes.Getattr, nodes.Getitem)):
        match node:
            case nodes.Name(name=known) | nodes.Getattr(attr=known) if known == name:
                yield node
            case nodes.Getitem(arg=nodes.Const(value=known)) if known == name:
                yield node


def _line(reason: object) -> str:
    return " ".join(str(reason).split())[:160].rstrip(".") or "it fails"


def _one(code: str, line: int, reason: str, fix: str) -> dict[str, Any]:
    return {"findings": [{"code": code, "line": line, "column": 1, "length": 1, "reason": reason, "fix": fix}]}
