"""BND7xx: advice on a Ray cluster that is valid."""

from __future__ import annotations

from bandari.codes.code import Code

CODES: tuple[Code, ...] = ()
