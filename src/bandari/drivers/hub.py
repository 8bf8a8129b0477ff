"""The only way to model hubs: lists and fetches the files of a repository through huggingface_hub.

HF_ENDPOINT, HF_TOKEN and HF_HUB_OFFLINE mean what they mean to that library. A cut download is resumed, also by the
next process; a file gets its name only when its size and digest are right; a repository is fetched once, however many
replicas and commands want it. Where the hub cannot be reached, what is complete on this machine is used.
"""

from __future__ import annotations

import errno
import hashlib
import importlib
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from bandari.drivers.model_folder import ModelFile, ModelFolder, ModelListing, is_safe
from bandari.errors import DriverError, Retryable, Terminal, Unreachable
from bandari.runtimes.model_files import NoChoice, choose, listed
from bandari.runtimes.protocol import ModelForm
from bandari.serving.models import BUILTINS, builtin
from bandari.serving.protocol import ModelBody
from bandari.units import Memory

STORE_VARIABLE = "BANDARI_MODEL_STORE"
QUIET = {
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_UPDATE_CHECK": "1",
}
"""Read by huggingface_hub when it is imported."""
HEADROOM = 64 * 2**20
"""Bytes that a download leaves free on the disk."""
CHUNK = 2**20
_SHA256 = re.compile("[0-9a-f]{64}")

Progress = Callable[[int, int], None]
"""Is called with bytes done and bytes in all."""
Outputs = dict[str, object]


def inspect(repo: str, globs: tuple[str, ...] = ("*",), *, environ: Mapping[str, str] | None = None) -> ModelListing:
    """What the globs take of the repository's newest revision; DriverError where the hub does not answer so."""
    return _Hub(os.environ if environ is None else environ).listing(repo).only(globs)


def download(body: ModelBody, folder: Path, progress: Progress, *, environ: Mapping[str, str] | None = None) -> Outputs:
    """Brings the model to this machine, under `folder` unless it is a path: {"folder", "file", "revision", "bytes"}.

    `file` is empty for a folder model; `note` is there when something is worth a line, such as a start without the
    hub. DriverError says what to do.
    """
    environ = os.environ if environ is None else environ
    if body.builtin:
        return _from_builtin(body, folder)
    if body.path:
        return _from_path(body)
    try:
        return _from_hub(body, folder, progress, environ)
    except OSError as error:
        reason = error.strerror or str(error)
        raise Terminal(f"cannot keep model {body.repo!r} in {folder}: {reason}", fix="check the disk") from error


# --- models that are here already -------------------------------------------------------------------------------------


def _from_builtin(body: ModelBody, folder: Path) -> Outputs:
    if body.builtin not in BUILTINS:
        raise Terminal(
            f"cannot make built-in model {body.builtin!r}: there is none of this name", fix=f"use {', '.join(BUILTINS)}"
        )
    path = builtin(body.builtin, folder / "builtin")
    return _outputs(path.parent, path, revision=path.stem.rpartition("-")[2], size=path.stat().st_size)


def _from_path(body: ModelBody) -> Outputs:
    path = Path(body.path).expanduser().absolute()
    if path.is_file():
        if body.want != ModelForm.FILE:
            raise Terminal(f"cannot use {str(path)!r} as a model: the runtime wants a folder", fix="name its folder")
        return _outputs(path.parent, path, revision="", size=path.stat().st_size)
    if not path.is_dir():
        raise Terminal(f"cannot find model {body.path!r}: there is no such file or folder", fix="check `model.source`")
    files = tuple(
        ModelFile(str(found.relative_to(path)), found.stat().st_size) for found in path.rglob("*") if found.is_file()
    )
    listing = ModelListing(str(path), "", files).only(body.files)
    return _outputs(path, _chosen(body, listing, path), revision="", size=listing.bytes)


def _outputs(folder: Path, file: Path | None, *, revision: str, size: int) -> Outputs:
    return {"folder": str(folder), "file": str(file) if file else "", "revision": revision, "bytes": size}


def _chosen(body: ModelBody, listing: ModelListing, folder: Path) -> Path | None:
    """The model's file, or None for a folder model; Terminal where there is not exactly one."""
    if body.want != ModelForm.FILE:
        return None
    choice = choose([file.name for file in listing.files])
    if isinstance(choice, NoChoice):
        raise Terminal(f"cannot choose the model of {listing.repo!r}: {choice.message}", fix=choice.fix)
    return folder / choice


# --- models of the hub ------------------------------------------------------------------------------------------------


def _from_hub(body: ModelBody, folder: Path, progress: Progress, environ: Mapping[str, str]) -> Outputs:
    place = ModelFolder(folder, body.repo)
    shared = (body.store or environ.get(STORE_VARIABLE, "")) if body.shared else ""
    store = ModelFolder(Path(shared), body.repo) if shared else None
    with place.lock():
        if store and (kept := store.complete(body.files)):
            _take_over(store, place, kept, store.remembered())
            return _placed(body, place, kept, note=f"taken from the store {shared}")
        hub = _Hub(environ)
        try:
            whole = hub.listing(body.repo)
        except Retryable as error:
            kept = place.complete(body.files)
            if not kept:
                raise
            return _placed(body, place, kept, note=f"{error}; revision {kept.revision[:12]} on this machine is used")
        wanted = _wanted(body, whole)
        _chosen(body, wanted, place.path)  # before gigabytes are fetched
        _fetch(hub, place, wanted, progress)
        place.remember(whole)
        if store:
            with store.lock():
                _take_over(place, store, wanted, whole)
    return _placed(body, place, wanted)


def _placed(body: ModelBody, place: ModelFolder, listing: ModelListing, *, note: str = "") -> Outputs:
    folder = place.files(listing.revision)
    outputs = _outputs(folder, _chosen(body, listing, folder), revision=listing.revision, size=listing.bytes)
    return {**outputs, "note": note} if note else outputs


def _wanted(body: ModelBody, whole: ModelListing) -> ModelListing:
    wanted = whole.only(body.files)
    if not wanted.files:
        raise Terminal(
            f"cannot find {' '.join(body.files)} in {body.repo!r}: it has {listed([f.name for f in whole.files])}",
            fix="correct `model.files`",
        )
    return wanted


def _take_over(source: ModelFolder, target: ModelFolder, listing: ModelListing, whole: ModelListing | None) -> None:
    for file in target.missing(listing):
        target.copy(source.files(listing.revision) / file.name, file, listing.revision)
    target.remember(whole or listing)


def _fetch(hub: _Hub, place: ModelFolder, listing: ModelListing, progress: Progress) -> None:
    missing = place.missing(listing)
    done = listing.bytes - sum(file.size for file in missing)
    _check_space(place, listing.repo, sum(file.size - _size(place.part(_key(file))) for file in missing))
    progress(done, listing.bytes)
    for file in missing:
        part = place.part(_key(file))
        start = done

        def report(of_file: int, start: int = start) -> None:
            progress(start + of_file, listing.bytes)

        hub.fetch(listing, file, part, report)
        place.place(part, file, listing.revision)
        done += file.size


def _key(file: ModelFile) -> str:
    return file.digest or hashlib.sha256(file.name.encode()).hexdigest()


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _check_space(place: ModelFolder, repo: str, needed: int) -> None:
    free = shutil.disk_usage(place.path).free
    if needed and needed + HEADROOM > free:
        raise Terminal(
            f"cannot download {repo!r}: it needs {Memory(needed).human()} more, {Memory(free).human()} are free "
            f"at {place.root}",
            fix="free space, or choose a smaller file in `model.files`",
        )


# --- the hub ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Hub:
    """One hub, by its environment; the library is imported at the first use (0.3 s)."""

    environ: Mapping[str, str]

    @property
    def endpoint(self) -> str:
        return self.environ.get("HF_ENDPOINT", "").rstrip("/") or "https://huggingface.co"

    @property
    def token(self) -> str | None:
        """None: the library looks for a login of the user."""
        return self.environ.get("HF_TOKEN") or None

    def listing(self, repo: str) -> ModelListing:
        """All files of the newest revision."""
        library = _library()
        with self._explained(repo):
            api = library.HfApi(endpoint=self.endpoint, token=self.token, library_name="bandari")
            found = api.model_info(repo, files_metadata=True, timeout=30)
        files = tuple(_file(sibling) for sibling in found.siblings or ())
        if unsafe := [file.name for file in files if not is_safe(file.name)]:
            raise Terminal(f"cannot use repository {repo!r}: file name {unsafe[0]!r} leads out of its folder")
        return ModelListing(repo, found.sha, files)

    def fetch(self, listing: ModelListing, file: ModelFile, part: Path, report: Callable[[int], None]) -> None:
        """Completes `part` to the file; what an earlier try left there is kept and only the rest is asked for.

        `hf_hub_download` of version 2 throws a cut download away, so this takes one level below it.
        """
        library = _library()
        url = library.hf_hub_url(listing.repo, file.name, revision=listing.revision, endpoint=self.endpoint)
        headers = library.utils.build_hf_headers(token=self.token, library_name="bandari")
        headers["Accept-Encoding"] = "identity"  # sizes and ranges are of the file, not of its compressed form
        with _Growing.open(part, file, report) as growing, self._explained(listing.repo):
            if growing.size < file.size:
                library.file_download.http_get(url, growing, resume_size=growing.size, headers=headers)
        if growing.size != file.size or (file.digest and growing.digest() != file.digest):
            part.unlink()
            raise Retryable(
                f"cannot accept {file.name!r} of {listing.repo!r}: its checksum differs from the hub's",
                fix="run it again; if it comes back, a proxy changes what the hub sends",
            )

    @contextmanager
    def _explained(self, repo: str) -> Iterator[None]:
        errors = _library().errors
        try:
            yield
        except DriverError:
            raise
        except errors.GatedRepoError as error:
            raise Terminal(
                f"cannot download {repo!r}: its owner gives access on request",
                fix=f"accept the licence at {self.endpoint}/{repo} and set HF_TOKEN",
            ) from error
        except errors.RepositoryNotFoundError as error:
            raise self._not_found(repo) from error
        except errors.HFValidationError as error:
            raise Terminal(f"cannot read repository id {repo!r}: {error}", fix="write owner/name") from error
        except errors.HfHubHTTPError as error:
            raise self._refused(repo, error) from error
        except (errors.HTTPError, errors.OfflineModeIsEnabled, OSError) as error:
            raise self._lost(repo, error) from error

    def _not_found(self, repo: str) -> Terminal:
        who = "this HF_TOKEN may not see it" if self.token else "it is private and no HF_TOKEN is set"
        return Terminal(
            f"cannot find repository {repo!r} on {self.endpoint}: it does not exist, or {who}",
            fix="check `model.hfRepoId`; for a private repository set HF_TOKEN",
        )

    def _refused(self, repo: str, error: Any) -> DriverError:
        status = error.response.status_code if error.response is not None else 0
        if status in (401, 403):
            wish = "refuses this HF_TOKEN" if self.token else "wants an HF_TOKEN"
            return Terminal(f"cannot download {repo!r}: {self.endpoint} {wish} ({status})", fix="set a valid HF_TOKEN")
        if status == 429 or status >= 500:
            return Retryable(f"cannot download {repo!r}: {self.endpoint} answers {status}", fix="try again later")
        return Terminal(f"cannot download {repo!r}: {self.endpoint} answers {status}", fix="check `model.hfRepoId`")

    def _lost(self, repo: str, error: BaseException) -> DriverError:
        if isinstance(error, OSError) and error.errno is not None and not isinstance(error, ConnectionError):
            reason = "the disk is full" if error.errno == errno.ENOSPC else str(error.strerror)
            return Terminal(f"cannot download {repo!r}: {reason}", fix="see to the disk; the download is resumed")
        return Unreachable(
            f"cannot reach the hub for {repo!r} at {self.endpoint}: {_cause(error)}",
            fix="check the network and HF_ENDPOINT; what is fetched already is kept",
        )


def _library() -> Any:
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    try:
        library = importlib.import_module("huggingface_hub")
    except ModuleNotFoundError as error:
        fix = "pip install 'bandari[local]'"
        raise Terminal("cannot ask the model hub: huggingface_hub is not installed", fix=fix) from error
    for part in ("errors", "utils", "file_download"):
        importlib.import_module(f"huggingface_hub.{part}")
    library.utils.logging.set_verbosity_error()  # what matters comes back as an error of ours
    return library


def _file(sibling: Any) -> ModelFile:
    if sibling.lfs:
        return ModelFile(sibling.rfilename, sibling.lfs.size, sibling.lfs.sha256)
    return ModelFile(sibling.rfilename, sibling.size or 0, sibling.blob_id or "")


def _cause(error: BaseException) -> str:
    """One line without the URL, which may hold a signature."""
    return (str(error).splitlines() or [type(error).__name__])[0].partition(" for url")[0]


class _Growing:
    """A partial file as the library writes it: counts, reports and digests what goes by."""

    def __init__(self, file: BinaryIO, wanted: ModelFile, report: Callable[[int], None]) -> None:
        self._file = file
        self._wanted = wanted
        self._report = report
        self._restart()

    @classmethod
    @contextmanager
    def open(cls, part: Path, wanted: ModelFile, report: Callable[[int], None]) -> Iterator[_Growing]:
        """Goes on where an earlier download stopped."""
        with part.open("a+b") as file:
            growing = cls(file, wanted, report)
            file.seek(0)
            while chunk := file.read(CHUNK):
                growing._count(chunk)
            if growing.size > wanted.size:
                growing.seek(0)
                growing.truncate()
            yield growing

    def write(self, chunk: bytes) -> int:
        self._file.write(chunk)
        self._count(chunk)
        return len(chunk)

    def tell(self) -> int:
        return self.size

    def seek(self, position: int) -> int:
        """The library only ever goes back to the start, when a server ignores where it was asked to go on."""
        return self._file.seek(position)

    def truncate(self) -> int:
        self._file.truncate()
        self._restart()
        return 0

    def digest(self) -> str:
        """By the kind of the digest that is expected: sha256 of an LFS file, else git's name of the blob."""
        return self._hash.hexdigest()

    def _restart(self) -> None:
        self.size = 0
        git = f"blob {self._wanted.size}\0".encode()
        self._hash = hashlib.sha256() if _SHA256.fullmatch(self._wanted.digest) else hashlib.sha1(git)  # noqa: S324 - git's

    def _count(self, chunk: bytes) -> None:
        self.size += len(chunk)
        self._hash.update(chunk)
        self._report(self.size)
