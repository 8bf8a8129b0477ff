"""Text -> desired state: the stages 1 to 3 in a row, with every finding of all of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePath
from typing import TYPE_CHECKING

from pydantic import ValidationError

from bandari.desired.state import DesiredState, LocalTarget, ProviderName, Target
from bandari.diagnostics import Diagnostic, Diagnostics, Span, error, warning
from bandari.document import Document, load
from bandari.specs import dialect, meaning, shape, targets
from bandari.specs.compile_cluster import compile_cluster
from bandari.specs.dialect import Language
from bandari.specs.fields import LABEL, Spec, as_label
from bandari.specs.file import FileSpec, version_findings
from bandari.specs.groups import Described
from bandari.specs.ray_clusters import SECTION, compile_ray_clusters

if TYPE_CHECKING:
    from bandari.specs.compile_ray import Compiled
    from bandari.specs.ray.references import References

_EMPTY = "BND105"
DEFAULT_NAME = "ray"
"""Of a compute config whose file has no letter in its name."""


def read(
    text: str,
    file: str,
    *,
    target: ProviderName | None = None,
    name: str = "",
    references: References | None = None,
) -> tuple[DesiredState | None, Diagnostics]:
    """The state that a text asks for, and all findings; None when one of them is an error.

    `target` stands in for the target that the file names. `name` is the cluster of a file that names none; the file's
    stem by default. A text with nothing but comments is the empty compute config where a name is given, and refused
    as a broken cluster file where none is; `{}` is the empty compute config in any case. `references` holds the texts
    behind the compute configs that the file names (`specs.ray.references.wanted`).
    """
    document, found = load(text, file)
    if said := dialect.template(text, file, document):
        return None, Diagnostics([said])
    if document is None and name and [finding.code for finding in found] == [_EMPTY]:
        document, found = load("{}", file)
    if document is None:
        return None, _with_way_out(found)
    language = dialect.language(document)
    if isinstance(language, Diagnostic):
        found.add(language)
        return None, found
    if language is Language.CLUSTER_FILE:
        return _cluster_file(document, found, target, name, references or {})
    if language is Language.COMPUTE_CONFIG:
        return _compute_config(document, found, target, name)
    from bandari.specs.compile_workload import compile_workload  # noqa: PLC0415 - a cluster file without Ray does not pay for it

    state, more = compile_workload(document, target=target, name=name, references=references)
    found.add(*more)
    return state, found


def name_of(file: str) -> str:
    """The name of a cluster whose file names none: the file's stem as a DNS label."""
    return as_label(PurePath(file).stem) or DEFAULT_NAME


def _with_way_out(found: Diagnostics) -> Diagnostics:
    """An empty file may have been meant as a compute config; its finding says how to say so."""
    fix = "`bandari init` writes a starter file; for an empty compute config write {}, or add --name NAME"
    return Diagnostics(error(f.code, f.span, f.message, why=f.why, fix=fix) if f.code == _EMPTY else f for f in found)


def _cluster_file(
    document: Document, found: Diagnostics, target: ProviderName | None, name: str, references: References
) -> tuple[DesiredState | None, Diagnostics]:
    choice = targets.choose(document)
    found.add(*choice.found, *_top_level(document))
    specs = {key: _validated(document, key, model, found) for key, model in choice.models.items()}
    if not choice.key:
        return None, found
    provider = target or ProviderName(choice.key)
    rays, said = _ray_clusters(document, choice.key, references)
    found.add(*meaning.findings(document, choice.key, provider), *_second_name(document, choice.key, name), *said)
    if found.errors:
        return None, found
    return compile_cluster(document, choice.key, provider, specs, rays), found


def _ray_clusters(document: Document, key: str, references: References) -> tuple[tuple[Compiled, ...], Diagnostics]:
    target = document.value.get(key)
    if not isinstance(target, dict) or not target.get(SECTION):
        return (), Diagnostics()
    return compile_ray_clusters(document, key, references)


def _second_name(document: Document, key: str, name: str) -> Iterator[Diagnostic]:
    if name:
        message = f"cannot call the cluster {name!r}: the file names it"
        why = "--name is for files that name no cluster"
        yield warning("BND736", document.span((key, "cluster", "name")), message, why=why, fix="leave --name out")


def _compute_config(
    document: Document, found: Diagnostics, target: ProviderName | None, name: str
) -> tuple[DesiredState | None, Diagnostics]:
    name = name or name_of(document.file)
    if not LABEL.fullmatch(name):
        found.add(_no_label(document, name))
    from bandari.specs.compile_ray import compile_compute  # noqa: PLC0415 - a cluster file without Ray does not pay for it

    compiled, said = compile_compute(document, (), name=name)
    found.add(*said)
    if compiled is None or found.errors:
        return None, found
    origin = document.origin(())
    place = Target(target, name, local=LocalTarget(origin=origin), origin=origin)
    return DesiredState(place, compiled.pools, (compiled.cluster,)), found


def _no_label(document: Document, name: str) -> Diagnostic:
    fix = f"write --name {near}" if (near := as_label(name)) else "begin it with a letter"
    why = "names become Kubernetes names and host names: a-z, 0-9 and -, at most 63"
    message = f"cannot call the cluster {name!r}: it is no DNS label"
    return error("BND208", Span(document.file, 1, 1), message, why=why, fix=fix)


def _top_level(document: Document) -> Iterator[Diagnostic]:
    yield from version_findings(document)
    words = {key: value for key, value in document.value.items() if key == "description"}
    try:
        Described.model_validate(words)
    except ValidationError as failure:
        yield from shape.findings(document, (), Described, failure)
    for key in document.value:
        if key not in shape.keys_of(FileSpec):
            yield shape.unknown_key(document, (key,), FileSpec)


def _validated(document: Document, key: str, model: type[Spec], found: Diagnostics) -> Spec | None:
    try:
        return model.model_validate(document.value[key])
    except ValidationError as failure:
        said = {finding.span for finding in found}
        found.add(*(f for f in shape.findings(document, (key,), model, failure) if f.span not in said))
        return None
