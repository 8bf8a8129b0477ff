"""A probe that the runtime is known to fail: it asks for a path that it does not serve."""

from __future__ import annotations

from collections.abc import Iterator

from bandari.analysis.subject import Subject
from bandari.desired.workloads import ModelServer, Probe
from bandari.diagnostics import Diagnostic, warning
from bandari.runtimes.protocol import ServingRuntime

CODE = "BND408"
CONSEQUENCE = {
    "readinessProbe": "a replica never counts as ready, so it is never sent a request",
    "livenessProbe": "a healthy replica is ended and started again, for ever",
}


def check(subject: Subject) -> Iterator[Diagnostic]:
    """Only httpGet probes of images whose runtime is known; one finding a probe."""
    for server in subject.state.servers():
        runtime = subject.runtime(server)
        if runtime is None:
            continue
        for key, probe in (("readinessProbe", server.readiness_probe), ("livenessProbe", server.liveness_probe)):
            if probe:
                yield from _findings(server, runtime, key, probe)


def _findings(server: ModelServer, runtime: ServingRuntime, key: str, probe: Probe) -> Iterator[Diagnostic]:
    asked = probe.http_get
    if asked is None or asked.host:
        return
    path = asked.path.partition("?")[0] or "/"
    known = sorted(runtime.health_paths)
    if known and path not in runtime.health_paths:
        yield warning(
            CODE,
            server.origin.at("runtime", key, "httpGet", "path"),
            f"cannot pass the {key} of {server.name!r}: {runtime.name} does not serve {path!r}",
            why=CONSEQUENCE[key],
            fix=f"use path: {known[0]}",
        )
