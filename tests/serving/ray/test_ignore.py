"""What stays behind when a folder is packed: the same as git says."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from bandari.serving.ray.ignore import left_out, patterns

FILES = (
    "a.py", "b.log", "keep.log", "sub/a.py", "sub/b.log", "sub/deep/c.txt", "sub/deep/b.log", "build/out.o",
    "sub/build/out.o", "docs/x.md", "docs/y.txt", "foo[1].txt", "foo1.txt", "with space", "sub/with space", ".env",
    "a-b_c",
)  # fmt: skip
LINES = (
    ["*.log"],
    ["*.log", "!keep.log"],
    ["/a.py"],
    ["build/"],
    ["/build/"],
    ["sub/deep"],
    ["**/deep/"],
    ["sub/**"],
    ["sub/**/c.txt"],
    ["docs/*.md"],
    ["foo[0-9].txt"],
    ["foo[!2].txt"],
    [r"foo\[1\].txt"],
    ["?.py"],
    ["# a.py", "", "   ", ".env"],
    ["with space  "],
    ["a-b*"],
    ["*", "!*/", "!*.py"],
    ["deep"],
    ["sub/*"],
)


def ours(lines: list[str]) -> set[str]:
    """As the packing walks: what is in a folder that is left out is left out."""
    rules = patterns(lines)

    def out(path: str) -> bool:
        parts = path.split("/")
        above = ("/".join(parts[:n]) for n in range(1, len(parts)))
        return any(left_out(folder, rules, folder=True) for folder in above) or left_out(path, rules, folder=False)

    return {path for path in FILES if out(path)}


@pytest.mark.parametrize("lines", LINES, ids=" ".join)
def test_patterns_mean_what_they_mean_to_git(lines: list[str], tmp_path: Path) -> None:
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / ".gitignore").write_text("\n".join(lines) + "\n")
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    told = subprocess.run(
        ["git", "-c", "core.excludesFile=/dev/null", "check-ignore", "-z", "--stdin"],
        cwd=tmp_path, input="\0".join(FILES), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert told.returncode in (0, 1), told.stderr
    assert ours(lines) == {name for name in told.stdout.split("\0") if name}


def test_the_patterns_of_a_folder_below_hold_there_only() -> None:
    rules = patterns(["/a.py", "*.log"], "sub")
    assert left_out("sub/a.py", rules, folder=False)
    assert left_out("sub/deep/b.log", rules, folder=False)
    assert not left_out("a.py", rules, folder=False)
    assert not left_out("subway/b.log", rules, folder=False)
