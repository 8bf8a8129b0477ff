"""Flags: a closed set that nobody publishes, so the known ones are checked and others kept with a warning."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bandari.diagnostics import Diagnostic, did_you_mean, error, warning
from bandari.document import Document, Path
from bandari.specs.ray.tree import at
from bandari.specs.shape import shown

_DURATION = re.compile(
    r"(?=\d)(?:(?P<h>\d{1,6}(?:\.\d+)?)h)?(?:(?P<m>\d{1,9}(?:\.\d+)?)m)?(?:(?P<s>\d{1,9}(?:\.\d+)?)s)?", re.ASCII
)
"""As Go writes durations: 1h30m, 15m, 30s."""
_SECONDS = {"h": 3600, "m": 60, "s": 1}
Reader = Callable[[Any], Any]


def duration(value: Any) -> float:
    """Seconds of `1h30m`, `15m` or `30s`; ValueError otherwise."""
    found = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if not found or not found[0]:
        raise ValueError("it is no duration; write one such as 1h30m, 15m or 30s")
    return sum(float(amount) * _SECONDS[unit] for unit, amount in found.groupdict().items() if amount)


def _seconds(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**31:
        raise ValueError("a whole number of seconds is expected; write one such as 300")
    return int(value)


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("true or false is expected; write true or false")  # noqa: TRY004 - one kind for all readers
    return value


def _weight(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise ValueError("a number above 0 is expected; write one such as 1.5")
    return float(value)


def _map(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("a mapping is expected; write `key: value` lines below it")  # noqa: TRY004 - as above
    return value


def _one_of(*words: str) -> Reader:
    def read(value: Any) -> str:
        if value not in words:
            raise ValueError(f"it is not one of {', '.join(words)}; write one of them")
        return str(value)

    return read


def _rankings(value: Any) -> list[Any]:
    """`instance_ranking_strategy`: rankers by price, or by an order of groups."""
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise ValueError("a list of rankers is expected; write `- ranker_type: price`")
    for item in value:
        _ranker(item)
    return value


def _ranker(item: Mapping[str, Any]) -> None:
    kind, config = item.get("ranker_type"), item.get("ranker_config")
    if kind not in ("price", "custom_group_order"):
        raise ValueError("ranker_type is neither price nor custom_group_order; write one of them")
    if kind == "custom_group_order":
        order = config.get("group_order") if isinstance(config, dict) else None
        if not isinstance(order, list) or not order:
            raise ValueError("custom_group_order has no group_order; list the groups in ranker_config.group_order")
        if not all(
            isinstance(name, str) for entry in order for name in (entry if isinstance(entry, list) else [entry])
        ):
            raise ValueError("group_order holds what is no name of a group; list names, or lists of equal names")


@dataclass(frozen=True, slots=True)
class Known:
    """A flag that is known: where it may stand, and how its value is read."""

    scopes: frozenset[str]
    read: Reader
    meaning: str


_CLUSTER, _NODE, _MULTI = "cluster", "node", "multi"
_SCOPES = {_CLUSTER: "the cluster", _NODE: "a node", _MULTI: "the whole of `configs`"}
_BOTH = frozenset({_CLUSTER, _NODE})
_ONLY = frozenset({_CLUSTER, _MULTI})
FLAGS: Mapping[str, Known] = {
    "idle_termination_seconds": Known(_ONLY, _seconds, "seconds until an idle worker goes"),
    "workload_starting_timeout": Known(_ONLY, duration, "how long the minimum may be missing at the start; 25m"),
    "workload_recovering_timeout": Known(_ONLY, duration, "how long the minimum may be missing after a loss; 25m"),
    "zone_starting_timeout": Known(_ONLY, duration, "how long one zone is tried; 10m"),
    "replacement_threshold": Known(
        _BOTH | _ONLY, duration, "age from which an on-demand node is replaced by a spot one; 60m"
    ),
    "instance_selection_strategy": Known(
        _ONLY, _one_of("force_smallest_fit", "relaxed"), "`force_smallest_fit` or `relaxed`"
    ),
    "instance_ranking_strategy": Known(_ONLY, _rankings, "rankers: `price`, `custom_group_order`"),
    "pricing_weight": Known(frozenset({_NODE}), _weight, "the price is divided by it"),
    "cloud_resource_strategy": Known(_ONLY, _one_of("availability", "input_order"), "`availability` or `input_order`"),
    "disable_nfs_mount": Known(_ONLY, _truth, "no shared file system"),
    "efa_config": Known(_ONLY, _map, "`device_count`, `placement_group`, `security_group_id`; wants one zone"),
    "disable_gpu_health_checks": Known(_ONLY, _truth, "no checks of GPUs"),
    "enable_multi_az_serve": Known(_ONLY, _truth, "replicas of Serve spread over zones"),
    "enable_ray_container_cgroup_isolation": Known(_ONLY, _truth, "cgroups for Ray's processes"),
}
"""Flags that have no field of their own; durations are read as seconds."""
MOVED: Mapping[str, str] = {
    "min_resources": "min_resources",
    "max_resources": "max_resources",
    "allow-cross-zone-autoscaling": "enable_cross_zone_scaling",
}
"""Flags of the cluster that are older spellings of fields."""
CAPS: Mapping[str, str] = {"max-cpus": "CPU", "max-gpus": "GPU"}
"""Flags that are caps of one resource."""


def findings(document: Document, path: Path, scope: str) -> Iterator[Diagnostic]:
    """What is wrong with the flags at a path."""
    for key, value in at(document, path).items():
        yield from _flag(document, (*path, key), value, scope)


def _flag(document: Document, path: Path, value: Any, scope: str) -> Iterator[Diagnostic]:
    name = str(path[-1])
    known = FLAGS.get(name)
    if known is None:
        near = did_you_mean(name, (*FLAGS, *MOVED, *CAPS))
        fix = f"did you mean `{near}`?" if near else "remove it, if it was meant for bandari"
        message = f"cannot tell what the flag {name!r} means: it is kept, and has no effect here"
        yield warning("BND719", document.key_span(path), message, fix=fix)
        return
    if scope not in known.scopes:
        where = " or ".join(sorted(_SCOPES[scope] for scope in known.scopes))
        message = f"cannot use the flag {name!r} here: it is one of {where}"
        yield warning("BND719", document.key_span(path), message, fix=f"move it to the flags of {where}")
    yield from _value(document, path, value, known)


def _value(document: Document, path: Path, value: Any, known: Known) -> Iterator[Diagnostic]:
    try:
        known.read(value)
    except ValueError as reason:
        why, _, fix = str(reason).partition("; ")
        message = f"cannot take {shown(value)} as flags.{path[-1]}: {why}"
        yield error("BND720", document.span(path), message, fix=fix)


def read(flags: Mapping[str, Any] | None) -> dict[str, Any]:
    """Valid flags as values: durations are seconds, so that `60m` and `1h` are the same."""
    return {key: FLAGS[key].read(value) if key in FLAGS else value for key, value in (flags or {}).items()}
