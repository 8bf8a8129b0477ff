"""The API keys of a cluster's public groups: shown once when made, stored as hashes in `keys.json`.

A key is 256 random bits, so a plain SHA-256 of it cannot be guessed back and needs no salt and no slow hash. The
gateway looks a presented key up by its hash in a set: what timing could tell is about the hash of a guess, which leads
to no key.

The file is replaced as a whole (written beside, then renamed) under a lock of its own, and only its owner may read it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import hashlib
import json
import os
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bandari.errors import BandariError
from bandari.serving.protocol import KEYS_FILE

PREFIX = "bandari-"
_LOCK = "keys.lock"


class BrokenKeys(BandariError, ValueError):  # noqa: N818 - reads as the sentence it is
    """The keys file cannot be understood."""


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """What is kept of a key; `created` is Unix time, `hash` what `digest` made of it."""

    id: str
    name: str
    created: float
    hash: str


def digest(key: str) -> str:
    """The hash by which a key is known, in hexadecimal."""
    return hashlib.sha256(key.encode()).hexdigest()


def create(folder: Path, name: str, now: float) -> tuple[KeyRecord, str]:
    """A new key, and its text, which is stored nowhere; BandariError when the name is taken or empty."""
    if not name.strip():
        raise BandariError("cannot create a key: its name is empty")
    key = PREFIX + secrets.token_urlsafe(32)
    with _locked(folder):
        present = records(folder)
        if any(name in {record.name, record.id} for record in present):
            raise BandariError(
                f"cannot create key {name!r}: there is one of that name; revoke it, or take another name"
            )
        record = KeyRecord(secrets.token_hex(4), name, now, digest(key))
        _write(folder, (*present, record))
    return record, key


def records(folder: Path) -> tuple[KeyRecord, ...]:
    """All keys, in the order of their making; BrokenKeys when the file cannot be understood."""
    path = folder / KEYS_FILE
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return ()
    try:
        return tuple(KeyRecord(**entry) for entry in json.loads(text)["keys"])
    except (ValueError, KeyError, TypeError) as error:
        raise BrokenKeys(f"cannot read {str(path)!r}: {error}; remove it and create the keys anew") from error


def revoke(folder: Path, id_or_name: str) -> KeyRecord | None:
    """Forgets a key and returns its record; None when there is none of that id or name."""
    with _locked(folder):
        present = records(folder)
        found = next((record for record in present if id_or_name in {record.id, record.name}), None)
        if found:
            _write(folder, tuple(record for record in present if record is not found))
        return found


def hashes(folder: Path) -> tuple[str, ...]:
    """What the gateway has to know."""
    return tuple(record.hash for record in records(folder))


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _write(folder: Path, keys: Sequence[KeyRecord]) -> None:
    path, fresh = folder / KEYS_FILE, folder / f".{KEYS_FILE}.{os.getpid()}"
    body = {"version": 1, "keys": [dataclasses.asdict(record) for record in keys]}
    try:
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(json.dumps(body, indent=1) + "\n")
            file.flush()
            os.fsync(descriptor)
        fresh.rename(path)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise BandariError(f"cannot write {str(path)!r}: {(error.strerror or str(error)).lower()}") from error
