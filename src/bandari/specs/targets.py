"""The target key: which of `aws`, `gcp`, `kubernetes`, `local` holds the cluster, and what the others may hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bandari.diagnostics import Diagnostic, Related, did_you_mean, error
from bandari.document import Document
from bandari.specs.cluster import (
    KubernetesOptionsSpec,
    KubernetesTargetSpec,
    LocalOptionsSpec,
    LocalTargetSpec,
    TargetSpec,
)
from bandari.specs.fields import Spec
from bandari.specs.shape import keys_of

TARGETS: Mapping[str, type[TargetSpec]] = {
    "aws": TargetSpec,
    "gcp": TargetSpec,
    "kubernetes": KubernetesTargetSpec,
    "local": LocalTargetSpec,
}
OPTIONS: Mapping[str, type[Spec]] = {"kubernetes": KubernetesOptionsSpec, "local": LocalOptionsSpec}
SECTIONS = frozenset(keys_of(TargetSpec)) - {"description"}


@dataclass(frozen=True, slots=True)
class Choice:
    """`key` holds the cluster ("" when none does); `models` says how each key of the file is to be read."""

    key: str
    models: Mapping[str, type[Spec]]
    found: tuple[Diagnostic, ...] = ()


def choose(document: Document) -> Choice:
    """The target of a file, and what is wrong with the choice."""
    present = [key for key in document.value if key in TARGETS]
    holding = [key for key in present if _holds_cluster(document, key)]
    if not holding and len(present) == 1:
        holding = present
    options = [key for key in present if key not in holding]
    models = {**{key: TARGETS[key] for key in holding}, **{key: OPTIONS[key] for key in options if key in OPTIONS}}
    found = (*_none(document, holding), *_several(document, holding), *_not_options(document, options, holding))
    return Choice(holding[0] if holding else "", models, found)


def _holds_cluster(document: Document, key: str) -> bool:
    return isinstance(value := document.value[key], dict) and "cluster" in value


def _none(document: Document, holding: list[str]) -> Iterator[Diagnostic]:
    misspelt = any(key not in TARGETS and did_you_mean(key, TARGETS) for key in document.value)
    if not holding and not misspelt:
        yield error(
            "BND301",
            document.key_span((next(iter(document.value), ""),)),
            "cannot tell the target: none of aws, gcp, kubernetes and local holds `cluster`",
            why="the key that holds `cluster` says where the cluster is to run",
            fix="for this machine write `local: {cluster: {name: ...}}`",
        )


def _several(document: Document, holding: list[str]) -> Iterator[Diagnostic]:
    for key in holding[1:]:
        yield error(
            "BND302",
            document.key_span((key, "cluster")),
            f"cannot have two targets: {holding[0]} and {key} both hold `cluster`",
            why="a file describes one cluster",
            fix="keep one, and write the other in a file of its own",
            related=[Related(document.key_span((holding[0], "cluster")), "the first one")],
        )


def _not_options(document: Document, options: list[str], holding: list[str]) -> Iterator[Diagnostic]:
    for key in options:
        value = document.value[key]
        if key not in OPTIONS:
            yield error(
                "BND306",
                document.key_span((key,)),
                f"cannot read {key}: it holds no `cluster`",
                why=f"{key} has no options that could stand beside another target",
                fix="remove it, or give it a `cluster`",
            )
        elif isinstance(value, dict):
            yield from (_section(document, key, name) for name in value if name in SECTIONS and holding)


def _section(document: Document, key: str, name: str) -> Diagnostic:
    return error(
        "BND307",
        document.key_span((key, name)),
        f"cannot read {key}.{name}: {key} holds no `cluster`, so only options may stand there",
        why="the sections of a cluster stand beside its `cluster`",
        fix="move it to the target, or give this one a `cluster`",
    )
