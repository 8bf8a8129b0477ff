"""Which language a file is written in, by its top-level keys. One is read; others are named for what they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bandari.desired.state import ProviderName
from bandari.diagnostics import Diagnostic, did_you_mean, error
from bandari.document import Document

TARGETS: tuple[str, ...] = tuple(ProviderName)
_LANGUAGES: tuple[tuple[str, frozenset[str]], ...] = (
    ("a Ray compute config", frozenset({"head_node", "worker_nodes", "head_node_type", "worker_node_types"})),
    (
        "a file of Ray's cluster launcher",
        frozenset({"available_node_types", "cluster_name", "head_start_ray_commands"}),
    ),
    ("a Ray Serve or job config", frozenset({"applications", "entrypoint", "compute_config", "http_options"})),
)
_RAY_API = "ray.io/"


def other_language(document: Document) -> Diagnostic | None:
    """What the file is, when it is no cluster file."""
    value = document.value
    if any(key in value for key in TARGETS):
        return None
    if found := _named(value):
        return error(
            "BND304",
            document.key_span((next(iter(value)),)),
            f"cannot read {found}: this version reads the cluster file",
            why="other languages are served by a later version",
            fix="write a cluster file; `bandari init` makes a starter file",
        )
    if "version" in value or any(did_you_mean(key, TARGETS) for key in value):
        return None
    return _unknown(document)


def _named(value: Mapping[str, Any]) -> str:
    if isinstance(api := value.get("apiVersion"), str) and "kind" in value:
        return f"a KubeRay {value['kind']}" if api.startswith(_RAY_API) else f"a Kubernetes {value['kind']}"
    return next((name for name, keys in _LANGUAGES if keys & value.keys()), "")


def _unknown(document: Document) -> Diagnostic:
    keys = ", ".join(list(document.value)[:4])
    return error(
        "BND305",
        document.key_span((next(iter(document.value), ""),)),
        "cannot tell what the file is: it has none of the keys of a cluster file",
        why=f"it begins with {keys}" if keys else "it has no keys",
        fix=f"a cluster file holds `version` and one of {', '.join(TARGETS)}",
    )
