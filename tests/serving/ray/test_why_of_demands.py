from __future__ import annotations

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from bandari.serving.ray.why import Candidate, Demand, lines, misfit

NAMES = st.sampled_from(["CPU", "GPU", "widget", "memory"])
AMOUNTS = st.integers(0, 8).map(float)
RESOURCES = st.dictionaries(NAMES, AMOUNTS, max_size=4)
LABELS = st.dictionaries(st.sampled_from(["team", "zone"]), st.sampled_from(["red", "blue"]), max_size=2)
SELECTOR = st.tuples(
    st.sampled_from(["team", "zone"]), st.sampled_from(["in", "not in"]), st.tuples(st.sampled_from(["red", "blue"]))
)
SELECTORS = st.lists(SELECTOR, max_size=2).map(tuple)
DEMANDS = st.builds(Demand, resources=RESOURCES, count=st.integers(1, 5), labels=SELECTORS)
CANDIDATES = st.builds(
    Candidate,
    group=st.sampled_from(["a", "b", "c"]),
    resources=RESOURCES,
    labels=LABELS,
    counted=RESOURCES,
    nodes=st.integers(0, 4),
    starting=st.integers(0, 1),
    max=st.integers(0, 4),
    fixed=st.booleans(),
    held=st.sampled_from(["", "there is no spot now"]),
)
WORK = Candidate("work", {"CPU": 2.0, "widget": 1.0}, {"team": "red"}, {"CPU": 2.0}, nodes=1, max=3)


def told(demand: Demand, *candidates: Candidate, maximum: Mapping[str, float] | None = None) -> str:
    nodes = [one.counted for one in candidates for _ in range(one.nodes)]
    return "\n".join(lines([demand], candidates, nodes=nodes, maximum=maximum or {}))


def test_a_resource_that_nobody_has_is_named_with_the_nearest_one() -> None:
    assert told(Demand({"widgit": 1.0}), WORK) == '1 x {1 widgit}: no node has the resource "widgit"; "widget"?'
    assert told(Demand({"CPU": 4.0}, 2), WORK) == "2 x {4 CPU}: no node has more than 2 CPU"


def test_a_label_that_nobody_has_is_named() -> None:
    demand = Demand({"CPU": 1.0}, labels=(("team", "in", ("blue",)),))
    assert told(demand, WORK) == "1 x {1 CPU} with team in blue: no node has a label team in blue"


def test_what_holds_a_group_back_is_said() -> None:
    demand = Demand({"CPU": 2.0})
    full = Candidate("work", WORK.resources, counted={"CPU": 2.0}, nodes=3, max=3)
    fixed = Candidate("work", WORK.resources, nodes=2, max=2, fixed=True)
    spot = Candidate("work", WORK.resources, nodes=0, max=2, held="there is no spot in a, b now")
    assert told(demand, full).endswith('group "work" could take it: it has all of its at most 3 nodes')
    assert told(demand, fixed).endswith("its 2 nodes are busy, and its size is fixed")
    assert told(demand, spot).endswith("there is no spot in a, b now")
    assert 'the cluster may have 2 "CPU", has 2, and a node would add 2' in told(demand, WORK, maximum={"CPU": 2.0})
    assert told(demand, WORK).endswith("1 of at most 3 nodes; the autoscaler may start another")


@given(st.lists(DEMANDS, max_size=4), st.lists(CANDIDATES, max_size=4, unique_by=lambda one: one.group), RESOURCES)
def test_every_demand_is_answered_by_the_groups_that_fit_and_only_by_them(
    demands: list[Demand], candidates: list[Candidate], maximum: dict[str, float]
) -> None:
    answers = lines(demands, candidates, nodes=[], maximum=maximum)
    expected = [max(1, sum(not misfit(demand, one) for one in candidates)) for demand in demands]
    assert len(answers) == sum(expected)
    at = 0
    for demand, count in zip(demands, expected, strict=True):
        named = [line for line in answers[at : at + count] if " could take it: " in line]
        at += count
        fitting = [one.group for one in candidates if not misfit(demand, one)]
        assert [line.partition('group "')[2].partition('"')[0] for line in named] == fitting


@given(DEMANDS, st.lists(CANDIDATES, max_size=4, unique_by=lambda one: one.group))
def test_what_nobody_can_take_has_a_reason_against_every_group(demand: Demand, candidates: list[Candidate]) -> None:
    if all(misfit(demand, one) for one in candidates):
        (line,) = lines([demand], candidates, nodes=[], maximum={})
        assert ": no " in line
