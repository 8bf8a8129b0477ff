"""Properties of reading compute configs: nothing of an accepted file is lost, and what means the same is equal."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bandari.cli.findings import render
from bandari.diagnostics import Diagnostics
from bandari.document import load
from bandari.specs.ray.schema import schema
from bandari.specs.read import read

_spec = importlib.util.spec_from_file_location("compute_files", Path(__file__).with_name("compute_files.py"))
assert _spec
assert _spec.loader
files = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(files)

VALIDATOR = jsonschema.Draft202012Validator(schema())
quiet: Sequence[HealthCheck] = [HealthCheck.too_slow, HealthCheck.data_too_large]


def lines_said(found: Diagnostics) -> set[int]:
    return {finding.span.line for finding in found}


def assert_every_leaf_counts(value: Any) -> None:
    """Another value at any place gives another state, or the place (or what it stands in) is spoken of."""
    text = files.text_of(value)
    state, found = read(text, "compute.yaml")
    assert state is not None, list(found)
    document, _ = load(text, "compute.yaml")
    assert document is not None
    before = (state, [finding.message for finding in found])
    for path in files.leaves(value):
        other, said = read(files.text_of(files.with_other(value, path)), "compute.yaml")
        steps = [path[:length] for length in range(1, len(path) + 1)]
        spoken = {place.line for step in steps for place in (document.span(step), document.key_span(step))}
        assert (other, [finding.message for finding in said]) != before or spoken & lines_said(found), path


@settings(max_examples=60, deadline=None, suppress_health_check=quiet)
@given(files.CURRENT)
def test_every_value_of_a_compute_config_shows_in_the_state_or_is_spoken_of(value: Any) -> None:
    assert_every_leaf_counts(value)


@settings(max_examples=60, deadline=None, suppress_health_check=quiet)
@given(files.CURRENT.map(files.both))
def test_every_value_of_the_older_schema_shows_in_the_state_or_is_spoken_of(pair: tuple[Any, Any]) -> None:
    assert_every_leaf_counts(pair[1])


@settings(max_examples=150, deadline=None, suppress_health_check=quiet)
@given(files.CURRENT.map(files.both))
def test_the_older_schema_and_its_upgrade_by_hand_are_equal(pair: tuple[Any, Any]) -> None:
    current, older = (read(files.text_of(value), "compute.yaml") for value in pair)
    assert older[0] is not None, list(older[1])
    assert older[0] == current[0]


@settings(max_examples=150, deadline=None, suppress_health_check=quiet)
@given(files.CURRENT)
def test_defaults_may_be_written_out(value: Any) -> None:
    explicit = {"enable_cross_zone_scaling": False, "auto_select_worker_config": False, "zones": None, **value}
    if "allow-cross-zone-autoscaling" in value.get("flags", {}):
        del explicit["enable_cross_zone_scaling"]
        explicit |= {k: v for k, v in value.items() if k == "enable_cross_zone_scaling"}
    explicit["worker_nodes"] = [
        {"min_nodes": 0, "max_nodes": 10, "market_type": "ON_DEMAND", **group}
        for group in value.get("worker_nodes", [])
    ]
    state, _ = read(files.text_of(value), "compute.yaml")
    written_out, _ = read(files.text_of(explicit), "compute.yaml")
    assert state == written_out is not None


SCALARS: list[Any] = [
    *(None, True, False, 0, 1, -1, 2**70, 0.5, float("inf"), float("nan"), 10**400),
    *("", " ", "custom", "8Gi", "8GB", "true", "1h30m", "TPU-V6E", "T4", "PREFER_SPOT", "as-feature-multi-zone", "*"),
    *({}, [], [None], [[]], {"a": None}, [{"Ebs": [{"VolumeSize": 1}]}], {"limits": {"cpu": 1}}, {"CPU": 0, "GPU": 0}),
]
KEYS = [
    *("head_node", "worker_nodes", "head_node_type", "worker_node_types", "configs", "cloud", "aws", "gcp", "flags"),
    *("instance_type", "required_resources", "resources", "labels", "required_labels", "name", "", "min_nodes", "nmae"),
    *(
        "advanced_instance_config",
        "instance_properties",
        "metadata",
        "spec",
        "TagSpecifications",
        "tpu_type",
        "version",
    ),
    *("max_resources", "instance_ranking_strategy", "efa_config", "physical_resources", "custom_resources", "zones"),
]


@st.composite
def changed(draw: Any) -> str:
    current, older = files.both(draw(files.CURRENT))
    value = draw(st.sampled_from([current, older, {"configs": [current, older]}]))
    for _ in range(draw(st.integers(1, 5))):
        places = list(files.places(value))
        if not places:
            break
        holder, key = draw(st.sampled_from(places))
        how = draw(st.sampled_from(["drop", "rename", "replace", "replace", "swap"]))
        if how == "drop":
            del holder[key]
        elif how == "rename" and isinstance(holder, dict):
            holder[draw(st.sampled_from(KEYS))] = holder.pop(key)
        elif how == "swap":
            other, second = draw(st.sampled_from(places))
            holder[key], other[second] = files.copied(other[second]), files.copied(holder[key])
        else:
            holder[key] = files.copied(draw(st.sampled_from(SCALARS)))
    return str(files.text_of(value))


def assert_answered(text: str) -> None:
    lines = len(text.splitlines()) + 1
    state, found = read(text, "compute.yaml")
    places = [place for finding in found for place in (finding.span, *(r.span for r in finding.related))]
    assert all(place.file == "compute.yaml" and 1 <= place.line <= lines and place.column >= 1 for place in places)
    assert (state is None) == bool(found.errors)
    assert all("\n" not in f.message + f.why + f.help for f in found)
    if state is not None:
        document, _ = load(text, "compute.yaml")
        assert document is not None
        assert [error.message for error in VALIDATOR.iter_errors(document.value)] == []


@settings(max_examples=300, deadline=None, suppress_health_check=quiet)
@given(changed())
def test_any_compute_config_is_answered(text: str) -> None:
    assert_answered(text)
    assert render(read(text, "compute.yaml")[1], {"compute.yaml": text}, colour=False)


@pytest.mark.slow
@pytest.mark.timeout(600)
@settings(max_examples=10_000, deadline=None, suppress_health_check=quiet)
@given(changed())
def test_ten_thousand_compute_configs_are_answered(text: str) -> None:
    assert_answered(text)
