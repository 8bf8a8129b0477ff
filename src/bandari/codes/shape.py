"""BND2xx: a key or value has not the shape that its field has."""

from __future__ import annotations

from bandari.codes.code import Code

CODES: tuple[Code, ...] = ()
