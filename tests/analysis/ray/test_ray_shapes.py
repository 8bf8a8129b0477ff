"""What the nodes of a Ray cluster are, and how much of their bytes a machine gives them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandari.analysis.ray_scale import SHARE, Size, factor, most
from bandari.analysis.ray_shapes import MEMORY_FLOOR, OBJECT_STORE_FLOOR, resolve
from bandari.desired.ray import MarketType, PhysicalShape, Shape
from bandari.desired.state import ProviderName
from bandari.testing.builders import few_machines, ray_cluster, required, worker_group
from bandari.units import Bounds, Cpu, Memory

MACHINES = few_machines()
HOST = Memory.parse("16Gi")
GIB = 2**30


def test_a_node_has_what_its_machine_has_with_the_kind_of_its_gpu() -> None:
    node = resolve(ray_cluster(worker_group("gpu")), MACHINES).groups["gpu"]
    assert node.resources == {"CPU": 4, "GPU": 1, "accelerator_type:T4": 1}
    assert node.labels == {"ray.io/accelerator-type": "T4"}
    assert node.physical == "4 vCPU, 16 GiB, 1 x T4 (16 GiB each)"
    assert [node.memory / GIB, node.object_store / GIB] == pytest.approx([11.2, 4.8])


def test_given_resources_win_one_by_one_over_those_of_the_machine() -> None:
    given = Shape("g4dn.xlarge", resources={"CPU": 2, "fast_disk": 1})
    node = resolve(ray_cluster(worker_group("gpu", shape=given)), MACHINES).groups["gpu"]
    assert node.resources == {"CPU": 2, "GPU": 1, "accelerator_type:T4": 1, "fast_disk": 1}


def test_a_fake_gpu_has_no_kind() -> None:
    given = Shape("c5.xlarge", resources={"GPU": 1})
    node = resolve(ray_cluster(worker_group("fake", shape=given)), MACHINES).groups["fake"]
    assert node.resources == {"CPU": 4, "GPU": 1}
    assert node.labels == {}


def test_a_head_beside_groups_takes_no_tasks_and_one_without_takes_them() -> None:
    beside = resolve(ray_cluster(worker_group()), MACHINES).head
    alone = resolve(ray_cluster(), MACHINES).head
    assert beside.resources == {"CPU": 0, "GPU": 0}
    assert alone.resources == {"CPU": 48, "GPU": 4, "accelerator_type:T4": 1}


def test_a_head_beside_groups_has_exactly_what_it_says() -> None:
    head = Shape("g4dn.12xlarge", resources={"CPU": 8, "marker": 1})
    node = resolve(ray_cluster(worker_group(), head=head), MACHINES).head
    assert node.resources == {"CPU": 8, "GPU": 0, "marker": 1}


def test_a_head_that_nobody_describes_is_of_the_default_of_its_cloud() -> None:
    nothing = ray_cluster(head=Shape(), head_given=False)
    assert resolve(nothing, MACHINES).head.machine == "m5.2xlarge"
    assert resolve(nothing, MACHINES, target=ProviderName.GCP).head.machine == "n2-standard-8"
    assert resolve(nothing, MACHINES, target=ProviderName.KUBERNETES).head.machine == "2CPU-8GB"


def test_a_shape_that_is_asked_for_names_the_machines_that_it_may_be_given() -> None:
    shape = required(4, "16Gi", gpu=1, accelerator="T4")
    node = resolve(ray_cluster(worker_group("gpu", shape=shape), head=Shape("t3a.small")), MACHINES).groups["gpu"]
    assert (node.machine, node.like) == ("FP-4CPU-16GB-1GPU-T4", ("g4dn.xlarge",))
    assert node.resources == {"CPU": 4, "GPU": 1, "accelerator_type:T4": 1}
    assert node.price is not None


def test_a_kind_of_a100_has_both_of_its_names() -> None:
    shape = required(8, "80Gi", gpu=1, accelerator="A100-80G")
    node = resolve(ray_cluster(worker_group("gpu", shape=shape)), MACHINES).groups["gpu"]
    assert {name for name in node.resources if ":" in name} == {"accelerator_type:A100", "accelerator_type:A100-80G"}
    assert node.labels == {"ray.io/accelerator-type": "A100-80G"}


def test_an_unknown_machine_has_what_is_given_and_no_more() -> None:
    given = Shape("zz9.large", resources={"CPU": 8, "memory": 8e9})
    node = resolve(ray_cluster(worker_group("odd", shape=given)), MACHINES).groups["odd"]
    assert node.hardware is None
    assert node.resources == {"CPU": 8, "GPU": 0}
    assert (node.memory, node.object_store) == (8_000_000_000, 0)


def test_shares_for_the_system_are_no_resources_of_ray() -> None:
    given = Shape("c5.xlarge", resources={"CPU": 4, "system_reserved_cpu_millicpu": 500})
    assert resolve(ray_cluster(head=given), MACHINES).head.resources == {"CPU": 4, "GPU": 0}


def test_groups_are_chosen_where_the_file_wants_it_the_cheapest_first_and_none_has_a_minimum() -> None:
    chosen = resolve(ray_cluster(head=Shape(), auto_select=True), MACHINES, target=ProviderName.KUBERNETES)
    assert [group.name for group in chosen.cluster.groups] == ["2CPU-8GB", "4CPU-16GB", "8CPU-32GB", "8CPU-32GB-1xT4"]
    assert {group.nodes for group in chosen.cluster.groups} == {Bounds(0, 10)}
    assert chosen.head.resources == {"CPU": 0, "GPU": 0}


def test_all_nodes_at_their_maximum_fit_into_a_share_of_the_machine() -> None:
    found = resolve(ray_cluster(worker_group(nodes=Bounds(0, 4))), MACHINES, memory=HOST)
    nodes = [found.head, *[found.groups["workers"]] * 4]
    assert sum((n.memory + n.object_store) * n.scale for n in nodes) <= SHARE * HOST.bytes
    assert found.factor < 1


def test_a_cap_makes_room_for_more() -> None:
    free = resolve(ray_cluster(worker_group()), MACHINES, memory=HOST)
    capped = resolve(ray_cluster(worker_group(), max_resources={"GPU": 2}), MACHINES, memory=HOST)
    assert capped.nodes_at_maximum == 3 < free.nodes_at_maximum == 11
    assert capped.factor > free.factor


def test_a_machine_that_is_large_enough_scales_nothing() -> None:
    found = resolve(ray_cluster(worker_group(nodes=Bounds(0, 1))), MACHINES, memory=Memory.parse("2Ti"))
    assert (found.factor, found.head.scale) == (1, 1)


def test_the_price_at_the_minimum_and_at_the_most_is_that_of_head_and_groups() -> None:
    group = worker_group(nodes=Bounds(1, 4), market=MarketType.PREFER_SPOT)
    found = resolve(ray_cluster(group), MACHINES)
    assert [found.usd_at_minimum, found.usd_at_maximum] == pytest.approx([4.438, 6.016])
    unknown = resolve(ray_cluster(worker_group(machine="8CPU-32GB")), MACHINES)
    assert unknown.usd_at_minimum is None


SIZES = st.builds(
    Size,
    st.integers(1, 12),
    st.dictionaries(st.sampled_from(["CPU", "GPU"]), st.integers(1, 16).map(float), max_size=2),
    st.floats(0, 100, allow_nan=False),
)
CAPS = st.dictionaries(st.sampled_from(["CPU", "GPU"]), st.integers(0, 60).map(float), max_size=2)


@given(st.lists(SIZES, max_size=3), CAPS, st.data())
def test_no_set_of_nodes_within_the_bounds_is_worth_more_than_the_most(
    groups: list[Size], caps: dict[str, float], data: st.DataObject
) -> None:
    counts = [data.draw(st.integers(0, group.max)) for group in groups]
    taken = {name: sum(n * g.unit.get(name, 0) for n, g in zip(counts, groups, strict=True)) for name in caps}
    if all(taken[name] <= cap for name, cap in caps.items()):
        worth = sum(n * g.value for n, g in zip(counts, groups, strict=True))
        assert worth <= most(groups, caps) + 1e-6


@given(st.floats(1, 1e18), st.integers(2**28, 2**43))
def test_the_factor_is_a_half_of_a_half_and_so_on_and_uses_the_share_but_for_a_half(total: float, memory: int) -> None:
    found = factor(total, Memory(memory))
    assert 1 / found == 2 ** round(math.log2(1 / found))
    assert total * found <= SHARE * memory * 1.000001
    assert found == 1 or total * found * 2 > SHARE * memory * 0.999999


@given(st.integers(1, 64), st.integers(1, 512), st.integers(1, 50), st.integers(2**31, 2**38))
def test_a_node_never_has_less_than_ray_needs_to_start(cpu: int, gib: int, count: int, memory: int) -> None:
    shape = Shape(required=PhysicalShape(Cpu(cpu * 1000), Memory(gib * GIB)))
    cluster = ray_cluster(worker_group("w", shape=shape, nodes=Bounds(0, count)))
    node = resolve(cluster, MACHINES, memory=Memory(memory)).groups["w"]
    assert node.object_store * node.scale >= OBJECT_STORE_FLOOR * 0.999
    assert node.memory * node.scale >= MEMORY_FLOOR * 0.999
    assert node.resources["CPU"] == cpu, "CPUs are never scaled"
