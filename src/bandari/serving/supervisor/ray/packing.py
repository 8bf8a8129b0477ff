"""Folders of a runtime_env as packages: what a job reads is what was there when it was submitted, also at a retry.

A package is a zip in the state folder, named by its content, that Ray fetches by a `file://` address: every node is on
this machine, so nothing has to go through the head, whose store is limited and may be lost. Everything is in one folder
at the top of the zip, since Ray takes that one away.
"""

from __future__ import annotations

import hashlib
import os
import stat
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from bandari.serving import folders
from bandari.serving.supervisor.control import Refused

PACKAGES = "packages"
_TOP = "package"
_EPOCH = (1980, 1, 1, 0, 0, 0)
_ARCHIVES = (".zip", ".jar", ".whl", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")


def packed(environment: Mapping[str, Any], state: Path) -> dict[str, Any]:
    """The runtime_env with addresses of packages for its local folders, and lines for files of requirements; Refused
    when one cannot be read. Blocks for as long as reading takes.
    """
    ready = dict(environment)
    excludes = tuple(str(line) for line in ready.pop("excludes", None) or ())
    folder = state / PACKAGES
    if words := ready.get("working_dir"):
        ready["working_dir"] = _address(str(words), excludes, folder, "working_dir", inner="")
    if modules := ready.get("py_modules"):
        ready["py_modules"] = [_module(str(module), excludes, folder) for module in modules]
    for name in ("pip", "uv"):
        if isinstance(ready.get(name), str):
            ready[name] = _lines(Path(ready[name]), name)
    return ready


def addresses(environment: Mapping[str, Any]) -> Iterator[str]:
    """Names of the packages that an environment asks for."""
    for found in (environment.get("working_dir"), *(environment.get("py_modules") or ())):
        if isinstance(found, str) and found.startswith("file://"):
            yield Path(found).name


def sweep(state: Path, needed: Iterable[str]) -> None:
    """Removes packages that nothing asks for any more."""
    kept = set(needed)
    for path in (state / PACKAGES).glob("*.zip"):
        if path.name not in kept:
            path.unlink(missing_ok=True)


def _module(words: str, excludes: tuple[str, ...], folder: Path) -> str:
    return _address(words, excludes, folder, "py_modules", inner=f"{Path(words).name}/")


def _address(words: str, excludes: tuple[str, ...], folder: Path, what: str, *, inner: str) -> str:
    """`inner` is where the files stand within the package."""
    if "://" in words:
        return words
    source = Path(words)
    if not source.is_absolute():
        raise Refused(f'cannot pack {what} "{words}": it is no absolute path')
    try:
        if source.is_file() and words.endswith(_ARCHIVES):
            return f"file://{source}"
        if not source.is_dir() and source.suffix != ".py":
            raise Refused(f'cannot pack {what} "{words}": there is no such folder', "name a folder that is there")
        packed_files = [("", source)] if source.is_file() else list(folders.files(source, excludes))
        return f"file://{_zip(packed_files, folder, f'{_TOP}/{inner}' if source.is_dir() else f'{_TOP}/{source.name}')}"
    except OSError as error:
        reason = os.strerror(error.errno or 0).lower()
        raise Refused(f'cannot pack {what} "{words}": "{error.filename or folder}": {reason}') from error


def _zip(files: Iterable[tuple[str, Path]], folder: Path, prefix: str) -> Path:
    """Writes the package unless it is there; times are left out, so that equal content is an equal package."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = folder / f"{os.getpid()}-{os.urandom(4).hex()}.tmp"
    try:
        with zipfile.ZipFile(fresh, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as package:
            package.writestr(zipfile.ZipInfo(f"{_TOP}/", _EPOCH), b"")
            for relative, path in files:
                entry = zipfile.ZipInfo(f"{prefix}{relative}", _EPOCH)
                entry.compress_type = zipfile.ZIP_DEFLATED
                entry.external_attr = (stat.S_IFREG | stat.S_IMODE(path.stat().st_mode)) << 16
                with path.open("rb") as source, package.open(entry, "w", force_zip64=True) as target:
                    while chunk := source.read(1 << 20):
                        target.write(chunk)
        with fresh.open("rb") as written:
            digest = hashlib.file_digest(written, "sha256").hexdigest()[:24]
        return fresh.replace(folder / f"{digest}.zip")
    finally:
        fresh.unlink(missing_ok=True)


def _lines(path: Path, what: str) -> list[str]:
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(f'cannot read the requirements of {what} "{path}": {error}') from error
    return [line.strip() for line in lines if line.strip() and not line.strip().startswith("#")]
