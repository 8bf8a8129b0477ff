"""Container engines for tests: a base image made by debootstrap (cached), storage in a folder, a registry on loopback.

The base stands under the name of one of Ray's images and holds no Ray: a double of what cannot be pulled here.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bandari.serving.supervisor.ports import free_port
from bandari.testing.engines import engine

BASE = "docker.io/rayproject/ray:2.60.0-py311"
SUITE = "bookworm"
LIMITS = ("--ulimit", "nofile=4096:4096", "--ulimit", "nproc=4096:4096")
"""podman's own cannot be set where the kernel lets nobody raise a limit."""


def rootfs() -> Path:
    """A Debian as a tar file, made once for each machine: two to three minutes then."""
    cache = Path("/var/cache") if os.access("/var/cache", os.W_OK) else Path("~/.cache").expanduser()
    kept = cache / "bandari-tests" / f"{SUITE}.tar"
    if kept.exists():
        return kept
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept.parent) as place:
        _run(engine("debootstrap"), "--variant=minbase", SUITE, f"{place}/root")
        _run("tar", "-C", f"{place}/root", "--exclude=./var/cache/apt", "--exclude=./var/lib/apt/lists",
             "--exclude=./usr/share/doc", "--exclude=./usr/share/locale", "-cf", f"{place}/made.tar", ".")  # fmt: skip
        Path(place, "made.tar").rename(kept)
    return kept


@dataclass(frozen=True, slots=True)
class Storage:
    """Where the engines keep images, of its own; `environment` tells them."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        return {
            "CONTAINERS_STORAGE_CONF": str(self.folder / "storage.conf"),
            "CONTAINERS_REGISTRIES_CONF": str(self.folder / "registries.conf"),
            "CONTAINERS_CONF": str(self.folder / "containers.conf"),
            "BUILDAH_ISOLATION": "chroot",
        }

    def run(self, *words: str) -> str:
        """Runs an engine on this storage; its output."""
        return _run(*words, environment=self.environment)

    def make_base(self) -> None:
        """Puts the base image into the storage."""
        container = self.run("buildah", "from", "scratch").strip()
        self.run("buildah", "add", "--quiet", container, str(rootfs()), "/")
        self.run("buildah", "commit", "--quiet", "--rm", container, BASE)


@contextlib.contextmanager
def storage(folder: Path) -> Iterator[Storage]:
    """An empty storage; unmounted and removed when the block ends."""
    folder.mkdir(parents=True)
    graph, state = folder / "graph", folder / "run"
    (folder / "storage.conf").write_text(f'[storage]\ndriver = "overlay"\ngraphroot = "{graph}"\nrunroot = "{state}"\n')
    (folder / "registries.conf").write_text("unqualified-search-registries = []\n")
    (folder / "containers.conf").write_text(
        '[containers]\ndefault_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]\nnetns = "host"\n'
        '[engine]\nruntime = "runc"\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n'
        f'tmp_dir = "{folder}/scratch"\n'
    )
    try:
        yield Storage(folder)
    finally:
        mounted = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
        for place in sorted((m for m in mounted if m.startswith(f"{folder}/")), reverse=True):
            subprocess.run(["umount", "--lazy", place], check=False)
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def registry(folder: Path) -> Iterator[str]:
    """A registry that keeps what is pushed in a folder; `127.0.0.1:PORT`."""
    address = f"127.0.0.1:{free_port()}"
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "registry.yml"
    config.write_text(
        f"version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {folder}/blobs\nhttp:\n  addr: {address}\n"
    )
    with (folder / "registry.log").open("wb") as log:
        server = subprocess.Popen([engine("docker-registry"), "serve", str(config)], stdout=log, stderr=log)
    try:
        _answers(f"http://{address}/v2/", server)
        yield address
    finally:
        server.terminate()
        server.wait()


def _answers(url: str, server: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310 - loopback only
                return
        except OSError:
            assert server.poll() is None, "the registry ended"
            assert time.monotonic() < until, "the registry does not answer"
            time.sleep(0.05)


def _run(*words: str, environment: dict[str, str] | None = None) -> str:
    done = subprocess.run(words, env={**os.environ, **(environment or {})}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{words}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout


def missing(names: Sequence[str]) -> None:
    """Skips the test, or fails it in CI, when one of the programs is not there."""
    for name in names:
        engine(name)
