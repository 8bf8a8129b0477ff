"""The documented table of fields says what the models say."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from bandari.document import load
from bandari.specs.read import read
from bandari.specs.schema import schema

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def fieldtable() -> ModuleType:
    spec = importlib.util.spec_from_file_location("fieldtable", ROOT / "tools" / "fieldtable.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_what_the_models_say(fieldtable: ModuleType) -> None:
    text = fieldtable.PAGE.read_text()
    assert text == fieldtable.page(text), "run `python tools/fieldtable.py`"


def test_every_field_of_the_schema_stands_in_the_table(fieldtable: ModuleType) -> None:
    told = set(re.findall(r"^\| `([\w.\[\]]+)`", fieldtable.tables(), re.MULTILINE))
    last = {field.rpartition(".")[2] for field in told}
    made = schema()
    known = {key for part in (made, *made["$defs"].values()) for key in part.get("properties", {})}
    assert known - last == set()


def snippets() -> Iterator[str]:
    text = (ROOT / "docs" / "cluster-file.md").read_text()
    yield from re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)


def test_the_examples_of_the_page_are_cluster_files() -> None:
    assert [list(read(text, "cluster.yaml")[1]) for text in snippets()] == [[], []]
    assert all(load(text, "cluster.yaml")[0] for text in snippets())
