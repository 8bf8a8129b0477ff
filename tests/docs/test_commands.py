"""Every command in README and docs: those that can run on one machine are run, the others are parsed by the CLI."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from bandari.cli.app import VERBS, app
from bandari.testing.user import User

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)

NOT_RUN = {
    "make quickstart": "run by tests/docs/test_quickstart.py, in a copy of the tree",
    "make test": "is this very run",
    "make bench": "takes minutes and is no test",
    ". .venv/bin/activate": "the tests have their environment already",
    "bandari logs chat -f": "never ends",
    "bandari status --cluster demo": "parsed only: the cluster of the page's example is not up at that place",
}
"""Commands of the docs that are not run as they stand, with the reason."""


def commands(page: Path) -> Iterator[str]:
    for block in BLOCK.findall(page.read_text()):
        for line in block.replace("\\\n", " ").splitlines():
            text = line.split("  #")[0].strip()
            if text and not text.startswith("#"):
                yield text


def all_commands() -> list[tuple[str, str]]:
    return [(page.name, command) for page in PAGES for command in commands(page)]


def test_there_are_commands_to_hold_the_pages_to() -> None:
    assert len(all_commands()) > 10


@pytest.mark.parametrize(("page", "command"), all_commands())
def test_every_bandari_command_is_one_that_the_cli_knows(page: str, command: str) -> None:
    words = shlex.split(command)
    while words and "=" in words[0] and not words[0].startswith("-"):
        words = words[1:]
    if words[0] != "bandari":
        assert command in NOT_RUN or words[0] in {"curl", "make", "pip", "."}, f"{page}: {command}"
        return
    if "--help" in words or words[1].startswith("-"):
        return
    assert words[1] in VERBS
    parsed = app.get_command(click.Context(app), words[1])
    assert parsed is not None
    parsed.make_context(words[1], words[2:])


@pytest.mark.engine
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_commands_of_a_page_run_one_after_the_other(page: Path, user: User) -> None:
    (user.folder / "examples").symlink_to(ROOT / "examples")
    for command in commands(page):
        if command in NOT_RUN or not command.startswith("bandari "):
            continue
        done = user.bandari(*shlex.split(command)[1:])
        assert done.code == 0, f"{command}\n{done.out}{done.err}"
