"""Sections of the file that this version does not serve on one machine yet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bandari.analysis.lacks.here import NotServed
from bandari.desired.ray import RayCluster, RayJob, RaySchedule, RayService
from bandari.desired.state import Workload
from bandari.desired.workloads import Function, JobQueue, ModelServer, Monitoring, Tracing, VectorStore
from bandari.diagnostics import warning

CODE = "BND501"
UNSERVED: Mapping[type, tuple[str, str]] = {
    Function: ("function", "functions"),
    JobQueue: ("job", "jobs and their broker"),
    VectorStore: ("vectorStore", "a vector store"),
    Monitoring: ("prometheus", "Prometheus"),
    Tracing: ("tracing", "a receiver of traces"),
}
"""Workload -> its section of the file, and what a later version runs for it."""
RAY = "rayClusters"
"""Of Ray clusters and of all that runs on them."""
SECTIONS = frozenset({RAY, *(section for section, _ in UNSERVED.values())})


def section_of(workload: Workload) -> str:
    """The key of the file's section that the workload comes from."""
    if isinstance(workload, ModelServer):
        return "mixedModelGroups" if workload.mixed else "modelGroups"
    if isinstance(workload, RayCluster | RayJob | RaySchedule | RayService):
        return RAY
    return UNSERVED[type(workload)][0]


def check(workload: Workload) -> Iterator[NotServed]:
    """Settled by leaving the section out."""
    if type(workload) not in UNSERVED:
        return
    section, what = UNSERVED[type(workload)]
    finding = warning(
        CODE,
        workload.origin.span,
        f"cannot serve section {section!r} here: this version does not run {what} on one machine",
        why="the section is read and checked, and a later version serves it",
        fix=f"leave it out on this machine: --skip {section}",
    )
    yield NotServed(finding, section, skip=section)
