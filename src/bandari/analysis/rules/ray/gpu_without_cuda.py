"""A group with GPUs whose image has no CUDA."""

from __future__ import annotations

from collections.abc import Iterator

from bandari.analysis.ray_nodes import nodes
from bandari.analysis.subject import Subject
from bandari.catalog import ray_images
from bandari.diagnostics import Diagnostic, warning

CODE = "BND768"


def check(subject: Subject) -> Iterator[Diagnostic]:
    """By the name of one of Ray's images; TPUs and GPUs of AMD have no use for CUDA."""
    for resolved in subject.rays():
        tag = ray_images.parse(resolved.cluster.image.uri) if resolved.cluster.image.uri else None
        if tag is None or tag.cuda:
            continue
        kinds = [kind for kind in nodes(resolved.cluster) if resolved.node(kind).has_gpu]
        if kinds:
            image = resolved.cluster.image
            yield warning(
                CODE,
                image.origin.at("image_uri"),
                f"cannot use the GPUs of {', '.join(map(str, kinds))} with {image.uri!r}: it has no CUDA",
                why="libraries for GPUs find no CUDA in the image, and compute on the CPU or fail",
                fix=f"add the CUDA version to the tag, such as {image.uri.removesuffix('-cpu')}-cu128",
            )
