"""Nodes are balanced over the zones, or kept in one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandari.serving.ray.zones import AVOIDED, available, place, together

ZONES = ("a", "b", "c")
LOADS = st.dictionaries(st.sampled_from(ZONES), st.integers(0, 6))
FAILED = st.dictionaries(st.sampled_from(ZONES), st.floats(0, 3))


@given(st.integers(0, 12), LOADS)
def test_across_zones_no_zone_gets_a_node_while_another_has_fewer(count: int, existing: Mapping[str, int]) -> None:
    loads = Counter(existing)
    for zone in place(count, ZONES, existing=existing, failed={}, cross_zone=True):
        assert loads[zone] == min(loads[name] for name in ZONES)
        loads[zone] += 1


@given(st.integers(1, 12), LOADS, FAILED)
def test_a_zone_that_failed_lately_is_left_out_while_there_are_others(
    count: int, existing: Mapping[str, int], failed: Mapping[str, float]
) -> None:
    placed = place(count, ZONES, existing=existing, failed=failed, cross_zone=True)
    good = {zone for zone in ZONES if failed.get(zone, 0.0) < AVOIDED}
    assert len(placed) == count
    assert set(placed) <= (good or set(ZONES))


@given(st.integers(1, 12), LOADS, FAILED)
def test_without_cross_zone_scaling_all_nodes_go_to_one_zone(
    count: int, existing: Mapping[str, int], failed: Mapping[str, float]
) -> None:
    placed = place(count, ZONES, existing=existing, failed=failed, cross_zone=False)
    assert len(placed) == count
    assert len(set(placed)) == 1
    if any(existing.values()):
        assert existing.get(placed[0], 0) == max(existing.values())
    else:
        assert failed.get(placed[0], 0.0) == min(failed.get(zone, 0.0) for zone in ZONES)


def test_a_cluster_that_keeps_to_one_zone_may_choose_while_it_has_no_worker() -> None:
    assert together(ZONES, existing={"b": 1}, failed={"b": 2.0}) == ("b",)
    assert together(ZONES, existing={"b": 0}, failed={"a": 2.0, "b": 0.1}) == ("c", "b", "a")


@pytest.mark.parametrize(
    ("zones", "region", "found"),
    [
        (("z1", "z2", "z1"), "local", ("z1", "z2")),
        ((), "local", ("local-a", "local-b", "local-c")),
        ((), "us-west-2", ("us-west-2a", "us-west-2b", "us-west-2c")),
    ],
)
def test_without_zones_a_region_has_three(zones: tuple[str, ...], region: str, found: tuple[str, ...]) -> None:
    assert available(zones, region) == found
