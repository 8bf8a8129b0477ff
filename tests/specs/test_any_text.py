"""Whatever is written into a file, reading it ends in an answer: a state, or findings on lines that exist."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bandari.analysis.lint import lint
from bandari.analysis.resolve import anchor, resolve
from bandari.analysis.served import not_served
from bandari.cli.findings import render
from bandari.desired.state import DesiredState, ProviderName
from bandari.document import load
from bandari.planning.plan import plan
from bandari.providers.local import provider
from bandari.runtimes.table import RUNTIMES, runtime_for
from bandari.specs.dialect import Language, language
from bandari.specs.ray.schema import schema as compute_schema
from bandari.specs.read import read
from bandari.specs.schema import schema
from bandari.testing import builders

ROOT = Path(__file__).parent.parent.parent
FIXTURES = ROOT / "tests" / "fixtures"
HOST = builders.host()
MACHINES = builders.few_machines()
VALIDATORS = {
    Language.CLUSTER_FILE: jsonschema.Draft202012Validator(schema()),
    Language.COMPUTE_CONFIG: jsonschema.Draft202012Validator(compute_schema()),
}
Place = tuple[dict[str, Any] | list[Any], str | int]


def _values(text: str) -> Any:
    document, _ = load(text, "seed.yaml")
    assert document is not None
    return document.value


SEEDS = [
    *(_values(path.read_text()) for path in sorted((ROOT / "examples").glob("*.yaml"))),
    *(_values(path.read_text()) for path in sorted((FIXTURES / "valid").glob("BND[23]*.yaml"))),
]
SCALARS: list[Any] = [
    *(None, True, False, 0, 1, -1, 2**70, 0.5, float("inf"), float("nan")),
    *("", " ", "chat", "A b", "50", "1.10", "012", "yes", "500m", "2Gi", "builtin:x", "a/b/c", "${x}", "\u00e9", "*"),
    *({}, [], [None], [[]], {"a": None}, {"name": 1}, [{"name": "chat"}], [{"type": "cpu", "metadata": {}}]),
]
KEYS = ["cluster", "local", "aws", "name", "minInstances", "nmae", "env", "value", "valueFrom", "<<", "1", "", "type"]


def _places(value: Any) -> Iterator[Place]:
    if isinstance(value, dict | list):
        for key, child in value.items() if isinstance(value, dict) else enumerate(value):
            yield value, key
            yield from _places(child)


def _change(value: Any, draw: Any) -> None:
    """One thing is dropped, renamed, doubled, swapped with another, or replaced."""
    places = list(_places(value))
    if not places:
        return
    holder, key = draw(st.sampled_from(places))
    other, second = draw(st.sampled_from(places))
    how = draw(st.sampled_from(["drop", "rename", "double", "swap", "replace", "replace"]))
    if how == "drop":
        del holder[key]
    elif how == "rename" and isinstance(holder, dict):
        holder[draw(st.sampled_from(KEYS))] = holder.pop(str(key))
    elif how == "double" and isinstance(holder, list):
        holder.append(copy.deepcopy(holder[int(key)]))
    elif how == "swap":
        found, there = copy.deepcopy(holder[key]), copy.deepcopy(other[second])
        holder[key], other[second] = there, found
    else:
        holder[key] = copy.deepcopy(draw(st.sampled_from(SCALARS)))


@st.composite
def changed_files(draw: Any) -> str:
    value = copy.deepcopy(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(1, 6))):
        _change(value, draw)
    text = yaml.safe_dump(value, allow_unicode=True, sort_keys=False, width=1000)
    return draw(broken(text)) if draw(st.integers(0, 3)) == 0 else text


def broken(text: str) -> st.SearchStrategy[str]:
    """The text with a line doubled, dropped or indented otherwise, or with a stray piece in it."""
    pieces = st.sampled_from(["\t", "- ", "&a ", "*a ", "!x ", "'", '"', "[", "{", ": ", "---\n", "|", "<<: ", "\x00"])
    lines = text.splitlines(keepends=True) or ["\n"]
    at = st.integers(0, len(lines) - 1)
    return st.one_of(
        at.map(lambda n: "".join([*lines[: n + 1], lines[n], *lines[n + 1 :]])),
        at.map(lambda n: "".join([*lines[:n], " " + lines[n], *lines[n + 1 :]])),
        st.builds(lambda n, piece: text[:n] + piece + text[n:], st.integers(0, len(text)), pieces),
    )


raw_text = st.text(st.sampled_from("ab:-[]{}&*!|>'\"#%@`,? \n\t\r\u0085\u2028\ufeff\x00~01<="), max_size=60)


def answer(text: str) -> None:
    lines = len(text.splitlines()) + 1
    state, found = read(text, "cluster.yaml")
    places = [place for finding in found for place in (finding.span, *(related.span for related in finding.related))]
    assert all(place.file == "cluster.yaml" and 1 <= place.line <= lines and place.column >= 1 for place in places)
    assert (state is None) == bool(found.errors)
    assert render(found, {"cluster.yaml": text}, colour=False)
    if state is not None:
        document, _ = load(text, "cluster.yaml")
        assert document is not None
        written_in = language(document)
        assert isinstance(written_in, Language)
        assert [error.message for error in VALIDATORS[written_in].iter_errors(document.value)] == []
        checked(state, lines)


def checked(state: DesiredState, lines: int) -> None:
    """The other stages of `check` and of `render`: advice, this machine, engines, resources."""
    missing = not_served(state, HOST, RUNTIMES, ())
    advice = [*lint(state, MACHINES, RUNTIMES), *(item.diagnostic for item in missing)]
    assert all(1 <= finding.span.line <= lines for finding in advice)
    here = replace(state, target=replace(state.target, provider=ProviderName.LOCAL))
    resolved = resolve(anchor(here, "/c"), host=HOST, runtime_for=runtime_for, stand_ins={}, secret_digests={})
    made = plan(provider.lower(resolved), {}, provider.consequence)
    json.dumps([change.to_json() for change in made.changes])


def texts() -> st.SearchStrategy[str]:
    return st.one_of(changed_files(), changed_files(), changed_files(), raw_text)


quiet: Sequence[HealthCheck] = [HealthCheck.too_slow, HealthCheck.data_too_large]


@settings(max_examples=300, deadline=None, suppress_health_check=quiet)
@given(texts())
def test_any_text_is_answered(text: str) -> None:
    answer(text)


@pytest.mark.slow
@settings(max_examples=10_000, deadline=None, suppress_health_check=quiet)
@given(texts())
def test_ten_thousand_texts_are_answered(text: str) -> None:
    answer(text)
