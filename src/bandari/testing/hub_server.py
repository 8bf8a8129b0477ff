"""A double of the Hugging Face hub on loopback: the part of its HTTP API that the real client uses to list and fetch.

It is not the hub: no accounts, no history, no Xet storage; one revision a repository. Large files are redirected to
storage of another origin as the hub's are, ranges are honoured, and it can refuse, cut a transfer, or lie about what it
sends.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import socket
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote, urlsplit

LFS_SUFFIXES = (".gguf", ".safetensors", ".bin")
LLAMA_GGUF = "TheBloke/Llama-2-7B-Chat-GGUF"
LLAMA_AWQ = "TheBloke/Llama-2-7B-Chat-AWQ"
QUANTIZATIONS = ("Q2_K", "Q3_K_M", "Q4_0", "Q4_K_M", "Q5_K_M", "Q8_0")


@dataclass(slots=True)
class HubFile:
    """A file of a repository; `claimed_size` and `sent` differ from `content` where the double is to lie."""

    name: str
    content: bytes
    claimed_size: int | None = None
    sent: bytes | None = None

    @property
    def is_lfs(self) -> bool:
        return self.name.endswith(LFS_SUFFIXES)

    @property
    def size(self) -> int:
        return len(self.content) if self.claimed_size is None else self.claimed_size

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def blob(self) -> str:
        """Git's name of the content; for an LFS file the hub has a pointer there."""
        return hashlib.sha1(b"blob %d\0%s" % (len(self.content), self.content)).hexdigest()  # noqa: S324 - git's

    @property
    def etag(self) -> str:
        return self.sha256 if self.is_lfs else self.blob


@dataclass(slots=True)
class HubRepository:
    """`token`: who shows it may read; without one a private repository does not exist and a gated one is refused."""

    name: str
    files: dict[str, HubFile]
    gated: bool = False
    private: bool = False
    token: str = ""

    @property
    def revision(self) -> str:
        told = "".join(f"{file.name} {file.etag}\n" for file in self.files.values())
        return hashlib.sha1(told.encode()).hexdigest()  # noqa: S324 - a commit id


@dataclass(slots=True)
class _Answer:
    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    cut_at: int | None = None
    """Bytes of the body after which the connection breaks."""


class _Listener(ThreadingHTTPServer):
    """Knows its connections, so that closing it ends them."""

    def __init__(self, handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.connections: list[socket.socket] = []
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def process_request(self, request: socket.socket | tuple[bytes, socket.socket], client_address: Any) -> None:
        if isinstance(request, socket.socket):
            self.connections.append(request)
        super().process_request(request, client_address)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ends the open connections too; more than once is well."""
        if self._thread.is_alive():
            self.shutdown()
            self.server_close()
            self._thread.join()
        for connection in self.connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class HubServer:
    """The double; a context manager.

    `requests` are the lines asked for, each with its range (`GET /owner/name/file bytes=10-`); `cuts` tells of the next
    transfers after how many bytes they break; `leaked` holds tokens that were shown to the storage.
    """

    def __init__(self) -> None:
        self.repositories: dict[str, HubRepository] = {}
        self.requests: list[str] = []
        self.cuts: list[int] = []
        self.leaked: list[str] = []
        self.failing = 0
        """HTTP status that every request gets; 0: none."""
        hub = self

        class Handler(_Handler):
            server_hub = hub

        self._site, self._storage = _Listener(Handler), _Listener(Handler)

    def __enter__(self) -> Self:
        self._site.start()
        self._storage.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Nobody answers at the endpoint any more."""
        self._site.stop()
        self._storage.stop()

    @property
    def endpoint(self) -> str:
        """For HF_ENDPOINT."""
        return self._site.address

    def add(self, name: str, files: Mapping[str, bytes], **access: Any) -> HubRepository:
        """A repository with these files; `access`: gated, private, token."""
        repository = HubRepository(name, {n: HubFile(n, content) for n, content in files.items()}, **access)
        self.repositories[name] = repository
        return repository

    def add_llama(self, weights: Path) -> None:
        """The two repositories of the cluster file's own example; every GGUF in them is `weights`."""
        gguf = weights.read_bytes()
        named = {f"llama-2-7b-chat.{quantization}.gguf": gguf for quantization in QUANTIZATIONS}
        self.add(
            LLAMA_GGUF, {"README.md": b"# Llama 2 7B Chat\n", "config.json": b'{"model_type": "llama"}\n', **named}
        )
        tensors = (2).to_bytes(8, "little") + b"{}"  # an empty safetensors file
        self.add(
            LLAMA_AWQ,
            {
                "README.md": b"# AWQ\n",
                "config.json": b'{"model_type": "llama", "quantization_config": {"quant_method": "awq"}}\n',
                "tokenizer.json": b"{}\n",
                "model.safetensors": tensors,
            },
        )

    # --- answers ----------------------------------------------------------------------------------------------------

    def answer(self, server: object, path: str, token: str, asked_range: str) -> _Answer:
        """What the hub, or its storage, says to one GET."""
        if self.failing:
            return _Answer(self.failing)
        parts = [unquote(part) for part in urlsplit(path).path.strip("/").split("/")]
        if server is self._storage:
            self.leaked += [token] if token else []
            return self._content("/".join(parts[:2]), "/".join(parts[2:]), asked_range)
        match parts:
            case ["api", "models", owner, name, *rest]:
                return self._api(f"{owner}/{name}", rest, token)
            case [owner, name, "resolve", revision, *rest]:
                return self._resolve(f"{owner}/{name}", revision, "/".join(rest), token)
            case _:
                return _Answer(404)

    def _api(self, name: str, rest: Sequence[str], token: str) -> _Answer:
        repository = self.repositories.get(name)
        refused = _refusal(repository, token, reading=False)
        if refused or repository is None:
            return refused or _Answer(404)
        match rest:
            case [] | ["revision", "main"]:
                return _json(_info(repository))
            case ["revision", revision] if revision == repository.revision:
                return _json(_info(repository))
            case ["tree", revision, *_] if revision in ("main", repository.revision):
                return _json([_entry(file) for file in repository.files.values()])
            case _:
                return _Answer(404, {"X-Error-Code": "RevisionNotFound"})

    def _resolve(self, name: str, revision: str, file_name: str, token: str) -> _Answer:
        repository = self.repositories.get(name)
        refused = _refusal(repository, token, reading=True)
        if refused or repository is None:
            return refused or _Answer(404)
        if revision not in ("main", repository.revision):
            return _Answer(404, {"X-Error-Code": "RevisionNotFound"})
        file = repository.files.get(file_name)
        if file is None:
            return _Answer(404, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": repository.revision})
        headers = {"X-Repo-Commit": repository.revision, "ETag": f'"{file.etag}"'}
        if not file.is_lfs:
            return _Answer(200, headers, file.content if file.sent is None else file.sent)
        linked = {"X-Linked-Size": str(file.size), "X-Linked-Etag": f'"{file.sha256}"'}
        return _Answer(302, {**headers, **linked, "Location": f"{self._storage.address}/{name}/{file_name}"})

    def _content(self, name: str, file_name: str, asked_range: str) -> _Answer:
        file = self.repositories[name].files[file_name]
        body = file.content if file.sent is None else file.sent
        cut_at = self.cuts.pop(0) if self.cuts else None
        if not asked_range:
            return _Answer(200, {"ETag": f'"{file.sha256}"', "Accept-Ranges": "bytes"}, body, cut_at)
        start = int(asked_range.removeprefix("bytes=").partition("-")[0])
        headers = {"ETag": f'"{file.sha256}"', "Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}"}
        return _Answer(206, headers, body[start:], cut_at)


def _refusal(repository: HubRepository | None, token: str, *, reading: bool) -> _Answer | None:
    """As the hub: to who may not see a private repository there is none; a gated one is listed but not read."""
    known = repository is not None and (not repository.token or token == repository.token)
    if repository is None or (repository.private and not known):
        return _Answer(404 if token else 401, {"X-Error-Code": "RepoNotFound"})
    if repository.gated and not known and reading:
        return _Answer(403 if token else 401, {"X-Error-Code": "GatedRepo"})
    return None


def _info(repository: HubRepository) -> dict[str, object]:
    files = repository.files.values()
    return {
        "_id": repository.revision[:24],
        "id": repository.name,
        "modelId": repository.name,
        "sha": repository.revision,
        "private": repository.private,
        "gated": "manual" if repository.gated else False,
        "tags": [],
        "downloads": 0,
        "likes": 0,
        "siblings": [{"rfilename": f.name, "size": f.size, "blobId": f.blob, **_lfs(f, "sha256")} for f in files],
    }


def _entry(file: HubFile) -> dict[str, object]:
    return {"type": "file", "path": file.name, "size": file.size, "oid": file.blob, **_lfs(file, "oid")}


def _lfs(file: HubFile, digest: str) -> dict[str, object]:
    """The hub names the digest of a large file differently in its two listings."""
    return {"lfs": {digest: file.sha256, "size": file.size, "pointerSize": 130}} if file.is_lfs else {}


def _json(value: object) -> _Answer:
    return _Answer(200, {"Content-Type": "application/json"}, json.dumps(value).encode())


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_hub: HubServer

    def do_GET(self) -> None:
        self._respond(with_body=True)

    def do_HEAD(self) -> None:
        self._respond(with_body=False)

    def _respond(self, *, with_body: bool) -> None:
        hub = self.server_hub
        asked_range = self.headers.get("Range", "")
        hub.requests.append(f"{self.command} {self.path} {asked_range}".rstrip())
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        answer = hub.answer(self.server, self.path, token, asked_range)
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if with_body:
            self.wfile.write(answer.body[: answer.cut_at])
            self.close_connection = answer.cut_at is not None

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base class
        """Tests look at `requests` instead."""
