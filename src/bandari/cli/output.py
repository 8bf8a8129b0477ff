"""How every verb speaks: text for people on a terminal, one JSON document on stdout for programs, exit codes."""

from __future__ import annotations

import functools
import json
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Concatenate, ParamSpec

import click

from bandari.diagnostics import Diagnostic
from bandari.errors import BandariError, DriverError, InvalidInput

FAILED = 1
INVALID = 2
PENDING = 3
INTERRUPTED = 130

P = ParamSpec("P")


class Output:
    """Where a verb writes: `text` is silent in JSON mode, `document` in text mode."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json

    @property
    def terminal(self) -> bool:
        """Whether a person watches."""
        return not self.as_json and sys.stdout.isatty()

    def text(self, line: str = "") -> None:
        """A line for people. A reader that left (`| head`) ends no work that is under way."""
        if self.as_json:
            return
        try:
            click.echo(line)
        except BrokenPipeError:
            _nobody_reads()

    def document(self, value: Mapping[str, Any]) -> None:
        """The one document for programs."""
        if self.as_json:
            click.echo(json.dumps({"version": 1, **value}, indent=2, ensure_ascii=False))

    def line(self, value: Mapping[str, Any], text: str) -> None:
        """One item of a stream: an object a line, or its text."""
        click.echo(json.dumps({"version": 1, **value}, ensure_ascii=False) if self.as_json else text)

    def findings(self, diagnostics: Iterable[Diagnostic], sources: Mapping[str, str] | None = None) -> None:
        """Diagnostics for people, on stderr, with their source lines."""
        found = tuple(diagnostics)
        if self.as_json or not found:
            return
        from bandari.cli.findings import render

        click.echo(
            render(found, sources or _sources(found), colour=sys.stderr.isatty() and not os.environ.get("NO_COLOR")),
            err=True,
        )

    def refusal(
        self,
        message: str,
        fix: str,
        diagnostics: Iterable[Diagnostic] = (),
        changes: Iterable[Mapping[str, Any]] = (),
    ) -> int:
        """Says that the input, not the target, is in the way; the exit code for it."""
        self.document({**invalid(diagnostics, changes), "error": {"message": message, "fix": fix}})
        self.complaint(message, fix)
        return INVALID

    def complaint(self, message: str, fix: str = "") -> None:
        """What went wrong, on stderr."""
        label = click.style("error", fg="red", bold=True)
        click.echo(f"{label}: {message}" + (f"\n  fix: {fix}" if fix else ""), err=True)


def _nobody_reads() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _sources(diagnostics: Iterable[Diagnostic]) -> Mapping[str, str]:
    files = {place.file for d in diagnostics for place in (d.span, *(r.span for r in d.related))}
    readable = (Path(name) for name in sorted(files) if name and Path(name).is_file())
    return {str(path): path.read_text(encoding="utf-8", errors="replace") for path in readable}


def verb(function: Callable[Concatenate[Output, P], int | None]) -> Callable[P, int]:
    """Gives a command its `--json` option and turns what it raises into words and an exit code."""

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> int:
        out = Output(as_json=bool(kwargs.pop("as_json")))
        try:
            return function(out, *args, **kwargs) or 0
        except InvalidInput as failure:
            out.document(invalid(failure.diagnostics))
            out.findings(failure.diagnostics)
            return INVALID
        except DriverError as failure:
            out.document({"error": {"message": str(failure), "address": failure.address, "fix": failure.fix}})
            out.complaint(str(failure), failure.fix)
            return FAILED
        except BandariError as failure:
            out.document({**invalid(()), "error": {"message": str(failure)}})
            out.complaint(str(failure))
            return INVALID
        except KeyboardInterrupt:
            click.echo("\nstopped; what was done stands, `bandari status` shows it, `bandari up` goes on", err=True)
            return INTERRUPTED
        except BrokenPipeError:
            _nobody_reads()
            return 0
        except OSError as failure:
            what = f"cannot use {failure.filename!r}" if failure.filename else "cannot go on"
            message = f"{what}: {(failure.strerror or str(failure)).lower()}"
            out.document({"error": {"message": message}})
            out.complaint(message, "check that it is there, and that you may read and write it")
            return FAILED
        except click.exceptions.Exit:
            raise
        except click.ClickException:
            raise
        except click.Abort:
            raise
        except Exception as bug:  # noqa: BLE001 - the last resort: a bug gets words and a place, not a traceback
            return _bug(out, bug)

    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")(run)


def invalid(diagnostics: Iterable[Diagnostic], changes: Iterable[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """The document of `check` and `plan`."""
    return {"diagnostics": [d.to_json() for d in diagnostics], "changes": list(changes)}


def _bug(out: Output, bug: Exception) -> int:
    from bandari.drivers.folders import Folders

    place = Folders.of(os.environ).state.parent / "bug.log"
    try:
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        place.write_text("".join(traceback.format_exception(bug)))
        place.chmod(0o600)
    except OSError:
        traceback.print_exception(bug)
    message = f"this is a bug in bandari: {type(bug).__name__}: {bug}"
    out.document({"error": {"message": message}})
    out.complaint(message, f"nothing more was done; the trace is in {place}")
    return FAILED
