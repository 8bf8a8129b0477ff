"""Makes src/bandari/catalog/data/ray_images.csv: which Ray images were published, from lists of their tags.

    python tools/ray_images.py TAGS.txt [MATRIX.json RAY]

TAGS.txt holds one tag a line (`anyscale/ray:2.44.0-py312-cu128`; other words on a line do not matter); MATRIX.json is
`ray-images.json` of ray-project/ray, which tells what is built for RAY, a release that the list does not have yet.
Releases below 2.8.0, release candidates and nightly builds are left out. Equal input, equal bytes.
"""

from __future__ import annotations

import json
import re
import sys
from collections import defaultdict
from pathlib import Path

OUTPUT = Path(__file__).parent.parent / "src/bandari/catalog/data/ray_images.csv"
AS_OF = "2026-11-25"
TAG = re.compile(r"anyscale/ray:(\d+\.\d+\.\d+)-py3(\d+)(?:-cu(\d{3}))?(?![-\w])")
OLDEST = (2, 8, 0)


def number(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def published(text: str) -> dict[str, set[tuple[int, str]]]:
    """Ray -> pairs of Python's minor version and CUDA (`128`; empty: none)."""
    found: dict[str, set[tuple[int, str]]] = defaultdict(set)
    for ray, python, cuda in TAG.findall(text):
        if number(ray) >= OLDEST:
            found[ray].add((int(python), cuda))
    return found


def built(matrix: str) -> set[tuple[int, str]]:
    told = json.loads(matrix)["ray"]
    platforms = {"".join(p.removeprefix("cu").split(".")[:2]) for p in told["platforms"] if p.startswith("cu")}
    return {(int(python.split(".")[1]), cuda) for python in told["python"] for cuda in {"", *platforms}}


def line(ray: str, pairs: set[tuple[int, str]]) -> str:
    pythons, cudas = sorted({python for python, _ in pairs}), sorted({cuda for _, cuda in pairs} - {""})
    assert pairs == {(python, cuda) for python in pythons for cuda in ["", *cudas]}, f"{ray}: no full product"
    return f"{ray},{' '.join(f'3.{python}' for python in pythons)},{' '.join(cudas)}\n"


def main() -> None:
    found = published(Path(sys.argv[1]).read_text())
    if len(sys.argv) > 3:
        found[sys.argv[3]] = built(Path(sys.argv[2]).read_text())
    rows = "".join(line(ray, found[ray]) for ray in sorted(found, key=number))
    OUTPUT.write_text(f"# as of {AS_OF}\nray,python,cuda\n{rows}")
    print(f"{OUTPUT.name}: {len(found)} releases of Ray")


if __name__ == "__main__":
    main()
