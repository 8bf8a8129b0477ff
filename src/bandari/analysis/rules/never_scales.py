"""Triggers on a group whose bounds leave nothing to decide."""

from __future__ import annotations

from collections.abc import Iterator

from bandari.analysis.subject import Subject
from bandari.diagnostics import Diagnostic, warning

CODE = "BND414"


def check(subject: Subject) -> Iterator[Diagnostic]:
    """A fixed group without triggers is what it says; with triggers somebody expected it to grow."""
    for server in subject.state.servers():
        bounds, policy = server.scaling.bounds, server.scaling
        if bounds.min == bounds.max and (policy.resources or policy.queries or policy.external):
            yield warning(
                CODE,
                server.origin.at("autoScaleTriggers"),
                f"cannot scale {server.name!r}: its least and its largest number of replicas are both {bounds.max}",
                why="the triggers are evaluated and never change anything",
                fix="raise the largest number, or take autoScaleTriggers out",
            )
