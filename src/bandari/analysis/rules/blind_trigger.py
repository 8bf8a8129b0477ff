"""A group that scales on a measure which does not follow its load."""

from __future__ import annotations

from collections.abc import Iterator

from bandari.analysis.subject import Subject
from bandari.desired.scaling import ResourceKind
from bandari.desired.workloads import ModelServer
from bandari.diagnostics import Diagnostic, warning

CODE = "BND416"


def check(subject: Subject) -> Iterator[Diagnostic]:
    """Only where blind measures are all that the group scales on."""
    for server in subject.state.servers():
        policy = server.scaling
        kinds = [target.resource for target in policy.resources]
        reasons = [_why(subject, server, kind) for kind in kinds]
        if kinds and all(reasons) and not (policy.queries or policy.external):
            yield warning(
                CODE,
                server.origin.at("autoScaleTriggers"),
                f"cannot see the load of {server.name!r} in its {' and '.join(kinds)} trigger",
                why=reasons[0],
                fix="use a prometheus trigger on queued requests or latency",
            )


def _why(subject: Subject, server: ModelServer, kind: ResourceKind) -> str:
    """Why the measure stays the same whatever the load is; empty when it follows it."""
    runtime = subject.runtime(server)
    match kind:
        case ResourceKind.CPU if server.gpu:
            return "the work is done on the GPU: one core for each is busy whether one request is served or fifty"
        case ResourceKind.MEMORY if runtime:
            return f"{runtime.name} takes the memory of its model and cache at the start, and keeps it"
        case _:
            return ""
