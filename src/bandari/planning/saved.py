"""A plan on disk: what was decided and the digests of what it was decided on; never a value, so never a secret."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from bandari.planning.graph import Address, ResourceGraph
from bandari.planning.plan import Observed, Plan

FORMAT = 1


@dataclass(frozen=True, slots=True)
class SavedPlan:
    """`file` is read again when the plan is applied; each digest that differs then makes the plan stale."""

    file: str
    target: str
    stand_in: tuple[str, ...]
    skip: tuple[str, ...]
    file_digest: str
    graph_digest: str
    observed_digest: str
    bandari: str
    changes: tuple[Mapping[str, Any], ...] = field(default=())
    name: str = ""
    render: str = ""
    ray_version: str = ""
    bandari_plan: int = FORMAT

    def to_text(self) -> str:
        """As written to disk."""
        return json.dumps(asdict(self), indent=2) + "\n"

    @classmethod
    def parse(cls, text: str) -> SavedPlan | None:
        """None when the text is no saved plan of this format."""
        try:
            document = json.loads(text)
        except ValueError:
            return None
        if not isinstance(document, dict) or document.get("bandari_plan") != FORMAT:
            return None
        try:
            read = cls(**document)
        except TypeError:
            return None
        return cls(**{**document, **{k: tuple(getattr(read, k)) for k in ("stand_in", "skip", "changes")}})

    def stale(self, now: SavedPlan) -> str:
        """Why this plan is no longer true, in words; empty when it is."""
        said = {
            "bandari": "bandari itself changed",
            "file_digest": "the file changed",
            "graph_digest": "what the file compiles to changed",
            "observed_digest": "the cluster changed",
        }
        return next((why for name, why in said.items() if getattr(self, name) != getattr(now, name)), "")


def digest(value: object) -> str:
    """SHA-256 of JSON data, keys sorted."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=list).encode()).hexdigest()


def graph_digest(graph: ResourceGraph) -> str:
    """Of what the file compiles to."""
    return digest({str(r.address): r.body for r in graph})


def observed_digest(observed: Mapping[Address, Observed]) -> str:
    """Of what the target had."""
    return digest({str(address): item.body for address, item in observed.items()})


def changes(plan: Plan) -> tuple[Mapping[str, Any], ...]:
    """The pending changes as shown: addresses and names of fields, without their values."""
    return tuple(
        {"action": c.action.value, "address": str(c.address), "fields": [f.name for f in c.fields]}
        for c in plan.pending
    )
