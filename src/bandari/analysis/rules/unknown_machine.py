"""A machine type that the catalog of the target's cloud does not have."""

from __future__ import annotations

from collections.abc import Iterator

from bandari.analysis.subject import Subject
from bandari.desired.pools import NodePool
from bandari.diagnostics import Diagnostic, Span, warning

CODE = "BND403"


def check(subject: Subject) -> Iterator[Diagnostic]:
    """A warning only: clouds add machine types faster than a table can follow."""
    provider = str(subject.state.target.provider or "")
    for pool in subject.state.pools:
        for index, name in enumerate(pool.instance_types):
            machine = subject.machines.get(name)
            if machine is None or machine.provider != provider:
                yield _finding(subject, name, _place(pool, index))


def _place(pool: NodePool, index: int) -> Span:
    listed = pool.origin.fields.get(("nodeTypes", index))
    return listed or pool.origin.at("nodeType")


def _finding(subject: Subject, name: str, span: Span) -> Diagnostic:
    provider = str(subject.state.target.provider or "")
    machine = subject.machines.get(name)
    reason = f"it is a machine type of {machine.provider}" if machine else "no such machine type is known"
    return warning(
        CODE,
        span,
        f"cannot find machine type {name!r} on {provider}: {reason}",
        why="a node pool of a type that does not exist stays empty, and its pods stay pending",
        fix=f"use a machine type of {provider}" if machine else _nearest(subject, name, provider),
    )


def _nearest(subject: Subject, name: str, provider: str) -> str:
    near = subject.machines.nearest(name, provider)
    return f"did you mean {near!r}?" if near else f"check the name in {provider}'s list of machine types"
