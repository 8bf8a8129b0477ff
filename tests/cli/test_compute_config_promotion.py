"""Stored compute configs on their way: rendered from a template, promoted with their message, compared."""

from __future__ import annotations

import pytest

from bandari.testing.user import User

pytestmark = pytest.mark.engine


def test_a_template_is_rendered_and_promoted_with_its_message(user: User) -> None:
    (user.folder / "t.yaml").write_text('cloud: {{env["CLOUD"]}}\n')
    (user.folder / "env.yaml").write_text("env: {CLOUD: demo}\n")
    assert "--render" in user.bandari("compute-config", "create", "dev", "-f", "t.yaml").err
    made = user.bandari("compute-config", "create", "dev", "-f", "t.yaml", "--render", "env.yaml", "-m", "why # ---")
    assert made.code == 0, made.err
    assert user.bandari("compute-config", "get", "dev").out == "cloud: demo\n"
    assert "dev:1 is the first version" in user.bandari("compute-config", "get", "dev", "--diff").out
    promoted = user.bandari("compute-config", "create", "test", "--from", "dev:1", "--json").document["config"]
    assert (promoted["source"], promoted["message"]) == ("dev:1", "why # ---")
    assert user.bandari("compute-config", "get", "dev", "--diff", "9" * 5000 + ":1").code == 1
