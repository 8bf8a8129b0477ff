"""What a base install brings: counted from the metadata of what is installed, without the extras."""

from __future__ import annotations

import re
from importlib.metadata import Distribution, distribution
from pathlib import Path

import bandari

MOST_PACKAGES = 12
MOST_BYTES = 25 * 2**20


def needed_by(name: str, seen: dict[str, Distribution]) -> dict[str, Distribution]:
    """The closure of a package's requirements that hold without an extra, on this system."""
    key = re.sub(r"[-_.]+", "-", name).lower()
    if key in seen:
        return seen
    seen[key] = distribution(name)
    for requirement in seen[key].requires or ():
        marker = requirement.partition(";")[2]
        if "extra ==" in marker or "win32" in marker or "Windows" in marker or "python_version <" in marker:
            continue
        match = re.match(r"[A-Za-z0-9._-]+", requirement)
        assert match is not None
        needed_by(match[0], seen)
    return seen


def bytes_of(package: Distribution) -> int:
    if package.metadata["Name"] == "bandari":
        files = (p for p in Path(bandari.__file__).parent.rglob("*") if p.is_file())
    else:
        files = (Path(str(package.locate_file(f))) for f in package.files or ())
    return sum(p.stat().st_size for p in files if p.suffix != ".pyc" and p.is_file())


def test_a_base_install_is_at_most_twelve_packages_with_ours() -> None:
    assert len(needed_by("bandari", {})) <= MOST_PACKAGES, sorted(needed_by("bandari", {}))


def test_a_base_install_is_at_most_25_mb_without_bytecode() -> None:
    sizes = {name: bytes_of(package) for name, package in needed_by("bandari", {}).items()}
    assert all(size > 0 for size in sizes.values()), sizes
    assert sum(sizes.values()) <= MOST_BYTES, sizes
