"""The guard alone: arguments, size, and what it does with a supervisor that cannot start."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bandari.serving import guard
from bandari.testing.processes import Site, until


@pytest.mark.parametrize("argv", [[], ["--state", "/tmp"], ["--cluster", "x", "--state", "/tmp"]])
def test_wrong_arguments_are_refused(argv: list[str]) -> None:
    done = subprocess.run([sys.executable, "-m", guard.__name__, *argv], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.split(":")[0]) == (2, "usage")


def test_a_pid_file_names_a_process_and_not_only_a_number(tmp_path: Path) -> None:
    path = tmp_path / "x.pid"
    assert guard.alive(path) is None
    with subprocess.Popen(["sleep", "100"]) as sleeper:
        guard.write_pid(path, sleeper.pid)
        assert guard.alive(path) == sleeper.pid
        pid, started = path.read_text().split()
        path.write_text(f"{pid} {int(started) - 1}")
        assert guard.alive(path) is None
        guard.write_pid(path, sleeper.pid)
        sleeper.kill()
        until(lambda: guard.alive(path) is None, "a zombie is not alive")
    path.write_text("nonsense")
    assert guard.alive(path) is None


def test_it_imports_next_to_nothing() -> None:
    script = (
        f"import sys, {guard.__name__}; print(*sorted(m for m in sys.modules if m.startswith(('bandari', 'asyncio'))))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["bandari", "bandari._version", "bandari.serving", "bandari.serving.guard"]


@pytest.mark.engine
def test_a_supervisor_that_cannot_start_is_tried_again_ever_more_slowly(site: Site) -> None:
    (site.folder / "supervisor.lock").mkdir()
    starting = site._start("bandari.serving.guard", {})
    log = site.log("supervisor")
    until(lambda: log.read_text().count("starts again after") >= 3, "three attempts", within=20)
    delays = [line.split("after ")[1] for line in log.read_text().splitlines() if "starts again" in line]
    assert delays[:3] == ["0 s", "0.2 s", "0.5 s"]
    (site.folder / "supervisor.lock").rmdir()
    until(site.answers, "it starts in the end")
    assert starting.poll() is None
