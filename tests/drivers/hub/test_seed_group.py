"""The seed's own llama.cpp group, from the double of the hub to an answer: repository, globs, image, command."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from bandari.drivers.hub import download
from bandari.runtimes.protocol import ServeRequest
from bandari.runtimes.table import runtime_for
from bandari.serving.models import builtin
from bandari.serving.protocol import ModelBody
from bandari.testing.hub_server import LLAMA_GGUF, HubServer

IMAGE = "ghcr.io/ggerganov/llama.cpp:server"
GROUP = "llama2-7b-chat"


@pytest.mark.engine
@pytest.mark.parametrize(
    "command",
    [
        (),
        (
            "/server",
            "--host",
            "0.0.0.0",
            "--port",
            "8080",
            "-m",
            "/data/llama-2-7b-chat.Q4_0.gguf",
            "-c",
            "2048",
            "-fa",
        ),
        ("/server", "--hf-repo", LLAMA_GGUF, "--hf-file", "llama-2-7b-chat.Q4_0.gguf", "--flash-attn", "--embedding"),
    ],
    ids=["no command", "a file under /data", "the repository in the command"],
)
def test_the_seeds_group_answers_with_the_file_of_its_repository(tmp_path: Path, command: tuple[str, ...]) -> None:
    runtime = runtime_for(IMAGE)
    assert runtime is not None
    body = ModelBody(repo=LLAMA_GGUF, files=("*.Q4_0.gguf",), want=runtime.model_form)
    with HubServer() as hub:
        hub.add_llama(builtin("tiny", tmp_path / "weights"))
        outputs = download(body, tmp_path / "models", lambda _done, _total: None, environ={"HF_ENDPOINT": hub.endpoint})
    request = ServeRequest(GROUP, command, repo=LLAMA_GGUF)
    assert runtime.problems(request, "xllamacpp") == ()
    serve = runtime.local(request, "xllamacpp")
    port = free_port()
    values = {"PYTHON": sys.executable, "PORT": port, "MODEL": outputs["file"], "MODEL_DIR": outputs["folder"]}
    argv = [
        re.sub(r"\$\((\w+)\)", lambda found: str(values[found[1]]), token) for token in (*serve.program, *serve.args)
    ]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as engine:
        try:
            assert engine.stdout is not None
            assert any("ready" in line for line in engine.stdout)
            asked = {"messages": [{"role": "user", "content": "Where is the harbour?"}], "max_tokens": 8}
            answer = httpx.post(f"http://127.0.0.1:{port}/v1/chat/completions", json=asked).raise_for_status().json()
        finally:
            engine.terminate()
    assert answer["model"] == GROUP
    assert answer["usage"]["completion_tokens"] == 8


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
