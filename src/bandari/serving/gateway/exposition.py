"""`/metrics`: the counters in Prometheus' text format, with the names and labels of Istio where it has some."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from bandari.serving.gateway.metrics import GroupMetrics, Histogram, Metrics

if TYPE_CHECKING:
    from bandari.serving.gateway.directory import Directory

_PAGE = resource.getpagesize()
_STARTED = time.time()


def text(metrics: Metrics, directory: Directory) -> str:
    """All of it."""
    groups = tuple(metrics.groups.values())
    all_of_them = (*groups, *metrics.services.values())
    parts = (
        _istio(all_of_them), _load(directory), _replicas(groups), _groups(metrics), _services(metrics, directory),
        _process(),
    )  # fmt: skip
    return "\n".join(line for part in parts for line in part) + "\n"


def _labels(labels: Mapping[str, str]) -> str:
    def escaped(value: str) -> str:
        return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")

    return "{" + ",".join(f'{name}="{escaped(value)}"' for name, value in labels.items()) + "}"


def _heading(name: str, kind: str, meaning: str) -> Iterator[str]:
    yield f"# HELP {name} {meaning}"
    yield f"# TYPE {name} {kind}"


def _histogram(name: str, labels: Mapping[str, str], histogram: Histogram) -> Iterator[str]:
    seen = 0
    for bound, count in zip((*histogram.bounds, float("inf")), histogram.counts, strict=True):
        seen += count
        edge = "+Inf" if bound == float("inf") else f"{bound:g}" if bound < 1e6 else str(int(bound))
        yield f"{name}_bucket{_labels({**labels, 'le': edge})} {seen}"
    yield f"{name}_sum{_labels(labels)} {histogram.total:.6f}"
    yield f"{name}_count{_labels(labels)} {seen}"


def _istio_labels(group: GroupMetrics, status: int) -> dict[str, str]:
    version = {"destination_version": group.version} if group.version else {}
    return {
        "reporter": "destination",
        "source_workload": "unknown",
        "destination_workload": group.name,
        **version,
        "destination_service": f"{group.name}.{group.namespace}.svc.cluster.local",
        "destination_service_name": group.name,
        "destination_service_namespace": group.namespace,
        "request_protocol": "http",
        "response_code": str(status),
    }


def _istio(groups: tuple[GroupMetrics, ...]) -> Iterator[str]:
    yield from _heading("istio_requests_total", "counter", "Requests by group and status; 0: the client left.")
    for group in groups:
        for status, histogram in group.durations.items():
            yield f"istio_requests_total{_labels(_istio_labels(group, status))} {sum(histogram.counts)}"
    name = "istio_request_duration_milliseconds"
    yield from _heading(name, "histogram", "From the whole request to the end of the answer.")
    for group in groups:
        for status, histogram in group.durations.items():
            yield from _histogram(name, _istio_labels(group, status), histogram)


def _load(directory: Directory) -> Iterator[str]:
    load = directory.load().groups
    yield from _heading("bandari_requests_in_flight", "gauge", "Requests that a replica has.")
    for name, group in load.items():
        for replica, count in group.upstreams.items():
            yield f"bandari_requests_in_flight{_labels({'group': name, 'replica': replica})} {count}"
    yield from _heading("bandari_requests_queued", "gauge", "Requests held while no replica is ready.")
    for name, group in load.items():
        yield f"bandari_requests_queued{_labels({'group': name})} {group.queued}"


def _replicas(groups: tuple[GroupMetrics, ...]) -> Iterator[str]:
    name = "bandari_time_to_first_token_seconds"
    known = [
        ({"group": group.name, "replica": replica}, metrics)
        for group in groups
        for replica, metrics in group.replicas.items()
    ]
    yield from _heading(name, "histogram", "From the whole request to the first byte of the answer's body.")
    for labels, metrics in known:
        yield from _histogram(name, labels, metrics.first_token)
    yield from _heading("bandari_tokens_input_total", "counter", "Tokens read, as the answers tell.")
    for labels, metrics in known:
        yield f"bandari_tokens_input_total{_labels(labels)} {metrics.tokens_input}"
    meaning = "Tokens written, as the answers tell; the events of a stream that tells nothing."
    yield from _heading("bandari_tokens_output_total", "counter", meaning)
    for labels, metrics in known:
        yield f"bandari_tokens_output_total{_labels(labels)} {metrics.tokens_output}"


def _groups(metrics: Metrics) -> Iterator[str]:
    yield from _heading("bandari_retries_total", "counter", "Requests placed anew because a replica failed.")
    for group in metrics.groups.values():
        yield f"bandari_retries_total{_labels({'group': group.name})} {group.retries}"
    yield from _heading("bandari_held_seconds", "histogram", "How long requests were held for want of a replica.")
    for group in metrics.groups.values():
        yield from _histogram("bandari_held_seconds", {"group": group.name}, group.held)
    yield from _heading("bandari_requests_refused_total", "counter", "Requests that led to no group, by status.")
    for status, count in metrics.refused.items():
        yield f"bandari_requests_refused_total{_labels({'response_code': str(status)})} {count}"


def _services(metrics: Metrics, directory: Directory) -> Iterator[str]:
    yield from _heading("bandari_service_requests_in_flight", "gauge", "Requests that a version of a service has.")
    for name, load in directory.load().services.items():
        service, _, version = name.partition("@")
        labels = _labels({"service": service, "version": version})
        yield f"bandari_service_requests_in_flight{labels} {load.in_flight}"
    meaning = "Answers of a version of 500 and above, and those that broke off."
    yield from _heading("bandari_service_failures_total", "counter", meaning)
    for (service, version), counted in metrics.services.items():
        labels = _labels({"service": service, "version": version})
        yield f"bandari_service_failures_total{labels} {counted.failures}"
    yield from _heading("bandari_service_retries_total", "counter", "Requests that were sent to a version again.")
    for (service, version), counted in metrics.services.items():
        labels = _labels({"service": service, "version": version})
        yield f"bandari_service_retries_total{labels} {counted.retries}"


def _process() -> Iterator[str]:
    used = resource.getrusage(resource.RUSAGE_SELF)
    yield from _heading("process_cpu_seconds_total", "counter", "User and system time of the gateway.")
    yield f"process_cpu_seconds_total {used.ru_utime + used.ru_stime:.3f}"
    yield from _heading("process_resident_memory_bytes", "gauge", "Memory of the gateway.")
    yield f"process_resident_memory_bytes {_resident()}"
    yield from _heading("process_start_time_seconds", "gauge", "Unix time of its start.")
    yield f"process_start_time_seconds {_STARTED:.2f}"


def _resident() -> int:
    try:
        return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * _PAGE
    except OSError:
        # Elsewhere than on Linux only the peak is known.
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
