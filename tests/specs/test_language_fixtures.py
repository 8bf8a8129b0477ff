"""The files of BND1xx to BND3xx: a bad one with its findings marked on their lines, and a good one without any."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bandari.codes import CODES
from bandari.diagnostics import Diagnostics
from bandari.document import MAX_BYTES, decode
from bandari.specs.read import read

FIXTURES = Path(__file__).parent.parent / "fixtures"
BAD = sorted((FIXTURES / "invalid").glob("BND[123]*.yaml"))
GOOD = sorted((FIXTURES / "valid").glob("BND[123]*.yaml"))
MARK = re.compile(r"# (?P<severity>error|warning)\[(?P<code>BND\d{3})\]")
UNMARKED: dict[str, bytes] = {
    "BND105": b"",
    "BND107": b'version: "1.3"\nlocal: \xff\xfe\n',
    "BND108": b"#" * (MAX_BYTES + 1),
}
"""Files that cannot carry a comment."""
ELSEWHERE = {"BND100"}
"""Found where files are opened; its test is there."""

Found = set[tuple[int, str, str]]
"""Line, severity, code."""


def name(path: Path) -> str:
    return path.stem


def marks(path: Path) -> Found:
    lines = enumerate(path.read_text().splitlines(), start=1)
    return {(number, mark["severity"], mark["code"]) for number, line in lines for mark in MARK.finditer(line)}


def places(found: Diagnostics) -> Found:
    return {(finding.span.line, finding.severity.value, finding.code) for finding in found}


@pytest.mark.parametrize("path", BAD, ids=name)
def test_a_bad_file_has_the_findings_that_are_marked_in_it_and_no_others(path: Path) -> None:
    state, found = read(path.read_text(), str(path))
    assert places(found) == marks(path) != set()
    assert (state is None) == bool(found.errors)


@pytest.mark.parametrize("path", GOOD, ids=name)
def test_a_good_file_has_no_finding(path: Path) -> None:
    state, found = read(path.read_text(), str(path))
    assert list(found) == []
    assert state is not None


@pytest.mark.parametrize("code", UNMARKED)
def test_a_file_that_cannot_carry_a_mark_is_answered_on_a_line_of_it(code: str) -> None:
    text, found = decode(UNMARKED[code], "cluster.yaml")
    if text is not None:
        state, found = read(text, "cluster.yaml")
        assert state is None
    assert [finding.code for finding in found] == [code]


def test_every_code_has_a_bad_file_and_a_good_one() -> None:
    codes = {code for code in CODES if code.startswith(("BND1", "BND2", "BND3"))}
    assert {path.stem[:6] for path in BAD} | set(UNMARKED) | ELSEWHERE == codes
    assert {path.stem for path in GOOD} == {path.stem for path in BAD}


def test_every_finding_says_how_to_go_on_in_one_line() -> None:
    for path in BAD:
        for finding in read(path.read_text(), str(path))[1]:
            assert finding.help, finding
            assert "\n" not in finding.message + finding.why + finding.help
