"""What is known of a Python environment before it is made: its name, its place, whether it is bandari's own. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

from bandari.serving.ray.bodies import RayEnvironmentBody

FILES = "files"
"""The folder of an environment below which COPY lines put what they bring."""


@dataclass(frozen=True, slots=True)
class Here:
    """What this machine has: the Ray and Python of bandari's own environment, all Pythons, where environments go."""

    ray: str
    """Empty: none is installed."""
    python: str
    """`3.11`"""
    pythons: tuple[str, ...] = ()
    environments: str = "/environments"
    ray_version: str = ""
    """`--ray-version`: the Ray that is used here, whatever the image says."""


def digest_of(body: RayEnvironmentBody, prints: Sequence[str] = ()) -> str:
    """Over all that goes into an environment: versions, packages in their order, variables, and copied bytes. The name
    of the image and of the cluster are no part of it, so that equal ones share it.
    """
    targets = [target for _, target in body.copies]
    told = [body.ray, body.python, list(body.requirements), dict(sorted(body.env.items())), targets, list(prints)]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]


def uses_own(body: RayEnvironmentBody, here: Here) -> bool:
    """Whether bandari's own environment is what the body asks for."""
    same = body.ray in ("", here.ray) and body.python in ("", here.python)
    return same and not body.requirements and not body.copies
