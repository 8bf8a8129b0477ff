"""`--render`: a Jinja template and a file of variables -> the text of the file that is read. Runs before stage 1.

A template is a program, so it runs in Jinja's sandbox without a loader, and in a process of its own whose time, memory
and output are bounded: whatever it does, the command that asked goes on.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bandari.diagnostics import Diagnostic, Diagnostics, Span, error
from bandari.document import MAX_BYTES, Document, decode, load, written

LONGEST = 10
"""Seconds that a template may take."""
_MEMORY = 2**30


@dataclass(frozen=True, slots=True)
class Rendered:
    """The text to read, and the name under which findings speak of it; None when it could not be made."""

    text: str | None
    label: str
    diagnostics: Diagnostics
    variables: str = ""
    """The text of the file of variables."""


def render(text: str, file: str, variables: Path, *, longest: float = LONGEST) -> Rendered:
    """A template with its variables filled in; places of findings about the result are lines of the rendered text.

    `longest` is the number of seconds that it may take.
    """
    values, source, found = _variables(variables)
    if values is None:
        return Rendered(None, file, found, source)
    answer = _in_a_process(text, values, longest)
    if "text" in answer:
        return Rendered(answer["text"], f"{file} (rendered)", Diagnostics(), source)
    return Rendered(None, file, Diagnostics(_finding(item, file, variables) for item in answer["findings"]), source)


def _variables(path: Path) -> tuple[Mapping[str, Any] | None, str, Diagnostics]:
    try:
        with path.open("rb") as stream:
            text, found = decode(stream.read(MAX_BYTES + 1), str(path))
    except OSError as failure:
        reason = failure.strerror or str(failure)
        message = f"cannot read the variables {str(path)!r}: {reason}"
        return None, "", Diagnostics([error("BND731", Span(str(path), 1, 1), message, fix="name a YAML file")])
    document, said = load(text, str(path)) if text is not None else (None, found)
    if document is None:
        return None, text or "", said
    return _plain(document), text or "", said


def _plain(document: Document) -> Mapping[str, Any]:
    """Values for the template; those of `env` are text, as the variables of a shell are."""
    environment = document.value.get("env")
    if not isinstance(environment, dict):
        return document.value
    scalars = {k: v if isinstance(v, dict | list) else written(v) for k, v in environment.items()}
    return {**document.value, "env": scalars}


def _in_a_process(text: str, values: Mapping[str, Any], longest: float) -> dict[str, Any]:
    command = [sys.executable, "-P", "-c", "from bandari.pipeline.sandbox import main; main()"]
    asked = json.dumps({"template": text, "variables": values, "largest": MAX_BYTES, "memory": _MEMORY})
    try:
        done = subprocess.run(command, input=asked, capture_output=True, text=True, timeout=longest, check=False)
    except subprocess.TimeoutExpired:
        return _stopped(f"it did not end within {longest:g} second{'s' if longest != 1 else ''}")
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        return _stopped("it took more memory than a file is worth")
    assert isinstance(answer, dict)
    return answer


def _stopped(reason: str) -> dict[str, Any]:
    fix = "bound its loops"
    return {"findings": [{"code": "BND731", "line": 1, "column": 1, "length": 1, "reason": reason, "fix": fix}]}


def _finding(item: Mapping[str, Any], file: str, variables: Path) -> Diagnostic:
    span = Span(file, item["line"], item["column"], item["length"])
    fix = item["fix"].replace("VARIABLES", str(variables))
    return error(item["code"], span, f"cannot render the template: {item['reason']}", fix=fix)
