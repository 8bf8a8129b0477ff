"""Facts about container images that their names tell: is the tag pinned, which hardware is the build for. Pure."""

from __future__ import annotations

import enum
import re
from fnmatch import fnmatchcase

_FIXED_TAG = re.compile(r"\d+\.\d+|(?<![a-z])b\d{3,}|\d{6,}|(?<![0-9a-f])[0-9a-f]{7,40}(?![0-9a-f])")
"""Parts of a tag that name one build: 0.4.2, b6123 (llama.cpp), 20251103, a commit."""


class Build(enum.Enum):
    """What an image was built for."""

    CPU_ONLY = "has no GPU code"
    NEEDS_GPU = "does not start without a GPU"
    UNKNOWN = "its name does not tell"


_BUILDS: tuple[tuple[str, Build], ...] = (
    # vLLM has its CPU, TPU and Gaudi builds in other repositories: https://docs.vllm.ai, "Installation".
    ("vllm/vllm-openai:*", Build.NEEDS_GPU),
    # llama.cpp names the hardware in the tag: https://github.com/ggml-org/llama.cpp/blob/master/docs/docker.md.
    *((f"*/llama.cpp:{tool}-{hardware}*", Build.UNKNOWN)
      for tool in ("server", "full", "light")
      for hardware in ("cuda", "rocm", "musa", "intel", "vulkan", "openvino", "cann")),
    *((f"*/llama.cpp:{tool}{rest}", Build.CPU_ONLY)
      for tool in ("server", "full", "light")
      for rest in ("", "-b[0-9]*")),
)  # fmt: skip
"""First match wins."""


def split(image: str) -> tuple[str, str, str]:
    """Repository, tag and digest of an image; tag and digest are empty when they are not given."""
    name, _, digest = image.partition("@")
    head, colon, tag = name.rpartition(":")
    return (head, tag, digest) if colon and "/" not in tag else (name, "", digest)


def pinned(image: str) -> bool:
    """Whether the image is the same tomorrow: a digest, or a tag that names one build."""
    _, tag, digest = split(image)
    return bool(digest) or bool(_FIXED_TAG.search(tag))


def build(image: str) -> Build:
    """What the image was built for, by its name alone."""
    repository, tag, _ = split(image)
    name = f"{repository}:{tag}".removeprefix("docker.io/")
    return next((found for pattern, found in _BUILDS if fnmatchcase(name, pattern)), Build.UNKNOWN)
