"""`bandari image`: an image's description to a Containerfile, to a build, to a registry."""

from __future__ import annotations

import hashlib
import shlex
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bandari.catalog import ray_images as catalog
from bandari.desired.ray import RayImage
from bandari.diagnostics import Diagnostic, Origin, Span, error
from bandari.drivers.images import builders, registry
from bandari.drivers.images.store import ImageStore, Revision, parsed
from bandari.errors import InvalidInput, Terminal
from bandari.pipeline.images import fingerprint, ray_images, text_of
from bandari.pipeline.surroundings import folders
from bandari.specs.containerfile import Containerfile, parse

LOCAL = "localhost/bandari"
"""Under this the builder's own store knows what was built."""
_CONTENT = 12

Said = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Recipe:
    """What is built: a Containerfile whose bases are whole names, its folder, the digest of all that goes into it."""

    text: str
    folder: Path
    base: str
    content: str
    diagnostics: tuple[Diagnostic, ...] = ()


@dataclass(frozen=True, slots=True)
class Built:
    """A revision, and whether it was built now or was there."""

    name: str
    revision: Revision
    fresh: bool
    diagnostics: tuple[Diagnostic, ...]


def store() -> ImageStore:
    """Names and revisions of this user."""
    return ImageStore(folders().state.parent / "images")


def build(path: Path, name: str, said: Said) -> Built:
    """Builds what a Containerfile or a YAML file describes, unless that was done; InvalidInput when it has errors."""
    name, revision = parsed(name)
    if revision is not None:
        raise Terminal(f"cannot choose the revision of {name!r}: it is counted", fix=f"-n {name}")
    made = recipe(path)
    builder = builders.find()
    kept = store()
    with kept.alone(name):
        there = kept.revisions(name)
        same = next((item for item in reversed(there) if item.content == made.content), None)
        if same and builder.has(same.tag):
            return Built(name, same, fresh=False, diagnostics=made.diagnostics)
        number = same.revision if same else max((item.revision for item in there), default=0) + 1
        tags = (f"{LOCAL}/{name}:{made.content}", f"{LOCAL}/{name}:{number}")
        said(f"{builder.name} builds {name}:{number} ({made.content}) on {made.base}")
        with tempfile.TemporaryDirectory(prefix="bandari-image-") as place, registry.auth_file(made.base) as auth:
            file = Path(place, "Containerfile")
            file.write_text(made.text)
            builder.build(file, made.folder, tags, said, auth)
        item = Revision(number, made.content, tags[0], time.time(), builder.name, made.base)
        kept.put(name, item)
    return Built(name, item, fresh=True, diagnostics=made.diagnostics)


def push(name: str, where: str, said: Said) -> tuple[str, str]:
    """Sends a revision to a registry, by its revision and by its content; the name there, and the digest."""
    name, number = parsed(name)
    where = where.removeprefix("https://").rstrip("/")
    if not where or where.startswith("http://") or any(c.isspace() or c in "@?#" for c in where):
        raise Terminal(
            f"cannot push to {where!r}: it is no registry", fix="--registry HOST[:PORT][/PATH], without http://"
        )
    kept = store()
    with kept.alone(name):
        item = kept.find(name, number)
        builder = builders.find(only=item.builder)
        if not builder.has(item.tag):
            fix = f"build it again: bandari image build -n {name}"
            raise Terminal(f"cannot push {name}:{item.revision}: {builder.name} does not have it any more", fix=fix)
        target = f"{where}/{name}:{item.revision}"
        said(f"{builder.name} pushes {target}")
        with registry.auth_file(where) as auth:
            plain = registry.is_loopback(where)
            digest = builder.push(item.tag, target, said, auth=auth, plain_http=plain)
            builder.push(item.tag, f"{where}/{name}:{item.content}", said, auth=auth, plain_http=plain)
        kept.pushed(name, item, target)
    return target, digest


def recipe(path: Path) -> Recipe:
    """Of a Containerfile, or of a YAML file that names an image; InvalidInput with everything that is wrong."""
    image, found = _image(path)
    folder = path.resolve().parent
    text, label = _text(image, found), image.containerfile or str(path)
    parsed_file, said = parse(text, label) if text else (None, ())
    found += said
    if parsed_file is None or any(d.severity == "error" for d in found):
        raise InvalidInput(tuple(found))
    whole, base, more = _whole_bases(text, parsed_file)
    found += more
    if image.containerfile:
        folder = Path(image.containerfile).parent
    prints, wrong = _prints(parsed_file, folder)
    found += wrong
    if any(d.severity == "error" for d in found):
        raise InvalidInput(tuple(found))
    content = hashlib.sha256("\n".join((whole, *prints)).encode()).hexdigest()[:_CONTENT]
    return Recipe(whole, folder, base, content, tuple(found))


def _image(path: Path) -> tuple[RayImage, list[Diagnostic]]:
    if path.suffix not in (".yaml", ".yml"):
        if not path.is_file():
            fix = "name it with -f Containerfile, or a YAML file with an image"
            raise InvalidInput(
                (error("BND793", Span(str(path), 1, 1), f"cannot read {str(path)!r}: no such file", fix=fix),)
            )
        return RayImage(containerfile=str(path.resolve()), origin=Origin(Span(str(path), 1, 1))), []
    from bandari.analysis.resolve import anchor
    from bandari.pipeline.checking import check

    state = anchor(check(path).valid(), str(path.resolve().parent))
    images = [cluster.image for cluster in state.ray_clusters() if cluster.image != RayImage()]
    if not images:
        fix = "write image_uri or containerfile, or give a Containerfile with -f"
        finding = error("BND793", Span(str(path), 1, 1), "cannot build an image: the file names none", fix=fix)
        raise InvalidInput((finding,))
    return images[0], []


def _text(image: RayImage, found: list[Diagnostic]) -> str:
    """The Containerfile with what stands beside it in the YAML file: variables, and packages at its end."""
    text = text_of(image.containerfile) if image.containerfile else f"FROM {_base_of(image, found)}\n"
    if text is None:
        at = image.origin.at("containerfile")
        found.append(error("BND793", at, f"cannot read {image.containerfile!r}: no such file", fix="correct the path"))
        return ""
    lines = [f"ENV {name}={_quoted(value)}" for name, value in image.env.items()]
    packages = image.requirements
    if len(packages) == 1 and Path(packages[0]).suffix in (".txt", ".in", ".lock"):
        packages = tuple(line for line in (text_of(packages[0]) or "").splitlines() if line.strip() and line[0] != "#")
    if packages:
        lines.append("RUN pip install --no-cache-dir " + " ".join(shlex.quote(word) for word in packages))
    return text if not lines else text.rstrip("\n") + "\n" + "\n".join(lines) + "\n"


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
    return f'"{escaped}"'


def _base_of(image: RayImage, found: list[Diagnostic]) -> str:
    if image.uri:
        return image.uri
    answer = catalog.resolve(ray_images(), image.ray_version, image.python_version, image.cuda_version)
    if isinstance(answer, catalog.Unknown):
        fix = f"near: {', '.join(answer.near)}"
        found.append(error("BND791", image.origin.span, f"cannot find an image {answer.asked!r}", fix=fix))
        return answer.asked
    return answer


def _whole_bases(text: str, built: Containerfile) -> tuple[str, str, list[Diagnostic]]:
    """FROM lines with the whole names of Ray's images, so that no builder asks which registry is meant."""
    from bandari.providers.ray_environment import base_findings

    lines = text.split("\n")
    found: list[Diagnostic] = []
    names = {stage.name for stage in built.stages if stage.name}
    for stage in built.stages:
        if stage.base in names or stage.base == "scratch":
            continue
        base = _whole(stage.base)
        at = stage.span.line - 1
        if not lines[at].rstrip().endswith("\\"):
            lines[at] = f"FROM {base}" + (f" AS {stage.name}" if stage.name else "")
    base, span = built.base
    found += base_findings(base, span, ray_images())
    return "\n".join(lines), _whole(base), found


def _whole(base: str) -> str:
    tag = catalog.parse(base)
    if tag is None or tag.digest:
        return base
    version = ray_images().newest if tag.ray == catalog.LATEST else tag.ray
    answer = catalog.resolve(ray_images(), version, tag.python, tag.cuda)
    return f"docker.io/{answer}" if isinstance(answer, str) else base


def _prints(built: Containerfile, folder: Path) -> tuple[list[str], list[Diagnostic]]:
    prints, wrong = [], []
    for stage in built.stages:
        for copy in stage.copies:
            for source in () if copy.stage else copy.sources:
                place = (folder / source.lstrip("/")).resolve()
                mark = fingerprint(str(place)) if place.is_relative_to(folder.resolve()) else ""
                if not mark and not any(c in source for c in "*?["):
                    fix = "put it into the folder of the Containerfile, or correct the path"
                    wrong.append(error("BND793", copy.span, f"cannot copy {source!r}: no such file there", fix=fix))
                if any(c in source for c in "*?["):
                    mark = " ".join(fingerprint(str(p)) for p in sorted(folder.glob(source.lstrip("/"))))
                prints.append(mark)
    return prints, wrong
