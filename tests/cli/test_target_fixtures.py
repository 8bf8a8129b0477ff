"""The codes of targets and hubs (BND6xx): a bad file with its code on its line, and a good one, each through `plan`."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from bandari.codes.target import CODES
from bandari.serving.models import builtin
from bandari.testing.hub_server import HubServer
from bandari.testing.user import User

FIXTURES = Path(__file__).parents[1] / "fixtures"
MARK = re.compile(r"# (error|warning)\[(BND\d{3})\]")
OPTIONS = {"BND605": ["--skip", "nothing"]}
"""The option that is wrong, where it is not the file."""

pytestmark = pytest.mark.engine


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[HubServer]:
    with HubServer() as server:
        server.add_llama(builtin("tiny", tmp_path / "weights"))
        yield server


def found(user: User, file: Path, hub: HubServer, words: list[str]) -> set[tuple[str, str, int]]:
    """(severity, code, line) of the BND6xx findings; the file works in a folder with its neighbours."""
    for neighbour in file.parent.glob(f"{file.stem}.*"):
        shutil.copy(neighbour, user.folder / neighbour.name)
    endpoint = "http://127.0.0.1:9" if file.stem.startswith("BND604") and "invalid" in file.parts else hub.endpoint
    done = user.bandari("plan", "-f", file.name, "--json", *words, extra={"HF_ENDPOINT": endpoint})
    assert done.code in {0, 2}, done.err
    rows = done.document["diagnostics"]
    return {(d["severity"], d["code"], d["line"]) for d in rows if d["code"].startswith("BND6")}


def marked(file: Path) -> set[tuple[str, str, int]]:
    lines = enumerate(file.read_text().splitlines(), 1)
    return {(m[1], m[2], number) for number, line in lines for m in MARK.finditer(line)}


@pytest.mark.parametrize("code", [code.code for code in CODES])
def test_each_code_stands_on_its_line_and_its_twin_is_clean(user: User, hub: HubServer, code: str) -> None:
    [bad] = (FIXTURES / "invalid").glob(f"{code}-*.yaml")
    [good] = (FIXTURES / "valid").glob(f"{code}-*.yaml")
    assert marked(bad)
    assert found(user, bad, hub, OPTIONS.get(code, [])) == marked(bad)
    assert found(user, good, hub, []) == set()
