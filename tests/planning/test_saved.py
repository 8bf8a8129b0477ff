from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bandari.planning.saved import SavedPlan

PLAN = SavedPlan("/c.yaml", "local", ("tiny",), ("tracing",), "f", "g", "o", "1", ({"action": "create"},))


def test_a_saved_plan_reads_back_as_it_was() -> None:
    assert SavedPlan.parse(PLAN.to_text()) == PLAN


@given(st.text(max_size=60) | st.sampled_from(["{}", "[]", '{"bandari_plan": 1}', '{"bandari_plan": 2, "file": ""}']))
def test_anything_else_is_no_saved_plan(text: str) -> None:
    assert SavedPlan.parse(text) is None


def test_each_thing_that_a_plan_stands_on_makes_it_stale() -> None:
    for name in ("file_digest", "graph_digest", "observed_digest", "bandari"):
        changed = SavedPlan.parse(PLAN.to_text().replace(f'"{name}": "{getattr(PLAN, name)}"', f'"{name}": "x"'))
        assert changed is not None
        assert PLAN.stale(changed)
    assert PLAN.stale(PLAN) == ""
