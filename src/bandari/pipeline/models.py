"""Models in the pipeline: what the hub says of those that are not here yet, and how a body of the plan is fetched."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bandari.diagnostics import Diagnostic, Origin, error, warning
from bandari.errors import DriverError
from bandari.planning.graph import Address
from bandari.planning.plan import Observed
from bandari.units import Memory

if TYPE_CHECKING:
    from bandari.analysis.resolve import ResolvedServer, ResolvedState
    from bandari.drivers.model_folder import ModelListing


@dataclass(frozen=True, slots=True)
class Examined:
    """What the hub says: `downloads` is group -> bytes, of those that it was asked about and that can be served."""

    findings: tuple[Diagnostic, ...]
    downloads: Mapping[str, Memory]


def examine(resolved: ResolvedState, observed: Mapping[Address, Observed]) -> Examined:
    """Asks the hub about every model that is not here yet: does it exist, does something match, is it one file."""
    findings: list[Diagnostic] = []
    downloads: dict[str, Memory] = {}
    for server in _unfetched(resolved, observed):
        answer = _ask(server)
        if isinstance(answer, Diagnostic):
            findings.append(answer)
        else:
            downloads[server.server.name] = answer
    return Examined(tuple(findings), downloads)


def _unfetched(resolved: ResolvedState, observed: Mapping[Address, Observed]) -> Iterator[ResolvedServer]:
    for server in resolved.servers.values():
        model = server.server.model
        if model is None or not model.hf_repo_id:
            continue
        existing = observed.get(Address("local", "model", server.server.name))
        body = existing.body if existing else {}
        if (body.get("repo"), tuple(body.get("files", ("*",)))) != (model.hf_repo_id, model.files):
            yield server


def _ask(server: ResolvedServer) -> Memory | Diagnostic:
    from bandari.drivers.hub import inspect
    from bandari.runtimes.protocol import ModelForm

    model, origin = server.server.model, server.server.origin
    assert model is not None
    try:
        everything = inspect(model.hf_repo_id)
    except DriverError as failure:
        why = "names and sizes of its files are not known; what is here already is used"
        return warning("BND604", origin.at("model", "hfRepoId"), str(failure), why=why, fix=failure.fix)
    taken = everything.only(model.files)
    if not taken.files:
        return _no_match(everything, model.files, origin)
    if server.runtime is not None and server.runtime.model_form is ModelForm.FILE:
        return _one_file(taken, origin)
    return Memory(taken.bytes)


def _no_match(everything: ModelListing, globs: tuple[str, ...], origin: Origin) -> Diagnostic:
    from bandari.runtimes.model_files import listed

    names = listed([file.name for file in everything.files])
    wanted = ", ".join(map(repr, globs))
    message = f"cannot find a file of {everything.repo!r} that matches {wanted}"
    return error(
        "BND603", origin.at("model", "files"), message, why=f"the repository has {names}", fix="correct `files`"
    )


def _one_file(taken: ModelListing, origin: Origin) -> Memory | Diagnostic:
    from bandari.runtimes.model_files import NoChoice, choose

    chosen = choose([file.name for file in taken.files])
    if isinstance(chosen, NoChoice):
        code = "BND602" if chosen.candidates else "BND603"
        message = f"cannot choose the model of {taken.repo!r}: {chosen.message}"
        return error(code, origin.at("model", "files"), message, fix=chosen.fix)
    return Memory(taken.bytes)


def fetch(body: Mapping[str, Any], models: Path, heard: Callable[[int, int], None]) -> Mapping[str, Any]:
    """Brings the model of a plan's body to this machine; its outputs."""
    from bandari.drivers.hub import STORE_VARIABLE, download
    from bandari.serving.protocol import ModelBody

    fields = {**body, "files": tuple(body.get("files", ("*",)))}
    store = os.environ.get(STORE_VARIABLE, "") if body.get("repo") and body.get("shared", True) else ""
    return download(ModelBody(**{**fields, "store": store}), models, heard)
