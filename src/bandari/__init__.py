"""bandari: one YAML file describes an AI cluster, the same file runs here, on Kubernetes, on AWS and on Google Cloud.

Names of the public API are loaded when they are first used, so that `bandari --version` costs no import.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from bandari._version import __version__

if TYPE_CHECKING:
    from bandari.pipeline import apply as apply
    from bandari.pipeline import check as check
    from bandari.pipeline import load as load
    from bandari.pipeline import plan as plan
    from bandari.pipeline import status as status

__all__ = ["__version__", "apply", "check", "load", "plan", "status"]


def __getattr__(name: str) -> object:
    if name in __all__:
        return getattr(importlib.import_module("bandari.pipeline"), name)
    raise AttributeError(f"module 'bandari' has no attribute {name!r}")
