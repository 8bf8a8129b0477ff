"""`bandari schema`: accepts what `read` accepts, and refuses what a schema can refuse."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from bandari.document import load
from bandari.specs.schema import schema

ROOT = Path(__file__).parent.parent.parent
FIXTURES = ROOT / "tests" / "fixtures"
SCHEMA = schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
CLUSTER_FILES = [path for path in (FIXTURES / "valid").glob("*.yaml") if "\nversion:" in f"\n{path.read_text()}"]
ACCEPTED = sorted([*(ROOT / "examples").glob("*.yaml"), *CLUSTER_FILES])
BEYOND = {  # what a schema cannot say, or what is no matter of values
    "BND308-minimum",
    "BND309-same-name",
    "BND311-other-probe",
    "BND312-variable-twice",
    "BND313-two-sources",
    "BND314-mount-twice",
    "BND315-undeclared",
    "BND316-volume-twice",
    "BND319-no-weights",
    "BND320-builtin",
    "BND322-missing",
    "BND323-setting",
    "BND324-value",
    "BND325-days",
    "BND326-bytes",
    "BND327-one-port",
}
REFUSED = sorted(path for path in (FIXTURES / "invalid").glob("BND[23]*.yaml") if path.stem not in BEYOND)


def value(path: Path) -> Any:
    document, _ = load(path.read_text(), str(path))
    assert document is not None
    return document.value


def name(path: Path) -> str:
    return path.stem


def test_the_schema_is_one_of_its_draft() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("path", ACCEPTED, ids=name)
def test_a_valid_file_passes(path: Path) -> None:
    assert [f"{error.json_path}: {error.message}" for error in VALIDATOR.iter_errors(value(path))] == []


@pytest.mark.parametrize("path", REFUSED, ids=name)
def test_a_file_with_a_wrong_shape_is_refused(path: Path) -> None:
    assert not VALIDATOR.is_valid(value(path))


def test_its_own_examples_pass() -> None:
    assert all(VALIDATOR.is_valid(example) for example in SCHEMA["examples"])


def properties(part: Any, where: str) -> Iterator[tuple[str, Any]]:
    if isinstance(part, dict):
        for key, field in part.get("properties", {}).items():
            if not {"required", "items"} >= set(field):
                yield f"{where}.{key}", field
        for key, child in part.items():
            if key not in {"properties", "examples", "default"}:
                yield from properties(child, f"{where}.{key}")


def test_every_field_is_described() -> None:
    fields = dict(properties(SCHEMA, ""))
    assert len(fields) > 100
    assert [where for where, field in fields.items() if not field.get("description")] == []
