"""Desired graph against what exists: an ordered list of changes. Pure."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from bandari.diagnostics import Span
from bandari.planning.diff import ABSENT, FieldDiff, Path, diff, redact
from bandari.planning.graph import Address, Resource, ResourceGraph


class Action(enum.StrEnum):
    """What a change does to a resource."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    NO_OP = "no-op"

    @property
    def symbol(self) -> str:
        """As printed before the address; Terraform's."""
        return {Action.CREATE: "+", Action.UPDATE: "~", Action.DELETE: "-", Action.NO_OP: " "}[self]


@dataclass(frozen=True, slots=True)
class Observed:
    """A resource as the target has it; `outputs` is what became known only when it was applied."""

    body: Mapping[str, Any]
    outputs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Change:
    """One step of a plan; `resource` is None for a delete."""

    action: Action
    address: Address
    resource: Resource | None
    fields: tuple[FieldDiff, ...] = ()
    consequence: str = ""
    origin: Span = field(default=Span("", 0, 0), compare=False)

    def to_json(self) -> dict[str, Any]:
        """The shape of `--json`, version 1."""
        return {
            "action": self.action.value,
            "address": str(self.address),
            "fields": [
                {"path": f.name, **{k: v for k, v in (("before", f.before), ("after", f.after)) if v is not ABSENT}}
                for f in self.fields
            ],
            "consequence": self.consequence,
            "origin": {"file": self.origin.file, "line": self.origin.line} if self.origin.file else None,
        }


@dataclass(frozen=True, slots=True)
class Plan:
    """Changes in the order in which they can be applied; deletes come last, users before what they use."""

    changes: tuple[Change, ...]

    @property
    def pending(self) -> tuple[Change, ...]:
        """The changes that do something."""
        return tuple(change for change in self.changes if change.action is not Action.NO_OP)

    def count(self, action: Action) -> int:
        """How many changes do this."""
        return sum(change.action is action for change in self.changes)


Consequence = Callable[[Change, Mapping[str, Any]], str]
"""(change, the body before it) -> what a user will notice, in one line; a provider's table says it."""


def plan(graph: ResourceGraph, observed: Mapping[Address, Observed], consequence: Consequence) -> Plan:
    """The changes that make `observed` equal to `graph`; applied, the next plan is empty."""
    changes = [_change(resource, observed.get(resource.address)) for resource in graph.in_order()]
    orphans = sorted((a for a in observed if a not in graph.by_address), reverse=True)
    changes += [Change(Action.DELETE, address, None) for address in orphans]
    nothing: Mapping[str, Any] = {}
    before = {address: item.body for address, item in observed.items()}
    return Plan(tuple(replace(c, consequence=consequence(c, before.get(c.address, nothing))) for c in changes))


def _change(resource: Resource, existing: Observed | None) -> Change:
    if existing is None:
        shown = redact(resource.body, resource.secret)
        created = tuple(FieldDiff((key,), ABSENT, value) for key, value in shown.items())
        return Change(Action.CREATE, resource.address, resource, created, origin=resource.origin)
    fields = tuple(f for f in diff(existing.body, resource.body, resource.secret) if not _left(f.path, resource))
    action = Action.UPDATE if fields else Action.NO_OP
    return Change(action, resource.address, resource, fields, origin=resource.origin)


def _left(path: Path, resource: Resource) -> bool:
    return path in resource.create_only
