"""Every example and every valid fixture through every provider, on the driver that every other is held against."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import click
import pytest

from bandari.analysis.resolve import ResolvedState, anchor, resolve
from bandari.analysis.served import not_served
from bandari.cli.plantext import plan_text
from bandari.desired.state import ProviderName
from bandari.diagnostics import Diagnostics
from bandari.document import load
from bandari.pipeline.checking import Checked
from bandari.pipeline.planning import Planned
from bandari.pipeline.surroundings import machines
from bandari.planning.plan import plan
from bandari.providers import local
from bandari.providers.table import Provider
from bandari.runtimes.table import RUNTIMES, runtime_for
from bandari.specs.ray.references import Referenced, wanted
from bandari.specs.read import read
from bandari.testing import builders
from bandari.testing.conformance import holds_for_provider, holds_for_runtime

ROOT = Path(__file__).parents[2]
TEMPLATES = ("BND730", "BND731")
"""Files that are rendered with variables before they are read."""
VALID = sorted(p for p in (ROOT / "tests/fixtures/valid").glob("*.yaml") if not p.name.startswith(TEMPLATES))
FILES = [*sorted((ROOT / "examples").rglob("*.yaml")), *VALID]
GOLDEN = ROOT / "tests" / "fixtures" / "golden"
PROVIDERS = (local.provider,)
IMAGES = {"llama.cpp": "ghcr.io/ggml-org/llama.cpp:server-b6823", "vllm": "vllm/vllm-openai:v0.6.3"}


def resolved(file: Path) -> ResolvedState:
    document, _ = load(file.read_text(), file.name)
    named = {item.words: Referenced("{}") for item in wanted(document)} if document else {}
    state, found = read(file.read_text(), file.name, target=ProviderName.LOCAL, references=named)
    assert state is not None, list(found)
    return resolve(
        anchor(state, "/c"),
        host=builders.host(),
        runtime_for=runtime_for,
        stand_ins={},
        secret_digests={},
        machines=machines(),
    )


@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: provider.name)
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_file_goes_through_every_provider_and_nothing_is_left(file: Path, provider: Provider) -> None:
    holds_for_provider(provider, resolved(file))


@pytest.mark.parametrize("runtime", RUNTIMES, ids=lambda runtime: runtime.name)
def test_every_runtime_starts_where_it_is_told_and_is_probed_where_it_answers(runtime: object) -> None:
    found = next(known for known in RUNTIMES if known is runtime)
    holds_for_runtime(found, IMAGES[found.name])


@pytest.mark.parametrize("file", sorted((ROOT / "examples").rglob("*.yaml")), ids=lambda file: file.stem)
def test_the_plan_of_every_example_reads_as_its_golden_text(file: Path) -> None:
    """`BANDARI_GOLDEN=write` writes the texts anew; the difference is then for a person to read."""
    state = resolved(file)
    graph = local.provider.lower(state)
    missing = not_served(state.state, builders.host(), RUNTIMES, (), machines())
    checked = Checked(file.name, {}, state.state, state, Diagnostics(), missing)
    made = plan(graph, {}, local.provider.consequence)
    planned = Planned(checked, graph, {}, made, Diagnostics(), state.state.target.cluster)
    text = click.unstyle(plan_text(planned, colour=False, verbose=True)) + "\n"
    below = file.relative_to(ROOT / "examples").with_suffix("")
    golden = GOLDEN / f"{'-'.join(below.parts)}.plan.txt"
    if os.environ.get("BANDARI_GOLDEN") == "write":
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(text)
    assert text == golden.read_text()


def test_an_unsupported_item_is_said_and_not_lowered() -> None:
    state = resolved(ROOT / "examples" / "full-cluster.yaml")
    unsupported = {type(item).__name__ for item in local.provider.unsupported(state.state)}
    assert unsupported == {"Function", "JobQueue", "Monitoring", "VectorStore"}
    only = replace(state, state=replace(state.state, pools=()))
    assert local.provider.lower(only).by_address.keys() == local.provider.lower(state).by_address.keys()
