from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bandari.testing.user import User


@pytest.fixture
def user(tmp_path: Path) -> Iterator[User]:
    """A new user on a machine; whatever clusters they leave running are taken down, and nothing may be left."""
    home, folder = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    folder.mkdir()
    someone = User(home, folder)
    yield someone
    for state in (home / "state" / "bandari" / "clusters").glob("*/state.json"):
        someone.bandari("down", "--cluster", state.parent.name, "--yes")
    assert someone.marked() == []
