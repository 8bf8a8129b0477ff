"""Mount namespaces and limits of a replica, by entering them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bandari.serving import enter
from bandari.serving.supervisor import limits

namespaces = pytest.mark.skipif(not enter.mount_namespaces_available(), reason="no user and mount namespaces here")


def inside(script: str, root: Path, *mounts: tuple[str, str, bool]) -> subprocess.CompletedProcess[str]:
    command = enter.launcher(["sh", "-c", script], mounts=mounts, root=str(root / "root"))
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


@namespaces
@pytest.mark.parametrize("path", ["/data", "/data/models/tiny", "/usr/share/bandari-trial/deep", "/mnt"])
def test_a_folder_is_seen_at_its_mount_path_whether_that_exists_or_not(tmp_path: Path, path: str) -> None:
    existed = Path(path).exists()
    source = tmp_path / "weights"
    source.mkdir()
    (source / "model.gguf").write_text("weights")
    done = inside(
        f"cat {path}/model.gguf && echo new > {path}/made && ls /usr/bin/env", tmp_path, (str(source), path, False)
    )
    assert (done.returncode, done.stdout) == (0, "weights/usr/bin/env\n"), done.stderr
    assert (source / "made").read_text() == "new\n"
    assert Path(path).exists() is existed


@namespaces
def test_a_read_only_mount_cannot_be_written_to(tmp_path: Path) -> None:
    done = inside("echo x > /data/made", tmp_path, (str(tmp_path), "/data", True))
    assert done.returncode != 0
    assert "Read-only file system" in done.stderr


@namespaces
def test_several_mounts_may_stand_in_each_other(tmp_path: Path) -> None:
    for name in ("outer", "inner"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "name").write_text(name)
    (tmp_path / "outer" / "deep").mkdir()
    mounts = [(str(tmp_path / "inner"), "/data/deep", True), (str(tmp_path / "outer"), "/data", True)]
    assert inside("cat /data/name /data/deep/name", tmp_path, *mounts).stdout == "outerinner"


@namespaces
def test_the_process_keeps_its_pid_its_user_and_its_folder(tmp_path: Path) -> None:
    command = enter.launcher(
        ["sh", "-c", "echo $$ $(id -u); pwd"], mounts=[(str(tmp_path), "/data", True)], root=str(tmp_path / "r")
    )
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tmp_path) as running:
        output, _ = running.communicate(timeout=30)
    assert output.split() == [str(running.pid), str(os.getuid()), str(tmp_path)]


def test_a_source_that_is_not_there_is_said(tmp_path: Path) -> None:
    done = inside("true", tmp_path, ("/nowhere/at/all", "/data", True))
    assert done.returncode == enter.EXIT_CANNOT
    assert "cannot enter the namespace of the replica: " in done.stderr


def test_a_command_that_is_not_there_is_said(tmp_path: Path) -> None:
    done = subprocess.run(enter.launcher(["no-such-engine"]), capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (127, 'cannot run "no-such-engine": no such file or directory\n')


def test_memory_beyond_the_data_limit_cannot_be_had() -> None:
    grow = "x = bytearray(300 * 2**20)"
    for limit, status in ((2**30, 0), (100 * 2**20, 1)):
        command = enter.launcher([sys.executable, "-c", grow], data_limit=limit)
        assert subprocess.run(command, capture_output=True, check=False).returncode == status


def test_a_cap_says_what_holds_and_leaves_nothing_behind() -> None:
    cap = limits.cap("try", "chat-0", 2**30)
    assert cap is not None
    assert limits.holds() in {"cgroup v2", "cgroup v1", "RLIMIT_DATA"}
    assert cap.holds.split()[0] in limits.holds()
    assert bool(cap.data_limit) != bool(cap.started)
    if cap.started:
        sleeper = subprocess.Popen(["sleep", "100"])
        try:
            cap.started(sleeper.pid)
            assert "bandari.try.chat-0" in Path(f"/proc/{sleeper.pid}/cgroup").read_text()
        finally:
            sleeper.kill()
            sleeper.wait()
    limits.release("try", "chat-0")
    assert not list(Path("/sys/fs/cgroup").glob("**/bandari.try.chat-0"))


def test_no_memory_asked_for_is_no_cap() -> None:
    assert limits.cap("try", "chat-0", 0) is None
