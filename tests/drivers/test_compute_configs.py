"""Named compute configs: versions that never change, whoever comes at the same time."""

from __future__ import annotations

import threading
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandari.drivers.compute_configs import ComputeConfigs, Version, diff
from bandari.errors import Terminal
from bandari.specs.ray.references import NAME, parts

WHEN = "2026-11-25T20:00:00Z"


def keep(configs: ComputeConfigs, name: str, text: str, message: str = "") -> tuple[Version, bool]:
    return configs.create(name, text, message=message, source="", created=WHEN)


def test_each_text_is_the_next_version_and_equal_text_is_none(tmp_path: Path) -> None:
    configs = ComputeConfigs(tmp_path)
    first, new = keep(configs, "train", "a: 1\n", "the first")
    assert (first.reference, new) == ("train:1", True)
    assert keep(configs, "train", "a: 1\n") == (first, False)
    second, _ = keep(configs, "train", "a: 2\n", "two lines\nof words")
    assert second.reference == "train:2"
    assert second.message == "two lines of words"
    assert configs.get("train") == second
    assert configs.get("train", 1).text == "a: 1\n"
    assert diff(first, second).splitlines()[-2:] == ["-a: 1", "+a: 2"]


@given(name=st.from_regex(NAME, fullmatch=True).filter(lambda n: len(n) < 60 and parts(n) is not None), text=st.text())
def test_any_name_and_any_text_come_back_as_they_were(
    tmp_path_factory: pytest.TempPathFactory, name: str, text: str
) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        return
    root = tmp_path_factory.mktemp("configs")
    configs = ComputeConfigs(root)
    if len(quote(name, safe=" @+,=")) > 200:
        with pytest.raises(Terminal, match="too long"):
            keep(configs, name, text)
        return
    kept, _ = keep(configs, name, text)
    assert ComputeConfigs(root).get(name).text == kept.text
    assert configs.names() == (name,)
    assert [path.parent for path in root.rglob("*.yaml")] == [next(root.iterdir())]


def test_two_that_come_at_once_get_two_versions(tmp_path: Path) -> None:
    texts = [f"a: {n}\n" for n in range(12)]
    threads = [threading.Thread(target=keep, args=(ComputeConfigs(tmp_path), "train", text)) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    versions = ComputeConfigs(tmp_path).versions("train")
    assert [version.version for version in versions] == list(range(1, 13))
    assert sorted(version.text for version in versions) == sorted(texts)


def test_a_file_that_was_changed_is_refused(tmp_path: Path) -> None:
    version, _ = keep(ComputeConfigs(tmp_path), "train", "a: 1\n")
    assert version.path.stat().st_mode & 0o777 == 0o400
    version.path.chmod(0o600)
    version.path.write_text(version.path.read_text() + "b: 2\n")
    with pytest.raises(Terminal, match="a version never changes"):
        ComputeConfigs(tmp_path).get("train")


def test_an_archived_name_takes_no_version_and_is_listed_apart(tmp_path: Path) -> None:
    configs = ComputeConfigs(tmp_path)
    keep(configs, "train", "a: 1\n")
    configs.archive("train")
    assert configs.names() == ()
    assert configs.names(archived=True) == ("train",)
    assert configs.get("train").archived
    with pytest.raises(Terminal, match="the name is archived"):
        keep(configs, "train", "a: 2\n")


def test_a_name_that_is_not_there_is_answered_with_the_nearest(tmp_path: Path) -> None:
    configs = ComputeConfigs(tmp_path)
    keep(configs, "train", "a: 1\n")
    with pytest.raises(Terminal) as failure:
        configs.get("tain")
    assert failure.value.fix == "did you mean 'train'?"
