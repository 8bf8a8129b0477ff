"""Engines of other projects that tests start: found on PATH, else a skip that names them, and a failure in CI."""

from __future__ import annotations

import os
import shutil

import pytest

PACKAGES = {
    name: f"Debian's package {name}"
    for name in ("prometheus", "buildah", "podman", "runc", "docker-registry", "debootstrap")
}


def engine(name: str) -> str:
    """The path of a program; skips the test where it is missing, fails it where `CI` is set."""
    path = shutil.which(name)
    if path:
        return path
    message = f"cannot find {name!r} on PATH: install {PACKAGES.get(name, name)}"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)
