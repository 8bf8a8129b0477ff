"""Asks a head what is pending and says what holds it back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bandari.serving.supervisor.ray.engine import RayEngine


async def why(engine: RayEngine) -> Mapping[str, Any]:  # noqa: ARG001 - the next commit
    """Filled in below."""
    return {"lines": [], "demands": []}
