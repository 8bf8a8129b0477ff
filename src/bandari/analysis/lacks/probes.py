"""Probes that this machine asks in a simpler way than Kubernetes."""

from __future__ import annotations

from collections.abc import Iterator

from bandari.analysis.lacks.here import Here, NotServed
from bandari.desired.workloads import ModelServer

CODE = "BND513"


def check(server: ModelServer, here: Here) -> Iterator[NotServed]:
    """The probes httpGet, tcpSocket and exec are asked as they are."""
    for key, probe in (("readinessProbe", server.readiness_probe), ("livenessProbe", server.liveness_probe)):
        if probe and probe.grpc:
            yield here.note(
                server,
                CODE,
                server.origin.at("runtime", key, "grpc"),
                f"cannot ask the {key} of {server.name!r} over gRPC here: only its port is tried",
                why="a replica passes as soon as the port accepts connections, even while it is not serving yet",
                fix="use httpGet, tcpSocket or exec where that matters",
            )
