from __future__ import annotations

from collections.abc import Iterator

import pytest

from bandari.testing.ray import RaySite


@pytest.fixture(scope="module")
def ray_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RaySite]:
    """A supervisor that the tests of a module share; whatever it started is ended."""
    made = RaySite(tmp_path_factory.mktemp("ray") / "state")
    made.guard()
    yield made
    made.close()
