"""The double of the hub is one to the stock client: its calls that bandari does not use work on it too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import HfApi, hf_hub_download, snapshot_download
from huggingface_hub.errors import EntryNotFoundError, GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

from bandari.testing.hub_server import HubServer

FILES = {"README.md": b"# Model\n", "weights/m.gguf": b"GGUF" * 1000}


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[HubServer]:
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    with HubServer() as server:
        server.add("a/model", FILES)
        yield server


def test_its_tree_is_listed(hub: HubServer) -> None:
    entries = HfApi(endpoint=hub.endpoint, token=False).list_repo_tree("a/model", recursive=True)
    assert {entry.path for entry in entries} == set(FILES)


def test_one_file_and_all_files_are_downloaded(hub: HubServer, tmp_path: Path) -> None:
    name = "weights/m.gguf"
    path = hf_hub_download("a/model", name, endpoint=hub.endpoint, local_dir=tmp_path / "one", token=False)
    assert Path(path).read_bytes() == FILES[name]
    folder = Path(snapshot_download("a/model", endpoint=hub.endpoint, cache_dir=tmp_path / "all", token=False))
    assert {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()} == set(FILES)


def test_its_refusals_are_the_librarys_own_errors(hub: HubServer, tmp_path: Path) -> None:
    hub.add("a/gated", FILES, gated=True, token="t")
    for repo, file, revision, kind in (
        ("a/none", "x", "main", RepositoryNotFoundError),
        ("a/model", "x", "main", EntryNotFoundError),
        ("a/model", "README.md", "v9", RevisionNotFoundError),
        ("a/gated", "README.md", "main", GatedRepoError),
    ):
        with pytest.raises(kind):
            hf_hub_download(
                repo, file, revision=revision, endpoint=hub.endpoint, local_dir=tmp_path / "no", token=False
            )
