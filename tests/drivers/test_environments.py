"""Environments that stand for images: made once, whole or not at all, by the real uv from a wheel on disk."""

from __future__ import annotations

import subprocess
import sys
import threading
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from bandari.drivers import environments
from bandari.drivers.environments import environments as made_in
from bandari.drivers.environments import here, is_whole, own_ray, prepare, pythons, remove
from bandari.errors import Terminal
from bandari.serving.ray.bodies import RayEnvironmentBody
from bandari.serving.ray.environments import digest_of

pytestmark = pytest.mark.engine


def wheel(folder: Path, name: str = "greeting") -> str:
    """A package of one module as a requirement line."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-1.0-py3-none-any.whl"
    info = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr(f"{name}.py", "WORD = 'hello'\n")
        packed.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        packed.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        packed.writestr(f"{info}/RECORD", "")
    return f"{name} @ {path.as_uri()}"


@pytest.fixture
def body(tmp_path: Path) -> RayEnvironmentBody:
    code = tmp_path / "code"
    code.mkdir()
    (code / "task.py").write_text("print('here')\n")
    made = RayEnvironmentBody("try", requirements=(wheel(tmp_path / "wheels"),), copies=((str(code), "/app"),))
    return replace(made, digest=digest_of(made))


def said(outputs: Mapping[str, str], code: str) -> str:
    words = [f"{outputs['bin']}/python", "-c", code]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()


def test_what_differs_in_nothing_is_bandaris_own_environment(tmp_path: Path) -> None:
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    outputs = prepare(RayEnvironmentBody("try", ray=own_ray(), python=python, env={"A": "b"}, digest="d"), tmp_path)
    assert outputs == {"bin": str(Path(sys.executable).parent), "ray": own_ray(), "python": python}
    assert made_in(tmp_path) == ()


def test_an_environment_has_its_packages_and_files(tmp_path: Path, body: RayEnvironmentBody) -> None:
    heard: list[tuple[int, int]] = []
    outputs = prepare(body, tmp_path / "made", lambda done, total: heard.append((done, total)))
    assert said(outputs, "import greeting; print(greeting.WORD)") == "hello"
    place = tmp_path / "made" / body.digest
    assert outputs["bin"] == str(place / "bin")
    assert (place / "files" / "app" / "task.py").read_text() == "print('here')\n"
    assert is_whole(place)
    assert made_in(tmp_path / "made") == (place,)
    assert all(done <= total for done, total in heard)


def test_it_is_made_once_however_many_ask_at_the_same_time(tmp_path: Path, body: RayEnvironmentBody) -> None:
    found: list[Mapping[str, str]] = []
    askers = [threading.Thread(target=lambda: found.append(prepare(body, tmp_path / "made"))) for _ in range(3)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    first = (Path(found[0]["bin"]) / "python").lstat().st_mtime_ns
    assert len(found) == 3
    assert prepare(body, tmp_path / "made") == found[0] == found[1] == found[2]
    assert (Path(found[0]["bin"]) / "python").lstat().st_mtime_ns == first
    assert not list((tmp_path / "made").glob(".making-*"))


def test_what_a_killed_maker_left_is_made_anew(tmp_path: Path, body: RayEnvironmentBody) -> None:
    half = tmp_path / "made" / f".making-{body.digest}-left"
    (half / "bin").mkdir(parents=True)
    (tmp_path / "made" / body.digest / "bin").mkdir(parents=True)
    assert said(prepare(body, tmp_path / "made"), "import greeting; print(greeting.WORD)") == "hello"
    assert not half.exists()


def test_uvs_complaint_is_passed_on_without_passwords_and_nothing_is_left(tmp_path: Path) -> None:
    lines = ("--index-url http://somebody:sesame@127.0.0.1:9/simple", "no-such-package-of-ours")
    body = RayEnvironmentBody("try", requirements=lines, digest="d")
    with pytest.raises(Terminal) as failure:
        prepare(body, tmp_path)
    assert "cannot install the packages of the environment" in str(failure.value)
    assert "sesame" not in str(failure.value)
    assert made_in(tmp_path) == ()
    assert not list(tmp_path.glob(".making-*"))


def test_a_python_that_is_not_here_is_refused_and_not_downloaded(tmp_path: Path) -> None:
    with pytest.raises(Terminal, match=r"cannot find Python 3\.99") as failure:
        prepare(RayEnvironmentBody("try", python="3.99", requirements=("a",), digest="d"), tmp_path)
    assert failure.value.fix.startswith("install it (uv python install 3.99)")


def test_old_environments_are_removed_and_those_in_use_stay(tmp_path: Path) -> None:
    for name in ("old", "used"):
        (tmp_path / name).mkdir()
    assert remove(tmp_path, frozenset({"used"})) == (tmp_path / "old",)
    assert made_in(tmp_path) == (tmp_path / "used",)


def test_this_machine_knows_its_own_ray_and_pythons() -> None:
    mine = here("2.58.1", Path("/data"))
    assert mine.ray == own_ray()
    assert mine.python in pythons()
    assert (mine.ray_version, mine.environments) == ("2.58.1", "/data")
    assert environments.uv()
