"""What looks like a secret, so that it prints as `***` wherever it stands."""

from __future__ import annotations

import re

_NAME = re.compile(
    r"(?:^|[_\-.])(?:token|secret|passwd|password|passphrase|credentials?|(?:api|access|private)[_-]?key|auth|authorization)"
    r"(?:$|[_\-.])",
    re.IGNORECASE,
)
_VALUE = re.compile(
    r"(?<![A-Za-z0-9])(?:hf_[A-Za-z0-9]{16,}|sk-[A-Za-z0-9_\-]{16,}|gh[pousr]_[A-Za-z0-9]{20,}|AKIA[A-Z0-9]{12,}|xox[abp]-\S{10,}"
    r"|Bearer \S+|-----BEGIN [A-Z ]*PRIVATE KEY.*)"
)
_URL_PASSWORD = re.compile(r"(?<=://)([^/:@\s]*):([^/@\s]+)@")


def is_secret_name(name: str) -> bool:
    """Whether a variable, header or flag of this name holds a credential."""
    return bool(_NAME.search(name))


def is_secret_value(value: str) -> bool:
    """Whether a text has the form of a well-known credential, or is a URL with a password."""
    return bool(_VALUE.search(value) or _URL_PASSWORD.search(value))


def mask(text: str) -> str:
    """The text with everything that has the form of a credential as `***`."""
    return _URL_PASSWORD.sub(r"\1:***@", _VALUE.sub("***", text))


_SHELL_VALUE = r"(?P<value>\"[^\"]*\"|'[^']*'|[^\s\"';|&]+)"
_ASSIGNED = re.compile(rf"(?<![\w.\-])(?P<name>-{{0,2}}[A-Za-z_][\w.\-]*)=(?![$]){_SHELL_VALUE}")
_FLAGGED = re.compile(rf"(?<![\w.\-])(?P<name>--[A-Za-z][\w.\-]*)(?P<space>\s+)(?![-$]){_SHELL_VALUE}")


def mask_command(text: str) -> str:
    """As `mask`, and what stands at flags and variables named like a credential: `--token=x`, `--api-key x`."""
    assigned = _ASSIGNED.sub(lambda found: _told(found, "="), mask(text))
    return _FLAGGED.sub(lambda found: _told(found, found["space"]), assigned)


def _told(found: re.Match[str], between: str) -> str:
    return f"{found['name']}{between}***" if is_secret_name(found["name"].lstrip("-")) else found[0]


_SHELL_NAME = re.compile(r"(?:password|passwd|passphrase|pwd|secret|token|key|pat|auth)$", re.IGNORECASE)
_NO_CREDENTIALS = frozenset({"PATH", "HOME", "PWD", "OLDPWD"})


def is_credential(name: str, value: str) -> bool:
    """Whether a variable of somebody's shell may hold a credential; in doubt it does, as nobody declared it."""
    if name in _NO_CREDENTIALS:
        return False
    return bool(is_secret_name(name) or is_secret_value(value) or _SHELL_NAME.search(name))
