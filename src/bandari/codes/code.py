"""What a code of a finding is; the tables beside this file hold them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Code:
    """A kind of finding: `explanation` is for people, `bad` and `good` are snippets of a file, before and after."""

    code: str
    title: str
    explanation: str
    bad: str
    good: str
