"""The cap of a Ray cluster holds in every order of launches and losses; its floor is reached whenever it can be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandari.serving.ray.bodies import RayNodeBody
from bandari.serving.ray.limits import GroupSize, Room, counted, missing, room, shortfall, total

NAMES = ("CPU", "GPU", "accelerator_type:A100-40G", "tiny")
AMOUNTS = st.sampled_from((0.0, 0.1, 0.5, 1.0, 2.0, 4.0, 16.0))
UNITS = st.dictionaries(st.sampled_from(NAMES), AMOUNTS, max_size=3)
CAPS = st.dictionaries(st.sampled_from(NAMES), st.sampled_from((0.0, 0.3, 1.0, 4.0, 9.0, 40.0)), max_size=3)
CPU_GROUP = GroupSize("cpu", {"CPU": 16}, 0, 20)
GPU_GROUP = GroupSize("gpu", {"CPU": 48, "GPU": 4}, 0, 10)


def within(nodes: Sequence[Mapping[str, float]], maximum: Mapping[str, float]) -> bool:
    have = total(nodes)
    return all(have.get(name, 0.0) <= cap + 1e-9 for name, cap in maximum.items())


@given(CAPS, st.lists(st.tuples(UNITS, st.integers(1, 5), st.integers(0, 30)), max_size=30))
def test_no_order_of_launches_and_losses_crosses_the_cap(
    maximum: Mapping[str, float], steps: list[tuple[Mapping[str, float], int, int]]
) -> None:
    nodes: list[Mapping[str, float]] = []
    for ask, count, lost in steps:
        granted = room(nodes, ask, maximum, count=count)
        nodes += [ask] * granted.allowed
        assert within(nodes, maximum)
        assert granted.allowed == count or granted.reason
        if nodes and lost % 3 == 0:
            nodes.pop(lost % len(nodes))


@given(st.lists(UNITS, max_size=6), UNITS, CAPS, st.integers(1, 4))
def test_as_many_may_start_as_fit(
    nodes: list[Mapping[str, float]], ask: Mapping[str, float], maximum: Mapping[str, float], count: int
) -> None:
    granted = room(nodes, ask, maximum, count=count)
    capped = {name: cap for name, cap in maximum.items() if ask.get(name)}
    if granted.allowed < count:
        assert not within([*nodes, *[ask] * (granted.allowed + 1)], capped)
    if granted:
        assert within([*nodes, *[ask] * granted.allowed], capped)


def test_ten_times_a_tenth_is_one() -> None:
    assert room([{"CPU": 0.1}] * 9, {"CPU": 0.1}, {"CPU": 1}, count=2) == Room(
        1, 'the cluster may have 1 "CPU", has 0.9, and a node would add 0.1'
    )


def test_a_node_that_has_nothing_of_what_is_capped_always_starts() -> None:
    over = [{"CPU": 64.0}]
    assert room(over, {"CPU": 0, "tool": 1}, {"CPU": 8})
    assert not room(over, {"CPU": 1}, {"CPU": 8})
    assert room(over, {"CPU": 1}, {"GPU": 8}), "a name that is not capped"


@given(
    st.lists(st.tuples(UNITS, st.integers(0, 2), st.integers(0, 4)), min_size=1, max_size=3),
    st.dictionaries(st.sampled_from(NAMES), st.sampled_from((0.2, 1.0, 3.0, 9.0)), max_size=2),
    CAPS,
)
def test_the_floor_is_reached_by_the_fewest_nodes_whenever_it_can_be(
    described: list[tuple[Mapping[str, float], int, int]],
    minimum: Mapping[str, float],
    maximum: Mapping[str, float],
) -> None:
    groups = [GroupSize(f"g{i}", unit, there, there + more) for i, (unit, there, more) in enumerate(described)]
    nodes = [group.unit for group in groups for _ in range(group.nodes)]
    answers = [
        counts
        for counts in product(*(range(more + 1) for _, _, more in described))
        if not missing(_with(nodes, groups, counts), minimum) and _allowed(nodes, groups, counts, maximum)
    ]
    found = shortfall(nodes, groups, minimum, maximum)
    counts = tuple(found.get(group.name, 0) for group in groups)
    if not answers or not missing(nodes, minimum):
        assert found == {}
        return
    assert counts in answers
    gpus = missing(nodes, minimum).get("GPU", 0.0)
    assert _cost(groups, counts, gpus) == min(_cost(groups, other, gpus) for other in answers)
    assert found == shortfall(nodes, groups, minimum, maximum), "the same answer every time"


def _with(
    nodes: Sequence[Mapping[str, float]], groups: Sequence[GroupSize], counts: Sequence[int]
) -> list[Mapping[str, float]]:
    return [*nodes, *(group.unit for group, n in zip(groups, counts, strict=True) for _ in range(n))]


def _allowed(
    nodes: Sequence[Mapping[str, float]],
    groups: Sequence[GroupSize],
    counts: Sequence[int],
    maximum: Mapping[str, float],
) -> bool:
    """One after the other, as they are launched."""
    there = list(nodes)
    for group, n in zip(groups, counts, strict=True):
        if room(there, group.unit, maximum, count=n).allowed < n:
            return False
        there += [group.unit] * n
    return True


def _cost(groups: Sequence[GroupSize], counts: Sequence[int], gpus: float) -> tuple[float, int]:
    taken = sum(n * group.unit.get("GPU", 0.0) for group, n in zip(groups, counts, strict=True))
    return (round(max(0.0, taken - gpus), 4), sum(counts))


@pytest.mark.parametrize(
    ("minimum", "found"),
    [
        ({"CPU": 32, "GPU": 4}, {"gpu": 1}),
        ({"CPU": 32}, {"cpu": 2}),
        ({"CPU": 33}, {"cpu": 3}),
        ({"GPU": 5}, {"gpu": 2}),
        ({"CPU": 300}, {}),
        ({"TPU": 1}, {}),
    ],
)
def test_one_gpu_node_meets_a_floor_of_both_and_none_starts_for_cpus_alone(
    minimum: Mapping[str, float], found: Mapping[str, int]
) -> None:
    assert shortfall([], [CPU_GROUP, GPU_GROUP], minimum, {"CPU": 256, "GPU": 16}) == found


def test_a_floor_over_many_groups_is_found_at_once() -> None:
    groups = [GroupSize(f"g{i}", {"CPU": 3 + i, "GPU": i % 3, "tool": i % 2}, 0, 40) for i in range(20)]
    found = shortfall([], groups, {"CPU": 700, "GPU": 31, "tool": 17}, {"CPU": 720, "GPU": 40})
    nodes = [group.unit for group in groups for _ in range(found.get(group.name, 0))]
    assert missing(nodes, {"CPU": 700, "GPU": 31, "tool": 17}) == {}
    assert within(nodes, {"CPU": 720, "GPU": 40})


def test_bytes_count_as_declared_and_an_accelerator_counts_once_for_each_node() -> None:
    node = RayNodeBody({"CPU": 8, "GPU": 4}, {"ray.io/accelerator-type": "A100-40G"}, memory=2**30, scale=0.125)
    assert counted(node) == {"CPU": 8, "GPU": 4, "memory": 2**33, "accelerator_type:A100-40G": 1}
    assert counted(RayNodeBody({"accelerator_type:L4": 2}, {"ray.io/accelerator-type": "L4"})) == {
        "accelerator_type:L4": 2
    }
