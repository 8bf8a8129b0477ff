"""The files of BND700 to BND739: a bad one with its findings marked on their lines, and a good one without any."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bandari import pipeline
from bandari.codes.ray_config import CODES
from bandari.diagnostics import Diagnostics

FIXTURES = Path(__file__).parents[2] / "fixtures"
NAMES = sorted(path.stem for path in (FIXTURES / "invalid").glob("BND7[0-3]*.yaml"))
MARK = re.compile(r"# (?P<severity>error|warning)\[(?P<code>BND\d{3})\]")
RENDERED = {"BND730-undefined", "BND731-broken"}
"""Read with `--render`, and a file of variables that holds an empty `env`."""
NAMED = {"BND736-second-name"}
"""Read with `--name`."""
ELSEWHERE = {"BND733"}
"""Needs an environment without Jinja; test_rendering says why it has no file."""

Found = set[tuple[int, str, str]]
"""Line, severity, code."""


def marks(path: Path) -> Found:
    lines = enumerate(path.read_text().splitlines(), start=1)
    return {(number, mark["severity"], mark["code"]) for number, line in lines for mark in MARK.finditer(line)}


def checked(path: Path, folder: Path) -> tuple[Diagnostics, bool]:
    variables = folder / "env.yaml"
    variables.write_text("env: {}\n")
    render = str(variables) if path.stem in RENDERED else ""
    options = pipeline.Options(name="other" if path.stem in NAMED else "", render=render)
    done = pipeline.check(path, options)
    return done.diagnostics, done.state is not None


def places(found: Diagnostics) -> Found:
    """Findings of the language; advice about what it describes has its own tests."""
    said = (f for f in found if f.code < "BND4" or "BND700" <= f.code < "BND740")
    return {(f.span.line, f.severity.value, f.code) for f in said}


@pytest.mark.parametrize("name", NAMES)
def test_a_bad_compute_config_has_the_findings_that_are_marked_in_it_and_no_others(name: str, tmp_path: Path) -> None:
    path = FIXTURES / "invalid" / f"{name}.yaml"
    found, compiled = checked(path, tmp_path)
    assert places(found) == marks(path) != set()
    assert compiled == (not found.errors)


@pytest.mark.parametrize("name", NAMES)
def test_a_good_compute_config_compiles_without_a_finding(name: str, tmp_path: Path) -> None:
    found, compiled = checked(FIXTURES / "valid" / f"{name}.yaml", tmp_path)
    assert (places(found), compiled) == (set(), True)


def test_every_code_of_compute_configs_has_a_file() -> None:
    assert {name[:6] for name in NAMES} | ELSEWHERE == {code.code for code in CODES}


def test_every_finding_about_a_compute_config_says_how_to_go_on_in_one_line(tmp_path: Path) -> None:
    for name in NAMES:
        for finding in checked(FIXTURES / "invalid" / f"{name}.yaml", tmp_path)[0]:
            assert finding.help, finding
            assert "\n" not in finding.message + finding.why + finding.help
