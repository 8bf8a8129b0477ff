"""What every test shares: hypothesis does not judge a busy machine, and no test sees the user's own folders."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from bandari.testing.user import User

settings.register_profile(
    "bandari",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    derandomize="CI" in os.environ,
)
settings.load_profile("bandari")


@pytest.fixture(autouse=True, scope="session")
def _own_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A fresh HOME and fresh XDG folders for the whole run, inherited by every process that a test starts."""
    home = tmp_path_factory.mktemp("home")
    own = {
        "HOME": home,
        "XDG_STATE_HOME": home / "state",
        "XDG_DATA_HOME": home / "data",
        "XDG_CACHE_HOME": home / "cache",
    }
    before = {name: os.environ.get(name) for name in own}
    os.environ.update({name: str(path) for name, path in own.items()})
    yield
    for name, value in before.items():
        if value is None:
            os.environ.pop(name)
        else:
            os.environ[name] = value


@pytest.fixture
def examples() -> Path:
    return Path(__file__).parent.parent / "examples"


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
