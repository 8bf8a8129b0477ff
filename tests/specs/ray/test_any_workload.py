"""Any odd value in the place of any field of a job, service, schedule or workspace: a state, or findings in words."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bandari.specs.read import read

Place = tuple[str | int, ...]
JOB: dict[str, Any] = {
    "name": "a",
    "image_uri": "x",
    "compute_config": {"worker_nodes": []},
    "requirements": ["a"],
    "cloud": "c",
    "env_vars": {"A": "1"},
    "tags": {"a": "b"},
    "working_dir": ".",
    "excludes": ["x"],
    "py_modules": ["y"],
    "py_executable": "python",
    "entrypoint": "e",
    "max_retries": 1,
    "timeout_s": 1,
    "job_queue_config": {"priority": 1, "job_queue_spec": {"idle_timeout_s": 1, "name": "q"}},
}
APPLICATION: dict[str, Any] = {
    "name": "n",
    "route_prefix": "/",
    "import_path": "a:b",
    "args": {"a": 1},
    "deployments": [{"name": "d"}],
    "runtime_env": {"pip": ["x"], "env_vars": {"A": "b"}, "working_dir": "."},
    "logging_config": {},
}
SERVICE: dict[str, Any] = {
    "name": "a",
    "compute_config": None,
    "requirements": ["a"],
    "applications": [APPLICATION],
    "version_name": "v",
    "query_auth_token_enabled": True,
    "http_options": {"request_timeout_s": 1},
    "proxy_location": "HeadOnly",
    "ray_gcs_external_storage_config": {"enabled": True},
    "tracing_config": {"enabled": True},
}
SCHEDULE: dict[str, Any] = {"job_config": JOB, "cron_expression": "0 3 * * *", "timezone": "UTC"}
WORKSPACE: dict[str, Any] = {"name": "a", "image_uri": "x", "compute_config": None, "idle_termination_minutes": 3}
FILES = (JOB, SERVICE, SCHEDULE, WORKSPACE)
ODD: tuple[Any, ...] = (
    *(None, True, 0, -1, 5, 2.5, 2**70, float("inf"), "", "x", " ", "a:b", "./a.yaml", "a:0", "\0", "x" * 300),
    *("9" * 5000, "@daily", "0 0 31 2 *", "*/0 * * * *", [], {}, [[]], [None], ["x"], {"a": 1}, {"packages": 5}),
    *({"packages": ["q"], "pip_check": True}, {"": {}}, {"name": "a"}),
)


def places(value: Any, above: Place = ()) -> Iterator[Place]:
    if above:
        yield above
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in pairs:
        yield from places(child, (*above, key))


PLACES = [(number, place) for number, value in enumerate(FILES) for place in places(value)]


@pytest.mark.parametrize("value", FILES, ids=["job", "service", "schedule", "workspace"])
def test_the_files_are_valid_as_they_stand(value: dict[str, Any]) -> None:
    state, found = read(json.dumps(value), "a.yaml")
    assert state is not None
    assert list(found) == []


@settings(max_examples=500)
@given(st.sampled_from(PLACES), st.sampled_from(ODD))
def test_an_odd_value_is_answered(where: tuple[int, Place], odd: Any) -> None:
    number, place = where
    whole: Any = copy.deepcopy(FILES[number])
    above = whole
    for step in place[:-1]:
        above = above[step]
    above[place[-1]] = odd
    state, found = read(json.dumps(whole, indent=1), "a.yaml")
    assert (state is None) == bool(found.errors)
    for finding in found:
        assert finding.help
        assert "\n" not in finding.message + finding.why + finding.help


@pytest.mark.parametrize("pip", [5, True, {"packages": 5}, [None]])
def test_requirements_that_are_none_are_a_finding(pip: object) -> None:
    text = json.dumps({**SERVICE, "applications": [{**APPLICATION, "runtime_env": {"pip": pip}}]})
    state, found = read(text, "a.yaml")
    assert state is None
    assert [d.code for d in found] == ["BND203"]
