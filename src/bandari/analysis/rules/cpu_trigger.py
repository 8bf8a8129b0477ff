"""A group on GPUs that scales on the use of its CPU."""

from __future__ import annotations

from collections.abc import Iterator

from bandari.analysis.subject import Subject
from bandari.desired.scaling import ResourceKind
from bandari.diagnostics import Diagnostic, warning

CODE = "BND416"


def check(subject: Subject) -> Iterator[Diagnostic]:
    """Only where cpu is all that the group scales on."""
    for server in subject.state.servers():
        policy = server.scaling
        on_cpu = any(target.resource is ResourceKind.CPU for target in policy.resources)
        if server.gpu and on_cpu and not (policy.queries or policy.external):
            yield warning(
                CODE,
                server.origin.at("autoScaleTriggers"),
                f"cannot see the load of {server.name!r} in its cpu trigger: the work is done on the GPU",
                why="an engine keeps about one core busy per GPU whether it serves one request or fifty",
                fix="use a prometheus trigger on queued requests or latency",
            )
