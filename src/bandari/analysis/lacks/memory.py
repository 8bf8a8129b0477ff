"""A group of which not even one replica fits this machine, and groups that do not fit it together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bandari.analysis.lacks.here import Here, NotServed
from bandari.analysis.resolve import DEFAULT_CPU, DEFAULT_MEMORY
from bandari.desired.workloads import ModelServer
from bandari.diagnostics import warning
from bandari.units import Cpu

ONE, TOGETHER = "BND512", "BND511"


def check(server: ModelServer, here: Here) -> Iterator[NotServed]:
    """Blocks for memory: a replica that is short of CPU is slow, one that is short of memory is ended."""
    asked = server.requests.memory
    if asked is None or not 0 < here.host.memory.bytes < asked.bytes:
        return
    yield here.lack(
        server,
        ONE,
        server.origin.at("resourceRequest", "memory"),
        f"cannot fit a replica of {server.name!r} here: it asks for {asked}",
        why=f"this machine has {_gib(here.host.memory.bytes)}",
        fix="ask for less in resourceRequest.memory",
    )


def together(servers: Sequence[ModelServer], here: Here) -> Iterator[NotServed]:
    """One warning when the least number of replicas of all these groups asks for more than there is."""
    cores = sum(_cpu(server) * server.scaling.bounds.min for server in servers)
    memory = sum(_memory(server) * server.scaling.bounds.min for server in servers)
    parts = []
    if cores > here.host.cpus:
        parts.append(f"{Cpu(round(cores * 1000))} CPU of {here.host.cpus:g}")
    if 0 < here.host.memory.bytes < memory:
        parts.append(f"{_gib(memory)} memory of {_gib(here.host.memory.bytes)}")
    if not parts:
        return
    largest = max(servers, key=lambda server: _memory(server) * server.scaling.bounds.min)
    finding = warning(
        TOGETHER,
        largest.origin.at("resourceRequest"),
        f"cannot give all groups what they ask for here: {' and '.join(parts)}",
        why="counted with the least number of replicas; they share what there is, so they answer more slowly",
        fix="lower resourceRequest or minInstances, or leave it: nothing is refused for this",
    )
    yield NotServed(finding, "", blocking=False)


def _gib(number: int) -> str:
    return f"{number / 2**30:.1f}Gi"


def _cpu(server: ModelServer) -> float:
    return server.requests.cpu.cores if server.requests.cpu else DEFAULT_CPU


def _memory(server: ModelServer) -> int:
    return server.requests.memory.bytes if server.requests.memory else DEFAULT_MEMORY
