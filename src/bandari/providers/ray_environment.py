"""What a Ray cluster's image comes to on this machine: a Python environment with the image's Ray and Python. Pure.

`environment_of` reads the image, or the Containerfile that extends one, and says what of it cannot be had here. Files
are seen through `ImageFiles` alone; nothing of an image is ever run.
"""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from bandari.analysis.image_lines import NotHere, Packages, parts, requirement_lines
from bandari.catalog import ray_images as catalog
from bandari.catalog.ray_images import NEWEST_HERE, OLDEST_HERE, RayImages, RayTag, Unknown
from bandari.desired.ray import RayImage
from bandari.diagnostics import Diagnostic, Span, error, warning
from bandari.serving.ray.bodies import RayEnvironmentBody
from bandari.serving.ray.environments import FILES, Here, digest_of
from bandari.specs.containerfile import Copy, Stage, parse


@dataclass(frozen=True, slots=True)
class ImageFiles:
    """Texts and digests of files by path, as the composition root reads them."""

    text: Callable[[str], str | None] = lambda _path: None
    fingerprint: Callable[[str], str] = lambda _path: ""
    """Of a file or a whole folder; empty when it is not there."""


@dataclass(slots=True)
class _Draft:
    image: str = ""
    ray: str = ""
    python: str = ""
    cuda: str = ""
    requirements: list[str] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=dict)
    copies: list[tuple[str, str]] = field(default_factory=list)
    prints: list[str] = field(default_factory=list)
    implied: bool = True
    """Whether nobody wrote the Python: the image's default, or ours."""


def environment_of(
    cluster: str, image: RayImage, *, images: RayImages, here: Here, files: ImageFiles | None = None
) -> tuple[RayEnvironmentBody | None, tuple[Diagnostic, ...]]:
    """The body of `rayenv.<cluster>` and what is to be said about the image; no body where something is wrong.

    `image.requirements` and `image.containerfile` are paths as `files` knows them.
    """
    files = files or ImageFiles()
    found: list[Diagnostic] = []
    draft = _Draft()
    if image.containerfile:
        _containerfile(image, draft, images, files, found)
    elif image.uri:
        _base(image.uri, image.origin.at("image_uri"), draft, images, found, named=image.ray_version)
    _versions(image, draft, images, found)
    draft.requirements += _requirements(image, files, found)
    draft.env |= image.env
    if not any(d.severity == "error" for d in found):
        _fit(draft, here, image.origin.at("containerfile" if image.containerfile else "image_uri"), found)
    if any(d.severity == "error" for d in found):
        return None, tuple(found)
    return _body(cluster, draft, here), tuple(found)


# --- what the image is


def _base(uri: str, span: Span, draft: _Draft, images: RayImages, found: list[Diagnostic], *, named: str = "") -> None:
    tag = catalog.parse(uri)
    if tag is None:
        found.append(_no_ray(uri, span, named))
        draft.image = uri
        return
    ray = images.newest if tag.ray == catalog.LATEST else tag.ray
    draft.image, draft.cuda = uri, tag.cuda
    if ray == catalog.NIGHTLY:
        why = "a nightly build is another one tomorrow"
        found.append(
            error("BND791", span, f"cannot use {uri!r}: {why}", fix=f"name a release, {images.newest} is the newest")
        )
        return
    if catalog.too_old(ray):
        found.append(_too_old(uri, ray, span))
        return
    draft.ray, draft.python = ray, tag.python or images.default_python(ray)
    draft.implied = not tag.python
    answer = catalog.resolve(images, ray, tag.python, tag.cuda)
    if isinstance(answer, Unknown):
        found.append(_unknown(uri, answer, images, span))
    elif tag.foreign:
        found.append(_swap(uri, tag, answer, span))
    elif tag.ray == catalog.LATEST:
        draft.image = answer


def _no_ray(uri: str, span: Span, named: str) -> Diagnostic:
    fix = (
        f"its Ray is taken to be {named}, as ray_version says" if named else "write ray_version, or use rayproject/ray"
    )
    why = "its name does not tell its Ray and Python, and no image is pulled to run on this machine"
    return warning("BND799", span, f"image {uri!r} is not one of Ray's", why=why, fix=fix)


def _too_old(what: str, ray: str, span: Span) -> Diagnostic:
    message = f"cannot use {what!r}: Ray {ray} is older than {catalog.OLDEST}"
    return error("BND790", span, message, fix=f"use Ray {catalog.OLDEST} or later")


def _unknown(what: str, answer: Unknown, images: RayImages, span: Span) -> Diagnostic:
    message = f"cannot find an image for {what!r}: none was published as {answer.asked!r} (list of {images.date})"
    return error("BND791", span, message, fix=f"near: {', '.join(answer.near)}")


def _swap(uri: str, tag: RayTag, answer: str, span: Span) -> Diagnostic:
    versions = catalog.described((("Ray", tag.ray), ("Python", tag.python), ("CUDA", tag.cuda)))
    message = f"{answer!r} stands for {uri!r}"
    return warning(
        "BND792",
        span,
        message,
        why=f"its name says {versions}; it is read for its versions alone",
        fix=f"write {answer}",
    )


def _versions(image: RayImage, draft: _Draft, images: RayImages, found: list[Diagnostic]) -> None:
    """`ray_version`, `python_version` and `cuda_version`: they name an image where no tag does."""
    if draft.ray and (image.uri or image.containerfile):
        return
    wanted = images.newest if image.ray_version == catalog.LATEST else image.ray_version
    if wanted and catalog.too_old(wanted):
        found.append(_too_old(wanted, wanted, image.origin.at("ray_version")))
        return
    if wanted or image.python_version or image.cuda_version:
        answer = catalog.resolve(images, wanted or images.newest, image.python_version, image.cuda_version)
        if isinstance(answer, Unknown):
            asked = catalog.described((("Ray", wanted), ("Python", image.python_version), ("CUDA", image.cuda_version)))
            found.append(_unknown(asked, answer, images, image.origin.at("ray_version")))
            return
        draft.image = draft.image or answer
    draft.ray, draft.python = wanted or draft.ray, image.python_version or draft.python
    draft.implied = not image.python_version
    draft.cuda = image.cuda_version or draft.cuda


def _requirements(image: RayImage, files: ImageFiles, found: list[Diagnostic]) -> tuple[str, ...]:
    lines = image.requirements
    if len(lines) == 1 and re.search(r"\.(txt|in|lock)$", lines[0]):
        text = files.text(lines[0])
        if text is None:
            at = image.origin.at("requirements")
            found.append(error("BND793", at, f"cannot read {lines[0]!r}: no such file", fix="correct the path"))
            return ()
        return requirement_lines(text)
    return tuple(line.strip() for line in lines if line.strip())


def base_findings(base: str, span: Span, images: RayImages) -> tuple[Diagnostic, ...]:
    """What is to be said about the base of a build."""
    found: list[Diagnostic] = []
    if not catalog.is_ray(base):
        return (_no_base(base, span),)
    _base(base, span, _Draft(), images, found)
    return tuple(found)


def _no_base(base: str, span: Span) -> Diagnostic:
    why = "a node needs the Ray of its base, and no other image is known to have one"
    fix = "FROM rayproject/ray:2.60.0-py311"
    return error("BND795", span, f"cannot build on {base!r}: it is no Ray image", why=why, fix=fix)


# --- a Containerfile


def _containerfile(
    image: RayImage, draft: _Draft, images: RayImages, files: ImageFiles, found: list[Diagnostic]
) -> None:
    path = image.containerfile
    text = files.text(path)
    if text is None:
        at = image.origin.at("containerfile")
        found.append(error("BND793", at, f"cannot read {path!r}: no such file", fix="correct the path"))
        return
    built, said = parse(text, path)
    found.extend(said)
    if built is None:
        return
    base, span = built.base
    if not catalog.is_ray(base):
        found.append(_no_base(base, span))
        return
    _base(base, span, draft, images, found)
    draft.image = path
    for stage in built.chain():
        _stage(stage, path, draft, files, found)


def _stage(stage: Stage, path: str, draft: _Draft, files: ImageFiles, found: list[Diagnostic]) -> None:
    draft.env |= stage.env
    for copy in stage.copies:
        _copy(copy, path, draft, files, found)
    for run in stage.runs:
        line = shlex.join(run.words) if run.words else run.line
        for part in parts(line, lambda name, folder=run.folder: _copied(name, folder, draft, files)):  # type: ignore[misc]
            if isinstance(part, Packages):
                draft.requirements += part.lines
            else:
                found.append(_not_here(part, run.span))
    if stage.user and stage.user[0] not in ("ray", "1000", "root", "0"):
        found.append(
            _not_here(NotHere(f"USER {stage.user[0]}", "nodes run as the user that runs bandari"), stage.user[1])
        )


def _copy(copy: Copy, path: str, draft: _Draft, files: ImageFiles, found: list[Diagnostic]) -> None:
    if copy.stage:
        part = NotHere(f"COPY --from={copy.stage}", "no image and no stage is built to run on this machine")
        found.append(_not_here(part, copy.span))
        return
    for source in copy.sources:
        if any(c in source for c in "*?["):
            part = NotHere(f"COPY {source}", "patterns are not taken here: name the files, or their folder")
            found.append(_not_here(part, copy.span))
            continue
        below = posixpath.normpath(source.lstrip("/"))
        full = posixpath.normpath(posixpath.join(posixpath.dirname(path), below))
        mark = "" if below.startswith("..") else files.fingerprint(full)
        if not mark:
            reason = "it is outside of the folder of the file" if below.startswith("..") else "no such file or folder"
            found.append(error("BND793", copy.span, f"cannot copy {source!r}: {reason}", fix="correct the path"))
            continue
        into = copy.target.endswith("/") and not mark.startswith("folder")
        target = posixpath.join(copy.target, posixpath.basename(below)) if into else copy.target.rstrip("/")
        draft.copies.append((full, target or "/"))
        draft.prints.append(mark)


def _copied(name: str, folder: str, draft: _Draft, files: ImageFiles) -> str | None:
    """The text of a file of the image that a COPY line brought."""
    wanted = posixpath.normpath(posixpath.join(folder, name))
    for source, target in reversed(draft.copies):
        if wanted == target:
            return files.text(source)
        if wanted.startswith(target.rstrip("/") + "/"):
            return files.text(posixpath.join(source, posixpath.relpath(wanted, target)))
    return None


def _not_here(part: NotHere, span: Span) -> Diagnostic:
    text = part.part if len(part.part) <= 80 else part.part[:77] + "..."
    fix = "nothing to do if the work here does without it; `bandari image build` builds the whole image"
    return warning("BND796", span, f"cannot have {text!r} on this machine", why=part.why, fix=fix)


# --- what fits here


def _fit(draft: _Draft, here: Here, span: Span, found: list[Diagnostic]) -> None:
    if here.ray_version:
        draft.ray = here.ray_version
    ray = draft.ray or here.ray
    if draft.ray and not catalog.runs_here(draft.ray):
        message = f"cannot run Ray {draft.ray} on this machine: it is tried with {OLDEST_HERE} to {NEWEST_HERE}"
        fix = f"add --ray-version {here.ray if catalog.runs_here(here.ray) else NEWEST_HERE}: the file stays as it is"
        found.append(error("BND797", span, message, fix=fix))
    elif not ray:
        found.append(error("BND797", span, "cannot run Ray: none is installed", fix="pip install 'bandari[ray]'"))
    if draft.python and draft.python != here.python and draft.python not in here.pythons:
        if draft.implied:
            draft.python = here.python
        else:
            found.append(_no_python(draft, here, span))
    if draft.cuda:
        part = NotHere(f"CUDA {draft.cuda}", "GPUs are logical here; packages for CUDA are installed as they are")
        found.append(_not_here(part, span))


def _no_python(draft: _Draft, here: Here, span: Span) -> Diagnostic:
    known = ", ".join(sorted({here.python, *here.pythons}, key=catalog.number))
    message = f"cannot make an environment with Python {draft.python}: it is not on this machine"
    fix = f"install it (uv python install {draft.python}), or use an image with one of: {known}"
    return error("BND798", span, message, fix=fix)


def _body(cluster: str, draft: _Draft, here: Here) -> RayEnvironmentBody:
    ray, python = draft.ray or here.ray, draft.python or here.python
    body = RayEnvironmentBody(
        cluster=cluster,
        ray=ray,
        python=python,
        cuda=draft.cuda,
        image=draft.image,
        requirements=tuple(dict.fromkeys(draft.requirements)),
        env=dict(draft.env),
        copies=tuple(draft.copies),
    )
    digest = digest_of(body, draft.prints)
    return replace(body, digest=digest, env=_placed(body, f"{here.environments}/{digest}/{FILES}"))


def _placed(body: RayEnvironmentBody, root: str) -> Mapping[str, str]:
    """Variables with the paths of copied files as they are here: PYTHONPATH=/app names `<environment>/files/app`."""
    targets = [target for _, target in body.copies if target != "/"]

    def placed(part: str) -> str:
        inside = any(
            part == target or part.startswith(target + "/") or target.startswith(part + "/") for target in targets
        )
        return root + part if inside and part.startswith("/") and part != "/" else part

    return {name: ":".join(map(placed, value.split(":"))) for name, value in body.env.items()}
