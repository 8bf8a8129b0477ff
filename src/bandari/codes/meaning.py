"""BND3xx: values that are well formed alone and do not fit each other."""

from __future__ import annotations

from bandari.codes.code import Code

CODES: tuple[Code, ...] = ()
