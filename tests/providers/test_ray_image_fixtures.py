"""The files of BND79x: a bad one with a mark above each line that is spoken of, and a good one without any finding."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bandari.codes import CODES
from bandari.desired.ray import RayImage
from bandari.diagnostics import Diagnostic, Origin, Span
from bandari.pipeline.images import files_of_disk, ray_images
from bandari.providers.ray_environment import environment_of
from bandari.serving.ray.environments import Here

FIXTURES = Path(__file__).parent.parent / "fixtures"
BAD = sorted((FIXTURES / "invalid").glob("BND79*"))
GOOD = sorted((FIXTURES / "valid").glob("BND79*"))
MARK = re.compile(r"# (?P<severity>error|warning)\[(?P<code>BND\d{3})\]")
HERE = Here(ray="2.60.0", python="3.11", pythons=("3.11",))


def findings(path: Path) -> tuple[Diagnostic, ...]:
    image = RayImage(containerfile=str(path))
    if path.suffix == ".image":
        lines = path.read_text().splitlines()
        image = RayImage(uri=lines[-1], origin=Origin(Span(str(path), len(lines), 1)))
    else:
        image = RayImage(containerfile=str(path), origin=Origin(Span(str(path), 2, 1)))
    return environment_of("try", image, images=ray_images(), here=HERE, files=files_of_disk())[1]


def marks(path: Path) -> set[tuple[int, str, str]]:
    lines = enumerate(path.read_text().splitlines(), start=2)
    return {(number, mark["severity"], mark["code"]) for number, line in lines for mark in MARK.finditer(line)}


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_a_bad_image_has_the_findings_that_are_marked_above_its_lines(path: Path) -> None:
    found = findings(path)
    assert {(f.span.line, f.severity.value, f.code) for f in found} == marks(path) != set()
    assert all(f.help and "\n" not in f.message + f.why + f.help for f in found)


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_a_good_image_has_no_finding(path: Path) -> None:
    assert findings(path) == ()


def test_every_code_of_images_has_a_bad_file_and_a_good_one() -> None:
    assert {path.stem[:6] for path in BAD} == {code for code in CODES if code.startswith("BND79")}
    assert {path.name for path in GOOD} == {path.name for path in BAD}
