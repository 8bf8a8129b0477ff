"""The status of a whole cluster: one line for each part, ready when all are."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from bandari.serving.guard import GUARD_PID_FILE, alive
from bandari.serving.protocol import Status

if TYPE_CHECKING:
    from bandari.serving.supervisor.core import Supervisor

_GOOD = frozenset({"ready", "idle", "ended"})
"""States of parts that a ready cluster may have; `ended` by a limit of its own is no failure."""


def status(supervisor: Supervisor) -> Status:
    """Of every part; ready when all are."""
    loads = {group: supervisor.link.load(group) for group in supervisor.sets}
    in_flight = sum(load.in_flight for load in loads.values())
    gateway = supervisor.gateway.status(in_flight, sum(load.queued for load in loads.values()))
    groups = [supervisor.sets[group].status(loads[group]) for group in sorted(supervisor.sets)]
    parts = (*groups, *supervisor.ray.status())
    applied = bool(parts) or gateway is not None
    ready = applied and all(part.state in _GOOD for part in parts)
    gateway_ready = gateway is None or (gateway.state == "ready" and not gateway.reason)
    return Status(
        cluster=supervisor.state.cluster,
        ready=ready and gateway_ready and not supervisor.state.stopping,
        parts=((gateway,) if gateway else ()) + parts,
        supervisor_pid=os.getpid(),
        guard_pid=alive(supervisor.folder / GUARD_PID_FILE) or 0,
    )
