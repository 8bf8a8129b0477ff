"""Files of this machine that a file names and that are not there: what the pure rules cannot see."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from bandari.analysis.lacks.here import NotServed
from bandari.desired.ray import RayJob, RaySchedule, RayService, RuntimeEnvironment
from bandari.diagnostics import Span, warning
from bandari.runtimes.model_files import NoChoice, choose, matching
from bandari.runtimes.protocol import ModelForm
from bandari.runtimes.table import runtime_for
from bandari.serving.folders import digest

if TYPE_CHECKING:
    from bandari.desired.state import DesiredState
    from bandari.desired.workloads import ModelServer

CODE = "BND607"
MADE = frozenset({"DirectoryOrCreate"})
"""Types of hostPath that are made when they are not there."""


def missing_files(state: DesiredState) -> Iterator[NotServed]:
    """Every path of the (anchored) state that leads nowhere; a stand-in does without those of its group."""
    for server in state.servers():
        yield from _of(server)
    for item, runtime in _environments(state):
        if runtime.working_dir and "://" not in runtime.working_dir and not Path(runtime.working_dir).exists():
            yield _missing(item.origin.at("working_dir"), "working directory", runtime.working_dir, "")
    local = state.target.local
    if local.tls and any(server.is_public for server in state.servers()):
        for key, path in (("certificate", local.tls.certificate), ("key", local.tls.key)):
            if not Path(path).is_file():
                yield _missing(local.origin.at("tls", key), f"TLS {key}", path, "")


def code_digests(state: DesiredState) -> Mapping[str, str]:
    """Digests of the code that the services of the (anchored) state bring along, by its path; one that cannot be read
    has none.
    """
    found: dict[str, str] = {}
    for item, runtime in _environments(state):
        for path in (runtime.working_dir, *runtime.py_modules) if isinstance(item, RayService) else ():
            if path and "://" not in path:
                with contextlib.suppress(OSError):
                    found[path] = digest(Path(path), runtime.excludes)
    return found


def _environments(state: DesiredState) -> Iterator[tuple[RayJob | RaySchedule | RayService, RuntimeEnvironment]]:
    for item in state.workloads:
        match item:
            case RayJob():
                yield item, item.environment
            case RaySchedule():
                yield item, item.job.environment
            case RayService():
                yield from ((item, application.environment) for application in item.applications)


def _of(server: ModelServer) -> Iterator[NotServed]:
    if server.model and server.model.path and not Path(server.model.path).exists():
        yield _missing(server.origin.at("model", "source"), "model", server.model.path, server.name)
    elif server.model and server.model.path and Path(server.model.path).is_dir():
        yield from _unclear(server, Path(server.model.path))
    mounted = {mount.name for mount in server.volume_mounts}
    for index, volume in enumerate(server.volumes):
        path = str(volume.body.get("path", ""))
        made = volume.body.get("type") in MADE
        if volume.kind == "hostPath" and volume.name in mounted and not made and not Path(path).exists():
            span = server.origin.at("runtime", "volumes", index, "hostPath", "path")
            yield _missing(span, f"volume {volume.name!r}", path, server.name)


def _unclear(server: ModelServer, folder: Path) -> Iterator[NotServed]:
    """A folder from which an engine of one file cannot choose."""
    assert server.model
    runtime = runtime_for(server.image)
    if runtime is None or runtime.model_form is not ModelForm.FILE or server.local.command:
        return
    names = [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()]
    chosen = choose(matching(names, server.model.files))
    if isinstance(chosen, NoChoice):
        code = "BND602" if chosen.candidates else "BND603"
        message = f"cannot choose the model in {str(folder)!r}: {chosen.message}"
        fix = "name one file in `model.source`, or serve a tiny model instead: --stand-in tiny"
        yield NotServed(
            warning(code, server.origin.at("model", "source"), message, fix=fix), server.name, stand_in=True
        )


def _missing(span: Span, what: str, path: str, group: str) -> NotServed:
    other = ", or serve a tiny model instead: --stand-in tiny" if group else ""
    finding = warning(
        CODE,
        span,
        f"cannot find the {what} here: {path!r} is not there",
        why="relative paths start from the folder of the cluster file",
        fix=f"correct the path, or put it there{other}",
    )
    return NotServed(finding, group, stand_in=bool(group))
