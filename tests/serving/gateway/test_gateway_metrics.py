"""What is counted, how it is published, and what the access log says."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest

from bandari.testing.clients import Wire, ask, request
from bandari.testing.gateway import Harbour, group
from bandari.testing.model_server import ModelServer
from bandari.testing.processes import until

LINE = re.compile(r'(?P<name>[a-z_]+)(\{(?P<labels>([a-z_]+="([^"\\\n]|\\.)*",?)*)\})? (?P<value>[0-9.e+-]+)')


def published(harbour: Harbour) -> dict[str, float]:
    """Every sample, by name and labels as printed; all lines are held against the format."""
    text = ask(harbour.port, "/metrics").body.decode()
    found = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            assert LINE.fullmatch(line), line
            name, _, value = line.rpartition(" ")
            assert name not in found
            found[name] = float(value)
    assert text.endswith("\n")
    return found


@pytest.mark.engine
def test_the_query_of_the_cluster_file_finds_its_histogram(harbour: Harbour, server: ModelServer) -> None:
    harbour.told(group("llama2-7b-chat", server.port, models=("m",), namespace="prod"))
    for _ in range(4):
        ask(harbour.port, body={"model": "m"})
    service = 'destination_service="llama2-7b-chat.prod.svc.cluster.local"'
    samples = {name: value for name, value in published(harbour).items() if service in name}
    buckets = [value for name, value in samples.items() if "duration_milliseconds_bucket" in name]
    assert buckets == sorted(buckets)
    assert buckets[-1] == 4
    [total] = [value for name, value in samples.items() if name.startswith("istio_requests_total")]
    assert total == 4
    assert all('response_code="200"' in name and 'reporter="destination"' in name for name in samples)


@pytest.mark.engine
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/completions", "/v1/embeddings"])
def test_tokens_and_the_time_to_the_first_are_counted_by_replica(
    harbour: Harbour, server: ModelServer, path: str, stream: bool
) -> None:
    harbour.told(group("chat", server.port))
    ask(harbour.port, path, {"model": "chat", "stream": stream, "double": {"tokens": 5, "delay": 0.03}})
    samples = published(harbour)
    labels = '{group="chat",replica="chat-0"}'
    assert samples["bandari_tokens_input_total" + labels] == 7
    assert samples["bandari_tokens_output_total" + labels] == 5
    assert samples["bandari_time_to_first_token_seconds_count" + labels] == 1
    assert samples["bandari_time_to_first_token_seconds_sum" + labels] >= 0.03
    assert samples["bandari_requests_in_flight" + labels] == 0


@pytest.mark.engine
def test_a_stream_without_usage_is_counted_by_its_events(harbour: Harbour, server: ModelServer) -> None:
    harbour.told(group("chat", server.port))
    ask(harbour.port, body={"model": "chat", "stream": True, "double": {"tokens": 9, "usage": False}})
    assert published(harbour)['bandari_tokens_output_total{group="chat",replica="chat-0"}'] == 9


@pytest.mark.engine
def test_load_and_refusals_are_published(harbour: Harbour, server: ModelServer) -> None:
    harbour.told(group("chat", server.port), group('odd"\\name'))
    with Wire(harbour.port) as busy, Wire(harbour.port) as held:
        busy.send(request(body={"model": "chat", "double": {"delay": 60}}))
        held.send(request(body={"model": 'odd"\\name'}))
        until(lambda: published(harbour).get('bandari_requests_in_flight{group="chat",replica="chat-0"}'), "in flight")
        assert published(harbour)['bandari_requests_queued{group="odd\\"\\\\name"}'] == 1
    ask(harbour.port, body={"model": "none"})
    samples = published(harbour)
    assert samples['bandari_requests_refused_total{response_code="404"}'] == 1
    assert samples["process_cpu_seconds_total"] > 0
    assert samples["process_resident_memory_bytes"] > 1e6


@pytest.mark.engine
def test_the_access_log_says_who_got_what_and_no_secret(
    open_harbour: Callable[..., Harbour], server: ModelServer
) -> None:
    harbour = open_harbour("--access-log")
    harbour.told(group("chat", server.port))
    ask(harbour.port, "/v1/chat/completions?token=secret", {"model": "chat"}, authorization="Bearer secret")
    until(lambda: harbour.output.endswith("}\n"), "it is written")
    [line] = map(json.loads, harbour.output.splitlines())
    assert "secret" not in harbour.output
    told = {
        name: line[name] for name in ("method", "path", "model", "group", "replica", "status", "client", "listener")
    }
    assert list(told.values()) == [
        "POST", "/v1/chat/completions", "chat", "chat", "chat-0", 200, "127.0.0.1", "private",
    ]  # fmt: skip
    assert line["bytes"] > 100
    assert 0 < line["first_token_milliseconds"] <= line["milliseconds"]
