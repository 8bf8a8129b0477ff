"""What this machine cannot serve of a state, and what would settle each point. Pure; asked for the local target alone.

Every finding is a warning: the file is right, only this machine lacks something. `up` refuses while a blocking one is
left; `--stand-in` settles those of a group, `--skip` those of a section, the file's `local:` the rest.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from bandari.analysis.lacks import GROUP_CHECKS, memory, ray, sections
from bandari.analysis.lacks.here import Here, NotServed
from bandari.analysis.lacks.sections import SECTIONS, section_of
from bandari.catalog.host import Host
from bandari.catalog.machines import NONE as NO_MACHINES
from bandari.catalog.machines import Machines
from bandari.desired.state import DesiredState
from bandari.diagnostics import warning
from bandari.runtimes.protocol import ServingRuntime

__all__ = ["SECTIONS", "NotServed", "not_served", "section_of"]

NO_LINUX = "BND514"


def not_served(
    state: DesiredState,
    host: Host,
    runtimes: Sequence[ServingRuntime],
    secrets: Collection[tuple[str, str]],
    machines: Machines = NO_MACHINES,
) -> tuple[NotServed, ...]:
    """All of it, in the order of the file; `secrets` are the (secret, key) pairs of the secrets file."""
    here = Here(state, host, runtimes, secrets)
    found = [*_system(here), *_workloads(here), *ray.check(here, machines)]
    refused = {lacking.item for lacking in found if lacking.blocking}
    served = [server for server in state.servers() if server.name not in refused]
    points = (*found, *memory.together(served, here))
    return tuple(sorted(points, key=lambda point: point.diagnostic.span))


def _workloads(here: Here) -> Iterator[NotServed]:
    for workload in here.state.workloads:
        yield from sections.check(workload)
    for server in here.state.servers():
        for check in GROUP_CHECKS:
            yield from check(server, here)


def _system(here: Here) -> Iterator[NotServed]:
    if here.host.system == "Linux":
        return
    finding = warning(
        NO_LINUX,
        here.state.target.origin.span,
        f"cannot serve {here.state.target.cluster!r} on {here.host.system}: the local target needs Linux",
        why="supervision rests on what only Linux has: subreapers, /proc, mount namespaces",
        fix="run it on a Linux machine or virtual machine; check, plan and render work here",
    )
    yield NotServed(finding, "")
