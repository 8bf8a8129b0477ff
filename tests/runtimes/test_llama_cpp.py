"""llama.cpp: defaults, completion of a user's command, and what the embedded engine cannot take."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandari.runtimes.llama_cpp import EMBEDDED, LlamaCpp
from bandari.runtimes.llama_flags import FLAGS, Arity, read
from bandari.runtimes.protocol import ServeRequest

RUNTIME = LlamaCpp()
REQUEST = ServeRequest("chat", repo="TheBloke/Llama-2-7B-Chat-GGUF")
ENDING = ("--model", "$(MODEL)", "--host", "127.0.0.1", "--port", "$(PORT)")
COMPLETED = {"--host", "--port", "--model", "--hf-repo", "--hf-file", "--hf-token", "--model-url", "--docker-repo"}


def local(*command: str, **fields: Any) -> tuple[str, ...]:
    return RUNTIME.local(replace(REQUEST, command=command, **fields), EMBEDDED).args


def value(args: tuple[str, ...], flag: str) -> str:
    return args[args.index(flag) + 1]


def messages(*command: str, engine: str = EMBEDDED, **fields: Any) -> list[str]:
    found = RUNTIME.problems(replace(REQUEST, command=command, **fields), engine)
    return [f"{problem.index} {problem.message}" for problem in found]


# --- defaults -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", RUNTIME.engines)
def test_without_a_command_each_slot_has_the_originals_context(engine: str) -> None:
    command = RUNTIME.local(REQUEST, engine)
    assert (value(command.args, "--parallel"), command.slots) == ("4", 4)
    assert int(value(command.args, "--ctx-size")) == 4 * 4096
    assert command.args[-6:] == ENDING
    assert value(command.args, "--alias") == "chat"


def test_an_installed_llama_server_is_started_by_name() -> None:
    assert RUNTIME.local(REQUEST, "llama-server").program == ("llama-server",)


def test_the_embedded_engine_is_a_module_of_this_interpreter() -> None:
    assert RUNTIME.local(REQUEST, EMBEDDED).program == ("$(PYTHON)", "-m", "bandari.serving.llama")


def test_threads_follow_the_cpu_request_and_layers_go_to_a_gpu() -> None:
    assert value(local(cpu=3.5), "--threads") == "3"
    assert value(local(cpu=0.25), "--threads") == "1"
    assert "--n-gpu-layers" not in local()
    assert value(local(gpus=1), "--n-gpu-layers") == "999"


def test_a_group_without_a_model_names_none() -> None:
    assert "--model" not in local(has_model=False)


def test_probes_are_the_originals() -> None:
    command = RUNTIME.local(REQUEST, EMBEDDED)
    assert command.readiness is not None
    assert command.liveness is not None
    assert (command.readiness.initial_delay, command.liveness.initial_delay) == (60, 240)
    assert (command.readiness.period, command.readiness.timeout, command.readiness.failure_threshold) == (5, 30, 5)
    assert command.readiness.http_get is not None
    assert (command.readiness.http_get.path, command.readiness.http_get.port) == ("/health", 8000)


def test_a_container_listens_on_all_interfaces_at_port_8000_and_keeps_its_entry_point() -> None:
    command = RUNTIME.serve(REQUEST)
    assert command.program == ()
    assert command.args[-4:] == ("--host", "0.0.0.0", "--port", "8000")
    assert RUNTIME.serve(replace(REQUEST, command=("/server", "-c", "512"))).program == ("/server",)


# --- a user's command -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("program", ["/server", "/app/llama-server", "llama-server", "./server"])
def test_the_program_of_an_image_is_dropped(program: str) -> None:
    assert local(program, "-c", "512")[:2] == ("-c", "512")
    assert messages(program, "-c", "512") == []


def test_a_command_of_flags_alone_is_the_images_own_program() -> None:
    assert local("-c", "512")[:2] == ("-c", "512")


@pytest.mark.parametrize(
    "given_flags",
    [("--port", "8080", "--host", "0.0.0.0"), ("--port=8080", "--host=0.0.0.0"), ("--port", "1", "--port=2")],
)
def test_host_and_port_are_replaced_in_every_spelling(given_flags: tuple[str, ...]) -> None:
    args = local("/server", *given_flags, "--metrics")
    assert args == ("--metrics", "--threads", "1", "--alias", "chat", *ENDING)


def test_the_models_folder_of_a_container_is_the_folder_here() -> None:
    args = local("/server", "-m", "/data/llama.Q4_0.gguf", "--lora=/data/adapter.gguf", "--slot-save-path", "/data2")
    assert value(args, "--model") == "$(MODEL_DIR)/llama.Q4_0.gguf"
    assert value(args, "--lora") == "$(MODEL_DIR)/adapter.gguf"
    assert value(args, "--slot-save-path") == "/data2"


@pytest.mark.parametrize("flag", ["-m", "--model"])
def test_a_named_model_is_kept(flag: str) -> None:
    assert value(local("/server", flag, "/mnt/own.gguf"), "--model") == "/mnt/own.gguf"
    assert value(local("/server", f"{flag}=/mnt/own.gguf"), "--model") == "/mnt/own.gguf"


def test_a_command_that_fetches_the_groups_own_model_gets_the_file_that_is_here() -> None:
    args = local("/server", "--hf-repo", REQUEST.repo, "--hf-file", "x.gguf", "--model", "x.gguf", "-c", "512")
    assert args == ("-c", "512", "--threads", "1", "--alias", "chat", *ENDING)
    assert messages("-hf", f"{REQUEST.repo}:Q4_K_M") == []


def test_a_users_choice_of_threads_and_name_stands() -> None:
    args = local("/server", "-t", "7", "-a", "mine")
    assert args[:4] == ("-t", "7", "-a", "mine")
    assert "--threads" not in args
    assert "--alias" not in args


@pytest.mark.parametrize(("flags", "slots"), [(("-np", "8"), 8), (("--parallel=2",), 2), (("-np", "-1"), 4), ((), 4)])
def test_slots_are_read_from_the_command(flags: tuple[str, ...], slots: int) -> None:
    assert RUNTIME.local(replace(REQUEST, command=("/server", "--metrics", *flags)), EMBEDDED).slots == slots


VALUES = st.text("abcdefgh0123456789.", min_size=1, max_size=8)


@st.composite
def commands(draw: st.DrawFn) -> tuple[str, ...]:
    args: list[str] = []
    for flag in draw(st.lists(st.sampled_from(FLAGS), max_size=8)):
        name = draw(st.sampled_from(flag.names))
        if flag.arity is Arity.NONE:
            args.append(name)
            continue
        value = "off" if flag.arity is Arity.OPTIONAL else draw(VALUES)
        args += [f"{name}={value}"] if draw(st.booleans()) else [name, value]
    return (*draw(st.sampled_from([(), ("/server",), ("/app/llama-server",)])), *args)


@given(commands(), st.booleans(), st.sampled_from(RUNTIME.engines))
def test_completing_a_command_twice_changes_nothing(command: tuple[str, ...], has_model: bool, engine: str) -> None:
    request = replace(REQUEST, command=("/server", *command[1:]) if command else (), has_model=has_model)
    once = RUNTIME.local(request, engine)
    twice = RUNTIME.local(replace(request, command=("/server", *once.args)), engine)
    assert twice == once
    served = RUNTIME.serve(request)
    assert RUNTIME.serve(replace(request, command=("/server", *served.args))).args == served.args


@given(commands())
def test_a_users_flag_is_never_lost(command: tuple[str, ...]) -> None:
    flags = [token for token in command if token not in ("/server", "/app/llama-server")]
    wanted = [item.tokens for item in read(flags) if item.flag and item.flag.name not in COMPLETED]
    args = [item.tokens for item in read(local("/server", *flags))] if flags else wanted
    assert [tokens for tokens in args if tokens in wanted][: len(wanted)] == wanted


@given(commands())
def test_there_is_one_host_one_port_and_at_most_one_model_in_the_end(command: tuple[str, ...]) -> None:
    names = [item.flag.name for item in read(local("/server", *command[1:])) if item.flag]
    assert (names.count("--host"), names.count("--port")) == (1, 1)
    assert names.count("--model") <= 1
    if not {"--hf-repo", "--model-url", "--docker-repo"} & set(names):
        assert names.count("--model") == 1


# --- problems ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("/server", "--ctx-sizee", "4"), "1 cannot use --ctx-sizee: llama-server has no flag of this name"),
        (("-c", "many"), "0 cannot use -c 'many': it takes a whole number"),
        (("/server", "--temp", "hot"), "1 cannot use --temp 'hot': it takes a number"),
        (("/server", "-c"), "1 cannot use -c: its value is missing"),
        (("/server", "--metrics=1"), "1 cannot use --metrics with value '1': it is a switch"),
        (("/server", "--pooling", "max"), "1 cannot use --pooling 'max': it takes one of none, mean, cls, last, rank"),
        (("/server", "[...]"), "1 cannot use '[...]': it belongs to no flag"),
        (("/server", "--device", "CUDA0"), "1 cannot use --device with the embedded engine: it has no such setting"),
        (("bash", "-c", "/server"), "0 cannot run program 'bash' here"),
        (("/server", "-hf", "other/repo"), "1 cannot serve 'other/repo': the group's model is 'TheBloke/"),
        (("/server", "-mu", "http://x/y"), "1 cannot use -mu with the embedded engine: it downloads nothing by itself"),
    ],
)
def test_what_the_embedded_engine_cannot_take_is_said_with_its_place(command: tuple[str, ...], said: str) -> None:
    (message,) = messages(*command)
    assert message.startswith(said)


def test_an_unknown_flag_gets_the_nearest_name() -> None:
    (problem,) = RUNTIME.problems(replace(REQUEST, command=("/server", "--contbatching")), EMBEDDED)
    assert problem.fix == "use --cont-batching"


def test_an_installed_llama_server_judges_its_flags_itself() -> None:
    assert messages("/server", "--brand-new", "-c", "many", engine="llama-server") == []


def test_a_repository_in_the_command_alone_is_for_an_installed_llama_server_only() -> None:
    command = ("/server", "-hf", "a/b")
    assert messages(*command, has_model=False, repo="")[0].startswith("1 cannot fetch 'a/b'")
    assert messages(*command, engine="llama-server", has_model=False, repo="") == []
    kept = RUNTIME.local(ServeRequest("chat", command, has_model=False), "llama-server").args
    assert kept[:2] == ("-hf", "a/b")


@pytest.mark.parametrize("value_here", ["$(CONTEXT)", "4096"])
def test_a_value_that_is_filled_in_at_the_start_is_not_judged(value_here: str) -> None:
    assert messages("/server", "-c", value_here) == []


@given(st.lists(st.text(max_size=12), max_size=8), st.sampled_from(RUNTIME.engines))
def test_no_command_makes_the_runtime_fail(command: list[str], engine: str) -> None:
    request = replace(REQUEST, command=tuple(command))
    RUNTIME.local(request, engine)
    RUNTIME.serve(request)
    assert all(0 <= problem.index < len(command) for problem in RUNTIME.problems(request, engine))
