"""The files of BND4xx and BND5xx: a bad one with its findings marked on their lines, and a good one without any."""

from __future__ import annotations

import gzip
import re
from importlib import resources
from pathlib import Path

import pytest

from bandari.analysis.lint import lint
from bandari.analysis.served import not_served
from bandari.catalog import machines
from bandari.catalog.host import Host
from bandari.catalog.machines import Machines
from bandari.codes import CODES
from bandari.desired.state import DesiredState, ProviderName
from bandari.diagnostics import Diagnostic
from bandari.runtimes.table import RUNTIMES
from bandari.specs.read import read
from bandari.testing.builders import host

FIXTURES = Path(__file__).parent.parent / "fixtures"
BAD = sorted((FIXTURES / "invalid").glob("BND[45]*.yaml"))
GOOD = sorted((FIXTURES / "valid").glob("BND[45]*.yaml"))
MARK = re.compile(r"# (?P<severity>error|warning)\[(?P<code>BND\d{3})\]")
HOSTS: dict[str, Host] = {"BND514": host(system="Darwin"), "BND515": host(mount_namespaces=False)}
"""Where it is the machine that matters, the one on which the bad file is looked at."""

Found = set[tuple[int, str, str]]
"""Line, severity, code."""


@pytest.fixture(scope="module")
def catalog() -> Machines:
    packed = (resources.files("bandari.catalog") / "data" / "machines.csv.gz").read_bytes()
    return machines.parse(gzip.decompress(packed).decode())


def name(path: Path) -> str:
    return path.stem


def marks(path: Path) -> Found:
    lines = enumerate(path.read_text().splitlines(), start=1)
    return {(number, mark["severity"], mark["code"]) for number, line in lines for mark in MARK.finditer(line)}


def state_of(path: Path, target: ProviderName | None = None) -> DesiredState:
    state, found = read(path.read_text(), str(path), target=target)
    assert state is not None, list(found)
    assert [f for f in found if f.severity == "error"] == []
    return state


def findings(state: DesiredState, catalog: Machines, here: Host) -> list[Diagnostic]:
    advice = list(lint(state, catalog, RUNTIMES))
    if state.target.provider is not ProviderName.LOCAL:
        return advice
    return [*advice, *(point.diagnostic for point in not_served(state, here, RUNTIMES, frozenset()))]


def places(found: list[Diagnostic]) -> Found:
    return {(finding.span.line, finding.severity.value, finding.code) for finding in found}


@pytest.mark.parametrize("path", BAD, ids=name)
def test_a_bad_file_has_the_findings_that_are_marked_in_it_and_no_others(path: Path, catalog: Machines) -> None:
    here = HOSTS.get(path.stem[:6], host())
    expected = marks(path)
    assert expected, "nothing is marked"
    assert places(findings(state_of(path), catalog, here)) == expected


@pytest.mark.parametrize("path", GOOD, ids=name)
def test_a_good_file_has_no_finding(path: Path, catalog: Machines) -> None:
    assert places(findings(state_of(path), catalog, host())) == set()


def test_the_starter_file_of_init_has_no_finding(catalog: Machines) -> None:
    with resources.as_file(resources.files("bandari.cli") / "starter.yaml") as path:
        assert findings(state_of(path), catalog, host()) == []


def test_every_code_has_a_bad_file_and_a_good_one() -> None:
    codes = {code for code in CODES if code.startswith(("BND4", "BND5"))}
    assert {path.stem[:6] for path in BAD} == codes
    assert {path.stem for path in GOOD} == {path.stem for path in BAD}
