"""Logs of processes: files opened with O_APPEND, so that they outlive the supervisor, rotated by size.

A process keeps its file open for life, so a full log is copied to `NAME.log.1` and emptied in place (`copytruncate` of
logrotate); lines written between the two are lost. One log takes at most (KEEP + 1) * LIMIT bytes, and what is written
within one look (a few seconds).
"""

from __future__ import annotations

import itertools
import os
import shutil
from pathlib import Path

from bandari.serving.protocol import LOG_FOLDER

LIMIT = 10 * 2**20
"""Bytes from which a log is rotated."""
KEEP = 3
"""Old pieces that are kept: NAME.log.1 is the youngest."""
_TAIL = 8192


def log_path(folder: Path, name: str) -> Path:
    """Where the log of a process is."""
    return folder / LOG_FOLDER / f"{name}.log"


def open_log(path: Path) -> int:
    """A descriptor to give to a process."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)


def rotate(path: Path, *, limit: int = LIMIT, keep: int = KEEP) -> bool:
    """Moves a full log aside; True when it did."""
    if path.stat().st_size < limit:
        return False
    pieces = [path, *(path.with_name(f"{path.name}.{n}") for n in range(1, keep + 1))]
    for younger, older in reversed(tuple(itertools.pairwise(pieces[1:]))):
        if younger.exists():
            younger.replace(older)
    if keep:
        shutil.copyfile(path, pieces[1])
        pieces[1].chmod(0o600)
    os.truncate(path, 0)
    return True


def rotate_all(folder: Path) -> None:
    """Looks after every log of a cluster."""
    for path in (folder / LOG_FOLDER).glob("*.log"):
        rotate(path)


def last_line(path: Path, offset: int = 0) -> str:
    """The last line with words in it after `offset`, cut at 200 characters; empty when there is none."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(size - _TAIL, min(offset, size)))
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:200] if lines else ""
