"""The packaged table of machine types, and the lookups in it."""

from __future__ import annotations

import gzip
from importlib import resources

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandari.catalog import machines
from bandari.catalog.machines import Machines
from bandari.units import Cpu, Memory

LARGEST = 150_000


@pytest.fixture(scope="module")
def packed() -> bytes:
    return (resources.files("bandari.catalog") / "data" / "machines.csv.gz").read_bytes()


@pytest.fixture(scope="module")
def catalog(packed: bytes) -> Machines:
    return machines.parse(gzip.decompress(packed).decode())


def test_the_packaged_table_is_small(packed: bytes) -> None:
    assert len(packed) < LARGEST


def test_every_row_is_a_machine_type(catalog: Machines) -> None:
    names = list(catalog)
    assert len(names) == len(set(names)) > 1_800
    for name in names:
        machine = catalog.get(name)
        assert machine is not None
        assert machine.name == name
        assert machine.provider in ("aws", "gcp")
        assert machine.arch in ("x86_64", "arm64")
        assert machine.cpu > Cpu(0)
        assert machine.memory > Memory(0)
        assert machine.gpus is None or machine.gpus.count > 0
        assert machine.allocatable_cpu is None or machine.allocatable_cpu <= machine.cpu
        assert machine.allocatable_memory is None or machine.allocatable_memory <= machine.memory
        assert machine.price is None or machine.price.usd_per_hour > 0


def test_a_gpu_machine_of_aws_is_known_with_what_it_costs_and_when(catalog: Machines) -> None:
    machine = catalog.get("g4dn.xlarge")
    assert machine is not None
    assert machine.cpu == Cpu(4000)
    assert machine.memory == Memory.parse("16Gi")
    assert machine.gpus is not None
    assert str(machine.gpus) == "1 x T4 (16 GiB each)"
    assert machine.price == machines.Price(0.526, "us-east-1", "2026-07-20")


def test_a_gpu_machine_of_google_cloud_is_known_too(catalog: Machines) -> None:
    machine = catalog.get("a2-highgpu-1g")
    assert machine is not None
    assert (machine.provider, machine.cpu, machine.allocatable_cpu) == ("gcp", Cpu(12_000), None)
    assert machine.gpus is not None
    assert machine.gpus.name == "A100-40GB"


def test_a_share_of_a_gpu_is_one_gpu_with_less_memory(catalog: Machines) -> None:
    machine = catalog.get("g6f.large")
    assert machine is not None
    assert machine.gpus is not None
    assert machine.gpus.count == 1
    assert machine.gpus.memory < Memory.parse("3Gi")


def test_an_accelerator_that_is_no_gpu_is_not_counted_as_one(catalog: Machines) -> None:
    machine = catalog.get("inf2.xlarge")
    assert machine is not None
    assert machine.gpus is None


@pytest.mark.parametrize("name", ["", "g4dn", "xlarge", "g4dn.xlarge,aws", "name", "provider", "\n"])
def test_only_a_whole_name_is_found(catalog: Machines, name: str) -> None:
    assert catalog.get(name) is None


@given(name=st.text(max_size=30))
def test_any_text_can_be_looked_up(catalog: Machines, name: str) -> None:
    assert (catalog.get(name) is not None) == (name in set(catalog))


@pytest.mark.parametrize(
    ("written", "provider", "meant"),
    [
        ("g4dn.xlagre", "aws", "g4dn.xlarge"),
        ("G4DN.XLARGE", "aws", "g4dn.xlarge"),
        ("t3a.medum", "", "t3a.medium"),
        ("g2-standard4", "gcp", "g2-standard-4"),
        ("no such thing", "aws", None),
    ],
)
def test_the_nearest_name_is_offered(catalog: Machines, written: str, provider: str, meant: str | None) -> None:
    assert catalog.nearest(written, provider) == meant


def test_the_nearest_name_is_one_of_the_asked_provider(catalog: Machines) -> None:
    near = catalog.nearest("g2-standard-4", "aws")
    found = catalog.get(near) if near else None
    assert found is None or found.provider == "aws"


def test_a_table_with_other_columns_is_refused() -> None:
    with pytest.raises(ValueError, match="no header"):
        machines.parse("name,price\nbig,1\n")


def test_the_empty_catalog_knows_nothing() -> None:
    assert machines.NONE.get("g4dn.xlarge") is None
    assert machines.NONE.nearest("g4dn.xlarge") is None
    assert list(machines.NONE) == []
