"""The files of BND76x to BND78x: a bad one with its findings marked on their lines, and a good one without any of that
code. Compute configs name no target; what only one target says is looked at there.
"""

from __future__ import annotations

import gzip
import re
import subprocess
import sys
from importlib import resources
from pathlib import Path

import pytest

from bandari.analysis.lint import lint
from bandari.analysis.rules import rules_for
from bandari.analysis.served import not_served
from bandari.catalog import machines
from bandari.catalog.host import Host
from bandari.catalog.machines import Machines
from bandari.codes import ray_advice
from bandari.desired.state import ProviderName
from bandari.diagnostics import Diagnostic
from bandari.runtimes.table import RUNTIMES
from bandari.specs.read import read
from bandari.testing.builders import host, local_state, ray_cluster

FIXTURES = Path(__file__).parents[2] / "fixtures"
BAD = sorted((FIXTURES / "invalid").glob("BND7[678]*.yaml"))
GOOD = sorted((FIXTURES / "valid").glob("BND7[678]*.yaml"))
MARK = re.compile(r"# (?P<severity>error|warning)\[(?P<code>BND7[678]\d)\]")
HERE = (*range(780, 786), 787, 788)
"""Codes of what this machine lacks."""
TARGETS = {
    "BND761": ProviderName.KUBERNETES,
    "BND777": ProviderName.KUBERNETES,
    **{f"BND{number}": ProviderName.LOCAL for number in HERE},
}
HOSTS: dict[str, Host] = {"BND785": host(engines={})}
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


def findings(path: Path, catalog: Machines, here: Host) -> list[Diagnostic]:
    target = TARGETS.get(path.stem[:6])
    state, found = read(path.read_text(), str(path), target=target)
    assert state is not None, list(found)
    advice = list(lint(state, catalog, RUNTIMES))
    if target is not ProviderName.LOCAL:
        return advice
    return [*advice, *(point.diagnostic for point in not_served(state, here, RUNTIMES, (), catalog))]


def places(found: list[Diagnostic]) -> Found:
    return {(finding.span.line, finding.severity.value, finding.code) for finding in found}


@pytest.mark.parametrize("path", BAD, ids=name)
def test_a_bad_file_has_the_findings_that_are_marked_in_it_and_no_others(path: Path, catalog: Machines) -> None:
    expected = marks(path)
    assert expected, "nothing is marked"
    assert places(findings(path, catalog, HOSTS.get(path.stem[:6], host()))) == expected


@pytest.mark.parametrize("path", GOOD, ids=name)
def test_a_good_file_has_none_of_its_finding(path: Path, catalog: Machines) -> None:
    assert path.stem[:6] not in {finding.code for finding in findings(path, catalog, host())}


@pytest.mark.parametrize("path", BAD, ids=name)
def test_every_finding_says_what_why_and_how_to_go_on(path: Path, catalog: Machines) -> None:
    for finding in findings(path, catalog, HOSTS.get(path.stem[:6], host())):
        assert re.match(r"cannot \w+ ", finding.message)
        assert all(text and "\n" not in text for text in (finding.message, finding.why, finding.help))


def test_every_code_has_a_bad_file_and_a_good_one() -> None:
    codes = {code.code for code in ray_advice.CODES}
    assert {path.stem[:6] for path in BAD} == codes
    assert {path.stem for path in GOOD} == {path.stem for path in BAD}


def test_a_state_without_ray_clusters_does_not_pay_for_their_rules() -> None:
    code = "import sys, bandari.analysis.lint; print('bandari.analysis.rules.ray' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_every_rule_stands_in_the_table_once_in_the_order_of_its_code() -> None:
    table = [rule.code for rule in rules_for(local_state(ray_cluster())) if rule.code > "BND7"]
    assert table == sorted(set(table))
