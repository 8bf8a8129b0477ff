"""Names of Ray's images: what they say, which there are, which are near."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandari.catalog.ray_images import (
    NEWEST_HERE,
    OLDEST_HERE,
    RayTag,
    Unknown,
    is_ray,
    parse,
    resolve,
    runs_here,
    table,
    tag_of,
    too_old,
)
from bandari.pipeline.images import ray_images

IMAGES = ray_images()


@pytest.mark.parametrize(
    ("image", "said"),
    [
        ("rayproject/ray:2.52.0", RayTag("rayproject/ray", "2.52.0")),
        ("docker.io/rayproject/ray:2.52.0-py311", RayTag("rayproject/ray", "2.52.0", "3.11")),
        ("rayproject/ray:2.52.0-gpu", RayTag("rayproject/ray", "2.52.0", "", "12.1")),
        ("rayproject/ray:2.9.0-py310-gpu", RayTag("rayproject/ray", "2.9.0", "3.10", "11.8")),
        ("rayproject/ray:2.40", RayTag("rayproject/ray", "2.40.0")),
        ("rayproject/ray:latest-py312-cpu", RayTag("rayproject/ray", "latest", "3.12")),
        ("rayproject/ray", RayTag("rayproject/ray", "latest")),
        ("rayproject/ray:2.52.0-py311-aarch64", RayTag("rayproject/ray", "2.52.0", "3.11")),
        ("anyscale/ray:2.57.0-slim-py312-cu128", RayTag("anyscale/ray", "2.57.0", "3.12", "12.8", "slim")),
        ("anyscale/ray-llm:2.57.0-py312-cu130", RayTag("anyscale/ray-llm", "2.57.0", "3.12", "13.0")),
        ("anyscale/ray:2.7.1optimized-py39", RayTag("anyscale/ray", "2.7.1", "3.9")),
        ("anyscale/ray:nightly-py311", RayTag("anyscale/ray", "nightly", "3.11")),
        ("rayproject/ray:2.52.0@sha256:ab", RayTag("rayproject/ray", "2.52.0", digest="@sha256:ab")),
        ("rayproject/ray:mine", None),
        ("python:3.11", None),
        ("anyscale/image/mine:3", None),
        ("example.org/rayproject/ray:2.52.0", None),
        ("", None),
    ],
)
def test_a_name_says_its_versions(image: str, said: RayTag | None) -> None:
    assert parse(image) == said


def test_latest_is_the_newest_release_of_the_table() -> None:
    assert resolve(IMAGES, "latest", "3.11") == f"rayproject/ray:{IMAGES.newest}-py311"
    assert resolve(IMAGES, "", "3.12", "12.8") == f"rayproject/ray:{IMAGES.newest}-py312-cu128"


def test_a_release_without_a_python_has_the_oldest_of_its_pythons() -> None:
    assert resolve(IMAGES, "2.9.0") == "rayproject/ray:2.9.0-py38"
    assert resolve(IMAGES, "2.52.0") == "rayproject/ray:2.52.0-py310"


@pytest.mark.parametrize(
    ("ray", "python", "cuda", "near"),
    [
        ("2.60.0", "3.8", "", "rayproject/ray:2.60.0-py310"),
        ("2.60.0", "3.11", "12.7", "rayproject/ray:2.60.0-py311-cu126"),
        ("2.58.9", "3.11", "", "rayproject/ray:2.58.1-py311"),
        ("3.0.0", "3.11", "12.8", "rayproject/ray:2.8.0-py311-cu121"),
    ],
)
def test_what_was_not_published_is_answered_with_what_is_near(ray: str, python: str, cuda: str, near: str) -> None:
    answer = resolve(IMAGES, ray, python, cuda)
    assert isinstance(answer, Unknown)
    assert answer.near[0] == near if ray != "3.0.0" else answer.near
    assert len(answer.near) <= 5


@given(st.sampled_from(sorted(IMAGES.releases)), st.data())
def test_every_published_name_reads_back_as_what_it_was_made_of(ray: str, data: st.DataObject) -> None:
    release = IMAGES.releases[ray]
    python = data.draw(st.sampled_from(release.pythons))
    cuda = data.draw(st.sampled_from(("", *release.cudas)))
    name = resolve(IMAGES, ray, python, cuda)
    assert name == tag_of(ray, python, cuda)
    assert isinstance(name, str)
    assert parse(name) == RayTag("rayproject/ray", ray, python, cuda)


@given(st.text(max_size=40), st.text(max_size=8), st.text(max_size=8))
def test_no_text_is_too_odd_to_be_answered(ray: str, python: str, cuda: str) -> None:
    assert isinstance(resolve(IMAGES, ray, python, cuda), str | Unknown)
    parse(f"rayproject/ray:{ray}")
    is_ray(ray)
    assert not (too_old(ray) and runs_here(ray))


def test_every_near_name_was_published() -> None:
    answer = resolve(IMAGES, "9.9.9", "3.11", "12.8")
    assert isinstance(answer, Unknown)
    for name in answer.near:
        tag = parse(name)
        assert tag
        assert resolve(IMAGES, tag.ray, tag.python, tag.cuda) == name


def test_the_table_has_its_date_and_both_ends_of_what_runs_here() -> None:
    assert IMAGES.date == "2026-11-25"
    assert {OLDEST_HERE, NEWEST_HERE} <= set(IMAGES.releases)
    assert runs_here(OLDEST_HERE)
    assert runs_here(NEWEST_HERE)
    assert not runs_here("2.8.0")
    assert too_old("2.7.2")
    assert not too_old("2.8.0")


def test_a_table_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="no date or no header"):
        table("# of yesterday\nray,python\n")
