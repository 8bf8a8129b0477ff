"""From the names and shapes of a file to machines: every form of a name, and why no machine has a shape."""

from __future__ import annotations

import gzip
from importlib import resources

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandari.catalog import machines, match
from bandari.catalog.machines import Machines, MachineType
from bandari.desired.ray import PhysicalShape
from bandari.units import Cpu, Memory

GIB = 2**30
SHAPE = PhysicalShape(Cpu(8000), Memory(32 * GIB), 1, "L4")


@pytest.fixture(scope="module")
def catalog() -> Machines:
    packed = (resources.files("bandari.catalog") / "data" / "machines.csv.gz").read_bytes()
    return machines.parse(gzip.decompress(packed).decode())


def found(name: str, catalog: Machines) -> MachineType:
    machine = match.find(name, catalog)
    assert machine is not None, name
    assert machine.name == name
    return machine


@pytest.mark.parametrize(
    ("name", "cpu", "gib", "gpus"),
    [
        ("m5.2xlarge", 8, 32, ""),
        ("g6.4xlarge", 16, 64, "1 x L4 (22.4 GiB each)"),
        ("n1-standard-8-nvidia-t4-16gb-1", 8, 30, "1 x T4 (16 GiB each)"),
        ("n1-standard-8-nvidia-tesla-t4-4", 8, 30, "4 x T4 (16 GiB each)"),
        ("g2-standard-8-nvidia-l4-1", 8, 32, "1 x L4 (24 GiB each)"),
        ("a2-highgpu-1g-nvidia-a100-40gb-1", 12, 85, "1 x A100-40GB (40 GiB each)"),
        ("a3-megagpu-8g-nvidia-h100-mega-80gb-8", 208, 1872, "8 x H100-80GB (80 GiB each)"),
        ("n2-custom-8-32768", 8, 32, ""),
        ("custom-4-5120", 4, 5, ""),
        ("e2-custom-4-16384-ext", 4, 16, ""),
        ("8CPU-32GB", 8, 32, ""),
        ("8CPU-32GB-1xT4", 8, 32, "1 x T4 (16 GiB each)"),
        ("2xA100-80G:24CPU-170GB", 24, 170, "2 x A100-80G (80 GiB each)"),
    ],
)
def test_every_form_of_a_name_is_understood(name: str, cpu: int, gib: int, gpus: str, catalog: Machines) -> None:
    machine = found(name, catalog)
    assert (machine.cpu.cores, machine.memory.bytes / GIB) == (cpu, gib)
    assert (str(machine.gpus) if machine.gpus else "") == gpus


@pytest.mark.parametrize(
    "name",
    [
        "",
        "g5.x2large",
        "custom",
        "m5.2xlarge-nvidia-t4-1",
        "zz9-custom-8-32768",
        "n2-custom-8-1000",
        "0CPU-8GB",
        "x\ny",
    ],
)
def test_what_is_no_name_of_a_machine_is_not_known(name: str, catalog: Machines) -> None:
    assert match.find(name, catalog) is None


@given(st.text(max_size=30))
def test_any_text_may_be_asked_for(text: str) -> None:
    assert match.find(text, machines.NONE) is None or "CPU-" in text


def test_typing_mistakes_of_real_files_find_what_was_meant(catalog: Machines) -> None:
    assert "g5.xlarge" in match.nearest("g5.x2large", catalog)
    assert "m5.xlarge" in match.nearest("m5.5xlarge", catalog)
    assert match.nearest("something else", catalog) == ()


def test_a_gpu_has_rays_name_and_an_a100_also_that_of_its_size(catalog: Machines) -> None:
    names = {
        "p4d.24xlarge": ("A100", "A100-40G"),
        "a2-ultragpu-1g": ("A100", "A100-80G"),
        "g5.xlarge": ("A10G",),
        "p5.48xlarge": ("H100",),
        "a3-highgpu-8g": ("H100",),
    }
    for name, expected in names.items():
        gpus = found(name, catalog).gpus
        assert gpus is not None
        assert match.accelerators(gpus) == expected


def test_candidates_are_within_the_band_have_the_gpus_and_stand_by_price(catalog: Machines) -> None:
    chosen = match.candidates(SHAPE, catalog)
    assert {"g6.2xlarge", "g6.4xlarge", "g2-standard-8", "g2-standard-16"} <= {machine.name for machine in chosen}
    prices = [machine.price.usd_per_hour for machine in chosen if machine.price]
    assert prices == sorted(prices)
    for machine in chosen:
        assert SHAPE.cpu <= machine.cpu <= Cpu(16_000)
        assert SHAPE.memory <= machine.memory <= Memory(64 * GIB)
        assert machine.gpus is not None
        assert (machine.gpus.count, machine.gpus.name) == (1, "L4")
        assert machine.gpus.memory >= Memory(20 * GIB), "a share of a GPU is none"
    assert {machine.provider for machine in match.candidates(SHAPE, catalog, "gcp")} == {"gcp"}


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        (PhysicalShape(Cpu(8000), Memory(32 * GIB), 3), "none has exactly 3 GPUs"),
        (PhysicalShape(Cpu(8000), Memory(32 * GIB), 1, "H200"), "none has 1 GPU of the kind H200"),
        (PhysicalShape(Cpu(511_000), Memory(32 * GIB), 1, "L4"), "none of those has 511 to twice as many CPUs"),
        (PhysicalShape(Cpu(4000), Memory(4096 * GIB)), "none of those has 4096 GiB to twice as much memory"),
        (PhysicalShape(Cpu(8000), Memory(32 * GIB), arch="riscv"), "none is of architecture riscv"),
        (SHAPE, ""),
    ],
)
def test_the_need_that_no_machine_meets_is_named(shape: PhysicalShape, reason: str, catalog: Machines) -> None:
    assert match.why_none(shape, catalog) == reason
    assert bool(match.candidates(shape, catalog)) == (not reason)


def test_a_zone_is_known_to_offer_a_type_or_not_to_or_is_not_known(catalog: Machines) -> None:
    machine = found("a2-highgpu-1g", catalog)
    assert machine.offered_in("us-central1-a") is True
    assert machine.offered_in("us-east1-d") is False
    assert machine.offered_in("europe-west4-a") is None


def test_a_gpu_that_is_added_costs_what_it_costs_by_the_older_of_two_lists(catalog: Machines) -> None:
    plain, added = found("n1-standard-8", catalog).price, found("n1-standard-8-nvidia-t4-16gb-1", catalog).price
    assert plain is not None
    assert added is not None
    assert added.usd_per_hour == pytest.approx(plain.usd_per_hour + 0.35)
    assert (added.region, added.date) == ("us-central1", "2026-05-20")
    assert found("n1-standard-8-nvidia-k80-1", catalog).price is None
