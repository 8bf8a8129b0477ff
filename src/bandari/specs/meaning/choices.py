"""Mappings of which exactly one key may be given, and keys that exclude each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bandari.diagnostics import Diagnostic, Related, did_you_mean, error
from bandari.specs.fields import short
from bandari.specs.kubernetes import ValueFrom, VolumeSpec
from bandari.specs.meaning.names import MODEL_VOLUME
from bandari.specs.meaning.subject import Item, Subject
from bandari.specs.shape import keys_of, shown

HANDLERS = ("httpGet", "tcpSocket", "grpc", "exec")
SOURCES = keys_of(ValueFrom)
_NAMED = 6
"""Kinds of volumes that a message names; there are many more."""
VOLUME_KINDS = tuple(key for key in keys_of(VolumeSpec) if key != "name")
_PROBES = ("readinessProbe", "livenessProbe")


def probes(subject: Subject) -> Iterator[Diagnostic]:
    """A probe has one handler, and what Kubernetes allows for its kind."""
    for runtime in subject.runtimes():
        for kind in _PROBES:
            if probe := runtime.inner(kind):
                yield from _one_of(probe, HANDLERS, "BND310", "a probe checks in exactly one way")
        if (liveness := runtime.inner("livenessProbe")) and (liveness.whole("successThreshold") or 1) > 1:
            why = "Kubernetes counts one success of a liveness probe, never more"
            yield _wrong_probe(liveness, "successThreshold", "livenessProbe", why, "set it to 1")
        readiness = runtime.inner("readinessProbe")
        if readiness and "terminationGracePeriodSeconds" in readiness.value:
            why = "a failed readiness probe ends nothing"
            yield _wrong_probe(readiness, "terminationGracePeriodSeconds", "readinessProbe", why, "remove it")


def _wrong_probe(probe: Item, key: str, kind: str, why: str, fix: str) -> Diagnostic:
    message = f"cannot take {key} {probe.value[key]!r} in a {kind}"
    return error("BND311", probe.span(key), message, why=why, fix=fix)


def variables(subject: Subject) -> Iterator[Diagnostic]:
    """A variable has a value or a source, and one source."""
    for runtime in subject.runtimes():
        for variable in runtime.items("env"):
            if variable.value.get("value") not in (None, "") and "valueFrom" in variable.value:
                yield error(
                    "BND313",
                    variable.key_span("valueFrom"),
                    f"cannot set {shown(variable.text('name'))} from a value and from a source",
                    why="Kubernetes refuses valueFrom beside a value",
                    fix="keep one of them",
                    related=[Related(variable.span("value"), "the value")],
                )
            if source := variable.inner("valueFrom"):
                yield from _one_of(source, SOURCES, "BND313", "a variable has exactly one source")


def volumes(subject: Subject) -> Iterator[Diagnostic]:
    """A volume has one source; a mount names a volume that exists, once volumes are declared at all."""
    for runtime in subject.runtimes():
        for volume in runtime.items("volumes"):
            yield from _one_of(volume, VOLUME_KINDS, "BND317", "a volume has exactly one source")
        for mount in runtime.items("volumeMounts"):
            if "subPath" in mount.value and "subPathExpr" in mount.value:
                message = "cannot mount by subPath and by subPathExpr"
                why = "Kubernetes takes one of them"
                yield error("BND314", mount.key_span("subPathExpr"), message, why=why, fix="remove one of them")
            yield from _undeclared(runtime, mount)


def _undeclared(runtime: Item, mount: Item) -> Iterator[Diagnostic]:
    declared = [name for volume in runtime.items("volumes") if (name := volume.text("name"))]
    name = mount.text("name")
    if declared and name and name not in (*declared, MODEL_VOLUME):
        near = did_you_mean(name, (*declared, MODEL_VOLUME))
        yield error(
            "BND315",
            mount.span("name"),
            f"cannot mount the volume {shown(name)}: volumes does not declare it",
            why=f"declared are {', '.join(declared)}; {MODEL_VOLUME} is predefined",
            fix=f"did you mean {near}?" if near else short(f"declare it: volumes: [{{name: {name}, emptyDir: {{}}}}]"),
        )


def models(subject: Subject) -> Iterator[Diagnostic]:
    """Weights come from one place."""
    for group in subject.groups():
        model = group.inner("model")
        if model and "hfRepoId" in model.value and "source" in model.value:
            yield error(
                "BND318",
                model.key_span("source"),
                "cannot take a model from a repository and from a source",
                why="a group serves one model",
                fix="remove hfRepoId or source",
                related=[Related(model.span("hfRepoId"), "the repository")],
            )


def _one_of(item: Item, keys: Sequence[str], code: str, why: str) -> Iterator[Diagnostic]:
    given = [key for key in item.value if key in keys]
    name = next(str(step) for step in reversed(item.path) if isinstance(step, str))
    if not given and not any(did_you_mean(key, keys) for key in item.value):
        message = f"cannot read {name}: it has none of {', '.join(keys[:_NAMED])}{' and others' * (len(keys) > _NAMED)}"
        yield error(code, item.key_span(), message, why=why, fix="add the one that is meant")
    for key in given[1:]:
        yield error(
            code,
            item.key_span(key),
            f"cannot take {key} beside {given[0]} in {name}",
            why=why,
            fix="keep one of them",
            related=[Related(item.key_span(given[0]), "the other one")],
        )
