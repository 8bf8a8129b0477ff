"""Ray's published images as facts: what a tag says, which tags there are, and which Ray runs on this machine.

Pure: the table comes in as text, from `data/ray_images.csv`; `tools/ray_images.py` makes it, `data/README.md` says what
it rests on. Tags are `rayproject/ray:<Ray>[-py3N][-cuNNN|-gpu|-cpu]`; Anyscale's base images have the same grammar, a
`-slim` more, and Ray's own image of the same versions stands for them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

REPOSITORY = "rayproject/ray"
OLDEST = "2.8.0"
"""The first release whose images are supported."""
OLDEST_HERE = "2.55.0"
NEWEST_HERE = "2.60.0"
"""Between these two a Ray runs on this machine: before 2.55.0 a worker cannot have a temp folder of its own."""
NIGHTLY = "nightly"
LATEST = "latest"
_NAME = re.compile(
    r"^(?:docker\.io/)?(?P<repository>(?:rayproject|anyscale)/ray(?:-ml|-llm)?)(?::(?P<tag>[^@]*))?(?P<digest>@.+)?$"
)
_TAG = re.compile(
    r"^(?P<ray>\d+\.\d+\.\d+(?:optimized)?|\d+\.\d+|nightly|latest)(?:\.[0-9a-f]{6})?(?P<variant>-slim|-extra)?"
    r"(?:-py3(?P<python>\d{1,2}))?(?:-cu(?P<cuda>\d{3})|-(?P<kind>cpu|gpu))?(?:-(?P<arch>aarch64|x86_64))?$"
)
_GPU_CHANGED = (2, 30, 0)
"""First release whose `-gpu` is CUDA 12.1; before, it is 11.8."""
_NEAR = 5


@dataclass(frozen=True, slots=True)
class RayTag:
    """What the name of an image says. `python` is `3.11` and `cuda` `12.8`; each is empty where the name has none."""

    repository: str
    ray: str
    python: str = ""
    cuda: str = ""
    variant: str = ""
    digest: str = ""

    @property
    def foreign(self) -> bool:
        """Whether it is not `rayproject/ray`, so that another image stands for it."""
        return self.repository != REPOSITORY or self.variant == "slim"


@dataclass(frozen=True, slots=True)
class Release:
    """One release: every Python with every CUDA version, and with none."""

    ray: str
    pythons: tuple[str, ...]
    cudas: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RayImages:
    """The releases by their version, oldest first; `date` is ISO 8601."""

    releases: Mapping[str, Release] = field(default_factory=dict)
    date: str = ""

    @property
    def newest(self) -> str:
        """The release that `latest` means; empty in an empty table."""
        return next(reversed(list(self.releases)), "")

    def default_python(self, ray: str) -> str:
        """Of a tag that names none: the oldest of the release."""
        return self.releases[ray].pythons[0] if ray in self.releases else ""


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nothing was published for it; `near` are tags that were, the nearest first."""

    asked: str
    near: tuple[str, ...]


def table(text: str) -> RayImages:
    """The table as `tools/ray_images.py` writes it; ValueError for one of another shape."""
    note, header, *rows = text.splitlines()
    if not note.startswith("# as of ") or header != "ray,python,cuda":
        raise ValueError("cannot read the Ray images: no date or no header")
    cells = (row.split(",") for row in rows)
    found = (Release(ray, tuple(pythons.split()), tuple(map(_dotted, cudas.split()))) for ray, pythons, cudas in cells)
    return RayImages({release.ray: release for release in found}, note.removeprefix("# as of "))


def parse(image: str) -> RayTag | None:
    """The versions in the name of one of Ray's or Anyscale's images; None for any other image."""
    name = _NAME.match(image.strip())
    tag = _TAG.match((name["tag"] or LATEST) if name else "")
    if not name or not tag:
        return None
    ray = tag["ray"] + (".0" if tag["ray"].count(".") == 1 else "")
    return RayTag(
        name["repository"],
        ray.removesuffix("optimized"),
        f"3.{tag['python']}" if tag["python"] else "",
        _dotted(tag["cuda"]) if tag["cuda"] else _gpu(ray) if _has_gpu(tag["kind"], name["repository"]) else "",
        (tag["variant"] or "").removeprefix("-"),
        name["digest"] or "",
    )


def is_ray(image: str) -> bool:
    """Whether the image is of Ray's or Anyscale's repositories, whatever its tag."""
    return _NAME.match(image.strip()) is not None


def resolve(images: RayImages, ray: str, python: str = "", cuda: str = "") -> str | Unknown:
    """The image of these versions, `rayproject/ray:2.60.0-py311-cu128`. `latest` and an empty `ray` are the newest of
    the table; an empty `python` is the release's default.
    """
    version = images.newest if ray in ("", LATEST) else ray
    release = images.releases.get(version)
    wanted = python or images.default_python(version)
    if release and wanted in release.pythons and (not cuda or cuda in release.cudas):
        return tag_of(version, wanted, cuda)
    return Unknown(tag_of(version, wanted or "3.?", cuda), _nearest(images, version, wanted, cuda))


def tag_of(ray: str, python: str, cuda: str = "") -> str:
    """The name of an image, published or not."""
    return f"{REPOSITORY}:{ray}-py{python.replace('.', '')}" + (f"-cu{cuda.replace('.', '')}" if cuda else "")


def number(version: str) -> tuple[int, ...]:
    """To compare versions by; empty for what is no release."""
    return tuple(map(int, version.split("."))) if re.fullmatch(r"\d+(\.\d+)*", version) else ()


def too_old(ray: str) -> bool:
    """Whether images of this Ray are older than what is supported."""
    return bool(number(ray)) and number(ray) < number(OLDEST)


def runs_here(ray: str) -> bool:
    """Whether this Ray is in the range that was tried on one machine."""
    return bool(number(ray)) and number(OLDEST_HERE) <= number(ray) <= number(NEWEST_HERE)


def _nearest(images: RayImages, ray: str, python: str, cuda: str) -> tuple[str, ...]:
    """By distance of Ray first, of Python then, of CUDA last; CPU images only where none with CUDA was asked for."""
    near = []
    for release in sorted(images.releases.values(), key=lambda r: _distance(r.ray, ray))[:_NEAR]:
        best_python = min(release.pythons, key=lambda p: _distance(p, python or release.pythons[0]))
        best_cuda = min(release.cudas, key=lambda c: _distance(c, cuda)) if cuda else ""
        near.append(tag_of(release.ray, best_python, best_cuda))
    first = images.releases.get(ray)
    if first and cuda and cuda not in first.cudas and python in first.pythons:
        ordered = sorted(first.cudas, key=lambda c: _distance(c, cuda))
        return tuple(tag_of(ray, python, other) for other in ordered[:_NEAR])
    if first and python not in first.pythons:
        ordered = sorted(first.pythons, key=lambda p: _distance(p, python))
        return tuple(tag_of(ray, other, cuda if cuda in first.cudas else "") for other in ordered[:_NEAR])
    return tuple(near)


def _distance(one: str, other: str) -> tuple[int, ...]:
    left, right = number(one), number(other) or (0,)
    width = max(len(left), len(right))
    padded = (tuple(n) + (0,) * (width - len(n)) for n in (left, right))
    return tuple(abs(a - b) for a, b in zip(*padded, strict=True))


def _dotted(cuda: str) -> str:
    return f"{cuda[:-1]}.{cuda[-1]}"


def _has_gpu(kind: str | None, repository: str) -> bool:
    return kind == "gpu" or (kind is None and repository == "rayproject/ray-ml")


def _gpu(ray: str) -> str:
    old = bool(number(ray)) and number(ray) < _GPU_CHANGED
    return "11.8" if old else "12.1"


def described(pairs: Iterable[tuple[str, str]]) -> str:
    """`Ray 2.60.0, Python 3.11, CUDA 12.8`, without what is empty."""
    return ", ".join(f"{name} {version}" for name, version in pairs if version)
