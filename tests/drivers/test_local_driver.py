"""The driver of this machine against the suite of all drivers, on a real supervisor with a real engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from bandari.analysis.resolve import resolve
from bandari.drivers.folders import Folders
from bandari.drivers.local import LocalDriver
from bandari.errors import Terminal
from bandari.planning.apply import apply
from bandari.planning.graph import ResourceGraph
from bandari.planning.plan import plan
from bandari.providers.local import provider
from bandari.runtimes.table import runtime_for
from bandari.serving.models import builtin
from bandari.testing import builders
from bandari.testing.conformance import holds_for_driver
from bandari.testing.fakes import Heard, MemoryDriver

pytestmark = pytest.mark.engine


def graph() -> ResourceGraph:
    state = builders.local_state(builders.server("chat"), builders.server("other", is_public=True))
    local = builders.local_state(*state.servers(), public_address="127.0.0.1")
    host = builders.host()
    return provider.lower(resolve(local, host=host, runtime_for=runtime_for, stand_ins={}, secret_digests={}))


@pytest.fixture
def driver(tmp_path: Path) -> Iterator[LocalDriver]:
    folders = Folders(tmp_path / "clusters", tmp_path / "models")

    def fetch(body: Mapping[str, Any], _heard: Callable[[int, int], None]) -> Mapping[str, Any]:
        path = builtin(body["builtin"], folders.models)
        return {"folder": str(path.parent), "file": str(path)}

    made = LocalDriver("suite", folders, fetch)
    yield made
    made.stop()
    assert list(made.processes()) == []


def test_the_memory_driver_holds_to_its_own_suite() -> None:
    holds_for_driver(MemoryDriver(), graph(), provider)


def test_the_driver_of_this_machine_holds_to_it_too(driver: LocalDriver) -> None:
    holds_for_driver(driver, graph(), provider)


def test_what_was_recorded_is_what_is_observed(driver: LocalDriver) -> None:
    apply(plan(graph(), driver.observe(), provider.consequence), {"local": driver}, Heard())
    assert driver.recorded() == driver.observe()
    assert plan(graph(), driver.recorded(), provider.consequence).pending == ()


def test_a_refused_change_names_its_address_and_leaves_the_rest_as_it_was(driver: LocalDriver) -> None:
    good = graph()
    apply(plan(good, driver.observe(), provider.consequence), {"local": driver}, Heard())
    before = driver.observe()
    [change, *_] = plan(good, {}, provider.consequence).changes
    assert change.resource is not None
    broken = type(change)(change.action, change.address, type(change.resource)(change.address, {"port": "many"}))
    with pytest.raises(Terminal, match=r"gateway\.gateway"):
        driver.apply(broken)
    assert driver.observe() == before
