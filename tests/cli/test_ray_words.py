"""What is said of Ray clusters and their jobs, beyond the road of one job."""

from __future__ import annotations

from typing import Any

import click
import pytest

from bandari.cli.findings import render
from bandari.cli.progress import Lines
from bandari.cli.ray.told import job_lines, recent_job_lines, said
from bandari.cli.status import status_lines
from bandari.cli.up import ray_lines
from bandari.diagnostics import Span, error


def job(name: str, state: str = "SUCCEEDED", **more: Any) -> dict[str, Any]:
    over = 0.0 if state in ("RUNNING", "PENDING") else 20.0
    return {"name": name, "state": state, "entrypoint": "x --token=abc", "started": 10.0, "ended": over, **more}


def part(kind: str, name: str, ready: int = 0) -> dict[str, Any]:
    return {"kind": kind, "name": name, "state": "ready" if ready else "starting", "ready": ready, "replicas": 1}


def test_beside_the_nodes_stand_the_jobs_that_run_and_the_newest_that_are_over() -> None:
    rows = [job("old"), job("runs", "RUNNING"), *(job(f"new-{n}") for n in range(5))]
    text = click.unstyle("\n".join(recent_job_lines(rows)))
    assert "old  " not in text
    assert [f"new-{n}" in text for n in range(5)] == [True] * 5
    assert "runs" in text
    assert text.endswith("and 1 older; `bandari ray jobs` lists them all")


def test_a_job_that_was_stopped_is_not_said_to_be_stopped_twice(capsys: pytest.CaptureFixture[str]) -> None:
    row = job("a", "STOPPED", message="stopped")
    assert said(row) == 1
    assert capsys.readouterr().err == "a was stopped\n"
    assert len(list(job_lines([row]))) == 2


def test_a_table_of_jobs_shows_no_credential_of_their_commands() -> None:
    assert "abc" not in "\n".join(job_lines([job("a")]))


def test_a_finding_of_no_line_names_none() -> None:
    found = error("BND797", Span("", 0, 0), "cannot run Ray 1.2 on this machine", fix="add --ray-version 2.60.0")
    assert "-->" not in render([found], {}, colour=False)


def test_kinds_of_any_length_stand_in_one_column() -> None:
    lines = list(status_lines("c", {"ready": True, "parts": [part("ray", "a", 1), part("rayservice", "web", 1)]}))
    assert len({click.unstyle(line).index("ready") for line in lines[1:]}) == 1


def test_parts_of_one_name_are_told_apart_while_they_start(capsys: pytest.CaptureFixture[str]) -> None:
    Lines().waiting({"parts": [part("ray", "web"), part("rayservice", "web"), part("group", "chat")]})
    assert capsys.readouterr().out == (
        "    waiting for ray web: starting (0/1), rayservice web: starting (0/1), chat: starting (0/1)\n"
    )


def test_up_says_what_to_do_next_with_a_ray_cluster() -> None:
    seen = {"parts": [part("ray", "train", 1), part("ray", "b", 1), part("raygroup", "train/cpu", 1)]}
    assert list(ray_lines("train", seen)) == [
        "run a job on train with `bandari ray submit --cluster train -- COMMAND`",
        "run a job on b with `bandari ray submit --cluster train/b -- COMMAND`",
    ]
