"""Advice on a valid file: runs the ordered table of rules over a desired state. Pure.

What this machine lacks is another question, answered by `served`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bandari.analysis import ray_shapes
from bandari.analysis.rules import rules_for
from bandari.analysis.subject import Subject
from bandari.catalog.machines import Machines
from bandari.desired.state import DesiredState
from bandari.diagnostics import Diagnostic
from bandari.runtimes.protocol import ServingRuntime


def lint(state: DesiredState, machines: Machines, runtimes: Sequence[ServingRuntime]) -> Iterator[Diagnostic]:
    """Every finding of every rule; an error only for what can never work."""
    shapes = {
        cluster.name: ray_shapes.resolve(cluster, machines, target=state.target.provider)
        for cluster in state.ray_clusters()
    }
    subject = Subject(state, machines, runtimes, shapes)
    for rule in rules_for(state):
        if state.target.provider in rule.targets:
            yield from rule.check(subject)
