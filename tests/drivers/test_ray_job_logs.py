"""Reading the log of a job while it is written."""

from __future__ import annotations

from pathlib import Path

from bandari.drivers.folders import Folders
from bandari.drivers.local import LocalDriver
from bandari.drivers.ray_jobs import LogReader, RayJobs, last_lines
from bandari.pipeline.jobs import exit_code
from bandari.serving.protocol import LOG_FOLDER
from bandari.serving.ray.attempts import JOB_LOGS


def place(tmp_path: Path, name: str = "a-1") -> Path:
    folder = tmp_path / LOG_FOLDER / JOB_LOGS
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{name}.log"


def test_each_line_is_read_once_and_whole_also_across_the_bytes_of_a_letter(tmp_path: Path) -> None:
    path, reader = place(tmp_path), LogReader(tmp_path)
    assert reader.fresh("a-1", whole=False) == []
    path.write_bytes(b"eins\nzw" + "ö".encode()[:1])
    assert reader.fresh("a-1", whole=False) == ["eins"]
    with path.open("ab") as more:
        more.write("ö".encode()[1:] + b"lf\nlast")
    assert reader.fresh("a-1", whole=False) == ["zwölf"]
    assert reader.fresh("a-1", whole=True) == ["last"]
    assert reader.fresh("a-1", whole=True) == []


def test_a_log_that_is_begun_anew_is_read_from_its_start(tmp_path: Path) -> None:
    path, reader = place(tmp_path), LogReader(tmp_path)
    path.write_text("one\ntwo\n")
    assert reader.fresh("a-1", whole=False) == ["one", "two"]
    path.rename(path.with_suffix(".log.1"))
    path.write_text("three\n")
    assert reader.fresh("a-1", whole=False) == ["three"]
    assert list(reader.past("a-1")) == ["one", "two", "three"]
    assert list(last_lines(reader.past("a-1"), 1)) == ["three"]


def test_attempts_of_a_job_are_found_by_its_name_alone(tmp_path: Path) -> None:
    for name in ("train-0a1b2c3d-1", "train-0a1b2c3d-2", "train-big-0a1b2c3d-1"):
        place(tmp_path, name).write_text("")
    assert set(LogReader(tmp_path).submissions("train")) == {"train-0a1b2c3d-1", "train-0a1b2c3d-2"}
    assert LogReader(tmp_path).submissions("train-big-0a1b2c3d-1") == ("train-big-0a1b2c3d-1",)


def test_the_exit_code_is_the_one_of_the_job() -> None:
    rows = (
        {"state": "SUCCEEDED", "exit_code": 0},
        {"state": "FAILED", "exit_code": 7},
        {"state": "FAILED", "exit_code": -9},
        {"state": "FAILED"},
        {"state": "STOPPED"},
        {"state": "LOST"},
    )
    assert [exit_code(row) for row in rows] == [0, 7, 137, 1, 1, 1]


def test_who_follows_a_job_of_a_cluster_that_is_taken_down_hears_of_it(tmp_path: Path) -> None:
    driver = LocalDriver("gone", Folders(tmp_path / "clusters", tmp_path / "models"), lambda _body, _heard: {})
    row = RayJobs(driver, "gone").follow("train", print, print)
    assert (row["state"], row["message"], exit_code(row)) == ("LOST", "cluster 'gone' was taken down", 1)
