"""BND1xx: the text cannot be read as one YAML mapping."""

from __future__ import annotations

from bandari.codes.code import Code

CODES: tuple[Code, ...] = ()
