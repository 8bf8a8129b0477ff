"""What `check` and `plan` say of a compute config's nodes."""

from __future__ import annotations

from pathlib import Path

from bandari.testing.user import User

MANY = "head_node: {instance_type: m5.2xlarge}\nworker_nodes:\n" + "".join(
    f"  - {{name: g{number}, instance_type: m5.large, max_nodes: 1}}\n" for number in range(60)
)


def test_check_shows_what_the_nodes_are_without_a_target_and_scales_nothing(user: User, examples: Path) -> None:
    out = user.bandari("check", str(examples / "ray" / "spot.yaml")).out
    assert "m5.xlarge: 4 vCPU, 16 GiB" in out
    assert "spot first" in out
    assert "prices of 2026-07-20" in out
    assert "here" not in out
    assert "scale" not in out


def test_a_plan_shows_the_scale_and_what_each_node_gets_here(user: User, examples: Path) -> None:
    out = user.bandari("plan", str(examples / "ray" / "limits.yaml"), "--target", "local").out
    assert "at least 4 CPU, at most 8 CPU" in out
    assert "bytes x 1/" in out
    assert "CPUs, GPUs and custom resources stay as declared" in out


def test_a_table_of_many_groups_says_how_many_it_leaves_out(user: User) -> None:
    path = user.write(MANY, "many.yaml")
    out = user.bandari("check", str(path)).out
    assert "and 36 more groups" in out
    assert "g23 " in out
    assert "g24 " not in out


def test_an_empty_compute_config_is_a_head_of_the_default_size(user: User, examples: Path) -> None:
    out = user.bandari("plan", str(examples / "ray" / "empty.yaml"), "--target", "local").out
    assert "m5.2xlarge: 8 vCPU, 32 GiB" in out
    assert "2 to create" in out
    assert "gateway" not in out


def test_rendered_resources_become_files_also_where_a_group_stands_in_the_address(user: User, examples: Path) -> None:
    done = user.bandari("render", str(examples / "ray" / "fixed.yaml"), "--target", "local", "-o", "out")
    assert done.code == 0, done.err
    names = {path.name for path in (user.folder / "out").iterdir()}
    assert names == {"rayenv.fixed.yaml", "ray.fixed.yaml", "raygroup.fixed.workers.yaml"}
