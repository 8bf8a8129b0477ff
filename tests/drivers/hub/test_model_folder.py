"""The folder of downloaded models: safe names, a lock, a listing that survives damage."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandari.drivers.model_folder import ModelFile, ModelFolder, ModelListing, is_safe

LISTING = ModelListing("a/b", "f" * 40, (ModelFile("m.gguf", 4, "0" * 64), ModelFile("x/README.md", 2, "1" * 40)))


@pytest.fixture
def place(tmp_path: Path) -> ModelFolder:
    place = ModelFolder(tmp_path, "a/b")
    with place.lock():
        place.remember(LISTING)
    return place


def test_a_listing_comes_back_as_it_was(place: ModelFolder) -> None:
    assert place.remembered() == LISTING


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"repo": 1}', '{"repo":"a","revision":"b","files":[{"x":1}]}'])
def test_a_damaged_listing_is_none(place: ModelFolder, damage: str) -> None:
    (place.path / "listing.json").write_text(damage)
    assert place.remembered() is None
    assert place.complete(("*",)) is None


def test_complete_means_every_file_that_is_wanted_at_its_size(place: ModelFolder, tmp_path: Path) -> None:
    assert place.complete(("*",)) is None
    source = tmp_path / "source"
    source.write_bytes(b"GGUF")
    place.place(source, LISTING.files[0], LISTING.revision)
    assert place.complete(("*.gguf",)) == LISTING.only(("*.gguf",))
    assert place.missing(LISTING) == LISTING.files[1:]
    (place.files(LISTING.revision) / "m.gguf").write_bytes(b"GGUF, but longer")
    assert place.complete(("*.gguf",)) is None


def test_a_copy_is_a_link_where_it_can_be(place: ModelFolder, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"GGUF")
    place.copy(source, LISTING.files[0], LISTING.revision)
    assert (place.files(LISTING.revision) / "m.gguf").samefile(source)
    assert [path.name for path in place.path.glob(".copy-*")] == []


def test_the_lock_lets_one_in(place: ModelFolder) -> None:
    entered = threading.Event()

    def enter() -> None:
        with place.lock():
            entered.set()

    with place.lock():
        other = threading.Thread(target=enter)
        other.start()
        assert not entered.wait(0.1)
    other.join(10)
    assert entered.is_set()


@given(st.text(st.sampled_from("ab./\\\0"), max_size=12))
def test_a_safe_name_stays_in_its_folder(name: str) -> None:
    root = Path("/models/repo")
    if is_safe(name):
        assert root in (root / name).parents or (root / name) == root
        assert ".." not in (root / name).parts
