"""A probe of a port on which nothing listens; on one machine probes follow the replica's own port instead."""

from __future__ import annotations

from collections.abc import Iterator

from bandari.analysis.rules.probe import CONSEQUENCE
from bandari.analysis.subject import CONTAINER_PORT, Subject
from bandari.desired.workloads import Probe
from bandari.diagnostics import Diagnostic, warning

CODE = "BND419"


def check(subject: Subject) -> Iterator[Diagnostic]:
    """Only groups whose runtime is known: it is told to listen on one port; named ports are left alone."""
    for server in subject.state.servers():
        for key, probe in (("readinessProbe", server.readiness_probe), ("livenessProbe", server.liveness_probe)):
            port = _port(probe) if probe and subject.runtime(server) else None
            if port is not None and port != CONTAINER_PORT:
                handler = "httpGet" if probe and probe.http_get else "tcpSocket"
                yield warning(
                    CODE,
                    server.origin.at("runtime", key, handler, "port"),
                    f"cannot pass the {key} of {server.name!r}: nothing listens on port {port}",
                    why=CONSEQUENCE[key],
                    fix=f"use port: {CONTAINER_PORT} (every replica is told to listen there)",
                )


def _port(probe: Probe) -> int | None:
    asked = probe.http_get or probe.tcp_socket
    return asked.port if asked and not asked.host and isinstance(asked.port, int) else None
