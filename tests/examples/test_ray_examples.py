"""Every example of a compute config, brought up on real Ray here and asked by a job of Ray's own client. They come in
pairs, as two clusters of one user stand side by side and a head spends half of its start waiting.
"""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bandari.serving.supervisor.ray import places
from bandari.testing.user import User

pytestmark = [pytest.mark.engine, pytest.mark.slow, pytest.mark.timeout(600)]

PATIENCE = 240
RAY = str(Path(sys.executable).parent / "ray")
BEGIN = """
import collections, json, os, tempfile, time, ray
ray.init(logging_level="ERROR", log_to_driver=False)
def alive(): return [n for n in ray.nodes() if n["Alive"]]
def labels(name): return sorted(n["Labels"].get("ray.io/" + name, "") for n in alive())
def where(): return ray.get_runtime_context().get_node_labels()["ray.io/node-group"]
def told(**facts): print("told", json.dumps(facts, sort_keys=True))
"""
ASKED = {
    "empty": (
        'told(cpu=ray.cluster_resources()["CPU"], nodes=len(alive()))',
        '{"cpu": 8.0, "nodes": 1}',
    ),
    "fixed": (
        'told(cpu=ray.cluster_resources()["CPU"], groups=labels("node-group"))',
        '{"cpu": 8.0, "groups": ["head", "workers", "workers"]}',
    ),
    "heterogeneous": (
        """
on = ray.remote(num_cpus=1)(where)
told(disk=ray.get(on.options(resources={"fast_disk": 1}).remote()),
     tier=ray.get(on.options(label_selector={"tier": "batch"}).remote()),
     gpu=ray.get(on.options(num_gpus=1).remote()),
     kind=ray.get(on.options(label_selector={"ray.io/accelerator-type": "T4"}).remote()))
""",
        '{"disk": "cpu", "gpu": "gpu", "kind": "gpu", "tier": "cpu"}',
    ),
    "spot": (
        """
@ray.remote(num_cpus=4)
def both(door, name):  # waits without Ray: a task that waits in ray.get gives its CPUs back
    open(os.path.join(door, name), "w").close()
    while len(os.listdir(door)) < 2: time.sleep(0.1)
    return where()
door = tempfile.mkdtemp(dir=os.getcwd())
told(groups=sorted(ray.get([both.remote(door, name) for name in "ab"])), markets=labels("market-type"))
""",
        '{"groups": ["base", "spot"], "markets": ["on-demand", "on-demand", "spot"]}',
    ),
    "limits": (
        """
@ray.remote(num_cpus=2)
def step(): time.sleep(2); return 1
waiting, most = [step.remote() for _ in range(12)], 0
while waiting:
    done, waiting = ray.wait(waiting, timeout=0.2)
    most = max(most, sum(n["Resources"].get("CPU", 0) for n in alive()))
told(most=most)
""",
        '{"most": 8.0}',
    ),
    "zones": (
        'told(zones=sorted(n["Labels"]["ray.io/availability-zone"] for n in alive() if n["Resources"].get("CPU")))',
        '{"zones": ["us-west-2a", "us-west-2b"]}',
    ),
}
"""Example -> what a job asks of its cluster, and what it is to be told."""
PAIRS = (("empty", "limits"), ("fixed", "zones"), ("heterogeneous", "spot"))


def submitted(user: User, name: str, dashboard: str, code: str) -> str:
    """The log of a job that Ray's own client submits and follows; its working directory holds the code."""
    folder = user.folder / f"asked-{name}"
    folder.mkdir()
    (folder / "asked.py").write_text(BEGIN + code)
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("BANDARI_", "RAY_"))}
    words = [
        RAY,
        "job",
        "submit",
        "--address",
        dashboard,
        "--working-dir",
        str(folder),
        "--",
        sys.executable,
        "asked.py",
    ]
    done = subprocess.run(
        words, env={**environ, "HOME": str(user.home)}, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def whole_life(name: str, user: User, examples: Path) -> None:
    """Up, a job, a plan that finds nothing to do, down."""
    code, expected = ASKED[name]
    file = str(examples / "ray" / f"{name}.yaml")
    up = user.bandari("up", "-f", file, "--target", "local", "--yes", timeout=PATIENCE)
    assert up.code == 0, up.out + up.err
    dashboard = user.bandari("ray", "dashboard", "--cluster", name).out.strip()
    log = submitted(user, name, dashboard, code)
    assert [line for line in log.splitlines() if line.startswith("told ")] == [f"told {expected}"], log
    again = user.bandari("plan", "-f", file, "--target", "local", "--exit-code")
    assert again.code == 0, again.out
    down = user.bandari("down", "--cluster", name, "--yes", timeout=PATIENCE)
    assert down.code == 0, down.out + down.err
    state = user.home / "state" / "bandari" / "clusters" / name
    assert not places.cluster_folder(state, name).exists()


def test_every_example_has_its_pair() -> None:
    assert {name for pair in PAIRS for name in pair} == set(ASKED)


@pytest.mark.parametrize("names", PAIRS, ids="+".join)
def test_examples_come_up_do_their_work_stay_as_they_are_and_go(
    names: tuple[str, str], user: User, examples: Path
) -> None:
    with ThreadPoolExecutor(len(names)) as pool:
        for life in [pool.submit(whole_life, name, user, examples) for name in names]:
            life.result()
    assert user.marked() == []


def test_a_schedule_comes_up_with_its_next_run_and_its_job_does_its_work(user: User, examples: Path) -> None:
    folder = examples / "ray"
    up = user.bandari("up", "-f", str(folder / "schedule.yaml"), "--target", "local", "--yes", timeout=PATIENCE)
    assert up.code == 0, up.out + up.err
    assert "next run" in user.bandari("status").out
    job = ("--cluster", "count-primes", "--working-dir", str(folder / "app"), "--", "python", "primes.py", "2000")
    done = user.bandari("ray", "submit", *job, timeout=PATIENCE)
    assert done.code == 0, done.out + done.err
    assert "303 primes below 2000" in done.out
    down = user.bandari("down", "--cluster", "count-primes", "--yes", timeout=PATIENCE)
    assert down.code == 0, down.out + down.err
