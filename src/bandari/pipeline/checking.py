"""Stages 1 to 4: a file's text to a resolved state and every finding about it. Opens no socket."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from bandari.desired.state import DesiredState, ProviderName
from bandari.diagnostics import Diagnostic, Diagnostics, Span, error, warning
from bandari.errors import InvalidInput
from bandari.pipeline.references import references
from bandari.pipeline.surroundings import host as this_host
from bandari.pipeline.surroundings import machines, secret_digests

if TYPE_CHECKING:
    from bandari.analysis.ray_shapes import ResolvedRay
    from bandari.analysis.resolve import ResolvedState
    from bandari.analysis.served import NotServed
    from bandari.catalog.host import Host
    from bandari.catalog.machines import Machines

LARGEST_FILE = 2**20


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line adds to the file. `stand_in` holds `MODEL` (all groups that cannot run here) or
    `GROUP=MODEL`; `skip` holds sections of the file; `name` is the cluster of a file that names none; `render` is the
    YAML file of variables of a Jinja template.
    """

    target: ProviderName | None = None
    stand_in: tuple[str, ...] = ()
    skip: frozenset[str] = frozenset()
    name: str = ""
    render: str = ""
    ray_version: str = ""
    """The Ray that runs here, whatever the image says."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A file after the pure stages: `resolved` is None when there are errors or the target is not this machine."""

    file: str
    sources: Mapping[str, str]
    state: DesiredState | None
    resolved: ResolvedState | None
    diagnostics: Diagnostics
    not_served: tuple[NotServed, ...] = ()
    ray: Mapping[str, ResolvedRay] = field(default_factory=dict)
    """The Ray clusters by name, with what their nodes are; scaled where the target is this machine."""

    def valid(self) -> DesiredState:
        """The state; InvalidInput when there is an error."""
        if self.state is None or self.diagnostics.errors:
            raise InvalidInput(tuple(self.diagnostics))
        return self.state


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
    sources = {str(path): text}
    label = str(path)
    if options.render:
        from bandari.pipeline.rendering import render

        rendered = render(text, str(path), Path(options.render))
        sources[options.render] = rendered.variables
        findings.add(*rendered.diagnostics)
        if rendered.text is None:
            return Checked(str(path), sources, None, None, findings)
        text, label = rendered.text, rendered.label
        sources[label] = text
    named = references(text, str(path))
    sources.update({item.file: item.text for item in named.values() if item.text is not None})
    state, found = read(text, label, target=options.target, name=options.name, references=named)
    findings.add(*found)
    if state is None:
        return Checked(str(path), sources, None, None, findings)
    return _analysed(Checked(str(path), sources, state, None, findings), options, host)


def _analysed(checked: Checked, options: Options, host: Host | None) -> Checked:
    from bandari.analysis import ray_shapes
    from bandari.analysis.lint import lint
    from bandari.analysis.resolve import anchor, resolve
    from bandari.pipeline.files import code_digests
    from bandari.pipeline.images import environments
    from bandari.runtimes.table import RUNTIMES, runtime_for

    state = checked.valid()
    known = machines()
    checked.diagnostics.add(*lint(state, known, RUNTIMES))
    checked.diagnostics.add(*_unknown_options(state, options, Span(checked.file, 1, 1)))
    if state.target.provider is not ProviderName.LOCAL:
        shapes = {
            cluster.name: ray_shapes.resolve(cluster, known, target=state.target.provider)
            for cluster in state.ray_clusters()
        }
        return replace(checked, ray=shapes)
    state = anchor(state, str(Path(checked.file).resolve().parent))
    secrets, unreadable = secret_digests(state)
    if unreadable:
        checked.diagnostics.add(_unreadable_secrets(state, unreadable))
    host = host or this_host()
    missing = _not_served(state, host, frozenset(secrets), known)
    stand_ins = _stand_ins(options, missing)
    left = tuple(m for m in missing if not _settled(m, options, stand_ins))
    kept = _without(state, options.skip)
    resolved = resolve(
        kept,
        host=host,
        runtime_for=runtime_for,
        stand_ins=stand_ins,
        secret_digests=secrets,
        machines=known,
        code=code_digests(kept),
    )
    bodies, said = environments(kept, options.ray_version)
    checked.diagnostics.add(*said)
    resolved = replace(resolved, ray_environments=bodies)
    checked.diagnostics.add(*(m.diagnostic for m in left))
    return replace(checked, state=kept, resolved=resolved, not_served=left, ray=resolved.ray)


def _unreadable_secrets(state: DesiredState, reason: str) -> Diagnostic:
    local = state.target.local
    return warning(
        "BND606",
        local.origin.at("secretsFile"),
        f"cannot read the secrets file {local.secrets_file!r}: {reason}",
        why="groups that take a variable from it cannot start here",
        fix="write it as YAML: secret name, below it key: value",
    )


def _not_served(
    state: DesiredState, host: Host, secrets: frozenset[tuple[str, str]], known: Machines
) -> tuple[NotServed, ...]:
    from bandari.analysis.served import not_served
    from bandari.pipeline.files import missing_files
    from bandari.runtimes.table import RUNTIMES

    return (*not_served(state, host, RUNTIMES, secrets, known), *missing_files(state))


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
