"""The real hub client against a loopback double of the hub: what a group's model becomes on this machine."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bandari.drivers import hub as hub_driver
from bandari.drivers.hub import download, inspect
from bandari.drivers.model_folder import ModelFolder
from bandari.errors import DriverError, Retryable, Terminal, Unreachable
from bandari.serving.models import builtin
from bandari.serving.protocol import ModelBody
from bandari.testing.hub_server import LLAMA_AWQ, LLAMA_GGUF, HubServer

Q4_0 = ModelBody(repo=LLAMA_GGUF, files=("*.Q4_0.gguf",))
TOKEN = "hf_" + "s" * 24


@pytest.fixture(autouse=True)
def _no_login_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The library looks for a token in the environment and in the home folder."""
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("HF_TOKEN_PATH", str(tmp_path / "hf" / "token"))
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return builtin("tiny", tmp_path_factory.mktemp("weights"))


@pytest.fixture
def hub(weights: Path) -> Iterator[HubServer]:
    with HubServer() as server:
        server.add_llama(weights)
        yield server


class Site:
    """One machine's folder for models, and what its downloads reported."""

    def __init__(self, folder: Path, hub: HubServer, **environ: str) -> None:
        self.folder = folder
        self.environ = {"HF_ENDPOINT": hub.endpoint, **environ}
        self.reports: list[tuple[int, int]] = []

    def get(self, body: ModelBody) -> dict[str, object]:
        self.reports.clear()
        return download(body, self.folder, lambda done, total: self.reports.append((done, total)), environ=self.environ)

    def refusal(self, body: ModelBody) -> DriverError:
        with pytest.raises(DriverError) as caught:
            self.get(body)
        assert caught.value.fix
        assert TOKEN not in f"{caught.value} {caught.value.fix}"
        return caught.value


@pytest.fixture
def site(tmp_path: Path, hub: HubServer) -> Site:
    return Site(tmp_path / "models", hub)


def fetched(hub: HubServer) -> list[str]:
    """Names of the files that were asked for, in order."""
    return [line.split()[1].rpartition("/")[2] for line in hub.requests if "/resolve/" in line]


def ranges(hub: HubServer) -> list[str]:
    """Where the transfers of large files began."""
    lines = (line.split() for line in hub.requests)
    return ["".join(line[2:]) for line in lines if "/api/" not in line[1] and "/resolve/" not in line[1]]


# --- the seed's groups ------------------------------------------------------------------------------------------------


def test_a_glob_brings_its_file_and_no_other(site: Site, hub: HubServer, weights: Path) -> None:
    outputs = site.get(Q4_0)
    assert fetched(hub) == ["llama-2-7b-chat.Q4_0.gguf"]
    assert Path(str(outputs["file"])).read_bytes() == weights.read_bytes()
    assert outputs == {
        "folder": str(Path(str(outputs["file"])).parent),
        "file": f"{outputs['folder']}/llama-2-7b-chat.Q4_0.gguf",
        "revision": hub.repositories[LLAMA_GGUF].revision,
        "bytes": weights.stat().st_size,
    }


def test_progress_counts_up_to_all_bytes(site: Site, weights: Path) -> None:
    site.get(Q4_0)
    total = weights.stat().st_size
    assert site.reports[0] == (0, total)
    assert site.reports[-1] == (total, total)
    assert site.reports == sorted(site.reports)


def test_a_folder_model_brings_all_its_files(site: Site) -> None:
    outputs = site.get(ModelBody(repo=LLAMA_AWQ, want="folder"))
    names = {path.name for path in Path(str(outputs["folder"])).iterdir()}
    assert names == {"README.md", "config.json", "tokenizer.json", "model.safetensors"}
    assert outputs["file"] == ""


def test_several_gguf_are_refused_by_name_before_any_is_fetched(site: Site, hub: HubServer) -> None:
    refusal = site.refusal(ModelBody(repo=LLAMA_GGUF))
    assert isinstance(refusal, Terminal)
    assert "6 models match: llama-2-7b-chat.Q2_K.gguf, " in str(refusal)
    assert 'name one in `model.files`, such as ["llama-2-7b-chat.Q2_K.gguf"]' in refusal.fix
    assert fetched(hub) == []


def test_a_glob_that_takes_nothing_is_refused_with_what_there_is(site: Site) -> None:
    refusal = site.refusal(ModelBody(repo=LLAMA_GGUF, files=("*.Q9_9.gguf",)))
    assert "cannot find *.Q9_9.gguf" in str(refusal)
    assert "llama-2-7b-chat.Q4_0.gguf" in str(refusal)


def test_a_split_model_is_part_one_with_all_parts_beside_it(site: Site, hub: HubServer) -> None:
    parts = {f"big/m-{number:05}-of-00002.gguf": b"GGUF" + bytes([number]) * 9 for number in (1, 2)}
    hub.add("a/split", {**parts, "mmproj-f16.gguf": b"GGUFx"})
    outputs = site.get(ModelBody(repo="a/split"))
    assert str(outputs["file"]).endswith("/big/m-00001-of-00002.gguf")
    assert {path.name for path in Path(str(outputs["folder"]), "big").iterdir()} == {
        "m-00001-of-00002.gguf",
        "m-00002-of-00002.gguf",
    }


def test_a_listing_is_what_the_globs_take_with_sizes_and_digests(hub: HubServer, weights: Path) -> None:
    listing = inspect(LLAMA_GGUF, ("*.Q4_0.gguf", "README.md"), environ={"HF_ENDPOINT": hub.endpoint})
    assert listing.revision == hub.repositories[LLAMA_GGUF].revision
    digests = {file.name: file.digest for file in listing.files}
    assert digests["llama-2-7b-chat.Q4_0.gguf"] == hashlib.sha256(weights.read_bytes()).hexdigest()
    assert len(digests["README.md"]) == 40
    assert listing.bytes == weights.stat().st_size + len("# Llama 2 7B Chat\n")


# --- once, resumed, checked -------------------------------------------------------------------------------------------


def test_what_is_here_is_not_fetched_again(site: Site, hub: HubServer) -> None:
    first = site.get(Q4_0)
    assert site.get(Q4_0) == first
    assert len(fetched(hub)) == 1


def test_a_cut_transfer_goes_on_where_it_stopped(site: Site, hub: HubServer) -> None:
    content = bytes(range(256)) * 100_000  # the library takes 10 MiB at a time
    hub.add("a/large", {"m.gguf": content})
    hub.cuts = [15_000_000]
    outputs = site.get(ModelBody(repo="a/large"))
    assert Path(str(outputs["file"])).read_bytes() == content
    assert ranges(hub) == ["", f"bytes={10 * 2**20}-"]


def test_another_process_goes_on_with_a_part_that_was_left(site: Site, hub: HubServer, weights: Path) -> None:
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    part = ModelFolder(site.folder, LLAMA_GGUF).part(digest)
    part.parent.mkdir(parents=True)
    part.write_bytes(weights.read_bytes()[:400_000])
    outputs = site.get(Q4_0)
    assert Path(str(outputs["file"])).read_bytes() == weights.read_bytes()
    assert not part.exists()
    assert ranges(hub) == ["bytes=400000-"]


def test_a_part_that_is_too_long_is_begun_anew(site: Site, hub: HubServer, weights: Path) -> None:
    part = ModelFolder(site.folder, LLAMA_GGUF).part(hashlib.sha256(weights.read_bytes()).hexdigest())
    part.parent.mkdir(parents=True)
    part.write_bytes(b"x" * 2_000_000)
    assert Path(str(site.get(Q4_0)["file"])).read_bytes() == weights.read_bytes()
    assert hub.requests


@pytest.mark.parametrize("name", ["llama-2-7b-chat.Q4_0.gguf", "README.md"])
def test_other_bytes_than_the_hub_names_are_refused_and_thrown_away(site: Site, hub: HubServer, name: str) -> None:
    file = hub.repositories[LLAMA_GGUF].files[name]
    file.sent = bytes(len(file.content))
    body = ModelBody(repo=LLAMA_GGUF, files=(name,), want="folder")
    refusal = site.refusal(body)
    assert isinstance(refusal, Retryable)
    assert "its checksum differs from the hub's" in str(refusal)
    place = ModelFolder(site.folder, LLAMA_GGUF)
    assert list(place.path.glob("*.part")) == []
    assert not place.files(hub.repositories[LLAMA_GGUF].revision).exists()
    file.sent = None
    assert site.get(body)["bytes"] == len(file.content)


def test_a_file_that_is_shorter_than_the_hub_says_is_refused(site: Site, hub: HubServer) -> None:
    file = hub.repositories[LLAMA_GGUF].files["llama-2-7b-chat.Q4_0.gguf"]
    file.sent = file.content[:-1]
    assert "its checksum differs" in str(site.refusal(Q4_0))


def test_a_download_that_does_not_fit_is_refused_before_it_starts(site: Site, hub: HubServer) -> None:
    hub.repositories[LLAMA_GGUF].files["llama-2-7b-chat.Q4_0.gguf"].claimed_size = 10**18
    refusal = site.refusal(Q4_0)
    assert isinstance(refusal, Terminal)
    assert "it needs 1000000 TB more" in str(refusal)
    assert fetched(hub) == []


def test_a_name_that_leads_out_of_the_folder_is_refused(site: Site, hub: HubServer) -> None:
    hub.add("evil/repo", {"../../escape.gguf": b"GGUF"})
    with pytest.raises(Terminal, match="leads out of its folder"):
        site.get(ModelBody(repo="evil/repo"))


FETCHING = """
import os, sys
from pathlib import Path
from bandari.drivers.hub import download
from bandari.serving.protocol import ModelBody
print(download(ModelBody(repo=sys.argv[1], files=("*.Q4_0.gguf",)), Path(sys.argv[2]), lambda done, total: None))
"""


def test_processes_that_want_the_same_model_fetch_it_once(site: Site, hub: HubServer) -> None:
    command = [sys.executable, "-c", FETCHING, LLAMA_GGUF, str(site.folder)]
    workers = [subprocess.Popen(command, env={**os.environ, **site.environ}) for _ in range(3)]
    assert [worker.wait(60) for worker in workers] == [0, 0, 0]
    assert len(fetched(hub)) == 1


# --- refusals of the hub ----------------------------------------------------------------------------------------------


def test_a_repository_that_is_not_there_is_named(site: Site) -> None:
    refusal = site.refusal(ModelBody(repo="no/such"))
    assert "cannot find repository 'no/such'" in str(refusal)
    assert "no HF_TOKEN is set" in str(refusal)


def test_a_private_repository_opens_with_its_token(site: Site, hub: HubServer, weights: Path) -> None:
    hub.add("me/secret", {"m.gguf": weights.read_bytes()}, private=True, token=TOKEN)
    body = ModelBody(repo="me/secret")
    assert "it is private and no HF_TOKEN is set" in str(site.refusal(body))
    site.environ["HF_TOKEN"] = TOKEN[::-1]
    assert "this HF_TOKEN may not see it" in str(site.refusal(body))
    site.environ["HF_TOKEN"] = TOKEN
    assert site.get(body)["bytes"] == weights.stat().st_size
    assert hub.leaked == []


@pytest.mark.parametrize("token", ["", "hf_wrong"])
def test_a_gated_repository_asks_for_its_licence(site: Site, hub: HubServer, weights: Path, token: str) -> None:
    hub.add("meta/gated", {"m.gguf": weights.read_bytes()}, gated=True, token=TOKEN)
    site.environ["HF_TOKEN"] = token
    refusal = site.refusal(ModelBody(repo="meta/gated"))
    assert "its owner gives access on request" in str(refusal)
    assert refusal.fix == f"accept the licence at {hub.endpoint}/meta/gated and set HF_TOKEN"
    site.environ["HF_TOKEN"] = TOKEN
    assert site.get(ModelBody(repo="meta/gated"))["file"]


@pytest.mark.parametrize(
    ("status", "kind", "said"),
    [
        (401, Terminal, "wants an HF_TOKEN (401)"),
        (403, Terminal, "wants an HF_TOKEN (403)"),
        (418, Terminal, "answers 418"),
        (503, Retryable, "answers 503"),
    ],
)
def test_a_status_of_the_hub_becomes_a_line(
    site: Site, hub: HubServer, status: int, kind: type[DriverError], said: str
) -> None:
    hub.failing = status
    refusal = site.refusal(Q4_0)
    assert isinstance(refusal, kind)
    assert said in str(refusal)


# --- without the hub --------------------------------------------------------------------------------------------------


def test_without_the_hub_a_complete_copy_is_used_and_said(site: Site, hub: HubServer) -> None:
    before = site.get(Q4_0)
    hub.close()
    after = site.get(Q4_0)
    note = str(after.pop("note"))
    assert after == before
    assert note.startswith("cannot reach the hub for")
    assert f"revision {str(before['revision'])[:12]} on this machine is used" in note


def test_an_unwell_hub_counts_as_none(site: Site, hub: HubServer) -> None:
    site.get(Q4_0)
    hub.failing = 500
    assert "answers 500" in str(site.get(Q4_0)["note"])


def test_without_the_hub_and_a_complete_copy_there_is_no_model(site: Site, hub: HubServer) -> None:
    site.get(Q4_0)
    hub.close()
    refusal = site.refusal(ModelBody(repo=LLAMA_GGUF, files=("*.Q8_0.gguf",)))
    assert isinstance(refusal, Unreachable)
    assert hub.endpoint in str(refusal)


def test_a_newer_revision_is_fetched_and_the_older_stays(site: Site, hub: HubServer, weights: Path) -> None:
    before = site.get(Q4_0)
    content = weights.read_bytes() + b"newer"
    hub.add(LLAMA_GGUF, {"llama-2-7b-chat.Q4_0.gguf": content})
    after = site.get(Q4_0)
    assert after["revision"] != before["revision"]
    assert Path(str(after["file"])).stat().st_size == len(content)
    assert Path(str(before["file"])).exists()


# --- a shared store ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("through", ["body", "environment"])
def test_a_store_gives_what_another_machine_put_in(tmp_path: Path, hub: HubServer, weights: Path, through: str) -> None:
    store = str(tmp_path / "store")
    body = ModelBody(repo=LLAMA_GGUF, files=Q4_0.files, store=store if through == "body" else "")
    environ = {} if through == "body" else {hub_driver.STORE_VARIABLE: store}
    Site(tmp_path / "one", hub, **environ).get(body)
    hub.close()
    outputs = Site(tmp_path / "two", hub, **environ).get(body)
    assert outputs["note"] == f"taken from the store {store}"
    assert Path(str(outputs["file"])).is_relative_to(tmp_path / "two")
    assert Path(str(outputs["file"])).read_bytes() == weights.read_bytes()


def test_a_store_that_has_other_files_of_the_repository_gets_the_rest(tmp_path: Path, hub: HubServer) -> None:
    store = str(tmp_path / "store")
    first = Site(tmp_path / "one", hub)
    first.get(ModelBody(repo=LLAMA_GGUF, files=Q4_0.files, store=store))
    outputs = first.get(ModelBody(repo=LLAMA_GGUF, files=("*.Q8_0.gguf",), store=store))
    assert "note" not in outputs
    kept = ModelFolder(Path(store), LLAMA_GGUF).complete(("*.Q4_0.gguf", "*.Q8_0.gguf"))
    assert kept is not None
    assert len(kept.files) == 2


# --- models that are here ---------------------------------------------------------------------------------------------


def test_the_builtin_model_is_made_in_the_models_folder(site: Site) -> None:
    outputs = site.get(ModelBody(builtin="tiny"))
    assert Path(str(outputs["file"])).parent == site.folder / "builtin" == Path(str(outputs["folder"]))
    assert str(outputs["revision"]) in str(outputs["file"])


def test_a_file_or_folder_of_this_machine_is_used_where_it_is(site: Site, weights: Path, tmp_path: Path) -> None:
    assert site.get(ModelBody(path=str(weights)))["file"] == str(weights)
    assert site.get(ModelBody(path=str(weights.parent)))["file"] == str(weights)
    folder = tmp_path / "hf-model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    outputs = site.get(ModelBody(path=str(folder), want="folder"))
    assert (outputs["folder"], outputs["file"], outputs["bytes"]) == (str(folder), "", 2)


Wrong = Callable[[Path], ModelBody]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (lambda _: ModelBody(builtin="huge"), "cannot make built-in model 'huge'"),
        (lambda _: ModelBody(path="/no/such/model"), "cannot find model '/no/such/model'"),
        (lambda weights: ModelBody(path=str(weights), want="folder"), "the runtime wants a folder"),
        (lambda _: ModelBody(path="/etc/ssl", files=("*.none",)), "no .gguf among no files"),
    ],
)
def test_a_model_that_is_not_here_is_refused(site: Site, weights: Path, body: Wrong, said: str) -> None:
    assert said in str(site.refusal(body(weights)))


def test_a_folder_that_cannot_be_written_is_no_traceback(tmp_path: Path, hub: HubServer) -> None:
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where the folder should be")
    refusal = Site(blocked, hub).refusal(Q4_0)
    assert f"cannot keep model {LLAMA_GGUF!r} in {blocked}" in str(refusal)


def test_offline_mode_of_the_library_is_no_hub(site: Site, hub: HubServer) -> None:
    site.get(Q4_0)
    before = len(hub.requests)
    command = [sys.executable, "-c", FETCHING, LLAMA_GGUF, str(site.folder)]
    environ = {**os.environ, **site.environ, "HF_HUB_OFFLINE": "1"}
    said = subprocess.run(command, env=environ, check=True, capture_output=True, text=True).stdout
    assert "on this machine is used" in said
    assert len(hub.requests) == before
