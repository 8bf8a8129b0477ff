"""Makes the Python environments that stand for images: a Ray, a Python, packages and files, by uv.

An environment is named by its digest and made once: beside its place, under a lock, and renamed when it is whole, so
that one which is there is never half. Lines of an image are not run; packages are installed by uv alone.
"""

from __future__ import annotations

import contextlib
import fcntl
import glob
import importlib.metadata
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path

from bandari.desired.secrets import is_credential, mask
from bandari.drivers.folders import size
from bandari.errors import Terminal
from bandari.serving.ray.bodies import RayEnvironmentBody
from bandari.serving.ray.environments import FILES, Here, uses_own

FOLDER = "environments"
READY = "environment.json"
"""In an environment that is whole: what it was made from."""
EXTRAS = "default,serve"
_USUAL_BYTES = 450_000_000
"""Of an environment with nothing but Ray in it: what progress is measured by."""
_PATIENCE = 3600.0
_TOLD = 12
"""Lines of uv's complaint that are passed on."""

Heard = Callable[[int, int], None]
"""(bytes so far, bytes in all, roughly)"""


def here(ray_version: str = "", environments: Path | None = None) -> Here:
    """What this machine has for environments."""
    own = f"{sys.version_info.major}.{sys.version_info.minor}"
    return Here(own_ray(), own, tuple(pythons()), str(environments or ""), ray_version)


def own_ray() -> str:
    """The Ray of bandari's own environment; empty when there is none."""
    try:
        return importlib.metadata.version("ray")
    except importlib.metadata.PackageNotFoundError:
        return ""


@cache
def pythons() -> Mapping[str, str]:
    """Version (`3.11`) -> program, of this machine: ours first, then those that uv finds and pyenv's. None is
    downloaded.
    """
    found = {f"{sys.version_info.major}.{sys.version_info.minor}": sys.executable}
    with contextlib.suppress(OSError, ValueError, subprocess.SubprocessError, Terminal):
        words = [uv(), "python", "list", "--only-installed", "--offline", "--output-format", "json"]
        told = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True).stdout
        for item in json.loads(told):
            version = ".".join(item["version"].split(".")[:2])
            if item.get("path") and item.get("implementation", "cpython") == "cpython" and "+" not in item["key"]:
                found.setdefault(version, item["path"])
    root = os.environ.get("PYENV_ROOT") or Path("~/.pyenv").expanduser()
    for path in sorted(glob.glob(f"{root}/versions/*/bin/python")):  # noqa: PTH207 - one pattern, read at once
        if match := re.fullmatch(r"(3\.\d+)\.\d+", Path(path).parts[-3]):
            found.setdefault(match[1], path)
    return found


def uv() -> str:
    """The program uv: of bandari's own environment, else of PATH; Terminal when there is none."""
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if beside.exists() else shutil.which("uv")
    if not found:
        raise Terminal("cannot make a Python environment: uv is not installed", fix="pip install 'bandari[ray]'")
    return found


def prepare(body: RayEnvironmentBody, folder: Path, heard: Heard | None = None) -> Mapping[str, str]:
    """The environment of a body, below `folder`, made now or there already: its `bin` folder and its versions of `ray`
    and `python`. Terminal with uv's own words when it cannot be made; also when files changed since the plan.
    """
    mine = here()
    if uses_own(body, mine):
        if not mine.ray or not importlib.util.find_spec("ray"):
            raise Terminal("cannot run Ray: it is not installed", fix="pip install 'bandari[ray]'")
        return {"bin": str(Path(sys.executable).parent), "ray": mine.ray, "python": mine.python}
    place = folder / body.digest
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder / f".{body.digest}.lock"):
        if not (place / READY).exists():
            _make(body, folder, place, heard or (lambda _done, _total: None))
    return outputs_of(place)


def outputs_of(place: Path) -> Mapping[str, str]:
    """What an environment that is whole gives."""
    told = json.loads((place / READY).read_text())
    return {"bin": str(place / "bin"), "ray": told["ray"], "python": told["python"]}


def is_whole(place: Path) -> bool:
    """Whether a folder holds an environment that was made to its end."""
    return (place / READY).exists() and (place / "bin" / "python").exists()


def environments(folder: Path) -> tuple[Path, ...]:
    """Everything that was made or begun there."""
    return tuple(sorted(path for path in folder.glob("*") if path.is_dir())) if folder.exists() else ()


def remove(folder: Path, keep: frozenset[str]) -> tuple[Path, ...]:
    """Removes environments but those of the digests in `keep`; what was removed."""
    doomed = tuple(path for path in environments(folder) if path.name not in keep)
    for path in doomed:
        shutil.rmtree(path, ignore_errors=True)
        (folder / f".{path.name}.lock").unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # others are there
        folder.rmdir()
    return doomed


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Holds a lock that ends with the process, so that a second `up` waits for the first and finds its work."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _make(body: RayEnvironmentBody, folder: Path, place: Path, heard: Heard) -> None:
    for left in folder.glob(f".making-{body.digest}-*"):  # of one who was killed: we hold the lock
        shutil.rmtree(left, ignore_errors=True)
    shutil.rmtree(place, ignore_errors=True)
    aside = Path(tempfile.mkdtemp(prefix=f".making-{body.digest}-", dir=folder))
    try:
        python = _python(body)
        _run(
            [uv(), "venv", "--quiet", "--relocatable", "--allow-existing", "--python", python, str(aside)], aside, heard
        )
        lines = (f"ray[{EXTRAS}]=={body.ray}", *body.requirements) if body.ray else body.requirements
        (aside / "requirements.txt").write_text("".join(f"{line}\n" for line in lines))
        words = [
            "pip",
            "install",
            "--quiet",
            "--compile-bytecode",
            "--python",
            str(aside / "bin" / "python"),
            "-r",
            "requirements.txt",
        ]
        _run([uv(), *words], aside, heard)
        for source, target in body.copies:
            _copy(Path(source), aside / FILES / target.lstrip("/"))
        told = {"ray": body.ray, "python": body.python, "image": body.image, "made": time.time()}
        (aside / READY).write_text(json.dumps(told))
        aside.chmod(0o755)
        aside.rename(place)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise Terminal(f"cannot make the environment of {body.cluster!r}: {reason}: {error.filename}") from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _python(body: RayEnvironmentBody) -> str:
    known = pythons()
    if body.python and body.python not in known:
        fix = f"install it (uv python install {body.python}), or use an image with one of: {', '.join(sorted(known))}"
        raise Terminal(f"cannot find Python {body.python} on this machine", fix=fix)
    return known.get(body.python, sys.executable)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)
    else:
        shutil.copy2(source, target)


def _run(words: list[str], folder: Path, heard: Heard) -> None:
    """Runs uv in `folder`, without this shell's credentials but with its settings for indexes."""
    kept = {k: v for k, v in os.environ.items() if k.startswith(("UV_", "PIP_")) or not is_credential(k, v)}
    environ = {k: v for k, v in kept.items() if k not in ("VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME", "CONDA_PREFIX")}
    environ["UV_PYTHON_DOWNLOADS"] = "never"
    environ.setdefault("UV_SYSTEM_CERTS", "true")  # as pip does: a company's own authority is known to the system
    until = time.monotonic() + _PATIENCE
    with tempfile.TemporaryFile("w+") as said:
        with subprocess.Popen(
            words, cwd=folder, env=environ, stdin=subprocess.DEVNULL, stdout=said, stderr=said
        ) as child:
            try:
                while not _ended(child):
                    done = size(folder)
                    heard(done, max(done, _USUAL_BYTES))
                    if time.monotonic() > until:
                        raise Terminal(f"cannot install packages: uv is not done after {_PATIENCE:.0f} s")
            finally:
                if child.poll() is None:
                    child.kill()
        said.seek(0)
        lines = [line for line in said.read().splitlines() if line.strip()]
    if child.returncode:
        why = " / ".join(line.strip() for line in lines[-_TOLD:])
        fix = "correct the packages of the image, or its Ray and Python; uv names what does not fit"
        raise Terminal(f"cannot install the packages of the environment: {mask(why)}", fix=fix)


def _ended(child: subprocess.Popen[bytes]) -> bool:
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(timeout=1.0)
    return child.returncode is not None
