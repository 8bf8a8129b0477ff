"""`make bench`: `python benchmarks/run.py [cli] [gateway] [streams] [road] [spot]`; without names all, in 6 minutes."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

if __name__ == "__main__":
    from benchmarks.report import main  # found by the line above

    sys.exit(main(sys.argv[1:]))
