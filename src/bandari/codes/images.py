"""BND7xx: container images and the environments that stand for them."""

from __future__ import annotations

from bandari.codes.code import Code

CODES: tuple[Code, ...] = ()
