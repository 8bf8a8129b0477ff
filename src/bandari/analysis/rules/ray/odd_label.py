"""A label that Ray refuses, so that no node of the group would start."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bandari.analysis.ray_nodes import nodes
from bandari.analysis.subject import Subject
from bandari.diagnostics import Diagnostic, error

CODE = "BND786"
_NAME = re.compile(r"[a-zA-Z0-9](?:[a-zA-Z0-9_.-]{0,61}[a-zA-Z0-9])?")
_PREFIX = re.compile(r"[a-zA-Z0-9](?:[a-zA-Z0-9.-]{0,251}[a-zA-Z0-9])?")
"""Of Kubernetes, which Ray follows: https://docs.ray.io/en/latest/ray-core/scheduling/labels.html"""


def check(subject: Subject) -> Iterator[Diagnostic]:
    """An error: `ray start` ends with the label's name."""
    for cluster in subject.state.ray_clusters():
        for kind in nodes(cluster):
            for field, labels in (("labels", kind.shape.labels), ("required_labels", kind.shape.required_labels)):
                for key, value in labels.items():
                    if reason := _reason(key, value):
                        yield error(
                            CODE,
                            kind.at(field, key),
                            f"cannot label {kind} with {key!r}: {value!r}: {reason}",
                            why="Ray and Kubernetes refuse it, so no node would start",
                            fix="use letters, digits, -, _ and . with a letter or a digit at both ends",
                        )


def _reason(key: str, value: str) -> str:
    prefix, slash, name = key.rpartition("/")
    if not _NAME.fullmatch(name) or (slash and not _PREFIX.fullmatch(prefix)):
        return "that is no name of a label"
    return "" if not value or _NAME.fullmatch(value) else "that is no value of a label"
