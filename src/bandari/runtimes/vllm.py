"""vLLM: how its OpenAI server is started in a container, and here by a `vllm` found on PATH."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bandari.runtimes import probes
from bandari.runtimes.protocol import FlagProblem, ModelForm, ServeCommand, ServeRequest

MODULE = ("python3", "-m", "vllm.entrypoints.openai.api_server")
"""The start that every version knows; `vllm serve` came with 0.6."""
MODEL_FOLDER = "/data"
SLOTS = 8
"""What one replica is counted with; vLLM batches as much as its cache holds (`--max-num-seqs` 256)."""
INSTALL = "install vllm and put it on PATH, or serve the group with --stand-in"


@dataclass(frozen=True, slots=True)
class Vllm:
    """The `ServingRuntime` of vLLM."""

    name: str = "vllm"
    model_form: ModelForm = ModelForm.FOLDER
    engines: tuple[str, ...] = ("vllm",)
    health_paths: frozenset[str] = frozenset({"/health", "/ping", "/version", "/v1/models", "/metrics", "/load"})

    @property
    def metrics(self) -> Mapping[str, str]:
        return {
            "running": "vllm:num_requests_running",
            "waiting": "vllm:num_requests_waiting",
            "tokens_in": "vllm:prompt_tokens_total",
            "tokens_out": "vllm:generation_tokens_total",
        }

    def recognises(self, image: str) -> bool:
        """The original takes what starts with `vllm`; an image of a mirror has it as a part of its path."""
        path = image.partition("@")[0]
        return any(part.partition(":")[0].startswith("vllm") for part in path.split("/"))

    def serve(self, request: ServeRequest) -> ServeCommand:
        """For a container: the module every version knows, the model under /data, port 8000 on all interfaces."""
        program, args = split(request.command)
        return _command(program or MODULE, args, request, host="0.0.0.0", port=str(request.port))

    def local(self, request: ServeRequest, engine: str) -> ServeCommand:
        """For this machine: `vllm serve`, port $(PORT) on loopback, /data is $(MODEL_DIR)."""
        _, args = split(request.command)
        here = tuple(_path(token) for token in args)
        return _command((engine, "serve"), here, request, host="127.0.0.1", port="$(PORT)")

    def problems(self, request: ServeRequest, engine: str) -> tuple[FlagProblem, ...]:
        """Only the program can be wrong: vLLM judges its flags itself when it starts."""
        return tuple(_problems(request, engine))


def split(command: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """A command as program (`vllm serve`, `python3 -m vllm...`) and arguments."""
    words = list(command)
    for length in range(min(len(words), 4)):
        if words[length].startswith("-") and words[length] != "-m":
            return tuple(words[:length]), tuple(words[length:])
        if words[length] == "serve" or words[length].startswith("vllm.entrypoints"):
            return tuple(words[: length + 1]), tuple(words[length + 1 :])
    return tuple(words), ()


def _command(
    program: tuple[str, ...], args: tuple[str, ...], request: ServeRequest, *, host: str, port: str
) -> ServeCommand:
    kept = without(args, frozenset({"--host", "--port"}))
    return ServeCommand(
        program=program,
        args=(*kept, *_derived(kept, request), "--host", host, "--port", port),
        slots=_slots(kept),
        readiness=probes.readiness("/health", request.port),
        liveness=probes.liveness("/health", request.port),
    )


def _derived(args: Sequence[str], request: ServeRequest) -> Iterator[str]:
    if "--served-model-name" not in flags(args):
        yield from ("--served-model-name", request.served_name)
    if request.gpus > 1 and not flags(args) & {"--tensor-parallel-size", "-tp"}:
        yield from ("--tensor-parallel-size", str(request.gpus))
    if request.has_model and not _names_model(args):
        yield from ("--model", "$(MODEL_DIR)")


def _names_model(args: Sequence[str]) -> bool:
    """By flag, or as the first word of `vllm serve MODEL`."""
    return "--model" in flags(args) or bool(args and not args[0].startswith("-"))


def _slots(args: Sequence[str]) -> int:
    for index, token in enumerate(args):
        name, equals, value = token.partition("=")
        if normal(name) == "--max-num-seqs":
            number = value if equals else "".join(args[index + 1 : index + 2])
            return int(number) if number.isdecimal() and int(number) else SLOTS
    return SLOTS


def normal(name: str) -> str:
    """As vLLM reads it: `_` in a flag is `-`."""
    return name.replace("_", "-")


def flags(args: Sequence[str]) -> frozenset[str]:
    """Names of the flags that are given, in either spelling."""
    return frozenset(normal(token.partition("=")[0]) for token in args if token.startswith("-"))


def without(args: Sequence[str], names: frozenset[str]) -> tuple[str, ...]:
    """The arguments without these flags and their values, `--flag value` and `--flag=value` alike."""
    kept: list[str] = []
    index = 0
    while index < len(args):
        name, equals, _ = args[index].partition("=")
        if normal(name) in names:
            index += 1 if equals else 2
        else:
            kept.append(args[index])
            index += 1
    return tuple(kept)


def _path(token: str) -> str:
    name, equals, value = token.partition("=")
    return f"{name}={_folder(value)}" if equals and name.startswith("-") else _folder(token)


def _folder(value: str) -> str:
    if value == MODEL_FOLDER or value.startswith(MODEL_FOLDER + "/"):
        return "$(MODEL_DIR)" + value.removeprefix(MODEL_FOLDER).rstrip("/")
    return value


def _problems(request: ServeRequest, engine: str) -> Iterator[FlagProblem]:
    program, args = split(request.command)
    if program and posixpath.basename(program[0]) not in ("vllm", "python3", "python"):
        yield FlagProblem(
            0,
            f"cannot run program {program[0]!r} here: {engine} stands for vLLM's server and takes its flags only",
            "start the command with `vllm serve`, or say what runs here in `local: {command}`",
        )
    elif program and "vllm" not in " ".join(program):
        yield FlagProblem(0, f"cannot read command {' '.join(program)!r}: it does not start vLLM", INSTALL)
    del args
