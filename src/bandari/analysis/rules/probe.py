"""A probe that the runtime is known to fail: a path that it does not serve, or a port that nothing listens on."""

from __future__ import annotations

from collections.abc import Iterator

from bandari.analysis.subject import CONTAINER_PORT, Subject
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
    reasons, fixes = [], []
    if known and path not in runtime.health_paths:
        reasons.append(("path", f"{runtime.name} does not serve {path!r}"))
        fixes.append(f"path: {known[0]}")
    if isinstance(asked.port, int) and asked.port != CONTAINER_PORT:
        reasons.append(("port", f"nothing listens on port {asked.port}"))
        fixes.append(f"port: {CONTAINER_PORT} (every replica is told to listen there)")
    if reasons:
        field, _ = reasons[0]
        yield warning(
            CODE,
            server.origin.at("runtime", key, "httpGet", field),
            f"cannot pass the {key} of {server.name!r}: {' and '.join(reason for _, reason in reasons)}",
            why=CONSEQUENCE[key],
            fix=f"use {' and '.join(fixes)}",
        )
