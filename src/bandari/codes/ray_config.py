"""BND7xx: a Ray compute config that is not well formed, or not what it seems."""

from __future__ import annotations

from bandari.codes.code import Code

CODES: tuple[Code, ...] = ()
