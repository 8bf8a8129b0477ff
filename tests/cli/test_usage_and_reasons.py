"""`top` and `why` on a real cluster: what it uses, and what is not as it should be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from bandari.testing.user import Ran, User

SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"

FILE = """\
version: "1.3"
local:
  cluster:
    name: looked-at
  modelGroups:
    - name: chat
      minInstances: 1
      maxInstances: 2
      runtime:
        image: ghcr.io/ggml-org/llama.cpp:server-b6823
      model:
        source: builtin:tiny
    - name: broken
      minInstances: 1
      maxInstances: 1
      runtime:
        image: ghcr.io/ggml-org/llama.cpp:server-b6823
      local:
        command: ["sh", "-c", "echo no such weights; exit 3"]
"""

pytestmark = pytest.mark.engine


def valid(done: Ran, schema: str) -> Any:
    """The document, held against its published schema."""
    Draft202012Validator(json.loads((SCHEMAS / f"{schema}.json").read_text())).validate(done.document)
    return done.document


def test_top_shows_what_each_process_uses_and_why_says_what_is_wrong(user: User) -> None:
    user.write(FILE)
    assert user.bandari("up", "--yes", "--timeout", "5").code == 1

    rows = valid(user.bandari("top", "--json"), "top")["rows"]
    chat = next(row for row in rows if row["part"] == "group chat")
    assert chat["state"] == "ready"
    assert chat["memory"] > 2**20
    assert chat["gpu"] is None
    table = user.bandari("top").out
    assert "chat-0" in table
    assert "PART" in table

    reasons = valid(user.bandari("why", "--json"), "why")["reasons"]
    broken = " ".join(row["reason"] for row in reasons if row["name"] == "broken")
    assert "no such weights" in broken
    told = user.bandari("why", "chat")
    assert told.code == 0
    assert "broken" not in told.out
    typo = user.bandari("why", "brokn")
    assert typo.code == 1
    assert "did you mean 'broken'" in typo.err
