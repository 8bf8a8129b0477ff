"""Which runtime an image belongs to, and what all runtimes promise."""

from __future__ import annotations

import pytest

from bandari.runtimes.protocol import ServeRequest, ServingRuntime
from bandari.runtimes.table import RUNTIMES, runtime_for


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("ghcr.io/ggerganov/llama.cpp:server", "llama.cpp"),
        ("ghcr.io/ggml-org/llama.cpp:server-cuda@sha256:ab", "llama.cpp"),
        ("vllm/vllm-openai:v0.4.2", "vllm"),
        ("registry.example.com:5000/mirror/vllm/vllm-openai", "vllm"),
        ("ghcr.io/huggingface/text-generation-inference:2.0", None),
        ("nginx", None),
    ],
)
def test_an_image_belongs_to_its_runtime(image: str, name: str | None) -> None:
    runtime = runtime_for(image)
    assert (runtime.name if runtime else None) == name


@pytest.mark.parametrize("runtime", RUNTIMES, ids=lambda runtime: runtime.name)
def test_every_runtime_probes_a_path_that_it_serves_and_names_its_measures(runtime: ServingRuntime) -> None:
    command = runtime.serve(ServeRequest("chat"))
    assert command.readiness is not None
    assert command.readiness.http_get is not None
    assert command.readiness.http_get.path in runtime.health_paths
    assert set(runtime.metrics) == {"running", "waiting", "tokens_in", "tokens_out"}
    assert command.slots >= 1
    for engine in runtime.engines:
        assert "$(PORT)" in runtime.local(ServeRequest("chat"), engine).args
