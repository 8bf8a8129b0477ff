"""What a machine may lack, one file a kind of need: `served` asks them in the order of GROUP_CHECKS.

A check of a group is a function of the group and of `Here`; it knows no other check. None of them raises or stops the
others: a user sees everything that is missing at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from bandari.analysis.lacks import engine, environment, gpu, memory, probes, triggers, volumes
from bandari.analysis.lacks.here import Here, NotServed
from bandari.desired.workloads import ModelServer

GROUP_CHECKS: tuple[Callable[[ModelServer, Here], Iterator[NotServed]], ...] = (
    # Can it run at all.
    gpu.check,
    engine.check,
    memory.check,
    # Is there all that its replicas are given.
    environment.check,
    volumes.check,
    probes.check,
    # Does it grow as the file says.
    triggers.check,
)
