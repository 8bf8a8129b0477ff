"""A service is what its file says and what its code is."""

from __future__ import annotations

from pathlib import Path

import pytest

from bandari import pipeline
from bandari.desired.state import ProviderName
from bandari.planning.graph import Address
from bandari.providers.local import provider
from bandari.testing.builders import host

SERVICE = """
name: greeter
compute_config: {head_node: {instance_type: m5.2xlarge}}
working_dir: app
excludes: ["*.log"]
applications: [{import_path: "greet:app"}]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "greet.py").write_text("app = 1\n")
    path = tmp_path / "service.yaml"
    path.write_text(SERVICE)
    return path


def checked(file: Path) -> pipeline.Checked:
    return pipeline.check(file, pipeline.Options(ProviderName.LOCAL), host=host())


def version(file: Path) -> str:
    resolved = checked(file).resolved
    assert resolved is not None
    return str(provider.lower(resolved).by_address[Address("local", "rayservice", "greeter")].body["version"])


def test_other_code_is_another_version_and_what_is_left_out_is_not(file: Path) -> None:
    before = version(file)
    (file.parent / "app" / "x.log").write_text("left out")
    (file.parent / "app" / "__pycache__").mkdir()
    (file.parent / "app" / "__pycache__" / "greet.pyc").write_text("left out")
    assert version(file) == before
    (file.parent / "app" / "greet.py").write_text("app = 2\n")
    assert version(file) != before


def test_a_version_that_the_file_names_is_its_name(file: Path) -> None:
    file.write_text(SERVICE + "version_name: v7\n")
    assert version(file) == "v7"


def test_a_working_directory_that_is_not_there_is_said_and_blocks(file: Path) -> None:
    file.write_text(SERVICE.replace("working_dir: app", "working_dir: nowhere"))
    (point,) = (p for p in checked(file).not_served if p.diagnostic.code == "BND607")
    assert point.blocking
    assert "nowhere" in point.diagnostic.message
    assert point.diagnostic.span.line == 4
    file.write_text(SERVICE.replace("working_dir: app", "working_dir: s3://bucket/app.zip"))
    assert not [p for p in checked(file).not_served if p.diagnostic.code == "BND607"]
