"""A group that wants GPUs which are not here."""

from __future__ import annotations

from collections.abc import Iterator

from bandari.analysis.images import Build, build
from bandari.analysis.lacks.here import Here, NotServed
from bandari.desired.workloads import ModelServer

CODE = "BND502"


def check(server: ModelServer, here: Here) -> Iterator[NotServed]:
    """`local: {gpu: false}` says to run on the CPU, where the engine can; a local command is taken at its word."""
    wanted = max(1, server.requests.gpu or 0) if server.gpu else 0
    there = here.gpus()
    if wanted <= there or server.local.command:
        return
    on_cpu = build(server.image) is not Build.NEEDS_GPU
    if here.state.target.local.gpu is False and on_cpu:
        return
    yield here.lack(
        server,
        CODE,
        server.origin.at("gpu", "enabled"),
        f"cannot give group {server.name!r} {_count(wanted)} here: {_reason(there, here)}",
        why="the group asks for it with gpu.enabled"
        + ("" if on_cpu else f"; {server.image!r} does not start without one"),
        fix=_fix(there, on_cpu=on_cpu),
    )


def _fix(there: int, *, on_cpu: bool) -> str:
    if there:
        return f"ask for {there} in resourceRequest.gpu"
    return "run it on the CPU: local: {gpu: false}" if on_cpu else "use a machine with a GPU"


def _count(number: int) -> str:
    return "a GPU" if number == 1 else f"{number} GPUs"


def _reason(there: int, here: Here) -> str:
    if here.state.target.local.gpu is False:
        return "local: {gpu: false} says to use none"
    return f"this machine has {there}" if there else "this machine has none"
