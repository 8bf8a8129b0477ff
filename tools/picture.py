"""Makes docs/plan-and-status.svg from the real output of `bandari plan` and `bandari status`, run on a terminal."""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).parents[1]
TARGET = ROOT / "docs" / "plan-and-status.svg"
WIDTH = 118


def on_a_terminal(words: list[str], environment: dict[str, str]) -> str:
    """What a command prints when a person watches, colours included."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "bandari.cli", *words], cwd=ROOT, env=environment, stdout=follower, stderr=follower
    )
    os.close(follower)
    seen = b""
    try:
        while chunk := os.read(leader, 65536):
            seen += chunk
    except OSError:  # the other end is closed: the command has ended
        pass
    os.close(leader)
    process.wait()
    return seen.decode().replace("\r\n", "\n")


def settled(text: str) -> str:
    """The same text without what differs from run to run."""
    text = re.sub(r"pid \d+, port \d+", "pid 4711, port 40001", text)
    return re.sub(r"\d+\.\d\d cores, [\d.]+ MB", "0.01 cores, 36 MB", text)


def main() -> None:
    """Brings the quickstart up in folders of its own, draws, takes it down."""
    with tempfile.TemporaryDirectory() as home:
        folders = {"HOME": home, "XDG_STATE_HOME": f"{home}/state", "XDG_DATA_HOME": f"{home}/data"}
        environment = {**os.environ, **folders, "COLUMNS": str(WIDTH), "TERM": "xterm-256color"}
        example = ["-f", "examples/quickstart.yaml"]
        console = Console(record=True, width=WIDTH, file=io.StringIO())
        try:
            for words in (["plan", *example], ["up", *example, "--yes"], ["status", *example]):
                text = on_a_terminal(words, environment)
                if words[0] != "up":
                    console.print(Text(f"$ bandari {' '.join(words)}", style="bold cyan"))
                    console.print(Text.from_ansi(settled(text)))
        finally:
            on_a_terminal(["down", *example, "--yes"], environment)
        drawn = console.export_svg(title="bandari", unique_id="bandari")
        TARGET.write_text(re.sub(r"\s*@font-face \{.*?\}", "", drawn, flags=re.DOTALL))  # no font from elsewhere
        print(TARGET.relative_to(ROOT))


if __name__ == "__main__":
    main()
