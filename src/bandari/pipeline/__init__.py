"""The composition root: the one place that wires the pure stages to files, hub and drivers.

Every verb of the command line is a few lines over these functions, and so is any program that imports bandari.
"""

from __future__ import annotations

from bandari.pipeline.checking import Checked, Options, check, load
from bandari.pipeline.planning import Planned, plan, rendered, replan, save
from bandari.pipeline.running import (
    GIVEN_UP,
    apply,
    clusters,
    existing,
    hopeless,
    own_environments,
    own_models,
    refuse,
    removal,
    settle,
    status,
)

__all__ = [
    "GIVEN_UP",
    "Checked",
    "Options",
    "Planned",
    "apply",
    "check",
    "clusters",
    "existing",
    "hopeless",
    "load",
    "own_environments",
    "own_models",
    "plan",
    "refuse",
    "removal",
    "rendered",
    "replan",
    "save",
    "settle",
    "status",
]
