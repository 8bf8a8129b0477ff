"""What does not fit together in a file whose parts are well formed alone.

Each rule looks at the plain values, so that it speaks even where another part of the file is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from bandari.desired.state import ProviderName
from bandari.diagnostics import Diagnostic
from bandari.document import Document
from bandari.specs.meaning import bounds, choices, limits, names, ray_clusters, required, triggers
from bandari.specs.meaning.subject import Subject

RULES: tuple[Callable[[Subject], Iterator[Diagnostic]], ...] = (
    required.check,
    bounds.check,
    names.groups,
    names.variables,
    names.mounts,
    names.volumes,
    choices.probes,
    choices.variables,
    choices.volumes,
    choices.models,
    triggers.check,
    limits.log_retention,
    limits.models,
    limits.memory,
    limits.listeners,
    ray_clusters.names,
    ray_clusters.images,
)


def findings(document: Document, key: str, provider: ProviderName) -> Iterator[Diagnostic]:
    """The findings of every rule about the target that stands at `key` and is to run on `provider`."""
    subject = Subject(document, key, provider)
    for rule in RULES:
        yield from rule(subject)
