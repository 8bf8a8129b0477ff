"""What a workload scales on: typed targets, in the terms of the HPA and of KEDA; no unions, so they travel as JSON."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from bandari.units import Bounds


class ResourceKind(enum.StrEnum):
    """A resource that the HPA can scale on."""

    CPU = "cpu"
    MEMORY = "memory"


class TargetType(enum.StrEnum):
    """What the value of a resource target means."""

    UTILIZATION = "Utilization"
    """Percent of the request, averaged over the replicas."""
    AVERAGE_VALUE = "AverageValue"
    """Absolute use of a replica: cores, or bytes."""


@dataclass(frozen=True, slots=True)
class ResourceTarget:
    """An HPA resource metric: `value` is percent for Utilization, cores or bytes for AverageValue."""

    resource: ResourceKind
    type: TargetType
    value: float
    container: str = ""
    """Name of the container that is measured; empty: all of the pod."""


@dataclass(frozen=True, slots=True)
class PrometheusTarget:
    """KEDA's prometheus scaler: desired = ceil(result / threshold); `activation` decides between 0 and 1 alone."""

    server: str
    query: str
    threshold: float
    activation: float = 0.0
    metric_name: str = ""
    ignore_null_values: bool = True
    """A query without data counts as 0; when false it is an error, so no decision."""
    namespace: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    query_parameters: Mapping[str, str] = field(default_factory=dict)
    unsafe_ssl: bool = False
    more: Mapping[str, str] = field(default_factory=dict)
    """KEDA's further settings (`timeout`, `authModes`, ...), passed on to a cluster as written."""


@dataclass(frozen=True, slots=True)
class ConcurrencyTarget:
    """Requests in flight or queued for one replica; ours, used when a file names no trigger."""

    value: float


@dataclass(frozen=True, slots=True)
class ExternalTrigger:
    """A KEDA trigger that we pass through without reading its meaning."""

    type: str
    metadata: Mapping[str, str]
    metric_type: str = ""


@dataclass(frozen=True, slots=True)
class ScalingPolicy:
    """Bounds and targets of one workload; several targets: each is evaluated, the largest wins. Times in seconds."""

    bounds: Bounds
    resources: tuple[ResourceTarget, ...] = ()
    queries: tuple[PrometheusTarget, ...] = ()
    concurrency: ConcurrencyTarget | None = None
    external: tuple[ExternalTrigger, ...] = ()
    polling_interval: float = 15.0
    cooldown: float = 300.0
    """Without any activity for this long, a workload with min 0 goes to zero (KEDA's cooldownPeriod)."""
    stabilization_down: float = 300.0
    """Scale down to the highest recommendation of this window (HPA)."""
    stabilization_up: float = 0.0
    tolerance: float = 0.1
    """The HPA does not act while |ratio - 1| is at most this."""
