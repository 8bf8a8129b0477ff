"""The files of BND740 to BND759: a bad one with its findings marked on their lines, and a good one without any."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bandari.codes.ray_files import CODES
from bandari.diagnostics import Diagnostics
from bandari.specs.ray.references import Referenced
from bandari.specs.read import read

FIXTURES = Path(__file__).parents[2] / "fixtures"
NAMES = sorted(path.stem for path in (FIXTURES / "invalid").glob("BND7[45]*.yaml"))
MARK = re.compile(r"# (?P<severity>error|warning)\[(?P<code>BND\d{3})\]")
CONFIG = "head_node: {instance_type: m5.2xlarge}\n"
STORED = {
    "kept": Referenced(CONFIG, "kept/1.yaml"),
    "kept:1": Referenced(CONFIG, "kept/1.yaml"),
    "kept:7": Referenced(None, reason="there is 1"),
    "closed:1": Referenced(None, reason="it is archived", archived=True),
}

Found = set[tuple[str, int, str, str]]
"""File, line, severity, code."""


def beside(path: Path) -> dict[str, Referenced]:
    files = {f"./{file.name}": file for file in path.parent.glob(f"{path.stem}.*") if file != path}
    return {words: Referenced(file.read_text(), str(file)) for words, file in files.items()}


def marks(path: Path) -> Found:
    files = [path, *(Path(item.file) for item in beside(path).values())]
    return {
        (str(file), number, mark["severity"], mark["code"])
        for file in files
        for number, line in enumerate(file.read_text().splitlines(), start=1)
        for mark in MARK.finditer(line)
    }


def found_in(path: Path) -> tuple[Diagnostics, bool]:
    state, found = read(path.read_text(), str(path), references={**STORED, **beside(path)})
    return found, state is not None


def places(found: Diagnostics) -> Found:
    return {(finding.span.file, finding.span.line, finding.severity.value, finding.code) for finding in found}


@pytest.mark.parametrize("name", NAMES)
def test_a_bad_file_has_the_findings_that_are_marked_in_it_and_no_others(name: str) -> None:
    path = FIXTURES / "invalid" / f"{name}.yaml"
    found, compiled = found_in(path)
    assert places(found) == marks(path) != set()
    assert compiled == (not found.errors)


@pytest.mark.parametrize("name", NAMES)
def test_a_good_file_compiles_without_a_finding(name: str) -> None:
    found, compiled = found_in(FIXTURES / "valid" / f"{name}.yaml")
    assert (places(found), compiled) == (set(), True)


def test_every_code_of_such_files_has_a_file() -> None:
    assert {name[:6] for name in NAMES} == {code.code for code in CODES}


def test_every_finding_about_such_a_file_says_how_to_go_on_in_one_line() -> None:
    for name in NAMES:
        for finding in found_in(FIXTURES / "invalid" / f"{name}.yaml")[0]:
            assert finding.help, finding
            assert "\n" not in finding.message + finding.why + finding.help
