"""What every provider, driver and runtime must hold, as suites that a test calls with its own.

Each function raises AssertionError with words; none needs pytest.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from bandari.analysis.resolve import ResolvedState
from bandari.desired.ray import RayJob
from bandari.planning.apply import Applier, apply
from bandari.planning.graph import Address, ResourceGraph
from bandari.planning.plan import Action, Observed, plan
from bandari.providers.table import Provider
from bandari.runtimes.protocol import ServeRequest, ServingRuntime
from bandari.testing.fakes import Heard, MemoryDriver


class Keeps(Applier, Protocol):
    """A driver under test: it can be asked and it can be changed."""

    name: str

    def observe(self) -> Mapping[Address, Observed]: ...


def holds_for_provider(provider: Provider, state: ResolvedState) -> None:
    """Lowering is deterministic, every change has a consequence, applied twice is applied once, nothing is left over;
    an item is lowered or said to be unsupported.
    """
    graph, again = provider.lower(state), provider.lower(state)
    assert {r.address: r.body for r in graph} == {r.address: r.body for r in again}, "two lowerings differ"
    first = plan(graph, {}, provider.consequence)
    assert all(change.consequence for change in first.changes), "a change says nothing of its consequence"
    assert all(change.origin.line for change in first.changes if change.address.kind != "gateway"), "no line of origin"
    holds_for_driver(MemoryDriver(), graph, provider)
    unsupported = {item.name for item in provider.unsupported(state.state)}
    lowered = {address.name for address in graph.by_address}
    submitted = {item.name for item in state.state.workloads if isinstance(item, RayJob)}
    lost = {item.name for item in state.state.workloads} - lowered - unsupported - submitted
    assert not lost, f"neither lowered nor said to be unsupported: {lost}"


def holds_for_driver(driver: Keeps, graph: ResourceGraph, provider: Provider) -> None:
    """From nothing to the graph, again without a change, and back to nothing."""
    assert not driver.observe(), "the suite begins with an empty target"
    for expected in (len(graph), 0):
        made = plan(graph, driver.observe(), provider.consequence)
        assert len(made.pending) == expected, [str(change.address) for change in made.pending]
        result = apply(made, {driver.name: driver}, Heard())
        assert result.ok, [str(failure.error) for failure in result.failures]
    assert driver.observe().keys() == graph.by_address.keys(), "what exists is not what was applied"
    removal = plan(ResourceGraph(), driver.observe(), provider.consequence)
    assert {change.action for change in removal.changes} == {Action.DELETE}
    assert apply(removal, {driver.name: driver}, Heard()).ok
    assert not driver.observe(), "something was left over"


def holds_for_runtime(runtime: ServingRuntime, image: str) -> None:
    """A runtime knows its image, starts on the port that it is given, and is probed on a path that it serves."""
    assert runtime.recognises(image)
    assert not runtime.recognises("registry.example/team/own-server:1"), "it takes what it cannot know"
    request = ServeRequest(served_name="chat")
    for serve in (runtime.serve(request), *(runtime.local(request, engine) for engine in runtime.engines)):
        words = (*serve.program, *serve.args)
        assert sum("$(PORT)" in word or word == "8000" for word in words) == 1, words
        assert serve.slots >= 1
        for probe in (serve.readiness, serve.liveness):
            assert probe is not None
            assert probe.http_get is not None
            assert probe.http_get.path in runtime.health_paths
