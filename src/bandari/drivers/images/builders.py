"""Programs that build container images: buildah, docker, podman. One is used, and which one is said.

All three take the same few words. Nothing secret is ever one of them: who may pull and push stands in a file.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bandari.desired.secrets import is_credential, mask
from bandari.errors import Terminal

Said = Callable[[str], None]
"""A line of the builder's own output."""
_TAIL = 15
_ASK_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Builder:
    """One program; `path` is where it was found."""

    name: str
    path: str
    checks_tls: bool = True
    """Whether plain HTTP has to be asked for with `--tls-verify=false`; docker decides that by itself."""

    def build(
        self, containerfile: Path, folder: Path, tags: Sequence[str], said: Said, auth: Path | None = None
    ) -> None:
        """Builds the file with a folder as its context."""
        words = ["build", "--file", str(containerfile), *_auth(self, auth)]
        words += [word for tag in tags for word in ("--tag", tag)]
        self.run([*words, str(folder)], said, what="build the image", auth=auth)

    def has(self, tag: str) -> bool:
        """Whether the image is in the builder's own store."""
        words = ["inspect", "--type", "image", tag] if self.name == "buildah" else ["image", "inspect", tag]
        done = subprocess.run(
            [self.path, *words], capture_output=True, env=_environ(), timeout=_ASK_SECONDS, check=False
        )
        return done.returncode == 0

    def tag(self, source: str, target: str) -> None:
        """Gives an image one more name."""
        self.run(["tag", source, target], lambda _line: None, what=f"name the image {target!r}")

    def push(self, tag: str, target: str, said: Said, *, auth: Path | None = None, plain_http: bool = False) -> str:
        """Sends an image to a registry, under its name there; its digest, empty where the program does not tell."""
        if not self.checks_tls:
            self.tag(tag, target)
            self.run(["push", target], said, what=f"push {target!r}", auth=auth)
            return ""
        with tempfile.TemporaryDirectory() as place:
            told = Path(place, "digest")
            words = ["push", "--digestfile", str(told), *_auth(self, auth)]
            words += ["--tls-verify=false"] if plain_http else []
            self.run([*words, tag, f"docker://{target}"], said, what=f"push {target!r}")
            return told.read_text().strip() if told.exists() else ""

    def run(self, words: Sequence[str], said: Said, *, what: str, auth: Path | None = None) -> None:
        """Runs it to its end; Terminal with its last lines when it fails."""
        environ = _environ() | ({"DOCKER_CONFIG": str(auth.parent)} if auth and not self.checks_tls else {})
        lines: list[str] = []
        with subprocess.Popen(
            [self.path, *words],
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as child:
            assert child.stdout
            try:
                for line in child.stdout:
                    lines = [*lines[1 - _TAIL :], mask(line.rstrip())]
                    said(lines[-1])
            except BaseException:
                child.terminate()
                raise
        if child.returncode:
            why = " / ".join(line.strip() for line in lines if line.strip()) or f"exit code {child.returncode}"
            raise Terminal(f"cannot {what}: {self.name} says: {why}", fix="correct what it names, and run it again")


def _auth(builder: Builder, auth: Path | None) -> list[str]:
    return ["--authfile", str(auth)] if auth and builder.checks_tls else []


def _environ() -> dict[str, str]:
    """Ours without credentials, so that no build step sees what this shell happens to hold."""
    return {name: value for name, value in os.environ.items() if not is_credential(name, value)}


ORDER = ("buildah", "docker", "podman")
"""Who is asked first: buildah needs no service, docker is used when its engine answers."""


def find(environ: Mapping[str, str] | None = None, *, only: str = "") -> Builder:
    """The first program of `ORDER` that can build; `only`: this one. Terminal when there is none."""
    path = (environ or os.environ).get("PATH")
    for name in (only,) if only else ORDER:
        found = shutil.which(name, path=path)
        if found and (name != "docker" or _answers(found)):
            return Builder(name, found, checks_tls=name != "docker")
    wanted = only or "none of buildah, docker (with its engine) and podman"
    fix = "install buildah: apt-get install buildah, dnf install buildah, or a docker engine"
    raise Terminal(f"cannot build images: {wanted} is here", fix=fix)


def _answers(path: str) -> bool:
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run([path, "version"], capture_output=True, timeout=_ASK_SECONDS, check=False)
        return done.returncode == 0
    return False
