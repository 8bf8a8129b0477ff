"""An image that may be another one tomorrow."""

from __future__ import annotations

from collections.abc import Iterator

from bandari.analysis.images import pinned, split
from bandari.analysis.subject import Subject
from bandari.diagnostics import Diagnostic, warning

CODE = "BND405"


def check(subject: Subject) -> Iterator[Diagnostic]:
    """A tag that names one build is enough; a digest cannot be moved at all."""
    for server in subject.state.servers():
        if server.image and not pinned(server.image):
            repository, tag, _ = split(server.image)
            yield warning(
                CODE,
                server.origin.at("runtime", "image"),
                f"cannot tell which build {server.image!r} is: {f'the tag {tag!r} moves' if tag else 'it has no tag'}",
                why="two replicas started on different days may run different code, and a rollback brings nothing back",
                fix=f"use the tag of one build, or {repository}@sha256:<digest>",
            )
