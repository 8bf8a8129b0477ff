"""What a serving runtime is: pure knowledge of how one inference engine is started, probed and read.

Each runtime is one file of this package; the table of them is `runtimes.table`.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from bandari.desired.workloads import Probe


class ModelForm(enum.StrEnum):
    """What the engine wants to be given as its model."""

    FILE = "file"
    FOLDER = "folder"


@dataclass(frozen=True, slots=True)
class ServeRequest:
    """What the file says about one replica. `command` is the user's, whole, or empty."""

    served_name: str
    command: tuple[str, ...] = ()
    has_model: bool = True
    gpus: int = 0
    cpu: float = 1.0
    port: int = 8000
    repo: str = ""
    """The hub repository of the model, if it has one: a command may name it again."""


@dataclass(frozen=True, slots=True)
class FlagProblem:
    """Something in the user's command that cannot be: `index` is the place in `command`."""

    index: int
    message: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class ServeCommand:
    """How to start one replica. Tokens may hold `$(PORT)`, `$(MODEL)`, `$(MODEL_DIR)`, `$(PYTHON)`."""

    program: tuple[str, ...]
    """Container entry point; replaced by the engine's own start on one machine."""
    args: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    slots: int = 1
    """Requests served at the same time."""
    readiness: Probe | None = None
    liveness: Probe | None = None


class ServingRuntime(Protocol):
    """One inference engine."""

    @property
    def name(self) -> str:
        """As printed: `llama.cpp`, `vllm`."""
        ...

    @property
    def model_form(self) -> ModelForm: ...

    @property
    def engines(self) -> tuple[str, ...]:
        """What can stand for it on one machine, best default first: `xllamacpp`, `llama-server`."""
        ...

    @property
    def health_paths(self) -> frozenset[str]:
        """Paths that answer a probe."""
        ...

    @property
    def metrics(self) -> Mapping[str, str]:
        """Our name of a measure (`running`, `waiting`, `tokens_in`, `tokens_out`) -> the engine's Prometheus name."""
        ...

    def recognises(self, image: str) -> bool:
        """Whether the container image is this runtime's."""
        ...

    def serve(self, request: ServeRequest) -> ServeCommand:
        """The start of one replica, for a container."""
        ...

    def local(self, request: ServeRequest, engine: str) -> ServeCommand:
        """The start of one replica on this machine by one of `engines`."""
        ...

    def problems(self, request: ServeRequest, engine: str) -> tuple[FlagProblem, ...]:
        """What the engine cannot take of the user's command."""
        ...
