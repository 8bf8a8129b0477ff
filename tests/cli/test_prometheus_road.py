"""A real Prometheus scrapes the gateway, the seed's own query is asked of it, and a group scales on its answer."""

from __future__ import annotations

import json
import math
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bandari.testing.engines import engine
from bandari.testing.user import User

pytestmark = [pytest.mark.engine, pytest.mark.slow]

SEEDS_QUERY = (
    "histogram_quantile(0.95, sum(rate(istio_request_duration_milliseconds_bucket"
    '{destination_service="chat.default.svc.cluster.local"}[5m])) by (le))'
)
REQUESTS = 'sum(istio_requests_total{destination_service="chat.default.svc.cluster.local"})'

FILE = """\
version: "1.3"
local:
  port: {port}
  cluster: {{name: prom}}
  modelGroups:
    - name: chat
      minInstances: 1
      maxInstances: 3
      runtime: {{image: "ghcr.io/ggml-org/llama.cpp:server-b6823"}}
      model: {{source: "builtin:tiny"}}
      autoScaleTriggers:
        - type: prometheus
          metadata:
            serverAddress: http://127.0.0.1:{prometheus}
            query: {query}
            threshold: "{threshold}"
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@contextmanager
def prometheus(folder: Path, gateway: int, port: int) -> Iterator[str]:
    """A real Prometheus that scrapes the gateway each second; its address."""
    folder.mkdir()
    scrape = {"job_name": "gateway", "static_configs": [{"targets": [f"127.0.0.1:{gateway}"]}]}
    settings = {"global": {"scrape_interval": "1s"}, "scrape_configs": [scrape]}
    (folder / "p.yml").write_text(json.dumps(settings))
    words = [
        engine("prometheus"),
        f"--config.file={folder / 'p.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(words, stdout=log, stderr=log)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def value(address: str, query: str) -> float | None:
    """The one value of a query; None while there is none."""
    url = f"{address}/api/v1/query?{urllib.parse.urlencode({'query': query})}"
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            result = json.load(answer)["data"]["result"]
    except (urllib.error.URLError, ConnectionError):
        return None
    found = float(result[0]["value"][1]) if result else math.nan
    return None if math.isnan(found) else found


def until(condition: Callable[[], Any], seconds: float = 60) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "the deadline has passed"
        time.sleep(0.1)
    return found


def ask(port: int) -> None:
    body = {"model": "chat", "max_tokens": 4, "messages": [{"role": "user", "content": "hi"}]}
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/chat/completions", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        answer.read()


def part(user: User) -> Any:
    [found] = [p for p in user.bandari("status", "--json").document["parts"] if p["name"] == "chat"]
    return found


def test_the_seeds_query_gets_its_answer_from_the_gateways_metrics(user: User, tmp_path: Path) -> None:
    port, at = free_port(), free_port()
    user.write(FILE.format(port=port, prometheus=at, query=json.dumps(SEEDS_QUERY), threshold=20000))
    with prometheus(tmp_path / "prometheus", port, at) as address:
        assert user.bandari("up", "--yes").code == 0
        ask(port)
        until(lambda: value(address, REQUESTS))

        def latency() -> float | None:
            ask(port)
            return value(address, SEEDS_QUERY)

        assert 0 < until(latency) < 20000
        said = until(lambda: "20000" in part(user)["scaling"] and part(user)["scaling"])
        assert "1" in said


def test_a_group_grows_on_a_real_answer_of_prometheus(user: User, tmp_path: Path) -> None:
    port, at = free_port(), free_port()
    user.write(FILE.format(port=port, prometheus=at, query=json.dumps(REQUESTS), threshold=2))
    with prometheus(tmp_path / "prometheus", port, at) as address:
        assert user.bandari("up", "--yes").code == 0
        for _ in range(6):
            ask(port)
        until(lambda: value(address, REQUESTS) == 6)
        grown = until(lambda: (seen := part(user))["ready"] == 3 and seen)
        assert "3" in grown["scaling"]
    user.bandari("status")
