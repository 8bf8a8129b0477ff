"""vLLM: how its OpenAI server is started in a container, and here by a `vllm` found on PATH."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from bandari.runtimes import probes
from bandari.runtimes.protocol import FlagProblem, ModelForm, ServeCommand, ServeRequest

MODULE = ("python3", "-m", "vllm.entrypoints.openai.api_server")
"""The start that every version knows; `vllm serve` came with 0.6."""
MODEL_FOLDER = "/data"
SLOTS = 8
"""What one replica is counted with; vLLM batches as much as its cache holds (`--max-num-seqs` 256)."""


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
        """For this machine: `vllm serve` on loopback; /data and the group's own repository are $(MODEL_DIR)."""
        _, args = split(request.command)
        here = tuple(_here(token) for token in args)
        model, _ = model_of(here)
        if model and model == request.repo:
            here = with_model(here, "$(MODEL_DIR)")
        command = _command((engine, "serve"), here, request, host="127.0.0.1", port="$(PORT)")
        return replace(command, env={"VLLM_NO_USAGE_STATS": "1"})  # it reports its use unless told not to

    def problems(self, request: ServeRequest, engine: str) -> tuple[FlagProblem, ...]:
        """The program, or another model than the group's; vLLM judges its flags itself when it starts."""
        return tuple(_problems(request, engine))


def split(command: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """A command as program (`vllm serve`, `python3 -m vllm...`) and arguments; no program where a flag comes first."""
    for index, word in enumerate(command[:4]):
        if word == "serve" or word.startswith("vllm.entrypoints"):
            return tuple(command[: index + 1]), tuple(command[index + 1 :])
    if command and not command[0].startswith("-"):
        return tuple(command[:1]), tuple(command[1:])
    return (), tuple(command)


def _command(
    program: tuple[str, ...], args: tuple[str, ...], request: ServeRequest, *, host: str, port: str
) -> ServeCommand:
    named, rest = model_of(without(args, frozenset({"--host", "--port"})))
    model = named or ("$(MODEL_DIR)" if request.has_model else "")
    first, last = _place(model, program)
    return ServeCommand(
        program=program,
        args=(*first, *rest, *_derived(rest, request), *last, "--host", host, "--port", port),
        slots=_slots(rest),
        readiness=probes.readiness("/health", request.port),
        liveness=probes.liveness("/health", request.port),
    )


def _place(model: str, program: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """`vllm serve` wants the model as its first word and warns of, or refuses, --model; the module knows --model."""
    if not model:
        return (), ()
    return ((model,), ()) if program[-1] == "serve" else ((), ("--model", model))


def _derived(args: Sequence[str], request: ServeRequest) -> Iterator[str]:
    if "--served-model-name" not in flags(args):
        yield from ("--served-model-name", request.served_name)
    if request.gpus > 1 and not flags(args) & {"--tensor-parallel-size", "-tp"}:
        yield from ("--tensor-parallel-size", str(request.gpus))


def model_of(args: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """The model that the arguments name (as first word, or the last --model; empty: none), and the other arguments."""
    first = args[0] if args and not args[0].startswith("-") else ""
    rest = tuple(args[1:]) if first else tuple(args)
    return _value(rest, "--model") or first, without(rest, frozenset({"--model"}))


def with_model(args: Sequence[str], model: str) -> tuple[str, ...]:
    """The arguments with this model in place of the one they name."""
    return (*model_of(args)[1], "--model", model)


def _value(args: Sequence[str], flag: str) -> str:
    """The last value of a flag; empty where it has none."""
    found = ""
    for index, token in enumerate(args):
        name, equals, attached = token.partition("=")
        if token.startswith("-") and normal(name) == flag:
            found = attached if equals else "".join(_following(args, index))
    return found


def _following(args: Sequence[str], index: int) -> tuple[str, ...]:
    """The value after the flag at `index`: the next token, unless that is a flag."""
    return tuple(token for token in args[index + 1 : index + 2] if not token.startswith("-"))


def _slots(args: Sequence[str]) -> int:
    said = _value(args, "--max-num-seqs")
    return int(said) if said.isdecimal() and int(said) else SLOTS


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
        if args[index].startswith("-") and normal(name) in names:
            index += 0 if equals else len(_following(args, index))
        else:
            kept.append(args[index])
        index += 1
    return tuple(kept)


def _here(token: str) -> str:
    """A path under a container's /data is under the model's folder here, also behind `--flag=`."""
    name, equals, value = token.partition("=")
    if equals and name.startswith("-"):
        return f"{name}={_folder(value)}"
    return _folder(token)


def _folder(value: str) -> str:
    if value == MODEL_FOLDER or value.startswith(MODEL_FOLDER + "/"):
        return "$(MODEL_DIR)" + value.removeprefix(MODEL_FOLDER).rstrip("/")
    return value


def _problems(request: ServeRequest, engine: str) -> Iterator[FlagProblem]:
    program, args = split(request.command)
    if program and "vllm" not in program[-1] and posixpath.basename(program[0]) != "vllm":
        yield FlagProblem(
            0,
            f"cannot run {' '.join(program)!r} here: {engine} stands for vLLM's server and takes its flags only",
            "start the command with `vllm serve`, or say what runs here in `local: {command}`",
        )
        return
    model, _ = model_of(args)
    if request.repo and _is_repository(model) and model != request.repo:
        yield FlagProblem(
            next(index for index, token in enumerate(request.command) if token.endswith(model)),
            f"cannot serve {model!r}: the group's model is {request.repo!r}",
            "name one repository only, in `model.hfRepoId`",
        )


def _is_repository(model: str) -> bool:
    return model.count("/") == 1 and not model.startswith(("/", ".", "$"))
