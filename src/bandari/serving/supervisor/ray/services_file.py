"""Services on disk: where each rollout stands and what each version that runs is made of. One JSON file of mode 0600,
replaced as a whole; it holds the environments of applications, and nothing of it is printed.
"""

from __future__ import annotations

import logging
import os
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from bandari.serving.ray.bodies import RayApplicationBody, RayServiceBody
from bandari.serving.ray.rollout import Rollout

SERVICES_FILE = "rayservices.json"
SERVICES_FOLDER = "services"
"""Packages of the versions' folders are kept below it."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a service, on one Ray cluster."""

    cluster: str
    applications: tuple[RayApplicationBody, ...]
    options: dict[str, Any] = field(default_factory=dict)
    environments: dict[str, dict[str, Any]] | None = None
    """By application: its runtime_env with packages for its folders; None until they are made."""


@dataclass(frozen=True, slots=True)
class Kept:
    """One service. `body` is None while a removed one drains."""

    rollout: Rollout = field(default_factory=Rollout)
    versions: dict[str, Version] = field(default_factory=dict)
    body: RayServiceBody | None = None
    serving: dict[str, int] = field(default_factory=dict)
    """Versions that could answer when they were last looked at, and in which start of the head."""


@dataclass(frozen=True, slots=True)
class _File:
    version: int = 1
    services: dict[str, Kept] = field(default_factory=dict)
    clusters: tuple[str, ...] = ()


class ServicesFile:
    """`clusters` are the Ray clusters that anything was deployed to and not all removed from."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / SERVICES_FILE
        self.folder = folder / SERVICES_FOLDER
        found = self._read()
        self.services: dict[str, Kept] = dict(found.services)
        self.clusters: set[str] = set(found.clusters)

    def keep(self, name: str, kept: Kept | None) -> None:
        """Writes one service; None forgets it. A disk that takes nothing is a warning: all of it is found out again."""
        if kept is None:
            self.services.pop(name, None)
        else:
            self.services[name] = kept
        self.write()

    def write(self) -> None:
        """On disk when this returns, if the disk takes it."""
        text = msgspec.json.encode(_File(services=self.services, clusters=tuple(sorted(self.clusters))))
        fresh = self.path.with_suffix(".tmp")
        try:
            with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self.path)
        except OSError as error:
            _log.warning("cannot write the services: %s", error)

    def remove(self) -> None:
        """All is taken down."""
        self.services.clear()
        self.clusters.clear()
        self.path.unlink(missing_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _read(self) -> _File:
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=_File)
        except FileNotFoundError:
            return _File()
        except (msgspec.MsgspecError, UnicodeDecodeError, OSError) as error:
            aside = self.path.with_name(f"{SERVICES_FILE}.corrupt-{int(time.time())}")
            self.path.replace(aside)
            _log.error("cannot read the services: %s; kept aside as %s", error, aside.name)
            return _File()
