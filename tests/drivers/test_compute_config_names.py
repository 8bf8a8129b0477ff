"""What people write as messages, paths and versions of compute configs, odd as it may be."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandari.drivers.compute_configs import ComputeConfigs
from bandari.pipeline.references import references

NO_LINE = st.text(st.characters(codec="utf-8"), max_size=30)


@given(st.one_of(NO_LINE, st.sampled_from(["why # ---", "# ---", "\n# ---\n", "sha256: x"])), NO_LINE)
def test_whatever_the_message_is_a_version_reads_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, message: str, text: str
) -> None:
    store = ComputeConfigs(tmp_path_factory.mktemp("store"))
    made, is_new = store.create("a", text, message=message, source="", created="2026-01-01T00:00:00Z")
    assert is_new
    assert (made.text, store.get("a").text) == (text, text)
    assert store.create("a", text, message="", source="", created="2026-01-02T00:00:00Z") == (made, False)


@pytest.mark.parametrize("words", ["~nosuchuser/x.yaml", "./a\\0b.yaml", "./not-there.yaml", "/"])
def test_a_path_that_leads_nowhere_is_answered_in_words(tmp_path: Path, words: str) -> None:
    text = f'local: {{rayClusters: [{{name: a, computeConfig: "{words}"}}]}}'
    [found] = references(text, str(tmp_path / "cluster.yaml")).values()
    assert found.text is None
    assert found.reason
    assert found.fix
