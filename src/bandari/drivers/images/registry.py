"""Who may push to a registry: Amazon ECR and Google Artifact Registry by their own helpers, others by auth.json.

A password goes from the helper's output into a file that only we can read, and is gone with it: never a word of a
command line, never a line of a log.
"""

from __future__ import annotations

import base64
import contextlib
import ipaddress
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bandari.errors import Terminal

_ECR = re.compile(r"^\d{12}\.dkr\.ecr(?:-fips)?\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?$")
_GOOGLE = re.compile(r"^(?:[a-z0-9-]+-docker\.pkg\.dev|(?:[a-z]+\.)?gcr\.io)$")
_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Login:
    """A command of a registry's own helper. `user` is empty where it prints JSON with Username and Secret."""

    words: tuple[str, ...]
    user: str
    stdin: str = ""


def host_of(registry: str) -> str:
    """`127.0.0.1:5000` of `127.0.0.1:5000/team`."""
    return registry.partition("/")[0]


def is_loopback(registry: str) -> bool:
    """Whether a registry is on this machine, so that plain HTTP will do; as docker does it."""
    name = host_of(registry).rpartition(":")[0] or host_of(registry)
    if name == "localhost":
        return True
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    return False


def logins(registry: str) -> tuple[Login, ...]:
    """The helpers of a registry, the first that is installed is asked; none for a registry without one."""
    host = host_of(registry)
    if ecr := _ECR.match(host):
        return (Login(("aws", "ecr", "get-login-password", "--region", ecr[1]), "AWS"),)
    if _GOOGLE.match(host):
        return (
            Login(("docker-credential-gcr", "get"), "", stdin=f"https://{host}"),
            Login(("gcloud", "auth", "print-access-token"), "oauth2accesstoken"),
        )
    return ()


@contextlib.contextmanager
def auth_file(registry: str, environ: Mapping[str, str] | None = None) -> Iterator[Path | None]:
    """A `config.json` with the login, for the time of the block; None where the builder is to look for its own."""
    environ = os.environ if environ is None else environ
    helpers = logins(registry)
    given = environ.get("REGISTRY_AUTH_FILE")
    if not helpers and not given:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="bandari-auth-") as place:
        path = Path(place, "config.json")
        text = _asked(registry, helpers, environ) if helpers else _given(str(given))
        path.touch(0o600)
        path.write_text(text)
        yield path


def _given(path: str) -> str:
    try:
        text = Path(path).read_text()
        json.loads(text)
    except (OSError, ValueError) as error:
        reason = "it is no JSON" if isinstance(error, ValueError) else (error.strerror or "").lower()
        raise Terminal(f"cannot read REGISTRY_AUTH_FILE {path!r}: {reason}", fix="podman login writes it") from None
    return text


def _asked(registry: str, helpers: tuple[Login, ...], environ: Mapping[str, str]) -> str:
    host = host_of(registry)
    there = [h for h in helpers if shutil.which(h.words[0], path=environ.get("PATH"))]
    if not there:
        names = " or ".join(helper.words[0] for helper in helpers)
        raise Terminal(
            f"cannot log in to {host!r}: {names} is not installed", fix=f"install {names} and log in with it"
        )
    helper = there[0]
    try:
        program = shutil.which(helper.words[0], path=environ.get("PATH")) or helper.words[0]
        done = subprocess.run(
            [program, *helper.words[1:]],
            input=helper.stdin,
            capture_output=True,
            text=True,
            env=dict(environ),
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        raise Terminal(f"cannot log in to {host!r}: {helper.words[0]} does not answer") from None
    if done.returncode:
        # Its output may hold what it was to print: only that it failed is passed on.
        fix = f"run it by hand: {' '.join(helper.words)}"
        raise Terminal(f"cannot log in to {host!r}: {helper.words[0]} ended with {done.returncode}", fix=fix)
    return json.dumps({"auths": {host: {"auth": _encoded(helper, done.stdout.strip(), host)}}})


def _encoded(helper: Login, printed: str, host: str) -> str:
    user, secret = helper.user, printed
    if not user:
        try:
            told = json.loads(printed)
            user, secret = told["Username"], told["Secret"]
        except (ValueError, KeyError, TypeError):
            raise Terminal(f"cannot log in to {host!r}: {helper.words[0]} printed no login") from None
    return base64.b64encode(f"{user}:{secret}".encode()).decode()
