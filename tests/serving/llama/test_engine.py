"""The embedded engine as a process: it answers, measures, ends and fails as a replica should."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from bandari.runtimes.llama_cpp import EMBEDDED, LlamaCpp
from bandari.runtimes.protocol import ServeRequest
from bandari.serving.models import CLASSES, builtin

pytestmark = pytest.mark.engine
Engine = subprocess.Popen[str]
Start = Callable[..., Engine]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return builtin("tiny", tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def start() -> Iterator[Start]:
    """Starts engines and ends those that still run."""
    running: list[Engine] = []

    def engine(*args: str) -> Engine:
        command = [sys.executable, "-m", "bandari.serving.llama", *args]
        running.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        return running[-1]

    yield engine
    for process in running:
        process.kill()
        process.communicate()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(engine: Engine, word: str) -> str:
    """The line with the word; fails with what the engine says when it ends before."""
    assert engine.stdout is not None
    for line in engine.stdout:
        if word in line:
            return line
    raise AssertionError(engine.communicate()[1])


@pytest.fixture(scope="module")
def client(start: Start, model: Path) -> Iterator[httpx.Client]:
    """A client of one engine, started by the runtime's own defaults."""
    port = free_port()
    command = LlamaCpp().local(ServeRequest("chat"), EMBEDDED)
    values = {"$(MODEL)": str(model), "$(PORT)": str(port)}
    engine = start(*(values.get(token, token) for token in command.args))
    address = wait_for(engine, "listening on").split()[-1]
    assert address == f"http://127.0.0.1:{port}"
    wait_for(engine, "ready after")
    with httpx.Client(base_url=address, timeout=20) as client:
        yield client


def chat(client: httpx.Client, **fields: object) -> Any:
    body = {"model": "chat", "messages": [{"role": "user", "content": "What holds the harbour?"}], **fields}
    return client.post("/v1/chat/completions", json=body).raise_for_status().json()


def test_a_chat_is_answered_in_words_up_to_the_asked_length(client: httpx.Client) -> None:
    answer = chat(client, max_tokens=40)
    text = answer["choices"][0]["message"]["content"]
    known = {word.lower() for words in CLASSES.values() for word in words}
    assert {word.lower() for word in text.replace(".", " ").replace(",", " ").split()} <= known
    assert answer["usage"]["completion_tokens"] == 40
    assert answer["choices"][0]["finish_reason"] == "length"
    assert answer["model"] == "chat"


def test_its_sentences_follow_its_grammar(client: httpx.Client) -> None:
    text = chat(client, max_tokens=60, temperature=0.8, seed=1)["choices"][0]["message"]["content"]
    first = text.split()[0]
    assert first in CLASSES["opening"]
    assert ". " in text


def test_a_seed_makes_an_answer_again(client: httpx.Client) -> None:
    asked = {"max_tokens": 20, "seed": 7, "cache_prompt": False}
    first, second = (chat(client, **asked)["choices"][0]["message"]["content"] for _ in range(2))
    assert first == second


def test_a_stream_has_a_chunk_for_each_token_and_usage_at_its_end(client: httpx.Client) -> None:
    body = {
        "messages": [{"role": "user", "content": "hi"}],
        "max_tokens": 12,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    with client.stream("POST", "/v1/chat/completions", json=body) as response:
        events = [line.removeprefix("data: ") for line in response.iter_lines() if line]
    assert events[-1] == "[DONE]"
    chunks = [json.loads(event) for event in events[:-1]]
    assert sum(bool(c["choices"] and c["choices"][0]["delta"].get("content")) for c in chunks) == 12
    assert chunks[-1]["usage"]["completion_tokens"] == 12


def test_text_is_completed(client: httpx.Client) -> None:
    answer = client.post("/v1/completions", json={"prompt": "The ship", "max_tokens": 8}).raise_for_status().json()
    assert answer["choices"][0]["text"].strip()
    assert answer["usage"]["completion_tokens"] == 8


def test_embeddings_come_from_the_same_process_and_tell_texts_apart(client: httpx.Client) -> None:
    asked = {"input": ["the ship", "the ship", "every red crane"]}
    found = client.post("/v1/embeddings", json=asked).raise_for_status().json()["data"]
    first, same, other = (item["embedding"] for item in found)
    assert len(first) == 64
    assert sum(x * y for x, y in zip(first, same, strict=True)) == pytest.approx(1, abs=1e-3)
    assert sum(x * y for x, y in zip(first, other, strict=True)) < 0.99


def test_a_long_prompt_has_room_and_its_words_are_tokens(client: httpx.Client) -> None:
    answer = client.post("/v1/completions", json={"prompt": " ship" * 3000, "max_tokens": 4}).raise_for_status().json()
    assert 3000 < answer["usage"]["prompt_tokens"] < 3010


def test_an_answer_ends_by_itself_after_a_full_stop(client: httpx.Client) -> None:
    for seed in range(8):
        answer = chat(client, seed=seed)
        assert answer["choices"][0]["finish_reason"] == "stop"
        assert answer["choices"][0]["message"]["content"].endswith(".")
        assert 80 < answer["usage"]["completion_tokens"] < 1000


def test_requests_that_never_end_fill_their_own_context_and_no_others(start: Start, model: Path) -> None:
    port = free_port()
    wait_for(start("-m", str(model), "--port", str(port), "-np", "2", "-c", "1024", "-t", "1"), "ready")

    def ask(_: int) -> Any:
        body = {"prompt": "The", "ignore_eos": True}
        return httpx.post(f"http://127.0.0.1:{port}/v1/completions", json=body, timeout=20).raise_for_status().json()

    with ThreadPoolExecutor(3) as askers:
        answers = list(askers.map(ask, range(3)))
    assert {answer["choices"][0]["finish_reason"] for answer in answers} == {"length"}
    assert all(500 < answer["usage"]["total_tokens"] <= 512 for answer in answers)


@pytest.mark.parametrize("path", sorted(LlamaCpp().health_paths))
def test_every_path_that_the_runtime_claims_is_served(client: httpx.Client, path: str) -> None:
    assert client.get(path).status_code == 200


@pytest.mark.parametrize("path", ["/ready", "/live", "/healthz"])
def test_paths_of_other_servers_are_not(client: httpx.Client, path: str) -> None:
    assert client.get(path).status_code == 404


def test_every_measure_that_the_runtime_claims_is_published(client: httpx.Client) -> None:
    published = client.get("/metrics").text
    assert [name for name in LlamaCpp().metrics.values() if f"\n{name} " not in published] == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_at_once_and_well_when_told_to(start: Start, model: Path, number: signal.Signals) -> None:
    engine = start("-m", str(model), "--port", str(free_port()))
    wait_for(engine, "ready")
    told = time.monotonic()
    engine.send_signal(number)
    assert engine.wait(timeout=10) == 0
    assert time.monotonic() - told < 2


def test_it_ends_at_once_while_it_streams(start: Start, model: Path) -> None:
    port = free_port()
    engine = start("-m", str(model), "--port", str(port), "-c", "8192", "-np", "1")
    wait_for(engine, "ready")
    body = {"prompt": "The", "ignore_eos": True, "stream": True}
    with httpx.stream("POST", f"http://127.0.0.1:{port}/v1/completions", json=body, timeout=20) as response:
        lines = response.iter_lines()
        assert next(lines).startswith("data: ")
        engine.terminate()
        assert engine.wait(timeout=10) == 0
        with pytest.raises(httpx.RemoteProtocolError):
            list(lines)


def test_it_ends_at_once_while_it_loads(start: Start, tmp_path: Path) -> None:
    """The engine holds the interpreter's lock as long as it reads a model."""
    engine = start("-m", str(large_model(tmp_path / "large.gguf")), "--no-mmap", "--port", str(free_port()))
    until(lambda: resident(engine) > 60 * 2**20)
    engine.terminate()
    assert engine.wait(timeout=5) in (0, -signal.SIGTERM)


def large_model(path: Path) -> Path:
    """300 MB of the tiny model's kind, which takes about a second to load."""
    import gguf  # noqa: PLC0415 - for this test alone

    from bandari.serving import models  # noqa: PLC0415

    shape = models.Shape(layers=6, width=1024, heads=16, kv_heads=16, feed_forward=4096)
    writer = gguf.GGUFWriter(path, "llama")
    pieces = models.vocabulary()
    models._write_shape(writer, shape, len(pieces))
    models._write_vocabulary(writer, pieces, gguf.TokenType)
    for name, tensor in models._tensors(shape, pieces).items():
        writer.add_tensor(name, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def resident(engine: Engine) -> int:
    pages = Path(f"/proc/{engine.pid}/statm").read_text().split()[1]
    return int(pages) * 4096


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_taken_port_is_one_line_and_status_1(start: Start, model: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        engine = start("-m", str(model), "--port", str(port))
        _, said = engine.communicate(timeout=20)
    assert engine.returncode == 1
    assert said.splitlines()[-1].startswith(f"cannot start the engine on 127.0.0.1:{port} with model")


def test_a_damaged_model_is_one_line_and_status_1(start: Start, model: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(model.read_bytes()[:200_000])
    engine = start("-m", str(cut), "--port", str(free_port()))
    out, said = engine.communicate(timeout=20)
    assert (engine.returncode, out) == (1, "")
    assert said.splitlines()[-1].startswith("cannot start the engine")
    assert "Traceback" not in said


def test_a_file_that_is_no_model_is_one_line_and_status_1(start: Start, tmp_path: Path) -> None:
    wrong = tmp_path / "page.gguf"
    wrong.write_text("<!doctype html>")
    engine = start("-m", str(wrong), "--port", str(free_port()))
    out, said = engine.communicate(timeout=20)
    assert (engine.returncode, out) == (1, "")
    assert said == f"cannot load model '{wrong}': it is no GGUF file (it starts with b'<!do')\n"
