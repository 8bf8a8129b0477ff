"""Which language a file is written in, by its top-level keys. Those that are not read are named for what they are."""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from typing import Any

from bandari.desired.state import ProviderName
from bandari.diagnostics import Diagnostic, Span, did_you_mean, error
from bandari.document import Document

TARGETS: tuple[str, ...] = tuple(ProviderName)


class Language(enum.Enum):
    """The languages that are read."""

    CLUSTER_FILE = "a cluster file"
    COMPUTE_CONFIG = "a Ray compute config"
    WORKLOAD = "a Ray job, service, schedule or workspace file"


_NODES = frozenset({"head_node", "worker_nodes", "head_node_type", "worker_node_types", "configs"})
_LAUNCHER = frozenset(
    {"available_node_types", "cluster_name", "head_start_ray_commands", "worker_start_ray_commands", "setup_commands"}
)
_WORKLOAD = frozenset(
    {
        *("applications", "entrypoint", "compute_config", "http_options", "job_config", "cron_expression"),
        *("image_uri", "containerfile", "query_auth_token_enabled", "job_queue_config"),
    }
)
_RAY_API = "ray.io/"
_TEMPLATE = re.compile(r"^[^#\n]*?(?:\{%|\{\{)", re.MULTILINE)
_TARGET_KEY = re.compile(rf"^(?:{'|'.join(TARGETS)}):\s*(?:#.*)?$", re.MULTILINE)
_VERSION_KEY = re.compile(r"^version:", re.MULTILINE)


def language(document: Document) -> Language | Diagnostic:
    """The language of a file, or what the file is instead. An empty mapping is an empty compute config."""
    value = document.value
    if other := _other(value):
        return _not_read(document, other)
    if value.keys() & _NODES and "version" not in value:
        return Language.COMPUTE_CONFIG
    if any(key in value for key in TARGETS):
        return Language.CLUSTER_FILE
    if value.keys() & _WORKLOAD and "version" not in value:
        return Language.WORKLOAD
    if not value or (value.keys() & _compute_keys() and "version" not in value):
        return Language.COMPUTE_CONFIG
    if "version" in value or any(did_you_mean(key, TARGETS) for key in value):
        return Language.CLUSTER_FILE
    if any(did_you_mean(key, _NODES) for key in value):
        return Language.COMPUTE_CONFIG
    return _unknown(document)


def _other(value: Mapping[str, Any]) -> str:
    """What the file is, when its language is not read."""
    if isinstance(api := value.get("apiVersion"), str) and "kind" in value:
        return f"a KubeRay {value['kind']}" if api.startswith(_RAY_API) else f"a Kubernetes {value['kind']}"
    if value.keys() & _LAUNCHER or (isinstance(value.get("head_node_type"), str) and "provider" in value):
        return "a file of Ray's cluster launcher"
    if value.keys() & {"head_node_type", "worker_node_types"}:
        from bandari.specs.ray.legacy import is_kuberay  # noqa: PLC0415 - a cluster file without Ray does not pay for it

        return "node types in the dialect of KubeRay's tests" if is_kuberay(value) else ""
    return ""


def _compute_keys() -> frozenset[str]:
    """Keys of compute configs that no cluster file has."""
    from bandari.specs.ray.compute import ComputeConfigSpec  # noqa: PLC0415 - a cluster file without Ray does not pay for it
    from bandari.specs.ray.legacy import TOP  # noqa: PLC0415
    from bandari.specs.shape import keys_of  # noqa: PLC0415

    return frozenset({*keys_of(ComputeConfigSpec), *TOP}) - {*TARGETS}


def _not_read(document: Document, what: str) -> Diagnostic:
    return error(
        "BND304",
        document.key_span((next(iter(document.value)),)),
        f"cannot read {what}: this version reads cluster files and Ray compute configs",
        why="its node types, resources and limits are written in another way",
        fix="write a compute config with head_node and worker_nodes, or a cluster file (`bandari init`)",
    )


def _unknown(document: Document) -> Diagnostic:
    keys = ", ".join(list(document.value)[:4])
    return error(
        "BND305",
        document.key_span((next(iter(document.value), ""),)),
        "cannot tell what the file is: it has none of the keys of a cluster file or of a compute config",
        why=f"it begins with {keys}",
        fix=f"a cluster file holds `version` and one of {', '.join(TARGETS)}; a compute config head_node, worker_nodes",
    )


def template(text: str, file: str, document: Document | None) -> Diagnostic | None:
    """The finding of a file that has to be rendered before it is YAML; None for any other.

    Braces in a cluster file are its own: queries and chart values hold them.
    """
    found = _TEMPLATE.search(text)
    if found is None:
        return None
    if document is not None and (
        document.value.keys() & {"version", *TARGETS} or not _text_with_braces(document.value)
    ):
        return None
    if document is None and _VERSION_KEY.search(text) and _TARGET_KEY.search(text):
        return None
    line = text.count("\n", 0, found.end()) + 1
    column = found.end() - text.rfind("\n", 0, found.end()) - 2
    return error(
        "BND729",
        Span(file, line, max(column, 1), 2),
        "cannot read a Jinja template: it has to be rendered first",
        why="{{ and {% stand for values that the file does not hold",
        fix="add --render env.yaml, a YAML file with the variables, such as `env: {ANYSCALE_CLOUD_NAME: demo}`",
    )


def _text_with_braces(value: Any) -> bool:
    if isinstance(value, str):
        return "{{" in value or "{%" in value
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(_text_with_braces(child) for child in children)
