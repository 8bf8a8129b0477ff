"""The page about compute configs says what the models say, and its examples are what it calls them."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from bandari.specs.ray.legacy import TOP, WORKER
from bandari.specs.ray.schema import schema
from bandari.specs.read import read

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "compute-config.md"


@pytest.fixture(scope="module")
def tables() -> ModuleType:
    spec = importlib.util.spec_from_file_location("fieldtable_of_ray", ROOT / "tools" / "fieldtable.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_of_compute_configs_is_what_the_models_say(tables: ModuleType) -> None:
    text = PAGE.read_text()
    assert text == tables.page(text, tables.compute_tables()), "run `python tools/fieldtable.py`"


def test_every_field_of_a_compute_config_stands_in_the_tables(tables: ModuleType) -> None:
    told = set(re.findall(r"^\| `([\w.\[\]-]+)`", tables.compute_tables(), re.MULTILINE))
    parts = [part for name, part in schema()["$defs"].items() if name != "OlderConfig"]
    known = {key for part in parts for key in part.get("properties", {})}
    aliases = {"cpu", "gpu", "tpu", "Memory", "anyscale_tpu_hosts", "physical_resources"}
    assert known - told == aliases


def test_every_key_of_the_older_schema_stands_on_the_page() -> None:
    text = PAGE.read_text()
    same = {
        "auto_select_worker_config",
        "flags",
        "labels",
        "required_resources",
        "required_labels",
        "physical_resources",
    }
    prefixed = {key for key in TOP if key.startswith(("aws_", "gcp_", "azure"))}
    assert [key for key in (*TOP, *WORKER) if key not in {*same, *prefixed} and key not in text] == []


def test_the_example_of_the_page_is_a_compute_config() -> None:
    example, variables = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    state, found = read(example, "compute.yaml")
    assert (state is not None, list(found)) == (True, [])
    assert variables.startswith("env:")
