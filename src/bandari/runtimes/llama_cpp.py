"""llama.cpp: how its server is started in a container and here, by the embedded engine or a `llama-server` on PATH."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bandari.diagnostics import did_you_mean
from bandari.runtimes import probes
from bandari.runtimes.llama_flags import AUTO_SLOTS, BY_NAME, CHOICES, REFUSED, Arity, Given, read
from bandari.runtimes.protocol import FlagProblem, ModelForm, ServeCommand, ServeRequest

EMBEDDED = "xllamacpp"
PROGRAMS = frozenset({"server", "llama-server", "llama-cpp-server"})
"""Names under which images carry the server: `/server` in 2024, `/app/llama-server` since."""
MODEL_FOLDER = "/data"
"""Where a container finds the model's files."""
SLOTS, CONTEXT = 4, 4096
"""Our default, and the tokens of each slot: the original's context for a request. `--ctx-size` is divided by the slots;
one pool for all (`--kv-unified`) ends every request with a 500 when together they need more than it has.
"""
REPLACED = frozenset({"--host", "--port", "--model"})
HUB_FLAGS = frozenset({"--hf-repo", "--hf-file", "--hf-token", "--model-url"})
DEFAULTS = ("--cont-batching", "--batch-size", "512", "--ubatch-size", "512", "--n-predict", "-1", "--metrics")
"""The original's own defaults, without `--flash-attn` (a switch until 2025, since then it wants a value and is
automatic).
"""
EMBEDDINGS = ("--embedding", "--pooling", "mean")
"""Chat and embeddings from one process; without a pooling the OpenAI route refuses."""

START: Mapping[str, tuple[str, ...]] = {
    EMBEDDED: ("$(PYTHON)", "-m", "bandari.serving.llama"),
    "llama-server": ("llama-server",),
}
NO_DOWNLOAD = "it downloads nothing by itself"
PLAIN_HTTP = ("the gateway speaks plain HTTP with replicas here", "use `local: {tls}` for the public listener")
REASONS: Mapping[str, tuple[str, str]] = {
    "--model-url": (NO_DOWNLOAD, "name the repository in `model.hfRepoId`, or a path in `model.source`"),
    "--docker-repo": (NO_DOWNLOAD, "name the repository in `model.hfRepoId`"),
    "--mmproj-url": (NO_DOWNLOAD, "add the file to `model.files` and name it with --mmproj /data/FILE"),
    "--api-prefix": ("the gateway asks replicas at /v1", "leave it out"),
    "--ssl-key-file": PLAIN_HTTP,
    "--ssl-cert-file": PLAIN_HTTP,
    "--log-file": ("a replica's log is kept by the supervisor", "leave it out and read it with `bandari logs`"),
    "--models-dir": ("a group serves one model", "make a group for each model"),
    "--models-preset": ("a group serves one model", "make a group for each model"),
}
USE_OTHER = "leave it out, or install llama-server and set `local: {engine: llama-server}`"


@dataclass(frozen=True, slots=True)
class LlamaCpp:
    """The `ServingRuntime` of llama.cpp."""

    name: str = "llama.cpp"
    model_form: ModelForm = ModelForm.FILE
    engines: tuple[str, ...] = (EMBEDDED, "llama-server")
    health_paths: frozenset[str] = frozenset(
        {"/health", "/v1/health", "/models", "/v1/models", "/props", "/slots", "/metrics", "/lora-adapters"}
    )

    @property
    def metrics(self) -> Mapping[str, str]:
        return {
            "running": "llamacpp:requests_processing",
            "waiting": "llamacpp:requests_deferred",
            "tokens_in": "llamacpp:prompt_tokens_total",
            "tokens_out": "llamacpp:tokens_predicted_total",
        }

    def recognises(self, image: str) -> bool:
        """As the original: `llama.cpp` anywhere in the name."""
        return "llama.cpp" in image

    def serve(self, request: ServeRequest) -> ServeCommand:
        """For a container: the image's own entry point, the model under /data, port 8000 on all interfaces."""
        program, args = split(request.command)
        given = read(args)
        kept = _kept(given, request) if request.command else _defaults(request)
        command = (*kept, *_model(given, request), "--host", "0.0.0.0", "--port", str(request.port))
        return _command((program,) if program else (), command, request)

    def local(self, request: ServeRequest, engine: str) -> ServeCommand:
        """For this machine: port $(PORT) on loopback, /data is $(MODEL_DIR), threads by the cpu request."""
        given = tuple(_here(item) for item in read(split(request.command)[1]))
        kept = _kept(given, request) if request.command else _defaults(request)
        extras = _local_extras(kept, request)
        command = (*kept, *extras, *_model(given, request), "--host", "127.0.0.1", "--port", "$(PORT)")
        return _command(START[engine], command, request)

    def problems(self, request: ServeRequest, engine: str) -> tuple[FlagProblem, ...]:
        """What stands in the command that `engine` cannot take; an installed llama-server judges its flags itself."""
        program, args = split(request.command)
        offset = len(request.command) - len(args)
        found = list(_program_problems(program))
        for item in read(args) if not found else ():
            for message, fix in (*_hub_problems(item, request, engine), *JUDGES[engine](item, request)):
                found.append(FlagProblem(item.index + offset, message, fix))
        return tuple(found)


def split(command: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """A command as program and arguments; a first word that is a flag means that the image brings the program."""
    if command and not command[0].startswith("-"):
        return command[0], tuple(command[1:])
    return "", tuple(command)


# --- building -------------------------------------------------------------------------------------------------------


def _command(program: tuple[str, ...], args: tuple[str, ...], request: ServeRequest) -> ServeCommand:
    return ServeCommand(
        program=program,
        args=args,
        slots=_slots(read(args)),
        readiness=probes.readiness("/health", request.port),
        liveness=probes.liveness("/health", request.port),
    )


def _defaults(request: ServeRequest) -> tuple[str, ...]:
    size = ("--parallel", str(SLOTS), "--ctx-size", str(SLOTS * CONTEXT))
    offload = ("--n-gpu-layers", "999") if request.gpus else ()
    return (*size, *DEFAULTS, *EMBEDDINGS, *offload, "--alias", request.served_name)


def _kept(given: Sequence[Given], request: ServeRequest) -> tuple[str, ...]:
    """The user's flags but for what is put in their place."""
    dropped = REPLACED | (HUB_FLAGS if _is_from_hub(given, request) else frozenset())
    return tuple(token for item in given if _name(item) not in dropped for token in item.tokens)


def _is_from_hub(given: Sequence[Given], request: ServeRequest) -> bool:
    """Whether the command names the repository that the group's model comes from, so that it is here already."""
    return request.has_model and bool(_names(given) & {"--hf-repo", "--hf-file"})


def _model(given: Sequence[Given], request: ServeRequest) -> tuple[str, ...]:
    """The model that the command names, the last one as llama-server has it, else the group's own."""
    named = [item.values[0] for item in given if _name(item) == "--model" and item.values]
    if named and not _is_from_hub(given, request):
        return ("--model", named[-1])
    fetches = _names(given) & {"--hf-repo", "--model-url", "--docker-repo"} and not _is_from_hub(given, request)
    return ("--model", "$(MODEL)") if request.has_model and not fetches else ()


def _local_extras(kept: Sequence[str], request: ServeRequest) -> Iterator[str]:
    """Without them a replica takes all cores, and answers under the path of its file."""
    names = _names(read(kept))
    if "--threads" not in names:
        yield from ("--threads", str(max(1, int(request.cpu))))
    if "--alias" not in names:
        yield from ("--alias", request.served_name)


def _here(item: Given) -> Given:
    return Given(item.index, item.name, tuple(_path(value) for value in item.values), item.flag)


def _path(value: str) -> str:
    """A path under a container's /data is under the model's folder here."""
    if value == MODEL_FOLDER or value.startswith(MODEL_FOLDER + "/"):
        return "$(MODEL_DIR)" + value.removeprefix(MODEL_FOLDER).rstrip("/")
    return value


def _slots(given: Sequence[Given]) -> int:
    said = [item.values[0] for item in given if _name(item) == "--parallel" and item.values]
    count = int(said[-1]) if said and said[-1].removeprefix("-").isdecimal() else AUTO_SLOTS
    return count if count > 0 else AUTO_SLOTS


def _name(item: Given) -> str:
    return item.flag.name if item.flag else item.name


def _names(given: Sequence[Given]) -> frozenset[str]:
    return frozenset(_name(item) for item in given)


# --- judging --------------------------------------------------------------------------------------------------------

Finding = tuple[str, str]
"""Message and fix."""


def _program_problems(program: str) -> Iterator[FlagProblem]:
    if program and posixpath.basename(program) not in PROGRAMS:
        yield FlagProblem(
            0,
            f"cannot run program {program!r} here: the engine stands for llama.cpp's server and takes its flags only",
            "start the command with /app/llama-server, or say what runs here in `local: {command}`",
        )


def _hub_problems(item: Given, request: ServeRequest, engine: str) -> Iterator[Finding]:
    if _name(item) not in ("--hf-repo", "--hf-file") or not item.values:
        return
    repo = item.values[0].partition(":")[0]
    if not request.has_model and engine == EMBEDDED:
        yield f"cannot fetch {item.values[0]!r}: the group has no model", f"add `model: {{hfRepoId: {repo}}}`"
    elif _name(item) == "--hf-repo" and request.has_model and repo != request.repo:
        yield (
            f"cannot serve {repo!r}: the group's model is {request.repo or 'no repository'!r}",
            "name one repository only, in `model.hfRepoId`",
        )


def _no_judge(_item: Given, _request: ServeRequest) -> Iterator[Finding]:
    yield from ()


def _embedded_judge(item: Given, _request: ServeRequest) -> Iterator[Finding]:
    flag = item.flag
    if flag is None:
        yield _unknown(item)
    elif flag.field == REFUSED and flag.name not in ("--hf-repo", "--hf-file"):
        reason, fix = REASONS.get(flag.name, ("it has no such setting", USE_OTHER))
        yield f"cannot use {item.name} with the embedded engine: {reason}", fix
    elif flag.arity is Arity.ONE and not item.values:
        yield f"cannot use {item.name}: its value is missing", f"write {item.name} VALUE"
    elif flag.arity is Arity.NONE and item.values:
        yield f"cannot use {item.name} with value {item.values[0]!r}: it is a switch", f"write {item.name} alone"
    elif item.values and (wanted := _wrong(flag.kind, item.values[0])):
        yield f"cannot use {item.name} {item.values[0]!r}: it takes {wanted}", f"write {item.name} with {wanted}"


def _unknown(item: Given) -> Finding:
    near = did_you_mean(item.name, BY_NAME)
    if item.name.startswith("-"):
        return f"cannot use {item.name}: llama-server has no flag of this name", f"use {near}" if near else USE_OTHER
    return f"cannot use {item.name!r}: it belongs to no flag", "put a flag before it, or leave it out"


def _wrong(kind: str, value: str) -> str:
    """What the flag takes, if `value` is not of that kind; empty if it is (or is filled in at the start)."""
    if "$(" in value:
        return ""
    if kind in CHOICES:
        return "" if value in CHOICES[kind] else "one of " + ", ".join(CHOICES[kind])
    if kind in ("int", "slots", "seed", "prio") or (kind == "layers" and value not in ("auto", "all")):
        return "" if value.removeprefix("-").isdecimal() else "a whole number"
    return _wrong_number(value) if kind in ("float", "inverse") else ""


def _wrong_number(value: str) -> str:
    try:
        float(value)
    except ValueError:
        return "a number"
    return ""


JUDGES = {EMBEDDED: _embedded_judge, "llama-server": _no_judge}
