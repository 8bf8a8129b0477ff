"""The table of runtimes; an image belongs to the first that recognises it."""

from __future__ import annotations

from bandari.runtimes.llama_cpp import LlamaCpp
from bandari.runtimes.protocol import ServingRuntime
from bandari.runtimes.vllm import Vllm

RUNTIMES: tuple[ServingRuntime, ...] = (LlamaCpp(), Vllm())


def runtime_for(image: str) -> ServingRuntime | None:
    """The runtime of a container image; None: bandari knows nothing of it and takes it as given."""
    return next((runtime for runtime in RUNTIMES if runtime.recognises(image)), None)
