"""BND5xx: what this machine cannot serve of a file."""

from __future__ import annotations

from bandari.codes.code import Code

CODES: tuple[Code, ...] = ()
