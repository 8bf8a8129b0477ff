"""Ray clusters of a cluster file: their names, and one description of an image each."""

from __future__ import annotations

from collections.abc import Iterator

from bandari.diagnostics import Diagnostic, Related, Span, error
from bandari.specs.meaning.subject import Item, Subject
from bandari.specs.shape import shown

SECTION = "rayClusters"
_MADE = ("ray", "python", "cuda")


def names(subject: Subject) -> Iterator[Diagnostic]:
    """A Ray cluster has a name that no other and no model group has."""
    first: dict[str, tuple[Span, str]] = {
        name: (group.span("name"), "the model group") for group in subject.groups() if (name := group.text("name"))
    }
    for cluster in subject.target.items(SECTION):
        if not (name := cluster.text("name")):
            continue
        if name in first:
            place, what = first[name]
            yield error(
                "BND756",
                cluster.span("name"),
                f"cannot have a Ray cluster {shown(name)}: the name is taken",
                why="commands and addresses tell parts by their names",
                fix="give one of them another name",
                related=[Related(place, what)],
            )
        first.setdefault(name, (cluster.span("name"), "the first one"))


def images(subject: Subject) -> Iterator[Diagnostic]:
    """One description of an image."""
    for cluster in subject.target.items(SECTION):
        if image := cluster.inner("image"):
            yield from _one(image)


def _one(image: Item) -> Iterator[Diagnostic]:
    ways = [key for key in ("uri", "containerfile") if image.value.get(key)]
    ways += [key for key in _MADE if image.value.get(key)][:1]
    if len(ways) > 1:
        yield error(
            "BND759",
            image.key_span(ways[1]),
            f"cannot take {ways[1]} beside {ways[0]}: both describe the image",
            why="a reference, a Containerfile, and versions from which a reference is made exclude each other",
            fix=f"keep {ways[0]}, or {ways[1]}",
            related=[Related(image.key_span(ways[0]), "the other one")],
        )
