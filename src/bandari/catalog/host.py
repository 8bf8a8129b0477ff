"""This machine as a value: what `drivers.host` found out, for rules and lowerings to judge by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bandari.units import Memory


@dataclass(frozen=True, slots=True)
class Host:
    """`engines`: name of an engine that can be started here -> its version, such as `xllamacpp` -> `2026.10.11549`."""

    system: str = "Linux"
    cpus: float = 1.0
    memory: Memory = field(default_factory=lambda: Memory(0))
    gpus: int = 0
    engines: Mapping[str, str] = field(default_factory=dict)
    mount_namespaces: bool = False
    """Whether a process may have mounts of its own here (user and mount namespaces)."""
