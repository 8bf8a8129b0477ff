"""`compute_config: serving:3`: which references a file holds, and the text behind each as the pipeline found it.

Pure: files and the store are read by `pipeline.references`, which hands the answers in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bandari.desired.state import ProviderName
from bandari.diagnostics import Diagnostic, Diagnostics, Span, error
from bandari.document import Document, Path, load
from bandari.specs import dialect
from bandari.specs.compile_ray import Compiled, compile_compute
from bandari.specs.shape import shown

NAME = re.compile(r"[^\s:]+(?:\s+[^\s:]+)*")
"""The name of a compute config; inner spaces are allowed."""
_REFERENCE = re.compile(rf"(?P<name>{NAME.pattern})(?::(?P<version>[1-9][0-9]{{0,8}}))?")
_PATH = re.compile(r"(?:\./|\.\./|/|~).*|.*\.(?:ya?ml|json|j2|jinja2?)", re.DOTALL)
_EMPTY = "BND105"
SECTION = "rayClusters"


@dataclass(frozen=True, slots=True)
class Referenced:
    """What stands behind a reference: the text of a compute config, and the name of its file for findings.

    Without a text: why there is none, as the end of a sentence, and what to do.
    """

    text: str | None
    file: str = ""
    reason: str = ""
    fix: str = ""
    archived: bool = False


References = Mapping[str, Referenced]
"""By the words of the file."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A reference in a file: where it stands, and its words; a path only where paths may stand."""

    path: Path
    words: str
    is_path: bool


def looks_like_path(words: str) -> bool:
    """Whether a reference is written as a path: it begins with a folder or ends as YAML files do."""
    return bool(_PATH.fullmatch(words.strip()))


def parts(words: str) -> tuple[str, int | None] | None:
    """Name and version of a reference; None where it is none."""
    found = _REFERENCE.fullmatch(words)
    return (found["name"], int(found["version"]) if found["version"] else None) if found else None


def wanted(document: Document) -> Iterator[Wanted]:
    """The references of a file, in its order: those of workload files and of `rayClusters`."""
    value = document.value
    for path in (("compute_config",), ("job_config", "compute_config")):
        if isinstance(words := _at(value, path), str):
            yield Wanted(path, words, is_path=False)
    for key in ProviderName:
        clusters = _at(value, (key, SECTION))
        for index in range(len(clusters) if isinstance(clusters, list) else 0):
            at: Path = (str(key), SECTION, index, "computeConfig")
            if isinstance(words := _at(value, at), str):
                yield Wanted(at, words, looks_like_path(words))


def _at(value: Any, path: Path) -> Any:
    for step in path:
        held = value if isinstance(value, dict) else dict(enumerate(value)) if isinstance(value, list) else {}
        if step not in held:
            return None
        value = held[step]
    return value


def compile_reference(
    document: Document, path: Path, *, name: str, references: References, paths: bool = False
) -> tuple[Compiled | None, Diagnostics]:
    """The Ray cluster `name` of the compute config at `path`: inline, null, or a reference.

    `paths` says whether a path may stand there. Findings of a referenced file point into that file.
    """
    words = _at(document.value, path)
    if not isinstance(words, str):
        if words is not None and not isinstance(words, dict):
            return None, Diagnostics()
        return compile_compute(document, path, name=name)
    if said := _no_reference(document.span(path), words, paths=paths):
        return None, Diagnostics([said])
    found = references.get(words, Referenced(None, reason="nothing was looked up"))
    if found.text is None:
        return None, Diagnostics([_missing(document.span(path), words, found)])
    return _compile_text(found, name)


def _no_reference(place: Span, words: str, *, paths: bool) -> Diagnostic | None:
    if looks_like_path(words):
        return None if paths else _path(place, words)
    if parts(words):
        return None
    why = "a reference is a name, or a name and a version: serving, serving:3"
    message = f"cannot take {shown(words)} as a compute config: it is no name and no name:version"
    return error("BND743", place, message, why=why, fix="correct the name; versions are 1, 2, 3...")


def _path(place: Span, words: str) -> Diagnostic:
    return error(
        "BND743",
        place,
        f"cannot take {shown(words)} as a compute config: it is a path, and a name is expected",
        why="workload files name a stored compute config, so that every run of them gets the same version",
        fix=f"keep it: `bandari compute-config create NAME -f {words}`, then write NAME:1; or write it inline",
    )


def _missing(place: Span, words: str, found: Referenced) -> Diagnostic:
    message = f"cannot find the compute config {shown(words)}: {found.reason}"
    fix = found.fix or "`bandari compute-config list` shows what is stored"
    return error("BND745" if found.archived else "BND744", place, message, fix=fix)


def _compile_text(found: Referenced, name: str) -> tuple[Compiled | None, Diagnostics]:
    document, said = read_config(found.text or "", found.file)
    if document is None:
        return None, said
    compiled, more = compile_compute(document, (), name=name)
    said.add(*more)
    return compiled, said


def read_config(text: str, file: str) -> tuple[Document | None, Diagnostics]:
    """The document of a text that has to be a compute config; one of nothing but comments is the empty one."""
    document, said = load(text, file)
    if template := dialect.template(text, file, document):
        return None, Diagnostics([template])
    if document is None and [finding.code for finding in said] == [_EMPTY]:
        document, said = load("{}", file)
    if document is None:
        return None, said
    language = dialect.language(document)
    if isinstance(language, Diagnostic):
        said.add(language)
        return None, said
    if language is not dialect.Language.COMPUTE_CONFIG:
        said.add(_other_language(document, language))
        return None, said
    return document, said


def _other_language(document: Document, language: dialect.Language) -> Diagnostic:
    return error(
        "BND757",
        document.key_span((next(iter(document.value)),)),
        f"cannot take the file as a compute config: it is {language.value}",
        why="a compute config holds nodes alone: head_node, worker_nodes, limits",
        fix="name a file with head_node or worker_nodes, or write {} for the defaults",
    )
