"""Labels of nodes against the rules of Ray itself."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from ray._private.label_utils import validate_node_label_syntax

from bandari.serving.ray.autoscaling import NODE_GROUP_LABEL, node_labels


def test_a_group_keeps_its_name_but_for_what_a_label_may_not_hold() -> None:
    labels = node_labels("1xT4:4CPU-16GB", market="spot", region="", zone="us-west-2a")
    assert labels[NODE_GROUP_LABEL] == "1xT4_4CPU-16GB"


@given(st.text(max_size=80), st.text(max_size=80))
def test_ray_takes_the_labels_of_any_group_and_zone(group: str, zone: str) -> None:
    validate_node_label_syntax(dict(node_labels(group, market="on-demand", region="local", zone=zone)))
