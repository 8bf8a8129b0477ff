"""What a cloud cannot do without, and a target without nodes to buy can."""

from __future__ import annotations

from collections.abc import Iterator

from bandari.desired.state import ProviderName
from bandari.diagnostics import Diagnostic
from bandari.specs.cluster import ClusterSpec, VectorStoreSpec
from bandari.specs.fields import Spec
from bandari.specs.groups import GroupSpec
from bandari.specs.meaning.subject import Item, Subject
from bandari.specs.shape import missing_key

CLOUDS = frozenset({ProviderName.AWS, ProviderName.GCP})
CLUSTER_KEYS = ("region", "nodeType", "minNodes", "maxNodes")
NODE_KEYS = ("nodeType",)


def check(subject: Subject) -> Iterator[Diagnostic]:
    """On aws and gcp machines are bought: their place, type and number must be said."""
    if subject.provider not in CLOUDS:
        return
    for item, model, keys in _needs(subject):
        for key in keys:
            if key not in item.value:
                why = f"{subject.provider} needs to know which machines to buy"
                yield missing_key(subject.document, (*item.path, key), model, why)


def _needs(subject: Subject) -> Iterator[tuple[Item, type[Spec], tuple[str, ...]]]:
    if cluster := subject.target.inner("cluster"):
        yield cluster, ClusterSpec, CLUSTER_KEYS
    for group in subject.groups():
        yield group, GroupSpec, NODE_KEYS
    if store := subject.target.inner("vectorStore"):
        yield store, VectorStoreSpec, NODE_KEYS
