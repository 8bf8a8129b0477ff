"""Logins of registries by helpers that are doubles here (scripts of their names), or by auth.json."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from bandari.drivers.images.registry import auth_file, is_loopback, logins
from bandari.errors import Terminal

ECR = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
GOOGLE = "europe-west3-docker.pkg.dev"


def double(folder: Path, name: str, script: str) -> dict[str, str]:
    """A program of the name of a registry's helper; it is not the helper."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f'#!/bin/sh\necho "$@" >> "{folder}/asked"\n{script}\n')
    path.chmod(0o755)
    return {"PATH": f"{folder}:/usr/bin:/bin"}


def login(registry: str, environ: dict[str, str]) -> str:
    with auth_file(registry, environ) as path:
        assert path
        assert path.stat().st_mode & 0o777 == 0o600
        told = json.loads(path.read_text())["auths"]
    assert not path.exists()
    return base64.b64decode(told[registry]["auth"]).decode()


def test_ecr_is_asked_for_by_the_region_in_its_name(tmp_path: Path) -> None:
    environ = double(tmp_path, "aws", "echo sesame")
    assert login(ECR, environ) == "AWS:sesame"
    assert (tmp_path / "asked").read_text() == "ecr get-login-password --region eu-west-1\n"


def test_artifact_registry_is_asked_for_by_its_credential_helper(tmp_path: Path) -> None:
    script = """read host; echo "{\\"Username\\": \\"_dcgcr\\", \\"Secret\\": \\"$host\\"}" """
    assert login(GOOGLE, double(tmp_path, "docker-credential-gcr", script)) == f"_dcgcr:https://{GOOGLE}"


def test_gcloud_stands_in_where_its_credential_helper_is_not_installed(tmp_path: Path) -> None:
    assert login("eu.gcr.io", double(tmp_path, "gcloud", "echo token")) == "oauth2accesstoken:token"
    assert (tmp_path / "asked").read_text() == "auth print-access-token\n"


def test_a_helper_that_fails_is_named_and_what_it_printed_is_not(tmp_path: Path) -> None:
    environ = double(tmp_path, "aws", "echo sesame; echo sesame >&2; exit 3")
    with pytest.raises(Terminal) as failure, auth_file(ECR, environ):
        pass
    assert "aws ended with 3" in str(failure.value)
    assert "sesame" not in str(failure.value) + failure.value.fix


def test_a_helper_that_is_not_installed_is_asked_for(tmp_path: Path) -> None:
    with (
        pytest.raises(Terminal, match="docker-credential-gcr or gcloud is not installed"),
        auth_file(f"{GOOGLE}/team", {"PATH": str(tmp_path)}),
    ):
        pass


def test_a_helper_that_prints_no_login_is_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(Terminal, match="printed no login"),
        auth_file(GOOGLE, double(tmp_path, "docker-credential-gcr", "echo none")),
    ):
        pass


def test_another_registry_uses_the_auth_file_that_is_named(tmp_path: Path) -> None:
    given = tmp_path / "auth.json"
    given.write_text('{"auths": {"example.org": {"auth": "YTpi"}}}')
    with auth_file("example.org/team", {"REGISTRY_AUTH_FILE": str(given)}) as path:
        assert path
        assert json.loads(path.read_text()) == json.loads(given.read_text())
    assert given.exists()
    with auth_file("example.org/team", {}) as path:
        assert path is None
    given.write_text("not json")
    with pytest.raises(Terminal, match="it is no JSON"), auth_file("a.org", {"REGISTRY_AUTH_FILE": str(given)}):
        pass


@pytest.mark.parametrize(
    ("registry", "program"),
    [
        (ECR, "aws"),
        (f"{ECR}.cn/team", "aws"),
        (GOOGLE, "docker-credential-gcr"),
        ("gcr.io/project", "docker-credential-gcr"),
        ("ghcr.io/team", ""),
        ("127.0.0.1:5000", ""),
        ("evil.example.org/123456789012.dkr.ecr.eu-west-1.amazonaws.com", ""),
    ],
)
def test_only_the_registry_itself_is_given_its_login(registry: str, program: str) -> None:
    helpers = logins(registry)
    assert (helpers[0].words[0] if helpers else "") == program


def test_plain_http_is_for_this_machine_alone() -> None:
    assert is_loopback("127.0.0.1:5000/team")
    assert is_loopback("localhost:5000")
    assert not is_loopback("example.org:5000")
    assert not is_loopback("10.0.0.1")
