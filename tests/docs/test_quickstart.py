"""`make quickstart`, the first command of the README, in a copy of the tree."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bandari.testing.user import User

ROOT = Path(__file__).parents[2]
COPIED = ("Makefile", "pyproject.toml", "constraints.txt", "README.md", "LICENSE", "examples", "tools", "src")

pytestmark = pytest.mark.engine


def test_make_quickstart_brings_it_up_asks_one_question_and_says_how_to_stop(user: User) -> None:
    """The environment is this one, linked into the copy: installing it is what continuous integration begins with."""
    tree = user.folder / "tree"
    tree.mkdir()
    for name in COPIED:
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tree / name)
    environment = Path(sys.prefix)
    (tree / ".venv").mkdir()
    for entry in environment.iterdir():
        (tree / ".venv" / entry.name).symlink_to(entry)
    (tree / ".venv" / ".local").unlink(missing_ok=True)
    (tree / ".venv" / ".local").touch()
    done = subprocess.run(
        ["make", "quickstart"], cwd=tree, env=user.environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^answer: \S+", done.stdout, re.MULTILINE)
    assert re.search(r"^endpoint: http://127\.0\.0\.1:\d+/v1", done.stdout, re.MULTILINE)
    [stop] = re.findall(r"^stop: +\.venv/bin/bandari (.*)$", done.stdout, re.MULTILINE)
    assert user.marked()
    assert user.bandari(*stop.split()).code == 0
    assert user.marked() == []
