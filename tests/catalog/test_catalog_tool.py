"""tools/catalog.py: what it keeps of the sources, and that equal sources make equal bytes."""

from __future__ import annotations

import csv
import gzip
import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from bandari.catalog import machines
from bandari.units import Cpu, Memory

ALLOCATABLE = {"k8s_alloc_cpu": "3920m", "k8s_alloc_mem": "14162Mi"}
AWS = {"vcpu": "4", "mem_gib": "16.0", "arch": "x86_64", "gpu": "", **ALLOCATABLE}
SHARE = {"gpu_vendor": "NVIDIA", "gpu": "L4", "gpu_count": "0", "gpu_mem_gib_each": "2.8"}
NEURON = {"gpu_vendor": "AWS", "gpu": "Inferentia2", "gpu_count": "1", "gpu_mem_gib_each": "32.0"}
GCP = {"vcpu": "12", "mem_gib": "85.00", "arch": "x86_64", "gpu": "A100-40GB"}
ONE = {"gpu_count": "1", "gpu_mem_gib_each": "40"}


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    path = Path(__file__).parent.parent.parent / "tools" / "catalog.py"
    spec = importlib.util.spec_from_file_location("catalog_tool", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write(path: Path, rows: list[dict[str, str]]) -> None:
    columns = list(dict.fromkeys(key for row in rows for key in row))
    with gzip.open(path, "wt", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, columns, restval="")
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    plain = {"name": "m9.large", **AWS, "od_us_east_1": "0.5"}
    shared = {"name": "g9.large", **AWS, **SHARE, "od_us_east_1": ""}
    neuron = {"name": "inf9.large", **AWS, **NEURON, "od_us_east_1": "1.5"}
    mac = {"name": "mac9.metal", **AWS, "arch": "arm64_mac", "od_us_east_1": "1.5"}
    write(tmp_path / "aws_instance_types.csv.gz", [plain, shared, neuron, mac])
    write(tmp_path / "gcp_machine_types.csv.gz", [{"name": "a9-1g", **GCP, **ONE, "od_us-central1": "3.67"}])
    return tmp_path


def test_the_table_holds_what_the_sources_say(tool: ModuleType, sources: Path) -> None:
    catalog = machines.parse(tool.table(sources))
    assert list(catalog) == ["a9-1g", "g9.large", "inf9.large", "m9.large"]
    plain = catalog.get("m9.large")
    assert plain is not None
    assert (plain.cpu, plain.memory, plain.gpus) == (Cpu(4000), Memory.parse("16Gi"), None)
    assert (plain.allocatable_cpu, plain.allocatable_memory) == (Cpu(3920), Memory.parse("14162Mi"))
    assert plain.price is not None
    assert (plain.price.usd_per_hour, plain.price.region) == (0.5, "us-east-1")


def test_a_share_of_a_gpu_counts_as_one_and_other_accelerators_as_none(tool: ModuleType, sources: Path) -> None:
    catalog = machines.parse(tool.table(sources))
    shared, neuron = catalog.get("g9.large"), catalog.get("inf9.large")
    assert shared is not None
    assert shared.gpus is not None
    assert (shared.gpus.count, shared.price) == (1, None)
    assert neuron is not None
    assert neuron.gpus is None


def test_equal_sources_make_equal_text(tool: ModuleType, sources: Path) -> None:
    assert tool.table(sources) == tool.table(sources)


def test_zones_are_kept_as_regions_with_letters(tool: ModuleType, tmp_path: Path) -> None:
    aws = {"name": "m9.large", **AWS, "od_us_east_1": "0.5", "azs_us_east_1": "abd", "azs_us_west_2": ""}
    gcp = {"name": "a9-1g", **GCP, **ONE, "od_us-central1": "3", "zones": "us-central1-c us-central1-a europe-west4-b"}
    write(tmp_path / "aws_instance_types.csv.gz", [aws])
    write(tmp_path / "gcp_machine_types.csv.gz", [gcp])
    catalog = machines.parse(tool.table(tmp_path))
    first, second = catalog.get("m9.large"), catalog.get("a9-1g")
    assert first is not None
    assert second is not None
    assert first.zones == {"us-east-1a", "us-east-1b", "us-east-1d"}
    assert second.zones == {"us-central1-a", "us-central1-c", "europe-west4-b"}
