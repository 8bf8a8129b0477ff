"""The examples: what is wrong with the language's own file is found, line by line, and nothing else is said."""

from __future__ import annotations

import gzip
from importlib import resources
from pathlib import Path

import pytest

from bandari.analysis.lint import lint
from bandari.analysis.served import NotServed, not_served
from bandari.catalog import machines
from bandari.catalog.machines import Machines
from bandari.desired.state import DesiredState, ProviderName
from bandari.diagnostics import Diagnostic
from bandari.runtimes.table import RUNTIMES
from bandari.specs.read import read
from bandari.testing.builders import host

MISTAKES = {
    ("BND401", "nodeType: g4dn.xlarge"): "a GPU machine without gpu.enabled",
    ("BND405", "image: ghcr.io/ggerganov/llama.cpp:server"): "an image that is not pinned",
    ("BND419", "port: 8080"): "the two probes ask a port on which nothing listens (their paths are filled in)",
    ("BND409", "- name: my-volume"): "a volume that exists nowhere",
    ("BND412", "query: |"): "the trigger of one group watches the other",
    ("BND418", "replicas: 2"): "Qdrant with two replicas",
}
"""Code and start of its line -> the mistake. (A config map may be made in the cluster at any time: no finding.)"""

NOT_HERE = {
    ("BND501", "prometheus:"): (True, "prometheus"),
    ("BND501", "function:"): (True, "function"),
    ("BND501", "vectorStore:"): (True, "vectorStore"),
    ("BND501", "job:"): (True, "job"),
    ("BND505", "configMapKeyRef:"): (True, ""),
    ("BND507", "- name: my-volume"): (True, ""),
    ("BND502", "enabled: true"): (True, ""),
    ("BND503", "image: vllm/vllm-openai:v0.4.2"): (True, ""),
    ("BND510", "serverAddress: http://kube-prometheus-stack-prometheus"): (False, ""),
}
"""Code and start of its line -> does it block, and the section that may be skipped."""


@pytest.fixture(scope="module")
def catalog() -> Machines:
    packed = (resources.files("bandari.catalog") / "data" / "machines.csv.gz").read_bytes()
    return machines.parse(gzip.decompress(packed).decode())


def state_of(path: Path, target: ProviderName | None = None) -> DesiredState:
    state, found = read(path.read_text(), str(path), target=target)
    assert list(found) == []
    assert state is not None
    return state


def lacking(path: Path) -> tuple[NotServed, ...]:
    return not_served(state_of(path, ProviderName.LOCAL), host(), RUNTIMES, frozenset())


def line(path: Path, finding: Diagnostic) -> str:
    return path.read_text().splitlines()[finding.span.line - 1].strip()


def test_the_full_file_has_exactly_its_known_mistakes(examples: Path, catalog: Machines) -> None:
    path = examples / "full-cluster.yaml"
    found = [(finding.code, line(path, finding)) for finding in lint(state_of(path), catalog, RUNTIMES)]
    unexpected = [
        item for item in found if not any(item[0] == code and item[1].startswith(start) for code, start in MISTAKES)
    ]
    assert unexpected == []
    assert {code for code, _ in found} == {code for code, _ in MISTAKES}
    assert len(found) == len(MISTAKES) + 1, "two probes, everything else once"


def test_what_this_machine_lacks_of_the_full_file_points_at_its_lines(examples: Path) -> None:
    path = examples / "full-cluster.yaml"
    points = lacking(path)
    assert len(points) == len(NOT_HERE)
    for point in points:
        code, text = point.diagnostic.code, line(path, point.diagnostic)
        start = next(start for known, start in NOT_HERE if known == code and text.startswith(start))
        assert (point.blocking, point.skip) == NOT_HERE[code, start]


def test_stand_ins_and_skipped_sections_settle_all_that_blocks_the_full_file(examples: Path) -> None:
    blocking = [point for point in lacking(examples / "full-cluster.yaml") if point.blocking]
    assert all(point.stand_in or point.skip for point in blocking)
    assert {point.item for point in blocking if point.stand_in} == {"llama2-7b-chat", "llama2-7b-chat-awq"}


def test_the_quickstart_has_no_finding(examples: Path, catalog: Machines) -> None:
    state = state_of(examples / "quickstart.yaml")
    assert list(lint(state, catalog, RUNTIMES)) == []
    assert lacking(examples / "quickstart.yaml") == ()
