"""An image with CUDA in a cluster where no node has a GPU."""

from __future__ import annotations

from collections.abc import Iterator

from bandari.analysis.ray_nodes import nodes
from bandari.analysis.subject import Subject
from bandari.catalog import ray_images
from bandari.diagnostics import Diagnostic, warning

CODE = "BND769"


def check(subject: Subject) -> Iterator[Diagnostic]:
    """It works, and each node loads some GB for nothing when it starts."""
    for resolved in subject.rays():
        image = resolved.cluster.image
        tag = ray_images.parse(image.uri) if image.uri else None
        unknown = any(node.hardware is None for node in (resolved.head, *resolved.groups.values()))
        if tag is None or not tag.cuda or unknown:
            continue
        if any(resolved.node(kind).has_gpu for kind in nodes(resolved.cluster)):
            continue
        yield warning(
            CODE,
            image.origin.at("image_uri"),
            f"cannot use the CUDA of {image.uri!r}: no node of {resolved.cluster.name!r} has a GPU",
            why="the image is some GB larger, and every node loads it before it starts",
            fix="use the tag without its -cu or -gpu suffix, or add a group with GPUs",
        )
