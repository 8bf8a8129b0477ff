from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bandari.testing.processes import Site


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A folder for one cluster; whatever was started in it is ended."""
    made = Site(tmp_path / "state")
    yield made
    made.close()
