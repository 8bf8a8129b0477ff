"""Stages 9 and 10, and the end: carry a plan out, wait, see what runs, remove it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bandari.diagnostics import Severity
from bandari.errors import InvalidInput, Terminal
from bandari.pipeline.planning import Planned
from bandari.pipeline.surroundings import folders, local_driver
from bandari.planning.graph import Address, ResourceGraph
from bandari.planning.plan import Observed, Plan

if TYPE_CHECKING:
    from bandari.drivers.local import LocalDriver, Progress
    from bandari.planning.apply import ApplyResult, Reporter


def apply(planned: Planned, reporter: Reporter, progress: Progress | None = None) -> ApplyResult:
    """Carries the plan out; InvalidInput, before anything is done, when this machine lacks something that it needs."""
    from bandari.planning.apply import apply as carry_out

    refuse(planned)
    driver = local_driver(planned.cluster, progress)
    return carry_out(planned.plan, {driver.name: driver}, reporter)


def status(cluster: str) -> Mapping[str, Any]:
    """What the supervisor of a cluster sees: the shape of serving.protocol.Status."""
    answer = existing(cluster).status()
    found: Mapping[str, Any] = answer["status"]
    return found


def existing(cluster: str, *, kept: bool = False) -> LocalDriver:
    """The driver of a cluster that has a state here, or (`kept`) whose logs and keys stayed; Terminal when there is
    none.
    """
    driver = local_driver(cluster)
    if not driver.exists() and not (kept and driver.folder.is_dir()):
        known = ", ".join(folders().clusters()) or "none"
        raise Terminal(f"cannot find a cluster {cluster!r} on this machine", fix=f"running here: {known}")
    return driver


def clusters() -> tuple[str, ...]:
    """Names of the clusters that have a state on this machine."""
    return folders().clusters()


def removal(driver: LocalDriver) -> Plan:
    """The plan that removes everything of a cluster: the empty graph against what exists."""
    from bandari.planning.plan import plan as compare
    from bandari.providers.local import provider

    return compare(ResourceGraph(), driver.recorded(), provider.consequence)


def own_models(driver: LocalDriver) -> tuple[Path, ...]:
    """Model folders under our own models folder that only this cluster uses."""
    mine = _model_paths(driver.recorded(), driver.folders.models)
    others = {
        path
        for name in driver.folders.clusters()
        if name != driver.cluster
        for path in _model_paths(local_driver(name).recorded(), driver.folders.models)
    }
    return tuple(sorted(mine - others))


def own_environments(driver: LocalDriver) -> tuple[Path, ...]:
    """Python environments that stand for images and that no other cluster uses; also those of clusters long gone."""
    from bandari.drivers.environments import environments
    from bandari.pipeline.images import digests_of

    others = {
        digest
        for name in driver.folders.clusters()
        if name != driver.cluster
        for digest in digests_of(local_driver(name).recorded())
    }
    return tuple(path for path in environments(driver.folders.environments) if path.name not in others)


def _model_paths(observed: Mapping[Address, Observed], models: Path) -> set[Path]:
    """`builtin` or `hub/<repository>` under the models folder: a revision goes with all that came with it."""
    folders = (Path(str(o.outputs.get("folder", ""))) for a, o in observed.items() if a.kind == "model")
    inside = (folder.relative_to(models) for folder in folders if models in folder.parents)
    return {models.joinpath(*path.parts[:2]) for path in inside}


def refuse(planned: Planned) -> None:
    """InvalidInput with everything that this machine lacks and `up` must not ignore, all at once."""
    refused = [m.diagnostic for m in planned.checked.not_served if m.blocking]
    if refused:
        raise InvalidInput(tuple(replace(d, severity=Severity.ERROR) for d in refused))


def settle(cluster: str, timeout: float, waiting: Callable[[Mapping[str, Any]], None]) -> Mapping[str, Any]:
    """Waits until every part is ready or one has failed for good; the last status seen. Seconds."""
    driver = local_driver(cluster)
    until = time.monotonic() + timeout
    while True:
        seen: Mapping[str, Any] = driver.status()["status"]
        if seen.get("ready") or time.monotonic() > until or any(map(hopeless, seen.get("parts", ()))):
            return seen
        waiting(seen)
        time.sleep(0.05)


HOPELESS_RESTARTS = 3
"""A part that never became ready and fell this often will not come up by waiting."""


GIVEN_UP = frozenset({"failed", "reverted"})
"""States of a service whose new version does not come."""


def hopeless(part: Mapping[str, Any]) -> bool:
    """Whether waiting is no use: a version that was given up, or a part that fell often and never was ready."""
    if part["state"] in GIVEN_UP:
        return True
    replicas = part.get("detail", ())
    return part["ready"] == 0 and any(r.get("restarts", 0) >= HOPELESS_RESTARTS for r in replicas)
