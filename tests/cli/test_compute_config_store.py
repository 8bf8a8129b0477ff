"""`bandari compute-config` as a user has it, and the files that name what it keeps."""

from __future__ import annotations

import json
from pathlib import Path

from jsonschema import Draft202012Validator

from bandari.testing.user import User

SCHEMA = Path(__file__).parents[2] / "docs" / "schemas" / "compute-configs.json"

SMALL = "head_node: {instance_type: m5.2xlarge}\nworker_nodes: [{name: w, instance_type: m5.xlarge, max_nodes: 2}]\n"
JOB = "entrypoint: python main.py\ncompute_config: {}\n"


def test_a_config_is_kept_compared_named_promoted_and_archived(user: User) -> None:
    user.write(SMALL, "compute.yaml")
    made = user.bandari("compute-config", "create", "train", "-f", "compute.yaml", "-m", "first", "--json").document
    assert (made["version"], made["config"]["version"], made["new"]) == (1, 1, True)
    assert "no new version" in user.bandari("compute-config", "create", "train", "-f", "compute.yaml").out
    user.write(SMALL.replace("max_nodes: 2", "max_nodes: 4"), "compute.yaml")
    assert "+" in user.bandari("compute-config", "create", "train", "-f", "compute.yaml", "-m", "more").out
    assert user.bandari("compute-config", "get", "train:1").out == SMALL
    assert "max_nodes: 4" in user.bandari("compute-config", "get", "train", "--diff").out
    promoted = user.bandari("compute-config", "create", "prod", "--from", "train:2", "--json").document
    assert promoted["config"]["source"] == "train:2"
    document = user.bandari("compute-config", "list", "--json").document
    Draft202012Validator(json.loads(SCHEMA.read_text())).validate(document)
    listed = document["configs"]
    assert [(row["name"], row["version"]) for row in listed] == [("prod", 1), ("train", 2)]

    user.write(JOB.format("train:1"), "job.yaml")
    checked = user.bandari("check", "job.yaml")
    assert checked.code == 0, checked.err
    assert "0 to 2" in checked.out
    assert user.bandari("compute-config", "archive", "train").code == 0
    refused = user.bandari("check", "job.yaml", "--json")
    assert [d["code"] for d in refused.document["diagnostics"]] == ["BND745"]


def test_a_config_with_mistakes_is_not_kept_and_all_of_them_are_said(user: User) -> None:
    user.write("worker_nodes: [{instance_typ: m5.xlarge}, {instance_type: m5.large, min_nodes: -1}]\n", "compute.yaml")
    done = user.bandari("compute-config", "create", "train", "-f", "compute.yaml", "--json")
    assert done.code == 2
    assert len(done.document["diagnostics"]) >= 2
    assert user.bandari("compute-config", "list", "--json").document["configs"] == []


def test_what_is_wrong_in_a_named_config_is_said_where_it_stands(user: User) -> None:
    user.write("worker_nodes: [{instance_type: m5.xlarge, min_nodes: 9, max_nodes: 2}]\n", "compute.yaml")
    text = 'version: "1.3"\nlocal:\n  cluster: {name: lab}\n  rayClusters:\n    - name: small\n'
    user.write(text + "      computeConfig: ./compute.yaml\n", "cluster.yaml")
    [finding] = user.bandari("check", "--json").document["diagnostics"]
    assert finding["file"].endswith("compute.yaml")
    assert finding["line"] == 1
