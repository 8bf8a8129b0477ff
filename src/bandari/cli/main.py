"""The entry point. `--version` is answered before anything else is imported."""

from __future__ import annotations

import sys

from bandari._version import __version__


def main() -> None:
    """Runs the command line and exits: 0 done, 1 failed, 2 invalid input, 3 changes pending (`plan --exit-code`)."""
    if sys.argv[1:] == ["--version"]:
        print(f"bandari {__version__}")  # noqa: T201 - the answer
        return
    from bandari.cli.app import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
