"""Images of Ray clusters: what they come to on this machine, their builds, and where those go."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bandari.desired.ray import RayImage
from bandari.desired.state import DesiredState
from bandari.diagnostics import Diagnostic
from bandari.pipeline.surroundings import folders

if TYPE_CHECKING:
    from bandari.catalog.ray_images import RayImages
    from bandari.planning.graph import Address
    from bandari.planning.plan import Observed
    from bandari.providers.ray_environment import ImageFiles

LARGEST_TEXT = 2**20


@cache
def ray_images() -> RayImages:
    """The packaged table of Ray's published images."""
    from importlib import resources

    from bandari.catalog import ray_images as catalog

    return catalog.table((resources.files("bandari.catalog") / "data" / "ray_images.csv").read_text(encoding="utf-8"))


def environments(
    state: DesiredState, ray_version: str = ""
) -> tuple[Mapping[str, Mapping[str, Any]], tuple[Diagnostic, ...]]:
    """Ray cluster -> the body of its environment, for those that say something about it; and every finding."""
    clusters = [c for c in state.ray_clusters() if ray_version or _says(c.image)]
    if not clusters:
        return {}, ()
    from bandari.drivers.environments import here
    from bandari.providers.ray_environment import environment_of
    from bandari.serving.protocol import plain

    mine = here(ray_version, folders().environments)
    bodies: dict[str, Mapping[str, Any]] = {}
    found: list[Diagnostic] = []
    for cluster in clusters:
        body, said = environment_of(cluster.name, cluster.image, images=ray_images(), here=mine, files=files_of_disk())
        found.extend(said)
        if body:
            bodies[cluster.name] = plain(body)
    return bodies, tuple(found)


def _says(image: RayImage) -> bool:
    return image != RayImage()


def files_of_disk() -> ImageFiles:
    """Files as an image's description sees them."""
    from bandari.providers.ray_environment import ImageFiles

    return ImageFiles(text_of, fingerprint)


def text_of(path: str) -> str | None:
    """The text of a file of at most 1 MiB; None where there is none to read."""
    try:
        with Path(path).open(encoding="utf-8", errors="replace") as file:
            return file.read(LARGEST_TEXT)
    except OSError:
        return None


def fingerprint(path: str) -> str:
    """`file` or `folder` and a digest of names, modes and bytes; empty where nothing is there."""
    place = Path(path)
    if place.is_file():
        return f"file {_digest(place)}"
    if not place.is_dir():
        return ""
    whole = hashlib.sha256()
    for item in sorted(place.rglob("*")):
        mark = str(item.readlink()) if item.is_symlink() else _digest(item) if item.is_file() else ""
        whole.update(f"{item.relative_to(place)}\0{item.lstat().st_mode:o}\0{mark}\n".encode())
    return f"folder {whole.hexdigest()}"


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def prepare(body: Mapping[str, Any], heard: Callable[[int, int], None]) -> Mapping[str, Any]:
    """Makes the environment of a plan's body on this machine, or finds it made; its outputs."""
    from bandari.drivers.environments import prepare as make
    from bandari.serving.ray.bodies import RayEnvironmentBody

    copies = tuple((str(source), str(target)) for source, target in body.get("copies", ()))
    lines = tuple(body.get("requirements", ()))
    return make(RayEnvironmentBody(**{**body, "copies": copies, "requirements": lines}), folders().environments, heard)


def digests_of(recorded: Mapping[Address, Observed]) -> frozenset[str]:
    """Names of the environments that a cluster's record uses."""
    return frozenset(str(o.body.get("digest", "")) for a, o in recorded.items() if a.kind == "rayenv")
