"""BND7xx: job, service, schedule and workspace files, and named compute configs."""

from __future__ import annotations

from bandari.codes.code import Code

CODES: tuple[Code, ...] = ()
