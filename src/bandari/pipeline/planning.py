"""Stages 5 to 8: a checked file to resources, to a plan against what exists, and to a plan on disk and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from bandari._version import __version__
from bandari.desired.state import DesiredState, ProviderName
from bandari.diagnostics import Diagnostic, Diagnostics, error
from bandari.errors import InvalidInput, StalePlan
from bandari.pipeline.checking import Checked, Options, check
from bandari.pipeline.models import Examined, examine
from bandari.pipeline.surroundings import local_driver
from bandari.planning.graph import Address, ResourceGraph
from bandari.planning.plan import Action, Change, Observed, Plan
from bandari.units import Memory

if TYPE_CHECKING:
    from bandari.drivers.local import LocalDriver, Progress
    from bandari.planning.saved import SavedPlan
    from bandari.providers.table import Provider


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan with all that led to it."""

    checked: Checked
    graph: ResourceGraph
    observed: Mapping[Address, Observed]
    plan: Plan
    diagnostics: Diagnostics
    cluster: str
    note: str = ""
    options: Options = field(default_factory=Options)


def plan(
    path: Path, options: Options | None = None, *, offline: bool = False, progress: Progress | None = None
) -> Planned:
    """Stages 1 to 7; InvalidInput when the file has errors. Offline it compares with what was last applied."""
    options = options or Options()
    checked = check(path, options)
    state = checked.valid()
    provider = _provider(checked, state)
    assert checked.resolved is not None
    graph = provider.lower(checked.resolved)
    driver = local_driver(state.target.cluster, progress)
    observed, note = _observe(driver, offline=offline)
    from bandari.planning.plan import plan as compare

    findings = Diagnostics(checked.diagnostics)
    examined = Examined((), {}) if offline else examine(checked.resolved, observed)
    findings.add(*examined.findings)
    if findings.errors:
        raise InvalidInput(tuple(findings))
    made = _refined(compare(graph, observed, provider.consequence), examined.downloads)
    return Planned(checked, graph, observed, made, findings, state.target.cluster, note, options)


def _provider(checked: Checked, state: DesiredState) -> Provider:
    from bandari.providers import local

    if state.target.provider is ProviderName.LOCAL:
        return local.provider
    if state.target.provider is None:
        raise InvalidInput((*checked.diagnostics, _no_target(state)))
    name = state.target.provider.value
    finding = error(
        "BND601",
        state.target.origin.span,
        f"cannot plan for {name!r}: this version serves 'local'",
        why="the file is valid; its target comes with a later version",
        fix="add --target local to run the same file on this machine",
    )
    raise InvalidInput((*checked.diagnostics, finding))


def _no_target(state: DesiredState) -> Diagnostic:
    return error(
        "BND608",
        state.target.origin.span,
        "cannot tell where it is to run: the file names no target",
        why="a compute config describes a cluster for any of them",
        fix="add --target local to run it on this machine",
    )


def _observe(driver: LocalDriver, *, offline: bool) -> tuple[Mapping[Address, Observed], str]:
    from bandari.errors import Unreachable

    if offline:
        return driver.recorded(), ""
    try:
        return driver.observe(), ""
    except Unreachable as failure:
        return driver.recorded(), f"{failure}; compared with what was last applied"


def _refined(made: Plan, downloads: Mapping[str, Memory]) -> Plan:
    """The plan with the sizes that the hub gave."""
    return Plan(tuple(_sized(change, downloads) for change in made.changes))


def _sized(change: Change, downloads: Mapping[str, Memory]) -> Change:
    size = downloads.get(change.address.name) if change.address.kind == "model" else None
    if size is None or change.action is Action.NO_OP:
        return change
    return replace(change, consequence=f"{change.consequence}, {size.human()}")


def save(planned: Planned) -> SavedPlan:
    """The plan as a file's content: digests and names, no values."""
    from bandari.planning import saved

    source = "".join(planned.checked.sources.values())
    return saved.SavedPlan(
        file=str(Path(planned.checked.file).resolve()),
        target=planned.options.target.value if planned.options.target else "",
        stand_in=planned.options.stand_in,
        skip=tuple(sorted(planned.options.skip)),
        file_digest=saved.digest(source),
        graph_digest=saved.graph_digest(planned.graph),
        observed_digest=saved.observed_digest(planned.observed),
        bandari=__version__,
        changes=saved.changes(planned.plan),
        name=planned.options.name,
        render=str(Path(planned.options.render).resolve()) if planned.options.render else "",
        ray_version=planned.options.ray_version,
    )


def replan(document: SavedPlan, progress: Progress | None = None) -> Planned:
    """The plan that a saved one stands for; StalePlan when anything that it was made from has changed."""
    options = Options(
        ProviderName(document.target) if document.target else None,
        document.stand_in,
        frozenset(document.skip),
        document.name,
        document.render,
        document.ray_version,
    )
    planned = plan(Path(document.file), options, progress=progress)
    if why := document.stale(save(planned)):
        raise StalePlan(f"cannot apply the saved plan: {why} since it was made; plan again")
    return planned


def rendered(path: Path, options: Options | None = None) -> ResourceGraph:
    """Stages 1 to 5: the resources that a file compiles to; InvalidInput when it has errors."""
    checked = check(path, options)
    provider = _provider(checked, checked.valid())
    assert checked.resolved is not None
    return provider.lower(checked.resolved)
