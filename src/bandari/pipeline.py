"""The composition root: wires the pure stages to files, hub and drivers. `check`, `plan`, `apply`, `status`, `down`.

Every verb of the command line is a few lines over these functions, and so is any program that imports bandari.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets as random_secrets
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bandari._version import __version__
from bandari.desired.state import DesiredState, ProviderName
from bandari.diagnostics import Diagnostic, Diagnostics, Severity, Span, error
from bandari.errors import InvalidInput, StalePlan, Terminal
from bandari.planning.graph import Address, ResourceGraph
from bandari.planning.plan import Observed, Plan

if TYPE_CHECKING:
    from bandari.analysis.resolve import ResolvedState
    from bandari.analysis.served import NotServed
    from bandari.catalog.host import Host
    from bandari.drivers.folders import Folders
    from bandari.drivers.local import LocalDriver, Progress
    from bandari.planning.apply import ApplyResult, Reporter
    from bandari.planning.saved import SavedPlan
    from bandari.providers.table import Provider

LARGEST_FILE = 2**20


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line adds to the file. `stand_in` holds `MODEL` (all groups that cannot run here) or
    `GROUP=MODEL`; `skip` holds sections of the file.
    """

    target: ProviderName | None = None
    stand_in: tuple[str, ...] = ()
    skip: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Checked:
    """A file after the pure stages: `resolved` is None when there are errors or the target is not this machine."""

    file: str
    sources: Mapping[str, str]
    state: DesiredState | None
    resolved: ResolvedState | None
    diagnostics: Diagnostics
    not_served: tuple[NotServed, ...] = ()

    def valid(self) -> DesiredState:
        """The state; InvalidInput when there is an error."""
        if self.state is None or self.diagnostics.errors:
            raise InvalidInput(tuple(self.diagnostics))
        return self.state


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


# --- check ---


def load(path: Path) -> tuple[str | None, Diagnostics]:
    """The text of a file, or why it cannot be read; a file of more than 1 MiB is not read whole."""
    from bandari.document import decode

    try:
        with path.open("rb") as stream:
            return decode(stream.read(LARGEST_FILE + 1), str(path))
    except OSError as failure:
        reason = failure.strerror or str(failure)
        fix = "name the file with -f FILE, or write a starter file with `bandari init`"
        return None, Diagnostics(
            [error("BND100", Span(str(path), 1, 1), f"cannot read {str(path)!r}: {reason}", fix=fix)]
        )


def check(path: Path, options: Options | None = None, *, host: Host | None = None) -> Checked:
    """Stages 1 to 4: every finding about the file at once. Opens no socket."""
    from bandari.specs.read import read

    options = options or Options()
    text, findings = load(path)
    if text is None:
        return Checked(str(path), {}, None, None, findings)
    state, found = read(text, str(path), target=options.target)
    findings.add(*found)
    sources = {str(path): text}
    if state is None:
        return Checked(str(path), sources, None, None, findings)
    return _analysed(Checked(str(path), sources, state, None, findings), options, host)


def _analysed(checked: Checked, options: Options, host: Host | None) -> Checked:
    from bandari.analysis.lint import lint
    from bandari.analysis.resolve import anchor, resolve
    from bandari.runtimes.table import RUNTIMES, runtime_for

    state = checked.valid()
    checked.diagnostics.add(*lint(state, _machines(), RUNTIMES))
    if state.target.provider is not ProviderName.LOCAL:
        return checked
    state = anchor(state, str(Path(checked.file).resolve().parent))
    secrets = _secret_digests(state)
    host = host or _host()
    missing = _not_served(state, host, frozenset(secrets))
    checked.diagnostics.add(*_unknown_options(state, options, Span(checked.file, 1, 1)))
    stand_ins = _stand_ins(options, missing)
    left = tuple(m for m in missing if not _settled(m, options, stand_ins))
    kept = _without(state, options.skip)
    resolved = resolve(kept, host=host, runtime_for=runtime_for, stand_ins=stand_ins, secret_digests=secrets)
    checked.diagnostics.add(*(m.diagnostic for m in left))
    return replace(checked, state=kept, resolved=resolved, not_served=left)


def _not_served(state: DesiredState, host: Host, secrets: frozenset[tuple[str, str]]) -> tuple[NotServed, ...]:
    from bandari.analysis.served import not_served
    from bandari.runtimes.table import RUNTIMES

    return not_served(state, host, RUNTIMES, secrets)


def _stand_ins(options: Options, missing: tuple[NotServed, ...]) -> Mapping[str, str]:
    named = dict(item.split("=", 1) for item in options.stand_in if "=" in item)
    general = next((item for item in options.stand_in if "=" not in item), "")
    unable = {m.item for m in missing if m.stand_in and m.blocking} if general else set()
    return {**dict.fromkeys(unable, general), **named}


def _settled(missing: NotServed, options: Options, stand_ins: Mapping[str, str]) -> bool:
    return missing.skip in options.skip if missing.skip else missing.stand_in and missing.item in stand_ins


def _without(state: DesiredState, sections: frozenset[str]) -> DesiredState:
    from bandari.analysis.resolve import skip
    from bandari.analysis.served import section_of

    return skip(state, sections, section_of)


def _unknown_options(state: DesiredState, options: Options, where: Span) -> Iterator[Diagnostic]:
    from bandari.analysis.served import SECTIONS
    from bandari.serving.protocol import BUILTIN_MODELS

    groups = {server.name for server in state.servers()}
    for section in sorted(options.skip - SECTIONS):
        known = ", ".join(sorted(SECTIONS))
        yield error("BND605", where, f"cannot skip {section!r}: no such section", fix=f"one of {known}")
    for item in options.stand_in:
        group, _, model = item.rpartition("=")
        if model not in BUILTIN_MODELS:
            known = ", ".join(BUILTIN_MODELS)
            yield error("BND605", where, f"cannot stand in with {model!r}: no such model", fix=f"one of {known}")
        if group and group not in groups:
            known = ", ".join(sorted(groups))
            yield error("BND605", where, f"cannot stand in for {group!r}: no such group", fix=f"one of {known}")


# --- what the pure stages need of this machine ---


def _host() -> Host:
    from bandari.drivers.host import probe

    return probe()


def _machines() -> Any:
    import gzip
    from importlib import resources

    from bandari.catalog import machines

    packed = (resources.files("bandari.catalog") / "data" / "machines.csv.gz").read_bytes()
    return machines.parse(gzip.decompress(packed).decode())


def _folders() -> Folders:
    from bandari.drivers.folders import Folders

    return Folders.of(os.environ)


def _secret_digests(state: DesiredState) -> Mapping[tuple[str, str], str]:
    """Keyed digests of the secrets file's values: a plan sees that one changed, and nobody can guess it from there."""
    path = state.target.local.secrets_file
    if not path or not Path(path).exists():
        return {}
    from bandari.document import load as load_document

    document, _ = load_document(Path(path).read_text(encoding="utf-8", errors="replace"), path)
    value = document.value if document else {}
    entries = value.items() if isinstance(value, Mapping) else ()
    key = _digest_key()
    return {
        (str(name), str(inner)): hmac.new(key, str(secret).encode(), hashlib.sha256).hexdigest()[:16]
        for name, pairs in entries
        if isinstance(pairs, Mapping)
        for inner, secret in pairs.items()
    }


def _digest_key() -> bytes:
    path = _folders().state.parent / "digest-key"
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_bytes()
    with os.fdopen(handle, "wb") as stream:
        key = random_secrets.token_bytes(32)
        stream.write(key)
    return key


# --- plan ---


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
    if not offline:
        findings.add(*_model_findings(checked.resolved, observed))
    if findings.errors:
        raise InvalidInput(tuple(findings))
    made = compare(graph, observed, provider.consequence)
    return Planned(checked, graph, observed, made, findings, state.target.cluster, note, options)


def _provider(checked: Checked, state: DesiredState) -> Provider:
    from bandari.providers import local

    if state.target.provider is ProviderName.LOCAL:
        return local.provider
    name = state.target.provider.value
    finding = error(
        "BND601",
        state.target.origin.span,
        f"cannot plan for {name!r}: this version serves 'local'",
        why="the file is valid; its target comes with a later version",
        fix="add --target local to run the same file on this machine",
    )
    raise InvalidInput((*checked.diagnostics, finding))


def local_driver(cluster: str, progress: Progress | None = None) -> LocalDriver:
    """The driver of a cluster on this machine."""
    from bandari.drivers.local import LocalDriver

    folders = _folders()

    def fetch(body: Mapping[str, Any], heard: Callable[[int, int], None]) -> Mapping[str, Any]:
        from bandari.drivers.hub import fetch_model

        return fetch_model(body, folders.models, heard, store=os.environ.get("BANDARI_MODEL_STORE", ""))

    return LocalDriver(cluster, folders, fetch, progress)


def _observe(driver: LocalDriver, *, offline: bool) -> tuple[Mapping[Address, Observed], str]:
    from bandari.errors import Unreachable

    if offline:
        return driver.recorded(), ""
    try:
        return driver.observe(), ""
    except Unreachable as failure:
        return driver.recorded(), f"{failure}; compared with what was last applied"


def _model_findings(resolved: ResolvedState, observed: Mapping[Address, Observed]) -> Iterator[Diagnostic]:
    """Asks the hub about models that are not here yet: does something match, is it one file."""
    from bandari.drivers.hub import examine

    for server in resolved.servers.values():
        model = server.server.model
        if model is None or not model.hf_repo_id or server.runtime is None:
            continue
        existing = observed.get(Address("local", "model", server.server.name))
        if existing and existing.body.get("repo") == model.hf_repo_id:
            continue
        yield from examine(model, server.runtime.model_form, server.server.origin)


def save(planned: Planned) -> SavedPlan:
    """The plan as a file's content: digests and names, no values."""
    from bandari.planning import saved

    source = planned.checked.sources[planned.checked.file]
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
    )


def replan(document: SavedPlan, progress: Progress | None = None) -> Planned:
    """The plan that a saved one stands for; StalePlan when anything that it was made from has changed."""
    options = Options(
        ProviderName(document.target) if document.target else None, document.stand_in, frozenset(document.skip)
    )
    planned = plan(Path(document.file), options, progress=progress)
    if why := document.stale(save(planned)):
        raise StalePlan(f"cannot apply the saved plan: {why} since it was made; plan again")
    return planned


# --- apply, status, down ---


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


def existing(cluster: str) -> LocalDriver:
    """The driver of a cluster that has a state here; Terminal when there is none."""
    driver = local_driver(cluster)
    if not driver.exists():
        known = ", ".join(_folders().clusters()) or "none"
        raise Terminal(f"cannot find a cluster {cluster!r} on this machine", fix=f"running here: {known}")
    return driver


def clusters() -> tuple[str, ...]:
    """Names of the clusters that have a state on this machine."""
    return _folders().clusters()


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


def _model_paths(observed: Mapping[Address, Observed], models: Path) -> set[Path]:
    folders = (Path(str(o.outputs.get("folder", ""))) for a, o in observed.items() if a.kind == "model")
    return {folder for folder in folders if models in folder.parents}


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
        if seen.get("ready") or time.monotonic() > until or any(map(_hopeless, seen.get("parts", ()))):
            return seen
        waiting(seen)
        time.sleep(0.05)


HOPELESS_RESTARTS = 3
"""A part that never became ready and fell this often will not come up by waiting."""


def _hopeless(part: Mapping[str, Any]) -> bool:
    replicas = part.get("detail", ())
    return part["ready"] == 0 and any(r.get("restarts", 0) >= HOPELESS_RESTARTS for r in replicas)


def rendered(path: Path, options: Options | None = None) -> ResourceGraph:
    """Stages 1 to 5: the resources that a file compiles to; InvalidInput when it has errors."""
    checked = check(path, options)
    provider = _provider(checked, checked.valid())
    assert checked.resolved is not None
    return provider.lower(checked.resolved)
