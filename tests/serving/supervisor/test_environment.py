"""Expansion, secrets and mounts of a replica's environment."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandari.serving.protocol import EnvEntry, Mount, SecretRef
from bandari.serving.supervisor.environment import (
    CannotStart,
    declared,
    expand,
    inherited,
    mount_variable,
    sources,
)


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("$(A)", "1"),
        ("x$(A)y$(B)", "x1y$(A)"),
        ("$(MISSING)", "$(MISSING)"),
        ("$$(A)", "$(A)"),
        ("$$$(A)", "$1"),
        ("$A ${A} $", "$A ${A} $"),
        ("$(A", "$(A"),
        ("$()", "$()"),
    ],
)
def test_names_in_parentheses_are_expanded_once_as_kubernetes_does(text: str, expanded: str) -> None:
    assert expand(text, {"A": "1", "B": "$(A)"}) == expanded


@given(st.text(alphabet="$()AB", max_size=12))
def test_doubling_every_dollar_protects_any_text(text: str) -> None:
    assert expand(text.replace("$", "$$"), {"A": "1"}) == text


def test_a_variable_sees_those_before_it_only() -> None:
    entries = [EnvEntry("FIRST", "$(SECOND)"), EnvEntry("SECOND", "2"), EnvEntry("THIRD", "$(SECOND)$(PORT)")]
    assert declared(entries, {"PORT": "80"}, "", "chat") == {"FIRST": "$(SECOND)", "SECOND": "2", "THIRD": "280"}


def test_a_secret_comes_from_its_file(tmp_path: Path) -> None:
    (tmp_path / "secrets.yaml").write_text("hub: {token: abc, port: 12, version: 1.10}\n")
    entries = [EnvEntry("T", secret=SecretRef("hub", "token")), EnvEntry("P", secret=SecretRef("hub", "port"))]
    entries.append(EnvEntry("V", secret=SecretRef("hub", "version")))
    assert declared(entries, {}, str(tmp_path / "secrets.yaml"), "chat") == {"T": "abc", "P": "12", "V": "1.10"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, 'cannot start "chat": secrets file "FILE" not found'),
        ("", 'cannot start "chat": secret "hub", key "token" not found in "FILE"'),
        ("hub: {other: 1}", 'cannot start "chat": secret "hub", key "token" not found in "FILE"'),
        ("hub: 3", "UNREADABLE: at line 1, column 6 stands no map of keys"),
        ("hub: {token: [a]}", "UNREADABLE: at line 1, column 14 stands no single value"),
        ("[1]", "UNREADABLE: it is no YAML map at line 1, column 1"),
        ("hub: {token: hf_very_secret", "UNREADABLE: it is no YAML map at line 1, column 27"),
    ],
)
def test_a_missing_secret_is_said_without_any_value(tmp_path: Path, content: str | None, message: str) -> None:
    path = tmp_path / "secrets.yaml"
    if content is not None:
        path.write_text(content)
    with pytest.raises(CannotStart) as raised:
        declared([EnvEntry("T", secret=SecretRef("hub", "token"))], {}, str(path), "chat")
    unreadable = message.replace("UNREADABLE", 'cannot start "chat": secrets file "FILE" is not readable')
    assert str(raised.value) == unreadable.replace("FILE", str(path))


def test_credentials_and_our_own_variables_of_the_shell_are_not_passed_on() -> None:
    shell = {"PATH": "/bin", "HF_TOKEN": "x", "AWS_SECRET_ACCESS_KEY": "y", "BANDARI_FAULT": "z", "HOME": "/root"}
    shell |= {"DATABASE_URL": "postgres://u:pw@h/d", "PGPASSWORD": "x", "MYSQL_PWD": "x", "OPENAI_KEY": "x"}
    shell |= {"GITHUB_PAT": "x", "HTTPS_PROXY": "http://u:p@h", "PWD": "/here", "LANG": "C"}
    assert inherited(shell) == {"PATH": "/bin", "HOME": "/root", "PWD": "/here", "LANG": "C"}


def test_a_mount_is_named_by_its_variable_and_an_empty_one_gets_a_fresh_folder(tmp_path: Path) -> None:
    mounts = [Mount("model-data", "$(MODEL_DIR)", "/data"), Mount("my.cache", "", "/cache", read_only=True)]
    kept, fresh = sources(mounts, tmp_path, {"MODEL_DIR": "/srv/data"})
    assert (kept.name, kept.source) == ("model-data", "/srv/data")
    assert (Path(fresh.source), fresh.read_only) == (tmp_path / "my.cache", True)
    assert Path(fresh.source).is_dir()
    assert [mount_variable(m.name) for m in mounts] == ["BANDARI_MOUNT_MODEL_DATA", "BANDARI_MOUNT_MY_CACHE"]
