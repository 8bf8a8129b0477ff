"""A Prometheus trigger of one group that measures another."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bandari.analysis.subject import Subject, query_at
from bandari.desired.workloads import ModelServer
from bandari.diagnostics import Diagnostic, Related, warning

CODE = "BND412"
_SERVICE = re.compile(r'destination_service\s*=\s*"(?P<group>[a-z0-9-]+)\.(?P<namespace>[a-z0-9-]+)\.svc[.a-z]*"')


def check(subject: Subject) -> Iterator[Diagnostic]:
    """Only exact matches of a Kubernetes service name: a pattern may well mean several groups."""
    for server in subject.state.servers():
        for index, target in enumerate(server.scaling.queries):
            watched = [(found["group"], found["namespace"]) for found in _SERVICE.finditer(target.query)]
            own = (server.name, subject.state.target.namespace)
            if watched and own not in watched:
                yield _finding(subject, server, index, watched[0])


def _finding(subject: Subject, server: ModelServer, index: int, watched: tuple[str, str]) -> Diagnostic:
    group, namespace = watched
    own = (server.name, subject.state.target.namespace)
    meant = [other for other in subject.state.servers() if other.name == group != server.name]
    other = f"group {group!r}" if group != own[0] else f"namespace {namespace!r}"
    return warning(
        CODE,
        query_at(server.origin, index, "query"),
        f"cannot scale {server.name!r} on its own load: its trigger watches {other}",
        why=f"the load of {server.name} changes nothing, and that of {group}.{namespace} starts and ends its replicas",
        fix=f'write destination_service="{own[0]}.{own[1]}.svc.cluster.local"',
        related=[Related(other.origin.at("name"), f"group {group!r} stands here") for other in meant],
    )
