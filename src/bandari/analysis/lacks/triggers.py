"""Triggers that nothing on this machine evaluates: the group is served, and scales without them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bandari.analysis.lacks.here import Here, NotServed
from bandari.analysis.subject import external_at, query_at
from bandari.desired.workloads import ModelServer
from bandari.diagnostics import Span, warning

CODE = "BND510"
_IN_CLUSTER = re.compile(r"//(?P<host>[^/:]+\.svc(?:\.cluster\.local)?)(?:[:/]|$)")


def check(server: ModelServer, _here: Here) -> Iterator[NotServed]:
    """Use of cpu and memory is measured here; a Prometheus outside a cluster is asked as given."""
    for index, target in enumerate(server.scaling.queries):
        if found := _IN_CLUSTER.search(target.server):
            yield _note(
                server,
                query_at(server.origin, index, "serverAddress"),
                f"cannot ask {found['host']!r} about {server.name!r} here: no Prometheus runs yet",
                why="the address is one inside a cluster; without an answer the trigger decides nothing",
                fix="give the address of a Prometheus that this machine reaches, or leave it: the group is served",
            )
    for trigger in server.scaling.external:
        yield _note(
            server,
            external_at(server.origin, trigger),
            f"cannot evaluate the {trigger.type!r} trigger of {server.name!r} here: KEDA does that on Kubernetes",
            why="on this machine cpu, memory and prometheus triggers and requests in flight scale a group",
            fix="add one of those for this machine, or leave it: the group is served",
        )


def _note(server: ModelServer, span: Span, message: str, *, why: str, fix: str) -> NotServed:
    """A stand-in scales by the same triggers, so it settles nothing."""
    return NotServed(warning(CODE, span, message, why=why, fix=fix), server.name, blocking=False)
