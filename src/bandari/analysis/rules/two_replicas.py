"""A vector store of two replicas."""

from __future__ import annotations

from collections.abc import Iterator

from bandari.analysis.subject import Subject
from bandari.desired.workloads import VectorStore
from bandari.diagnostics import Diagnostic, warning

CODE = "BND418"


def check(subject: Subject) -> Iterator[Diagnostic]:
    """Qdrant agrees on collections and shards by Raft: https://qdrant.tech/documentation/guides/distributed_deployment/."""
    for store in subject.state.workloads:
        if isinstance(store, VectorStore) and store.replicas == 2:
            yield warning(
                CODE,
                store.origin.at("replicas"),
                "cannot survive the loss of a replica of the vector store: one of two is no majority",
                why="consensus needs more than half of the replicas: two stop when one does, at twice the cost",
                fix="use replicas: 3, or 1 where a pause is acceptable",
            )
