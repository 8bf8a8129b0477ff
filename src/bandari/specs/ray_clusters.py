"""`rayClusters:` of the cluster file: its models, and their compilation. Pure.

A compute config keeps its own language wherever it stands: in snake case here, too, in a file beside it, or stored.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from bandari.desired.ray import RayImage
from bandari.diagnostics import Diagnostics
from bandari.document import Document, Path, written
from bandari.specs.fields import Count, Items, Label, LooseText, Maybe, Name, Positive, VariableName, entry, refuse
from bandari.specs.groups import Described

if TYPE_CHECKING:
    from bandari.specs.compile_ray import Compiled
    from bandari.specs.ray.references import References

SECTION = "rayClusters"
_MINUTE = 60.0


def _reference(value: Any) -> Any:
    return {"uri": value} if isinstance(value, str) else value


def _config(value: Any) -> Any:
    if value is None or isinstance(value, str | dict):
        return value
    fix = "write the compute config below the key, ./compute.yaml, or name:version"
    raise refuse("BND203", "a compute config, a path or a name is expected", fix)


class RayImageSpec(Described):
    """What runs on every node: a reference, a Containerfile, or versions from which a reference is made."""

    uri: Maybe[Name] = entry("Reference of an image.", None, local="read for its Ray and Python")
    containerfile: Maybe[Name] = entry("Path of a Containerfile.", None, local="its pip, ENV and COPY lines")
    ray: Maybe[Name] = entry("Ray version, or `latest`.", None, local="installed", example="2.60.0")
    python: Maybe[Name] = entry("Python version.", None, local="used", example="3.12")
    cuda: Maybe[Name] = entry("CUDA version.", None, local="not used", example="12.8")
    requirements: Items[Name] = entry("Lines of pip.", (), local="installed")
    env: dict[VariableName, LooseText] = entry("Environment of every node.", dict, local="set")


class RayClusterSpec(Described):
    """A Ray cluster."""

    name: Label = entry("Name, unique among Ray clusters and model groups.", local="served", example="train")
    image: Annotated[Maybe[RayImageSpec], BeforeValidator(_reference)] = entry(
        "Image: a reference, or a mapping. Without one the Ray of this environment.", None, local="as an environment"
    )
    compute_config: Annotated[
        Any,
        BeforeValidator(_config),
        WithJsonSchema({"type": ["object", "string", "null"], "x-kind": "mapping or text"}),
    ] = entry("The compute config: in place, a path beside the file, or `name:version`.", None, local="served")
    idle_termination_minutes: Maybe[Count] = entry(
        "The whole cluster ends after so long without work; 0: never.", None, local="held"
    )
    maximum_uptime_minutes: Maybe[Positive] = entry("The whole cluster ends after so long.", None, local="held")


def compile_ray_clusters(
    document: Document, key: str, references: References
) -> tuple[tuple[Compiled, ...], Diagnostics]:
    """The Ray clusters of the target at `key`, and every finding about their compute configs."""
    from bandari.specs.ray.references import compile_reference  # noqa: PLC0415 - heavy, and most files have none

    target = document.value.get(key)
    section = target.get(SECTION) if isinstance(target, dict) else None
    found, made = Diagnostics(), []
    for index, item in enumerate(section if isinstance(section, list) else ()):
        if isinstance(item, dict) and isinstance(name := item.get("name"), str | int | float):
            path: Path = (key, SECTION, index, "computeConfig")
            compiled, said = compile_reference(document, path, name=written(name), references=references, paths=True)
            found.add(*said)
            made += [compiled] if compiled else []
    return tuple(made), found


def with_settings(spec: RayClusterSpec, compiled: Compiled, document: Document, path: Path) -> Compiled:
    """The compiled compute config with what stands beside it."""
    idle, uptime, image = spec.idle_termination_minutes, spec.maximum_uptime_minutes, spec.image
    cluster = replace(
        compiled.cluster,
        cluster_idle_limit=compiled.cluster.cluster_idle_limit if idle is None else idle * _MINUTE,
        uptime_limit=compiled.cluster.uptime_limit if uptime is None else uptime * _MINUTE,
        image=_image(image, document, path) if image else compiled.cluster.image,
    )
    return replace(compiled, cluster=cluster)


def _image(spec: RayImageSpec, document: Document, path: Path) -> RayImage:
    return RayImage(
        uri=spec.uri or "",
        containerfile=spec.containerfile or "",
        ray_version=spec.ray or "",
        python_version=spec.python or "",
        cuda_version=spec.cuda or "",
        requirements=spec.requirements,
        env=spec.env,
        origin=document.origin((*path, "image")),
    )
