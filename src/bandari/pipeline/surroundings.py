"""What the pure stages are given of this machine: its facts, the packaged catalog, digests of secrets, its driver."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import secrets
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bandari.desired.state import DesiredState

if TYPE_CHECKING:
    from bandari.catalog.host import Host
    from bandari.drivers.folders import Folders
    from bandari.drivers.local import LocalDriver, Progress


def host() -> Host:
    """This machine as a value."""
    from bandari.drivers.host import probe

    return probe()


def machines() -> Any:
    """The packaged catalog of machine types."""
    import gzip
    from importlib import resources

    from bandari.catalog import machines as catalog

    packed = (resources.files("bandari.catalog") / "data" / "machines.csv.gz").read_bytes()
    return catalog.parse(gzip.decompress(packed).decode())


def folders() -> Folders:
    """The user's folders, by the environment."""
    from bandari.drivers.folders import Folders

    return Folders.of(os.environ)


def secret_digests(state: DesiredState) -> tuple[Mapping[tuple[str, str], str], str]:
    """Keyed digests of the secrets file's values, and why there are none: a plan sees that a value changed, and
    nobody can guess it from there.
    """
    from bandari.document.secrets import secrets as read_secrets

    path = state.target.local.secrets_file
    if not path:
        return {}, ""
    try:
        found = read_secrets(Path(path).read_text(encoding="utf-8"), path)
    except (OSError, ValueError) as error:
        return {}, _reason(error)
    key = _digest_key()
    return {at: hmac.new(key, value.encode(), hashlib.sha256).hexdigest()[:16] for at, value in found.items()}, ""


def _reason(error: Exception) -> str:
    """In words that quote nothing of the file."""
    match error:
        case OSError():
            return (error.strerror or type(error).__name__).lower()
        case UnicodeError():
            return "it is no UTF-8 text"
        case _:
            return str(error)


def _digest_key() -> bytes:
    """A random key of this user, made once: whoever comes first links it into place whole."""
    path = folders().state.parent / "digest-key"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, fresh = tempfile.mkstemp(dir=path.parent)
        with os.fdopen(handle, "wb") as stream:
            stream.write(secrets.token_bytes(32))
        with contextlib.suppress(FileExistsError):
            os.link(fresh, path)
        Path(fresh).unlink()
    return path.read_bytes()


def local_driver(cluster: str, progress: Progress | None = None) -> LocalDriver:
    """The driver of a cluster on this machine."""
    from bandari.drivers.local import LocalDriver
    from bandari.pipeline.images import prepare
    from bandari.pipeline.models import fetch

    places = folders()
    return LocalDriver(
        cluster, places, lambda body, heard: fetch(body, places.models, heard), progress, prepare=prepare
    )
