"""What goes along with a job, and its log on the way back."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from bandari.serving.supervisor.control import Refused
from bandari.serving.supervisor.ray import packing
from bandari.serving.supervisor.ray.job_logs import JobLogs


def inside(address: str) -> dict[str, bytes]:
    """Files of a package, without the folder at its top."""
    with zipfile.ZipFile(address.removeprefix("file://")) as package:
        names = [name for name in package.namelist() if not name.endswith("/")]
        assert all(name.startswith("package/") for name in names)
        return {name.removeprefix("package/"): package.read(name) for name in names}


def test_a_folder_goes_along_without_what_is_ignored(tmp_path: Path) -> None:
    work = tmp_path / "work"
    for name in (
        "main.py",
        "big.bin",
        "sub/data.csv",
        "sub/note.tmp",
        ".git/config",
        "venv/bin/x",
        "__pycache__/m.pyc",
    ):
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).write_text(name)
    (work / "sub" / ".gitignore").write_text("*.tmp\n")
    (work / "sub" / "again").symlink_to(work)
    (work / "main.py").chmod(0o755)
    ready = packing.packed(
        {"working_dir": str(work), "excludes": ["*.bin"], "env_vars": {"A": "1"}}, tmp_path / "state"
    )
    assert set(inside(ready["working_dir"])) == {"main.py", "sub/data.csv", "sub/.gitignore"}
    assert ready["env_vars"] == {"A": "1"}
    assert "excludes" not in ready
    with zipfile.ZipFile(ready["working_dir"].removeprefix("file://")) as package:
        assert package.getinfo("package/main.py").external_attr >> 16 & 0o777 == 0o755


def test_equal_folders_are_one_package_and_a_package_goes_when_nothing_asks_for_it(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.py").write_text("x")
    one, two = (packing.packed({"working_dir": str(tmp_path / name)}, tmp_path) for name in ("one", "two"))
    assert one == two
    packing.sweep(tmp_path, packing.addresses(one))
    assert inside(one["working_dir"]) == {"a.py": b"x"}
    packing.sweep(tmp_path, ())
    assert not list((tmp_path / packing.PACKAGES).iterdir())


def test_modules_keep_their_name_and_files_of_requirements_become_lines(tmp_path: Path) -> None:
    (tmp_path / "mod").mkdir()
    (tmp_path / "mod" / "__init__.py").write_text("")
    (tmp_path / "single.py").write_text("x = 1")
    (tmp_path / "requirements.txt").write_text("# those\nrequests==2.31\n\nnumpy\n")
    asked = {
        "py_modules": [str(tmp_path / "mod"), str(tmp_path / "single.py"), "s3://bucket/there.zip"],
        "pip": str(tmp_path / "requirements.txt"),
    }
    ready = packing.packed(asked, tmp_path)
    folder, single, far = ready["py_modules"]
    assert (set(inside(folder)), set(inside(single)), far) == (
        {"mod/__init__.py"},
        {"single.py"},
        "s3://bucket/there.zip",
    )
    assert ready["pip"] == ["requests==2.31", "numpy"]


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"working_dir": "relative"}, "it is no absolute path"),
        ({"working_dir": "/nowhere/at/all"}, "there is no such folder"),
        ({"py_modules": ["/etc/passwd"]}, "there is no such folder"),
        ({"pip": "/nowhere/requirements.txt"}, "cannot read the requirements"),
    ],
)
def test_what_cannot_go_along_is_refused_by_name(environment: dict[str, object], words: str, tmp_path: Path) -> None:
    with pytest.raises(Refused, match=words):
        packing.packed(environment, tmp_path)


def test_a_log_is_taken_over_as_it_grows_also_by_the_next_supervisor(tmp_path: Path) -> None:
    source = tmp_path / "temp" / "1" / "session_1" / "logs" / "job-driver-a-1.log"
    source.parent.mkdir(parents=True)
    logs = JobLogs(tmp_path)
    assert logs.copy("a-1", tmp_path / "temp") == 0
    source.write_text("one\n")
    logs.copy("a-1", tmp_path / "temp")
    with source.open("a") as more:
        more.write("two\n")
    JobLogs(tmp_path).finish("a-1", tmp_path / "temp")
    assert logs.path("a-1").read_text() == "one\ntwo\n"
    source.unlink()
    logs.finish("a-1", tmp_path / "temp")
    logs.say("a-1", "nothing was written")
    assert logs.path("a-1").read_text() == "one\ntwo\n"
    logs.forget(["a-1"])
    assert not list(logs.folder.iterdir())


def test_of_a_long_log_the_end_is_kept(tmp_path: Path) -> None:
    source = tmp_path / "temp" / "1" / "session_1" / "logs" / "job-driver-a-1.log"
    source.parent.mkdir(parents=True)
    written = ""
    for number in range(50):
        line = f"{number:09d}\n"
        written += line
        with source.open("a") as more:
            more.write(line)
        JobLogs(tmp_path, limit=100).copy("a-1", tmp_path / "temp")
    folder = JobLogs(tmp_path).folder
    kept = (folder / "a-1.log.1").read_text() + (folder / "a-1.log").read_text()
    assert written.endswith(kept)
    assert 50 <= len(kept) <= 120
