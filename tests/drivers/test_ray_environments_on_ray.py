"""The oldest Ray that runs here, in an environment of its own: nodes, autoscaler, resources, labels, a job.

The newest is the one of bandari's own environment; all other tests run on it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bandari.catalog.ray_images import NEWEST_HERE, OLDEST_HERE
from bandari.drivers.environments import own_ray, prepare
from bandari.serving.protocol import plain
from bandari.serving.ray.bodies import (
    RayClusterBody,
    RayEnvironmentBody,
    RayGroupBody,
    RayJobBody,
    RayNodeBody,
)
from bandari.testing.ray import PATIENCE, SMALL, RaySite, waited

pytestmark = [pytest.mark.engine, pytest.mark.slow, pytest.mark.timeout(600)]
CODE = """\
import os, ray
ray.init()
@ray.remote(num_cpus=0, resources={"widget": 1})
def on_widget():
    return os.environ["RAY_NODE_TYPE_NAME"]
@ray.remote(num_cpus=0, label_selector={"tier": "base"})
def on_label():
    return os.environ["RAY_NODE_TYPE_NAME"]
print(ray.__version__, ray.get(on_widget.remote()), ray.get(on_label.remote()))
"""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[RaySite]:
    made = RaySite(tmp_path / "state")
    made.guard()
    yield made
    made.close()


def test_the_oldest_ray_scales_schedules_and_runs_a_job_here(site: RaySite, tmp_path: Path) -> None:
    environment = RayEnvironmentBody("old", ray=OLDEST_HERE, python="3.11", digest="oldest")
    outputs = prepare(environment, tmp_path / "environments")
    assert outputs["ray"] == OLDEST_HERE
    site.apply("rayenv.old", plain(environment), **outputs)
    head = RayNodeBody(resources={"CPU": 1}, memory=SMALL)
    cluster = RayClusterBody("old", head, ray=OLDEST_HERE, python="3.11", environment="oldest", autoscaled=True)
    fixed = RayNodeBody(resources={"CPU": 1}, labels={"tier": "base"}, memory=SMALL)
    scaled = RayNodeBody(resources={"CPU": 1, "widget": 1}, memory=SMALL)
    site.ray(
        cluster,
        RayGroupBody("old", "base", fixed, min=1, max=1, environment="oldest"),
        RayGroupBody("old", "scaled", scaled, min=0, max=1, environment="oldest"),
    )
    site.settled("old", "base", within=3 * PATIENCE)
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "task.py").write_text(CODE)
    job = RayJobBody("old", "python task.py", environment={"working_dir": str(tmp_path / "work")})
    site.ask("submit", "old", job=plain(job))
    ended = waited(
        lambda: [j for j in site.ask("jobs", "old")["jobs"] if j["state"] in {"SUCCEEDED", "FAILED"}], "the job ends"
    )
    log = next((site.folder / "logs" / "jobs").glob("*.log")).read_text()
    assert ended[0]["state"] == "SUCCEEDED", log
    assert f"{OLDEST_HERE} scaled base" in log


def test_the_newest_ray_that_runs_here_is_the_one_that_bandari_brings() -> None:
    assert own_ray() == NEWEST_HERE
