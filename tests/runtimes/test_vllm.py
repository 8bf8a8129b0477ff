"""vLLM: defaults and completion of a user's command."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandari.runtimes.protocol import ServeRequest
from bandari.runtimes.vllm import MODULE, SLOTS, Vllm

RUNTIME = Vllm()
REQUEST = ServeRequest("awq", repo="TheBloke/Llama-2-7B-Chat-AWQ")
ENDING = ("--host", "127.0.0.1", "--port", "$(PORT)")


def local(*command: str, **fields: Any) -> tuple[str, ...]:
    return RUNTIME.local(replace(REQUEST, command=command, **fields), "vllm").args


def test_without_a_command_the_folder_is_served_under_the_groups_name() -> None:
    command = RUNTIME.local(REQUEST, "vllm")
    assert command.program == ("vllm", "serve")
    assert command.args == ("$(MODEL_DIR)", "--served-model-name", "awq", *ENDING)
    assert command.slots == SLOTS


def test_several_gpus_share_the_tensors() -> None:
    assert "--tensor-parallel-size" not in local(gpus=1)
    args = local(gpus=4)
    assert args[args.index("--tensor-parallel-size") + 1] == "4"
    assert "--tensor-parallel-size" not in local("vllm", "serve", "-tp", "2", gpus=4)


def test_a_container_is_started_as_every_version_knows() -> None:
    command = RUNTIME.serve(REQUEST)
    assert command.program == MODULE
    assert command.args == (
        *("--served-model-name", "awq", "--model", "$(MODEL_DIR)", "--host", "0.0.0.0", "--port", "8000"),
    )


@pytest.mark.parametrize(
    "command",
    [
        ("vllm", "serve", "/data", "--port", "80", "--max-model-len", "512"),
        ("vllm", "serve", "TheBloke/Llama-2-7B-Chat-AWQ", "--port=80", "--max-model-len", "512"),
        ("python3", "-m", "vllm.entrypoints.openai.api_server", "--model", "/data", "--max-model-len", "512"),
        ("--model=/data/", "--host", "0.0.0.0", "--max-model-len", "512"),
        ("--max-model-len", "512"),
    ],
)
def test_every_way_to_start_it_becomes_the_same_here(command: tuple[str, ...]) -> None:
    assert local(*command) == ("$(MODEL_DIR)", "--max-model-len", "512", "--served-model-name", "awq", *ENDING)


def test_a_users_names_and_batch_stand() -> None:
    command = RUNTIME.local(replace(REQUEST, command=("--served_model_name=x", "--max-num-seqs", "32")), "vllm")
    assert command.args[:4] == ("$(MODEL_DIR)", "--served_model_name=x", "--max-num-seqs", "32")
    assert "--served-model-name" not in command.args
    assert command.slots == 32


def test_another_program_or_another_model_is_a_problem() -> None:
    def said(*command: str) -> list[tuple[int, str]]:
        return [(p.index, p.message) for p in RUNTIME.problems(replace(REQUEST, command=command), "vllm")]

    assert said() == said("vllm", "serve") == said("vllm", "serve", "/data") == said("--model", "/mnt/x") == []
    assert said("bash", "-c", "vllm serve")[0][1].startswith("cannot run 'bash' here")
    assert said("vllm", "serve", "other/model") == [
        (2, "cannot serve 'other/model': the group's model is 'TheBloke/Llama-2-7B-Chat-AWQ'")
    ]


WORDS = st.sampled_from(
    ["--dtype", "float16", "--port", "--port=1", "--model", "--model=a/b", "/data", "--enforce-eager"]
)


@given(st.lists(WORDS, max_size=6), st.sampled_from([("vllm", "serve"), MODULE, ()]), st.integers(0, 4))
def test_completing_a_command_twice_changes_nothing(words: list[str], program: tuple[str, ...], gpus: int) -> None:
    request = replace(REQUEST, command=(*program, *words), gpus=gpus)
    once = RUNTIME.local(request, "vllm")
    assert RUNTIME.local(replace(request, command=(*once.program, *once.args)), "vllm") == once
    assert (once.args.count("--host"), once.args.count("--port")) == (1, 1)


@given(st.lists(st.text(max_size=12), max_size=8))
def test_no_command_makes_the_runtime_fail(command: list[str]) -> None:
    request = replace(REQUEST, command=tuple(command))
    RUNTIME.local(request, "vllm")
    RUNTIME.serve(request)
    RUNTIME.problems(request, "vllm")
