"""A group whose engine is not here, or cannot take what its command says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bandari.analysis.lacks.here import Here, NotServed
from bandari.analysis.resolve import DEFAULT_CPU
from bandari.desired.workloads import ModelServer
from bandari.runtimes.protocol import ServeRequest, ServingRuntime

NOT_FOUND, UNKNOWN_IMAGE, FLAG, NO_MODEL = "BND503", "BND504", "BND509", "BND516"
INSTALL: Mapping[str, str] = {
    "xllamacpp": "install the embedded engine: pip install 'bandari[local]'",
    "llama-server": "install llama.cpp, so that llama-server is on PATH",
    "vllm": "install vLLM (pip install vllm), so that vllm is on PATH",
}


def check(server: ModelServer, here: Here) -> Iterator[NotServed]:
    """A local command needs no engine of ours."""
    if server.local.command:
        return
    runtime = here.runtime(server)
    if runtime is None:
        yield _unknown(server, here)
        return
    yield from _model(server, here)
    engine = here.engine(server, runtime)
    if engine not in runtime.engines or engine not in here.host.engines:
        yield _absent(server, runtime, engine, here)
    if engine in runtime.engines:
        yield from _flags(server, runtime, engine, here)


def _unknown(server: ModelServer, here: Here) -> NotServed:
    known = ", ".join(sorted(runtime.name for runtime in here.runtimes))
    return here.lack(
        server,
        UNKNOWN_IMAGE,
        server.origin.at("runtime", "image"),
        f"cannot serve image {server.image!r} here: no engine is known for it",
        why=f"containers are not run on this machine; the engines known are {known}",
        fix="say how to start it in the group: local: {command: [...]}",
    )


def _model(server: ModelServer, here: Here) -> Iterator[NotServed]:
    """A command may name a file of this machine; without one only the image could have brought a model."""
    if server.model is None and not server.command:
        yield here.lack(
            server,
            NO_MODEL,
            server.origin.span,
            f"cannot find a model for group {server.name!r} here: the file names none",
            why="the image brings it, and containers are not run on this machine",
            fix="add model: {hfRepoId: owner/name} or model: {source: path}",
        )


def _absent(server: ModelServer, runtime: ServingRuntime, engine: str, here: Here) -> NotServed:
    fits = engine in runtime.engines
    one_of = " or ".join(runtime.engines)
    return here.lack(
        server,
        NOT_FOUND,
        server.origin.at("local", "engine") if server.local.engine else server.origin.at("runtime", "image"),
        f"cannot serve group {server.name!r} with {engine!r} here: "
        + ("it is not installed" if fits else f"it does not serve images of {runtime.name}"),
        why=f"images of {runtime.name} are served by {one_of} on this machine",
        fix=INSTALL.get(engine, f"put {engine} on PATH") if fits else f"use local: {{engine: {runtime.engines[0]}}}",
    )


def _flags(server: ModelServer, runtime: ServingRuntime, engine: str, here: Here) -> Iterator[NotServed]:
    request = ServeRequest(
        served_name=server.name,
        command=server.command,
        has_model=server.model is not None,
        gpus=here.gpus() if server.gpu else 0,
        cpu=server.requests.cpu.cores if server.requests.cpu else DEFAULT_CPU,
        repo=server.model.hf_repo_id if server.model else "",
    )
    for problem in runtime.problems(request, engine):
        yield here.lack(
            server,
            FLAG,
            server.origin.at("runtime", "command", problem.index),
            problem.message,
            why=f"on this machine {engine} serves group {server.name!r}, by the command of its container",
            fix=problem.fix or "give the group a command for this machine: local: {command: [...]}",
        )
