"""What looks like a credential in a command, and what only looks like it."""

from __future__ import annotations

import pytest

from bandari.desired.secrets import mask_command


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ("python a.py --token=abc --n 3", "python a.py --token=*** --n 3"),
        ("python a.py --api-key abc", "python a.py --api-key ***"),
        ("python a.py --verbose --password 'a b' out", "python a.py --verbose --password *** out"),
        ("HF_TOKEN=abc python a.py", "HF_TOKEN=*** python a.py"),
        ("run --set auth=abc;ls", "run --set auth=***;ls"),
        ("curl https://me:pw@host/x", "curl https://me:***@host/x"),
    ],
)
def test_a_value_that_is_named_like_a_credential_is_hidden(command: str, shown: str) -> None:
    assert mask_command(command) == shown


@pytest.mark.parametrize(
    "command",
    [
        "python a.py --token=$TOKEN --api-key ${KEY}",
        "python a.py --max-tokens 20 --tokenizer x --key=v",
        "python a.py --password --verbose",
        "python -c 'token = 3; print(token)'",
    ],
)
def test_what_holds_no_credential_stays(command: str) -> None:
    assert mask_command(command) == command
