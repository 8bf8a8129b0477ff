"""`bandari image` with real engines: a build, a push to a registry on loopback, a pull and a run by podman."""

from __future__ import annotations

import json
import os
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bandari.testing import containers
from bandari.testing.containers import LIMITS, Storage
from bandari.testing.user import User

pytestmark = [pytest.mark.engine, pytest.mark.slow, pytest.mark.timeout(600)]
CONTAINERFILE = """\
FROM rayproject/ray:2.60.0-py311 AS base
ARG WORD=hello
ENV GREETING=$WORD
RUN echo made > /made

FROM base
COPY greet.sh /usr/local/bin/greet
RUN chmod +x /usr/local/bin/greet
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storage]:
    if os.geteuid():
        pytest.skip("containers are built as root here")
    containers.missing(("buildah", "podman", "runc", "docker-registry", "debootstrap"))
    with containers.storage(tmp_path_factory.mktemp("containers") / "first") as made:
        made.make_base()
        yield made


@pytest.fixture(scope="module")
def user(place: Storage, tmp_path_factory: pytest.TempPathFactory) -> User:
    folder = tmp_path_factory.mktemp("images")
    (folder / "greet.sh").write_text('#!/bin/sh\necho "$GREETING $(cat /made)"\n')
    (folder / "Containerfile").write_text(CONTAINERFILE)
    someone = User(tmp_path_factory.mktemp("home"), folder)
    someone.environment.update(place.environment)
    return someone


def image(user: User, *words: str, **extra: str) -> dict[str, Any]:
    ran = user.bandari("image", *words, "--json", extra=extra, timeout=300)
    assert ran.code == 0, ran.out + ran.err
    document: dict[str, Any] = ran.document
    return document


def test_an_image_is_built_pushed_pulled_and_run(user: User, place: Storage, tmp_path: Path) -> None:
    made = image(user, "build", "-n", "greeter")
    assert (made["revision"], made["builder"], made["built"]) == (1, "buildah", True)
    assert made["base"] == containers.BASE
    with containers.registry(tmp_path / "registry") as address:
        pushed = image(user, "push", "greeter", "--registry", f"{address}/team")
        assert pushed["image"] == f"{address}/team/greeter:1"
        with urllib.request.urlopen(f"http://{address}/v2/team/greeter/tags/list", timeout=10) as answer:
            assert set(json.load(answer)["tags"]) == {"1", made["content"]}
        with containers.storage(tmp_path / "second") as other:
            by_digest = f"{address}/team/greeter@{pushed['digest']}"
            other.run("podman", "pull", "--quiet", "--tls-verify=false", by_digest)
            said = other.run("podman", "run", "--rm", "--network", "host", *LIMITS, by_digest, "greet")
    assert said == "hello made\n"
    assert image(user, "list")["images"][0]["pushed"] == [pushed["image"]]


def test_the_same_input_builds_nothing_and_another_one_is_the_next_revision(user: User) -> None:
    first = image(user, "build", "-n", "counted")
    again = image(user, "build", "-n", "counted")
    assert (again["revision"], again["built"], again["content"]) == (1, False, first["content"])
    (user.folder / "greet.sh").write_text("#!/bin/sh\necho other\n")
    other = image(user, "build", "-n", "counted")
    assert (other["revision"], other["built"]) == (2, True)
    assert other["content"] != first["content"]
    assert "counted:2" in user.bandari("image", "list").out


def test_podman_builds_where_there_is_no_buildah(user: User, tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for folder in os.environ["PATH"].split(":"):
        for program in Path(folder).glob("*") if Path(folder).is_dir() else ():
            if program.name not in {"buildah", "docker"} and not (programs / program.name).exists():
                (programs / program.name).symlink_to(program)
    made = image(user, "build", "-n", "other", PATH=str(programs))
    assert (made["builder"], made["built"]) == ("podman", True)
    assert image(user, "build", "-n", "other", PATH=str(programs))["built"] is False


def test_a_failed_step_is_told_in_the_builders_words_and_leaves_no_revision(user: User) -> None:
    user.write("FROM rayproject/ray:2.60.0-py311\nRUN echo it broke here && false\n", "Broken")
    ran = user.bandari("image", "build", "-f", "Broken", "-n", "broken")
    assert ran.code == 1
    assert "cannot build the image: buildah says:" in ran.err
    assert "it broke here" in ran.err
    assert all(item["name"] != "broken" for item in image(user, "list")["images"])


def test_a_file_that_is_wrong_is_refused_before_any_builder_is_asked(user: User) -> None:
    user.write("FROM python:3.11\nADD a b\n", "Wrong")
    ran = user.bandari("image", "build", "-f", "Wrong", "-n", "wrong", extra={"PATH": "/nowhere"})
    assert ran.code == 2
    assert "Wrong:2:1" in ran.err
