"""What the gateway counts, by group and by replica; counters live as long as the gateway, whoever comes and goes."""

from __future__ import annotations

from bisect import bisect_left

DURATION_MS = (
    0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000, 300000, 600000, 1800000, 3600000,
)  # fmt: skip
"""Istio's own bounds, milliseconds."""
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)


class Histogram:
    """Counts by bucket (not yet summed up), with `total` of all that was observed."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Counts one."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


class ReplicaMetrics:
    """Of one replica id."""

    __slots__ = ("first_token", "tokens_input", "tokens_output")

    def __init__(self) -> None:
        self.first_token = Histogram(SECONDS)
        self.tokens_input = 0
        self.tokens_output = 0


class GroupMetrics:
    """Of one group, or of one `version` of a service; `durations` by status, 0 where the client left before it had one
    (as Istio counts).
    """

    __slots__ = ("cut", "durations", "held", "name", "namespace", "replicas", "requests", "retries", "version")

    def __init__(self, name: str, namespace: str, version: str = "") -> None:
        self.name = name
        self.namespace = namespace
        self.version = version
        self.durations: dict[int, Histogram] = {}
        self.held = Histogram(SECONDS)
        self.retries = 0
        self.requests = 0
        """Accepted for the group."""
        self.cut = 0
        """Answers that broke off."""
        self.replicas: dict[str, ReplicaMetrics] = {}

    def finished(self, status: int, seconds: float) -> None:
        """One request is over."""
        found = self.durations.get(status)
        if found is None:
            found = self.durations[status] = Histogram(DURATION_MS)
        found.observe(seconds * 1000)

    @property
    def failures(self) -> int:
        """Answers of 500 and above, and those that broke off."""
        return self.cut + sum(sum(seen.counts) for status, seen in self.durations.items() if status >= 500)

    def replica(self, name: str) -> ReplicaMetrics:
        """Those of a replica, from now on if it is new."""
        return self.replicas.setdefault(name, ReplicaMetrics())


class Metrics:
    """All of it. `refused` counts, by status, what was refused and led to no group."""

    def __init__(self) -> None:
        self.groups: dict[str, GroupMetrics] = {}
        self.services: dict[tuple[str, str], GroupMetrics] = {}
        """By name and version."""
        self.refused: dict[int, int] = {}

    def group(self, name: str, namespace: str) -> GroupMetrics:
        """Those of a group, from now on if it is new."""
        found = self.groups.setdefault(name, GroupMetrics(name, namespace))
        found.namespace = namespace
        return found

    def service(self, name: str, version: str) -> GroupMetrics:
        """Those of a version of a service, from now on if it is new."""
        return self.services.setdefault((name, version), GroupMetrics(name, "default", version))

    def refuse(self, status: int) -> None:
        """One request led to no group."""
        self.refused[status] = self.refused.get(status, 0) + 1
