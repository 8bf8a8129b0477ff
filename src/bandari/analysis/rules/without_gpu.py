"""An image that does not start without a GPU, in a group that gets none."""

from __future__ import annotations

from collections.abc import Iterator

from bandari.analysis.images import Build, build
from bandari.analysis.subject import Subject
from bandari.diagnostics import Diagnostic, warning

CODE = "BND406"


def check(subject: Subject) -> Iterator[Diagnostic]:
    """Where the nodes do have a GPU, `gpu_unused` has said what to do."""
    for server in subject.state.servers():
        machine = subject.machine(server)
        if server.gpu or (machine and machine.gpus) or build(server.image) is not Build.NEEDS_GPU:
            continue
        yield warning(
            CODE,
            server.origin.at("runtime", "image"),
            f"cannot start {server.image!r} without a GPU: group {server.name!r} asks for none",
            why="the image is built for CUDA; its engine exits when it finds no device, and is restarted for ever",
            fix="add gpu: {enabled: true} and a machine type with a GPU, or use the engine's CPU image",
        )
