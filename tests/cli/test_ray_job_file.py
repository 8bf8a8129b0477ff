"""`bandari up` of a file with a job, on real Ray: up, run, down, and the exit code of the job."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bandari.testing.ray import PATIENCE
from bandari.testing.user import User

pytestmark = [pytest.mark.engine, pytest.mark.slow, pytest.mark.timeout(600)]

JOB = """
name: adds-up
entrypoint: python main.py
working_dir: job
env_vars: {GREETING: hello}
max_retries: 0
compute_config:
  head_node: {required_resources: {CPU: 8, memory: 32Gi}, resources: {CPU: 1}}
"""
MAIN = """
import os, ray, sys
ray.init(log_to_driver=False)
print(os.environ["GREETING"], sum(ray.get([ray.remote(lambda n=n: n).remote() for n in range(5)])), flush=True)
sys.exit(4)
"""


@pytest.fixture
def user(tmp_path: Path) -> User:
    (tmp_path / "work" / "job").mkdir(parents=True)
    (tmp_path / "work" / "job" / "main.py").write_text(MAIN)
    made = User(tmp_path, tmp_path / "work")
    made.write(JOB, "job.yaml")
    return made


def test_a_job_file_runs_its_job_takes_the_cluster_down_and_exits_as_the_job_does(user: User) -> None:
    ran = user.bandari("up", "-f", "job.yaml", "--target", "local", "--yes", timeout=3 * PATIENCE)
    assert ran.code == 4, ran
    assert "then runs job adds-up once: python main.py" in ran.out
    assert "hello 10" in ran.out.splitlines()
    assert "adds-up failed" in ran.err
    assert "adds-up is gone" in ran.err
    assert user.marked() == []
    assert "hello 10" in user.bandari("ray", "logs", "adds-up").out


def test_keep_leaves_the_cluster_for_more_jobs_and_ctrl_c_takes_it_down(user: User) -> None:
    up = ("up", "-f", "job.yaml", "--target", "local", "--yes")
    assert "it is not up" in user.bandari("ray", "submit", "-f", "job.yaml").err
    kept = user.bandari(*up, "--keep", timeout=3 * PATIENCE)
    assert kept.code == 4, kept
    assert "adds-up stays" in kept.err
    again = user.bandari("ray", "submit", "-f", "job.yaml", "--env", "GREETING=again", timeout=PATIENCE)
    assert again.code == 4, again
    assert "again 10" in again.out.splitlines()
    assert "adds-up-2 failed" in again.err
    user.write(MAIN.replace("sys.exit(4)", "import time; time.sleep(300)"), "job/main.py")
    with subprocess.Popen(
        [sys.executable, "-m", "bandari.cli", *up], cwd=user.folder, env=user.environment,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    ) as process:  # fmt: skip
        assert process.stdout
        assert any(line.strip() == "hello 10" for line in process.stdout)
        os.kill(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, err
    assert "adds-up is gone" in err
    assert user.marked() == []
