"""The machine as the checks see it, and what they say."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from bandari.analysis.resolve import STAND_IN_IMAGE
from bandari.analysis.subject import recognise
from bandari.catalog.host import Host
from bandari.desired.state import DesiredState
from bandari.desired.workloads import ModelServer
from bandari.diagnostics import Diagnostic, Span, warning
from bandari.runtimes.protocol import ServingRuntime

STAND_IN = "--stand-in tiny"


@dataclass(frozen=True, slots=True)
class NotServed:
    """Something of the file that this machine does not serve, and what settles it besides a change of the file."""

    diagnostic: Diagnostic
    item: str
    """Name of the workload, or key of the section; empty for the machine as a whole."""
    stand_in: bool = False
    """Whether a built-in model in the group's place settles it."""
    skip: str = ""
    """Key of the section that `--skip` would leave out; empty: none."""
    blocking: bool = True
    """Whether `up` refuses while it is not settled."""


@dataclass(frozen=True, slots=True)
class Here:
    """`secrets`: (secret, key) pairs that the secrets file has; their values are nobody's business here."""

    state: DesiredState
    host: Host
    runtimes: Sequence[ServingRuntime]
    secrets: Collection[tuple[str, str]]

    def runtime(self, server: ModelServer) -> ServingRuntime | None:
        """The runtime of the group's image; None for an image that no runtime recognises."""
        return recognise(server.image, self.runtimes)

    def gpus(self) -> int:
        """GPUs that may be used."""
        return 0 if self.state.target.local.gpu is False else self.host.gpus

    def engine(self, server: ModelServer, runtime: ServingRuntime) -> str:
        """The engine that would serve the group: as the file says, else the best that is here, else the best."""
        present = (name for name in runtime.engines if name in self.host.engines)
        return server.local.engine or next(present, runtime.engines[0])

    def can_stand_in(self) -> bool:
        """Whether an engine for the built-in model is here."""
        runtime = recognise(STAND_IN_IMAGE, self.runtimes)
        return runtime is not None and any(engine in self.host.engines for engine in runtime.engines)

    def lack(self, server: ModelServer, code: str, span: Span, message: str, *, why: str, fix: str) -> NotServed:
        """A finding that keeps a group from being served, unless a stand-in takes its place."""
        stand_in = self.can_stand_in()
        fix = f"{fix}, or serve a tiny model instead: {STAND_IN}" if stand_in else fix
        return NotServed(warning(code, span, message, why=why, fix=fix), server.name, stand_in=stand_in)

    def note(self, server: ModelServer, code: str, span: Span, message: str, *, why: str, fix: str) -> NotServed:
        """A finding about a group that is served all the same; a stand-in does without what it is about."""
        finding = warning(code, span, message, why=why, fix=fix)
        return NotServed(finding, server.name, stand_in=self.can_stand_in(), blocking=False)
