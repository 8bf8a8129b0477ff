"""Amounts of resources in words. Pure."""

from __future__ import annotations

from collections.abc import Mapping

BYTES = frozenset({"memory", "object_store_memory"})


def amount(name: str, value: float) -> str:
    """`16`, `2.5`; bytes as `22.4 GiB`."""
    if name not in BYTES:
        return str(int(value)) if value == int(value) else f"{value:.4g}"
    return size(value)


def size(value: float) -> str:
    """Bytes in the binary unit that fits: `22.4 GiB`, `512 MiB`."""
    for unit, factor in (("TiB", 2**40), ("GiB", 2**30), ("MiB", 2**20)):
        if value >= factor:
            return f"{value / factor:.3g} {unit}"
    return f"{value:.0f} B"


def amounts(resources: Mapping[str, float]) -> str:
    """`16 CPU, 1 GPU, 1 fast_disk`, zeros left out; `nothing` for none."""
    parts = [f"{amount(name, value)} {name}" for name, value in resources.items() if value]
    return ", ".join(parts) or "nothing"
