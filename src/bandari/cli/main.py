"""The entry point. `--version` is answered before anything else is imported."""

from __future__ import annotations

import sys

from bandari._version import __version__


def main() -> None:
    """Runs the command line and exits: 0 done, 1 failed, 2 invalid input, 3 changes pending (`plan --exit-code`)."""
    sys.exit(_told(sys.argv[1:]))


def _told(words: list[str]) -> int:
    """Runs, and sees to it that what was printed arrived: a full disk is a failure, a reader that left is not."""
    code = 0
    try:
        code = _run(words)
        sys.stdout.flush()
    except BrokenPipeError:
        pass
    except OSError as failure:
        print(f"error: cannot write the output: {(failure.strerror or str(failure)).lower()}", file=sys.stderr)  # noqa: T201
        code = code or 1
    else:
        return code
    import os

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the interpreter flushes once more when it ends
    return code


def _run(words: list[str]) -> int:
    if words == ["--version"]:
        print(f"bandari {__version__}")  # noqa: T201 - the answer
        return 0
    from bandari.cli.app import run

    return run(words)


if __name__ == "__main__":
    main()
