"""Names of images and their revisions on disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from bandari.drivers.images.store import ImageStore, Revision, parsed
from bandari.errors import Terminal


def revision(number: int) -> Revision:
    return Revision(number, f"content{number}", f"localhost/bandari/a:content{number}", 1.5, "buildah", "base")


def test_revisions_are_kept_in_their_order_and_found_by_number(tmp_path: Path) -> None:
    store = ImageStore(tmp_path / "images")
    assert (store.names(), store.revisions("a")) == ((), ())
    for number in (2, 1):
        store.put("a", revision(number))
    assert store.revisions("a") == (revision(1), revision(2))
    assert store.find("a") == revision(2)
    assert store.find("a", 1) == revision(1)
    store.pushed("a", revision(1), "registry/a:1")
    assert store.find("a", 1).pushed == ("registry/a:1",)
    assert store.names() == ("a",)
    assert [path.name for path in store.folder.iterdir()] == ["a.json"]


def test_what_is_not_there_is_answered_with_what_is(tmp_path: Path) -> None:
    store = ImageStore(tmp_path)
    store.put("a", revision(1))
    with pytest.raises(Terminal, match="cannot find an image 'a:7'") as failure:
        store.find("a", 7)
    assert failure.value.fix == "there are: a:1"
    with pytest.raises(Terminal) as failure:
        store.find("b")
    assert failure.value.fix == "there are: a"


def test_a_file_that_is_no_record_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{}")
    with pytest.raises(Terminal, match="cannot read"):
        ImageStore(tmp_path).revisions("a")


@pytest.mark.parametrize("text", ["", "A", "a b", "../a", "a:b", "a:", "a" * 101, "a--b/", "-a"])
def test_a_name_that_no_registry_takes_is_refused(text: str) -> None:
    with pytest.raises(Terminal, match="as the name of an image"):
        parsed(text)


def test_a_name_may_have_a_revision() -> None:
    assert parsed("team.model_2:12") == ("team.model_2", 12)
    assert parsed("a-b") == ("a-b", None)
