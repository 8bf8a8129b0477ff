"""The table of codes and the program say the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bandari.codes import CODES, Code

SOURCE = Path(__file__).parent.parent.parent / "src" / "bandari"
MINE = [code for code in CODES.values() if code.code < "BND4"]


def test_every_code_that_is_reported_is_explained_and_no_other() -> None:
    files = [path for path in SOURCE.rglob("*.py") if path.parent.name != "codes"]
    used = {code for path in files for code in re.findall(r'"(BND\d{3})"', path.read_text())}
    assert used == set(CODES)


@pytest.mark.parametrize("code", MINE, ids=lambda code: code.code)
def test_an_explanation_is_whole(code: Code) -> None:
    assert re.fullmatch(r"BND\d{3}", code.code)
    assert code.title == code.title.strip().rstrip(".")
    assert code.explanation.endswith(".")
    assert code.bad.strip() != code.good.strip() != ""
