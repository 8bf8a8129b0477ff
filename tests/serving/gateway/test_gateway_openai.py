"""The stock `openai` client against the gateway."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam

from bandari.serving import keys
from bandari.testing.gateway import Harbour, group
from bandari.testing.model_server import WORD, ModelServer

pytestmark = pytest.mark.engine
ASKED: list[ChatCompletionMessageParam] = [{"role": "user", "content": "hello"}]


@pytest.fixture
def client(harbour: Harbour, server: ModelServer) -> Iterator[openai.OpenAI]:
    harbour.told(group("chat", server.port))
    with opened(harbour.port) as client:
        yield client


@contextlib.contextmanager
def opened(port: int, key: str = "none") -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key=key, max_retries=0, timeout=15) as client:
        yield client


def test_chat(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model="chat", messages=ASKED)
    assert answer.choices[0].message.content == WORD * 3
    assert answer.usage
    assert answer.usage.completion_tokens == 3


def test_chat_as_a_stream(client: openai.OpenAI) -> None:
    events = list(client.chat.completions.create(model="chat", messages=ASKED, stream=True))
    assert "".join(event.choices[0].delta.content or "" for event in events if event.choices) == WORD * 3
    assert events[-1].usage
    assert events[-1].usage.completion_tokens == 3


def test_text_embeddings_and_models(client: openai.OpenAI) -> None:
    assert client.completions.create(model="chat", prompt="hello").choices[0].text == WORD * 3
    assert len(client.embeddings.create(model="chat", input="hello", encoding_format="float").data[0].embedding) == 8
    assert [model.id for model in client.models.list()] == ["chat"]
    assert client.models.retrieve("chat").id == "chat"


def test_errors_are_the_client_s_own(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as unknown:
        client.chat.completions.create(model="none", messages=ASKED)
    assert unknown.value.code == "model_not_found"
    assert unknown.value.param == "model"


def test_a_stream_that_breaks_raises(client: openai.OpenAI, server: ModelServer) -> None:
    server.behave(die="half")
    stream = client.chat.completions.create(model="chat", messages=ASKED, stream=True)
    with pytest.raises(openai.APIError, match="the replica failed"):
        list(stream)


def test_a_key_is_asked_for_in_public(
    open_harbour: Callable[..., Harbour], server: ModelServer, tmp_path: Path
) -> None:
    harbour = open_harbour(public=True)
    _, key = keys.create(tmp_path, "laptop", 1.0)
    harbour.told(group("chat", server.port, public=True), keys=keys.hashes(tmp_path))
    with opened(harbour.public_port) as stranger, pytest.raises(openai.AuthenticationError):
        stranger.models.list()
    with opened(harbour.public_port, key) as friend:
        assert friend.chat.completions.create(model="chat", messages=ASKED).choices
