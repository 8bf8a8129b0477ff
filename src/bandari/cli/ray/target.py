"""Which Ray cluster a command of `bandari ray` is about."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import click

from bandari import pipeline
from bandari.cli.arguments import chosen_cluster
from bandari.pipeline.asking import chosen_ray_cluster
from bandari.pipeline.jobs import ray_place

F = TypeVar("F", bound=Callable[..., object])


def ray_option(function: F) -> F:
    """`--cluster NAME` or `NAME/RAY`."""
    words = "A cluster, and the Ray cluster in it [the only one there is]."
    return click.option("--cluster", metavar="NAME[/RAY]", help=words)(function)


def chosen_ray(cluster: str | None, file: str | None = None) -> tuple[str, str]:
    """The cluster and its Ray cluster: by name, by a file, or the only ones that there are."""
    if cluster:
        return ray_place(cluster)
    name = chosen_cluster(None, None, file)
    return name, chosen_ray_cluster(name)


def chosen_any(cluster: str | None) -> tuple[str, str]:
    """The same for what has a name of its own, so that the Ray cluster may stay open: empty then."""
    name, _, ray = (cluster or "").partition("/")
    if cluster and (ray or name not in pipeline.clusters()):
        return ray_place(cluster)
    return chosen_cluster(name or None, None, None), ""
