"""BND4xx: advice on a file that is valid."""

from __future__ import annotations

from bandari.codes.code import Code

CODES: tuple[Code, ...] = ()
