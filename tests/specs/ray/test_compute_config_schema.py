"""`bandari schema compute-config`: accepts what `read` accepts, and refuses what a schema can refuse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest

from bandari.document import load
from bandari.specs.ray.schema import schema

FIXTURES = Path(__file__).parents[2] / "fixtures"
SCHEMA = schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
TEMPLATES = {"BND730-undefined", "BND731-broken"}
ACCEPTED = [
    path
    for path in sorted((FIXTURES / "valid").glob("BND7[0-3]*.yaml"))
    if path.stem not in TEMPLATES and not path.read_text().startswith("version:")
]
REFUSED = ["BND701-neither", "BND714-mixed", "BND715-elsewhere"]


def value(path: Path) -> Any:
    document, _ = load(path.read_text(), str(path))
    assert document is not None
    return document.value


def test_the_schema_is_one_of_its_draft() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("path", ACCEPTED, ids=lambda path: path.stem)
def test_a_valid_compute_config_passes(path: Path) -> None:
    assert [error.message for error in VALIDATOR.iter_errors(value(path))] == []


@pytest.mark.parametrize("name", REFUSED)
def test_a_compute_config_with_a_wrong_shape_is_refused(name: str) -> None:
    assert not VALIDATOR.is_valid(value(FIXTURES / "invalid" / f"{name}.yaml"))


def test_its_own_examples_pass() -> None:
    assert all(VALIDATOR.is_valid(example) for example in SCHEMA["examples"])
