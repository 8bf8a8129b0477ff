"""Groups whose names are one name on Kubernetes."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

from bandari.analysis.ray_nodes import Node, groups
from bandari.analysis.subject import Subject
from bandari.diagnostics import Diagnostic, Related, error

CODE = "BND777"
_ODD = re.compile(r"[^a-z0-9]+")


def folded(name: str) -> str:
    """The name as a DNS-1123 label, as a group of KubeRay needs it."""
    return _ODD.sub("-", name.lower()).strip("-")[:63].rstrip("-")


def check(subject: Subject) -> Iterator[Diagnostic]:
    """Ray itself takes any name, so elsewhere they stay two."""
    for cluster in subject.state.ray_clusters():
        alike: dict[str, list[Node]] = defaultdict(list)
        for kind in groups(cluster):
            alike[folded(kind.name)].append(kind)
        for name, kinds in alike.items():
            for kind in kinds[1:]:
                yield error(
                    CODE,
                    kind.at("name"),
                    f"cannot tell {kind} from {kinds[0]} on Kubernetes: both become {name!r}",
                    why="names there are lower case letters, digits and dashes",
                    fix="give it another name",
                    related=[Related(kinds[0].at("name"), "the other group")],
                )
