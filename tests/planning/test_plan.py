from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandari.planning.apply import apply
from bandari.planning.diff import ABSENT, FieldDiff, diff, redact
from bandari.planning.graph import Address, Resource, ResourceGraph
from bandari.planning.plan import Action, Observed, plan
from bandari.testing.fakes import Heard, MemoryDriver


def address(name: str) -> Address:
    return Address("local", "thing", name)


def nothing(*_: object) -> str:
    return ""


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
bodies = st.dictionaries(st.text(max_size=4), values, max_size=5)
names = st.sampled_from("abcdefgh")


@st.composite
def graphs(draw: st.DrawFn) -> ResourceGraph:
    chosen = draw(st.lists(names, unique=True, max_size=6))
    resources = []
    for index, name in enumerate(chosen):
        needs = draw(st.frozensets(st.sampled_from(chosen[:index]), max_size=2)) if index else frozenset()
        resources.append(Resource(address(name), draw(bodies), frozenset(map(address, needs))))
    return ResourceGraph(resources)


@given(graphs(), graphs())
def test_the_plan_after_apply_is_empty(first: ResourceGraph, second: ResourceGraph) -> None:
    driver = MemoryDriver()
    for graph in (first, second):
        apply(plan(graph, driver.observe(), nothing), {"local": driver}, Heard())
        assert plan(graph, driver.observe(), nothing).pending == ()
        assert driver.observe().keys() == graph.by_address.keys()


@given(graphs())
def test_the_empty_graph_removes_everything(graph: ResourceGraph) -> None:
    driver = MemoryDriver()
    apply(plan(graph, {}, nothing), {"local": driver}, Heard())
    apply(plan(ResourceGraph(), driver.observe(), nothing), {"local": driver}, Heard())
    assert driver.observe() == {}


@given(graphs())
def test_what_a_resource_needs_comes_before_it(graph: ResourceGraph) -> None:
    seen: set[Address] = set()
    for change in plan(graph, {}, nothing).changes:
        assert change.resource is not None
        assert change.resource.after <= seen
        seen.add(change.address)


@given(bodies, bodies)
def test_a_diff_is_empty_exactly_when_the_bodies_are_equal(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert (diff(one, other) == ()) == (_strict(one) == _strict(other))


def _strict(value: Any) -> Any:
    """Python calls True and 1 equal; a body does not."""
    if isinstance(value, dict):
        return {k: _strict(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_strict(v) for v in value]
    return (isinstance(value, bool), value)


def test_named_things_are_compared_by_name_and_not_by_place() -> None:
    before = {"env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]}
    after = {"env": [{"name": "B", "value": "3"}, {"name": "A", "value": "1"}]}
    assert diff(before, after) == (FieldDiff(("env", "[B]", "value"), "2", "3"),)
    assert diff(before, after)[0].name == "env[B].value"


def test_a_removed_field_is_a_difference() -> None:
    assert diff({"a": 1, "b": 2}, {"a": 1}) == (FieldDiff(("b",), 2, ABSENT),)


def test_a_secret_field_changes_without_showing_its_values() -> None:
    before = {"env": [{"name": "TOKEN", "value": "old"}]}
    after = {"env": [{"name": "TOKEN", "value": "new"}]}
    [field] = diff(before, after, {("env", "[TOKEN]", "value")})
    assert (field.before, field.after) == ("***", "***")


def test_a_created_resource_shows_no_secret() -> None:
    body = {"env": [{"name": "TOKEN", "value": "hunter2"}, {"name": "PLAIN", "value": "seen"}]}
    secret = frozenset({("env", "[TOKEN]", "value")})
    made = plan(ResourceGraph([Resource(address("a"), body, secret=secret)]), {}, nothing)
    assert "hunter2" not in str(made.changes[0].fields)
    assert "seen" in str(made.changes[0].fields)
    assert "hunter2" not in str(redact(body, secret))


def test_a_field_that_is_only_set_at_creation_is_left_to_its_owner() -> None:
    graph = ResourceGraph([Resource(address("a"), {"replicas": 1}, create_only=frozenset({("replicas",)}))])
    assert plan(graph, {address("a"): Observed({"replicas": 7})}, nothing).pending == ()


def test_a_failure_leaves_out_its_dependants_and_goes_on_elsewhere() -> None:
    graph = ResourceGraph(
        [
            Resource(address("base"), {}),
            Resource(address("user"), {}, frozenset({address("base")})),
            Resource(address("users-user"), {}, frozenset({address("user")})),
            Resource(address("other"), {}),
        ]
    )
    driver, heard = MemoryDriver(failing=frozenset({"thing.base"})), Heard()
    result = apply(plan(graph, {}, nothing), {"local": driver}, heard)
    assert not result.ok
    assert [str(c.address) for c in result.left_out] == ["thing.user", "thing.users-user"]
    assert [str(c.address) for c in result.done] == ["thing.other"]
    assert "left out thing.user because of thing.base" in heard.moments


def test_an_edge_to_nowhere_is_refused() -> None:
    with pytest.raises(LookupError, match="not in the graph"):
        ResourceGraph([Resource(address("a"), {}, frozenset({address("missing")}))])


def test_deletes_come_last() -> None:
    graph = ResourceGraph([Resource(address("new"), {})])
    made = plan(graph, {address("old"): Observed({})}, nothing)
    assert [c.action for c in made.changes] == [Action.CREATE, Action.DELETE]
