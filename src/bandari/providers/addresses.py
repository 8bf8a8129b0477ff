"""Addresses of what exists once, or is named in several places, on this machine."""

from __future__ import annotations

from bandari.planning.graph import Address

GATEWAY = Address("local", "gateway", "gateway")


def ray(cluster: str) -> Address:
    """The head, and what is set for a whole Ray cluster."""
    return Address("local", "ray", cluster)


def ray_group(cluster: str, group: str) -> Address:
    """One worker group."""
    return Address("local", "raygroup", f"{cluster}/{group}")


def ray_environment(cluster: str) -> Address:
    """The Python environment of a Ray cluster's nodes."""
    return Address("local", "rayenv", cluster)


def ray_service(name: str) -> Address:
    """A service on a Ray cluster."""
    return Address("local", "rayservice", name)


def ray_schedule(name: str) -> Address:
    """A job by the clock."""
    return Address("local", "rayschedule", name)
