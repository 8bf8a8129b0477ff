"""The hashes of API keys that the gateway has to know."""

from __future__ import annotations

import importlib
import logging
from pathlib import Path

_log = logging.getLogger(__name__)


def hashes(folder: Path) -> tuple[str, ...]:
    """Of the keys file in a cluster's folder; none when there is no file or it cannot be read."""
    try:
        module = importlib.import_module("bandari.serving.keys")
    except ModuleNotFoundError:
        return ()
    try:
        return tuple(module.hashes(folder))
    except (OSError, ValueError) as error:
        _log.warning("cannot read the keys: %s", error)
        return ()
