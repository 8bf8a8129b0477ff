"""Two things of one name."""

from __future__ import annotations

from collections.abc import Iterator

from bandari.diagnostics import Diagnostic, Related, Span, error
from bandari.specs.fields import LABEL, as_label
from bandari.specs.meaning.subject import Item, Subject
from bandari.specs.shape import shown

MODEL_VOLUME = "model-data"


def groups(subject: Subject) -> Iterator[Diagnostic]:
    """Model groups, plain and mixed, share their names; two that become one as Kubernetes names are one as well."""
    first: dict[str, tuple[str, Span]] = {}
    for group in subject.groups():
        if not (name := group.text("name")):
            continue
        label, span = name if LABEL.fullmatch(name) else as_label(name), group.span("name")
        if label not in first:
            first[label] = (name, span)
            continue
        other, place = first[label]
        same = (
            "the name is taken"
            if name == other
            else f"{shown(name)} and {shown(other)} become the same Kubernetes name"
        )
        yield error(
            "BND309",
            span,
            f"cannot have a second model group {label!r}: {same}",
            why="clients ask for a group by its name, over modelGroups and mixedModelGroups together",
            fix="give one of them another name",
            related=[Related(place, "the first one")],
        )


def variables(subject: Subject) -> Iterator[Diagnostic]:
    """A variable is set once: Kubernetes' server-side apply refuses a second entry of one name."""
    for runtime in subject.runtimes():
        yield from _once(runtime, "env", "name", code="BND312", doing="set the variable", why="the last one would win")


def mounts(subject: Subject) -> Iterator[Diagnostic]:
    """A path of the container takes one mount."""
    for runtime in subject.runtimes():
        why = "Kubernetes refuses a path that is mounted twice"
        yield from _once(runtime, "volumeMounts", "mountPath", code="BND314", doing="mount at", why=why)


def volumes(subject: Subject) -> Iterator[Diagnostic]:
    """A volume is declared once, and `model-data` is there already."""
    for runtime in subject.runtimes():
        yield from _once(
            runtime, "volumes", "name", code="BND316", doing="declare the volume", why="a mount could mean either"
        )
        for volume in runtime.items("volumes"):
            if volume.text("name") == MODEL_VOLUME:
                yield error(
                    "BND316",
                    volume.span("name"),
                    f"cannot declare the volume {MODEL_VOLUME!r}: it is predefined",
                    why="it holds the group's model",
                    fix="give the volume another name",
                )


def _once(runtime: Item, section: str, key: str, *, code: str, doing: str, why: str) -> Iterator[Diagnostic]:
    first: dict[str, Span] = {}
    for entry in runtime.items(section):
        name = entry.text(key)
        if name is None:
            continue
        if name in first:
            yield error(
                code,
                entry.span(key),
                f"cannot {doing} {shown(name)} twice",
                why=why,
                fix="remove one of them",
                related=[Related(first[name], "first here")],
            )
        first.setdefault(name, entry.span(key))
