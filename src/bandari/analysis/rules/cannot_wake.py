"""A group that may sleep and has no trigger that could wake it."""

from __future__ import annotations

from collections.abc import Iterator

from bandari.analysis.subject import Subject
from bandari.diagnostics import Diagnostic, warning

CODE = "BND415"


def check(subject: Subject) -> Iterator[Diagnostic]:
    """KEDA refuses a minimum of 0 with cpu and memory triggers alone: https://keda.sh/docs/latest/scalers/cpu/."""
    for server in subject.state.servers():
        policy = server.scaling
        if policy.bounds.min == 0 and policy.resources and not (policy.queries or policy.external):
            yield warning(
                CODE,
                server.origin.at("minInstances"),
                f"cannot wake {server.name!r} from zero replicas: its triggers measure replicas that run",
                why="what sleeps uses no cpu and no memory, so they never call for a replica; KEDA refuses it",
                fix="set minInstances: 1, or add a trigger that sees waiting requests, such as prometheus",
            )
