"""A group that pays for a GPU and runs an image that cannot use one."""

from __future__ import annotations

from collections.abc import Iterator

from bandari.analysis.images import Build, build
from bandari.analysis.subject import Subject
from bandari.diagnostics import Diagnostic, warning

CODE = "BND407"


def check(subject: Subject) -> Iterator[Diagnostic]:
    """By the image's name alone, so only where the name is plain."""
    for server in subject.state.servers():
        if server.gpu and build(server.image) is Build.CPU_ONLY:
            yield warning(
                CODE,
                server.origin.at("runtime", "image"),
                f"cannot use the GPU of group {server.name!r}: {server.image!r} has no GPU code",
                why="this build of llama.cpp computes on the CPU alone; the GPU is paid for and idle",
                fix="use the build for the GPU's maker, such as server-cuda for NVIDIA, or take gpu out",
            )
