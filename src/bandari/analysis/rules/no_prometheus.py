"""A trigger that asks the cluster's own Prometheus in a file that does not install one."""

from __future__ import annotations

from collections.abc import Iterator

from bandari.analysis.subject import Subject, query_at
from bandari.desired.workloads import Monitoring
from bandari.diagnostics import Diagnostic, warning

CODE = "BND413"
OWN_ADDRESS = "://kube-prometheus-stack-prometheus.prometheus.svc"
"""The service that the `prometheus` section makes; at any other address somebody else's may well answer."""


def check(subject: Subject) -> Iterator[Diagnostic]:
    """`prometheus: {enabled: false}` is the same as no section."""
    if any(isinstance(item, Monitoring) for item in subject.state.workloads):
        return
    for server in subject.state.servers():
        for index, target in enumerate(server.scaling.queries):
            if OWN_ADDRESS in target.server:
                yield warning(
                    CODE,
                    query_at(server.origin, index, "serverAddress"),
                    f"cannot ask Prometheus for the load of {server.name!r}: the file does not install it",
                    why="the address is that of the prometheus section; a trigger without an answer decides nothing",
                    fix="add prometheus: {enabled: true}, or give the address of a Prometheus that exists",
                )
