"""Every exception that bandari raises on purpose; imports nothing.

::

    BandariError
    ├── InvalidInput        the user's input is wrong: carries its diagnostics      exit 2
    ├── StalePlan           a saved plan no longer fits what it was made for        exit 2
    └── DriverError         a target refused or failed: names address and action    exit 1
        ├── Retryable           may work when asked again
        │   └── Unreachable         nobody answers at the target's end
        └── Terminal            will not work until something is changed

Anything else that escapes is a bug in bandari.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bandari.diagnostics import Diagnostic


class BandariError(Exception):
    """Base of all; its text is a whole message for the user: `cannot <verb> <object>: <reason>`."""


class InvalidInput(BandariError):  # noqa: N818 - reads as the sentence it is
    """The input has errors; `diagnostics` holds all of them, warnings included."""

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        self.diagnostics = tuple(diagnostics)
        super().__init__(f"{len(self.diagnostics)} findings")


class StalePlan(BandariError):  # noqa: N818
    """The file, bandari or the target changed since the plan was saved."""


class DriverError(BandariError):
    """A target refused or failed; `address` is what was being changed, `fix` one line on how to go on."""

    def __init__(self, message: str, *, address: str = "", fix: str = "") -> None:
        self.address = address
        self.fix = fix
        super().__init__(message)


class Retryable(DriverError):  # noqa: N818
    """The same call may succeed later."""


class Unreachable(Retryable):
    """Nothing answers where the target should be."""


class Terminal(DriverError):  # noqa: N818
    """The same call fails again until something is changed."""
