"""The command and the environment of a replica: Kubernetes' `$(NAME)` rule, secrets read at the last moment, mounts.

Secrets pass from the file into the environment of the process and nowhere else.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from bandari.desired.secrets import is_credential
from bandari.document.secrets import Secrets
from bandari.document.secrets import secrets as read_secrets
from bandari.serving.protocol import EnvEntry, Mount, ReplicaSetBody, SecretRef


class CannotStart(Exception):  # noqa: N818 - reads as the sentence it is
    """A process cannot be started; the text is the reason for the user."""


def expand(text: str, values: Mapping[str, str]) -> str:
    """Replaces `$(NAME)`; an unknown one stays, and `$$` is a plain `$`.

    https://kubernetes.io/docs/tasks/inject-data-application/define-interdependent-environment-variables/
    """
    out: list[str] = []
    at = 0
    while (dollar := text.find("$", at)) >= 0:
        out.append(text[at:dollar])
        following = text[dollar + 1 : dollar + 2]
        close = text.find(")", dollar) if following == "(" else -1
        if following == "$":
            out.append("$")
            at = dollar + 2
        elif close >= 0:
            name = text[dollar + 2 : close]
            out.append(values.get(name, f"$({name})"))
            at = close + 1
        else:
            out.append("$")
            at = dollar + 1
    return "".join([*out, text[at:]])


def mount_variable(name: str) -> str:
    """The variable that holds the folder of a mount: `model-data` -> `BANDARI_MOUNT_MODEL_DATA`."""
    return "BANDARI_MOUNT_" + name.upper().replace("-", "_").replace(".", "_")


def inherited(environ: Mapping[str, str]) -> dict[str, str]:
    """What a replica gets of the supervisor's environment: all but our variables and what looks like a credential."""
    return {k: v for k, v in environ.items() if not k.startswith("BANDARI_") and not is_credential(k, v)}


def declared(entries: Iterable[EnvEntry], builtins: Mapping[str, str], secrets_file: str, who: str) -> dict[str, str]:
    """The variables of the body, in order, each seeing those before it; CannotStart when a secret is missing."""
    values: dict[str, str] = {}
    secrets: Secrets | None = None
    for entry in entries:
        if entry.secret is None:
            values[entry.name] = expand(entry.value, {**builtins, **values})
            continue
        if secrets is None:
            secrets = _read_secrets(secrets_file, who)
        values[entry.name] = _secret(secrets, entry.secret, secrets_file, who)
    return values


def sources(mounts: Iterable[Mount], scratch: Path, values: Mapping[str, str]) -> tuple[Mount, ...]:
    """The mounts with a real folder each: `$(NAME)` expanded, an empty source a fresh folder under `scratch`."""
    out = []
    for mount in mounts:
        source = expand(mount.source, values)
        if not source:
            folder = scratch / mount.name / expand(mount.sub_path, values)
            folder.mkdir(parents=True, exist_ok=True)
            source = str(folder)
        elif mount.create:
            Path(source).mkdir(parents=True, exist_ok=True)
        out.append(Mount(mount.name, source, mount.mount_path, mount.read_only))
    return tuple(out)


def command(body: ReplicaSetBody, values: Mapping[str, str]) -> tuple[str, ...]:
    """The command of the body with everything expanded."""
    words = tuple(expand(word, values) for word in body.command)
    if not words or not words[0]:
        raise CannotStart(f'cannot start "{body.group}": its command is empty')
    return words


def _read_secrets(path: str, who: str) -> Secrets:
    try:
        return read_secrets(Path(path).read_text(encoding="utf-8"), path) if path else {}
    except FileNotFoundError:
        raise CannotStart(f'cannot start "{who}": secrets file "{path}" not found') from None
    except (OSError, ValueError) as error:
        # The text of a decoding error quotes the file: it may hold a secret.
        reason = type(error).__name__ if isinstance(error, OSError | UnicodeError) else str(error)
        raise CannotStart(f'cannot start "{who}": secrets file "{path}" is not readable: {reason}') from None


def _secret(secrets: Secrets, ref: SecretRef, path: str, who: str) -> str:
    if (ref.name, ref.key) not in secrets:
        where = f'in "{path}"' if path else "(no secretsFile is set)"
        raise CannotStart(f'cannot start "{who}": secret "{ref.name}", key "{ref.key}" not found {where}')
    return secrets[ref.name, ref.key]


def environ_of(values: Mapping[str, str], marks: Mapping[str, str]) -> dict[str, str]:
    """The whole environment of a process: inherited, declared, and our marks, which nothing can override."""
    return {**inherited(os.environ), **values, **marks}
