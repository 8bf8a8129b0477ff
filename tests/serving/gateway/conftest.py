"""Gateways and doubles of model servers for the tests of this folder; all are ended after the test."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bandari.testing.gateway import Harbour
from bandari.testing.model_server import ModelServer


@pytest.fixture
def open_harbour(tmp_path: Path) -> Iterator[Callable[..., Harbour]]:
    """Starts a gateway: options of the program, `public` for a second listener."""
    with contextlib.ExitStack() as stack:
        count = 0

        def opened(*options: str, public: bool = False) -> Harbour:
            nonlocal count
            count += 1
            folder = tmp_path / f"harbour-{count}"
            folder.mkdir()
            harbour = Harbour(folder, *options, public=public)
            stack.callback(harbour.close)
            return harbour

        yield opened


@pytest.fixture
def harbour(open_harbour: Callable[..., Harbour]) -> Harbour:
    return open_harbour()


@pytest.fixture
def open_server() -> Iterator[Callable[..., ModelServer]]:
    """Starts a double of a model server with some behaviour."""
    with contextlib.ExitStack() as stack:

        def opened(name: str = "double", port: int = 0, **behaviour: Any) -> ModelServer:
            return stack.enter_context(ModelServer(name, port, **behaviour))

        yield opened


@pytest.fixture
def server(open_server: Callable[..., ModelServer]) -> ModelServer:
    return open_server()
