"""A vector store of two replicas."""

from __future__ import annotations

from collections.abc import Iterator

from bandari.analysis.subject import Subject
from bandari.desired.workloads import VectorStore
from bandari.diagnostics import Diagnostic, warning

CODE = "BND418"


def check(subject: Subject) -> Iterator[Diagnostic]:
    """Qdrant agrees on collections and shards by Raft: https://qdrant.tech/documentation/scaling/node-failure-recovery/."""
    for store in subject.state.workloads:
        if isinstance(store, VectorStore) and store.replicas == 2:
            yield warning(
                CODE,
                store.origin.at("replicas"),
                "cannot keep the vector store whole when a replica is lost: one of two is no majority",
                why="until it is back, Qdrant can make, change and move no collection, and restore no lost shard",
                fix="use replicas: 3, or 1 where a pause is acceptable",
            )
