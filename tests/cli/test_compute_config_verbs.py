"""Compute configs on the command line: without a target, by a name, and as templates."""

from __future__ import annotations

import json

from bandari.testing.user import User

HEAD = "head_node: {instance_type: m5.2xlarge}\n"


def test_check_looks_at_a_compute_config_without_a_target(user: User) -> None:
    user.write(HEAD, "compute.yaml")
    done = user.bandari("check", "compute.yaml")
    assert done.code == 0, done.err
    assert done.out.startswith("compute.yaml: ok (cluster 'compute' on any target, 1 Ray cluster)\n")


def test_plan_asks_for_a_target(user: User) -> None:
    user.write(HEAD, "compute.yaml")
    done = user.bandari("plan", "compute.yaml")
    assert done.code == 2
    assert "error[BND608]" in done.err
    assert "--target local" in done.err


def test_a_name_makes_an_empty_file_a_compute_config(user: User) -> None:
    user.write("# head only\n", "compute.yaml")
    assert user.bandari("check", "compute.yaml").code == 2
    done = user.bandari("check", "compute.yaml", "--name", "demo")
    assert (done.code, "cluster 'demo'" in done.out) == (0, True)


def test_a_template_is_rendered_with_its_variables(user: User) -> None:
    user.write("cloud: {{ env['CLOUD'] }}\nworker_node: []\n", "compute.yaml")
    user.write("env: {CLOUD: demo}\n", "env.yaml")
    alone = user.bandari("check", "compute.yaml")
    assert (alone.code, alone.err.count("error["), "--render" in alone.err) == (2, 1, True)
    done = user.bandari("check", "compute.yaml", "--render", "env.yaml")
    assert done.code == 2
    assert "compute.yaml (rendered):2:1" in done.err
    assert "worker_node: []" in done.err


def test_the_schema_of_each_language_is_printed(user: User) -> None:
    titles = [
        json.loads(user.bandari("schema", *words).out)["title"] for words in ([], ["cluster"], ["compute-config"])
    ]
    assert titles == ["bandari cluster file", "bandari cluster file", "bandari compute config"]
    assert user.bandari("schema", "compute").code == 2


def test_a_saved_plan_of_a_template_is_stale_when_its_variables_change(user: User) -> None:
    user.write(HEAD + "zones: [{{ zone }}]\n", "compute.yaml")
    user.write("zone: here\n", "env.yaml")
    words = ("compute.yaml", "--target", "local", "--render", "env.yaml", "--name", "demo")
    saved = user.bandari("plan", *words, "--offline", "-o", "plan.json")
    assert saved.code in {0, 3}, saved.err
    user.write("zone: there\n", "env.yaml")
    done = user.bandari("up", "plan.json", "--yes")
    assert done.code == 2
    assert "the file changed" in done.err
