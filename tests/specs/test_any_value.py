"""Any odd value in the place of any field of a valid file: a finding or a state, and the schema agrees."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bandari.document import load
from bandari.specs.read import read
from bandari.specs.schema import schema

Place = tuple[str | int, ...]

TEXT = (Path(__file__).parent.parent / "fixtures" / "whole" / "every-field.yaml").read_text()
VALIDATOR = jsonschema.Draft202012Validator(schema())
ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 3, 2**31, 2**70, 1.5, float("inf"), float("nan")),
    *("", "x", " x ", "*", "A_b", "-", "~", "a=b", "$(A)", "\n", "a\tb", "\x07", "é", "x" * 300, "9" * 5000),
    *("50", "0", "-1", "+9", "1_0", "9.0", "1e3", "1e400", "0x10", "0o17", "\u0663", "nan", "inf", "true"),
    *("1Gi", "500m", "builtin:", "builtin:tiny", "a/b", "/a/b", "../x", "http://x", "127.0.0.1", "::1"),
    *([], {}, [[]], [None], ["x"], {"a": 1}, {"": {}}, {"name": "a"}),
)


def value_of(text: str) -> Any:
    document, _ = load(text, "cluster.yaml")
    assert document is not None
    return document.value


WHOLE = json.loads(json.dumps(value_of(TEXT)))


def places(value: Any, above: Place = ()) -> Iterator[Place]:
    if above:
        yield above
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in pairs:
        yield from places(child, (*above, key))


PLACES = list(places(WHOLE))


def with_value(place: Place, odd: Any) -> str:
    changed = copy.deepcopy(WHOLE)
    above = changed
    for step in place[:-1]:
        above = above[step]
    above[place[-1]] = odd
    return json.dumps(changed, ensure_ascii=False, indent=1)  # JSON is YAML


def answered(text: str) -> None:
    state, found = read(text, "cluster.yaml")
    assert (state is None) == bool(found.errors)
    for finding in found:
        assert finding.help
        assert "\n" not in finding.message + finding.why + finding.help
        assert len(finding.message) + len(finding.help) < 800
    if state:
        assert [error.message for error in VALIDATOR.iter_errors(value_of(text))] == []


def test_the_file_is_valid_as_it_stands() -> None:
    assert list(read(TEXT, "cluster.yaml")[1]) == []


@settings(deadline=None, max_examples=400)
@given(st.sampled_from(PLACES), st.sampled_from(ODD))
def test_an_odd_value_is_answered_by_findings_or_a_state_that_the_schema_takes(place: Place, odd: Any) -> None:
    answered(with_value(place, odd))


@pytest.mark.slow
@settings(deadline=None, max_examples=3000)
@given(st.sampled_from(PLACES), st.sampled_from(ODD))
def test_thousands_of_odd_values_are_answered(place: Place, odd: Any) -> None:
    answered(with_value(place, odd))
