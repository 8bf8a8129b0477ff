"""`rayClusters:` of a cluster file: what an odd entry gets for an answer, and that no entry is lost."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bandari.specs.ray.references import Referenced
from bandari.specs.read import read

ODD: tuple[Any, ...] = (
    None,
    True,
    5,
    2.5,
    "",
    "x y: z",
    "\0",
    [],
    ["a"],
    {"head_nod": {}},
    {"worker_nodes": []},
    "./a.yaml",
    "a:0",
)
KEYS = ("name", "image", "computeConfig", "idleTerminationMinutes", "maximumUptimeMinutes")


def file(*clusters: Any) -> str:
    target = {"cluster": {"name": "x"}, "rayClusters": list(clusters)}
    return json.dumps({"version": "1.3", "local": target}, indent=1)


@pytest.mark.parametrize("value", [5, True, [], 2.5])
def test_a_compute_config_that_is_none_is_a_finding_on_its_line(value: object) -> None:
    state, found = read(file({"name": "a", "computeConfig": value}, {"name": "b"}), "c.yaml")
    assert state is None
    assert [(d.code, d.span.line) for d in found] == [("BND203", 10)]


def test_a_name_of_digits_is_a_name() -> None:
    state, _ = read(file({"name": 5, "idleTerminationMinutes": 1}, {"name": "b"}), "c.yaml")
    assert state is not None
    assert [(c.name, c.cluster_idle_limit) for c in state.ray_clusters()] == [("5", 60.0), ("b", None)]


def test_a_finding_of_a_referenced_file_points_into_that_file() -> None:
    text = file({"name": "a", "computeConfig": "./compute.yaml"})
    behind = {"./compute.yaml": Referenced("\nhead_nod: {}\nworker_nodes: []\n", "/there/compute.yaml")}
    state, found = read(text, "c.yaml", references=behind)
    assert state is None
    assert {(d.span.file, d.span.line) for d in found.errors} == {("/there/compute.yaml", 2)}


@settings(max_examples=200)
@given(st.lists(st.dictionaries(st.sampled_from(KEYS), st.sampled_from(ODD)), max_size=3))
def test_every_entry_is_compiled_or_a_finding_says_why_not(clusters: list[dict[str, Any]]) -> None:
    state, found = read(file(*clusters), "c.yaml")
    assert (state is None) == bool(found.errors)
    if state:
        assert len(state.ray_clusters()) == len(clusters)
