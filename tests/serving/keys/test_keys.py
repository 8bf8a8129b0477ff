"""API keys: shown once, kept as hashes, safe against each other's writes."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from bandari.errors import BandariError
from bandari.serving import keys
from bandari.serving.protocol import KEYS_FILE


def test_a_key_is_shown_once_and_only_its_hash_is_kept(tmp_path: Path) -> None:
    record, key = keys.create(tmp_path, "laptop", 12.0)
    assert key.startswith("bandari-")
    assert len(key) >= len("bandari-") + 32
    stored = (tmp_path / KEYS_FILE).read_text()
    assert key not in stored
    assert keys.records(tmp_path) == (record,)
    assert keys.hashes(tmp_path) == (hashlib.sha256(key.encode()).hexdigest(),)
    assert (record.name, record.created) == ("laptop", 12.0)


def test_only_the_owner_may_read_the_file(tmp_path: Path) -> None:
    keys.create(tmp_path, "laptop", 1.0)
    assert {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {
        KEYS_FILE: 0o600,
        "keys.lock": 0o600,
    }


def test_a_key_is_revoked_by_id_or_by_name(tmp_path: Path) -> None:
    first, _ = keys.create(tmp_path, "first", 1.0)
    second, _ = keys.create(tmp_path, "second", 2.0)
    assert keys.revoke(tmp_path, first.id) == first
    assert keys.revoke(tmp_path, "second") == second
    assert keys.revoke(tmp_path, "second") is None
    assert keys.records(tmp_path) == ()


@pytest.mark.parametrize("name", ["laptop", " "])
def test_a_name_that_is_taken_or_empty_is_refused(tmp_path: Path, name: str) -> None:
    keys.create(tmp_path, "laptop", 1.0)
    with pytest.raises(BandariError, match="cannot create"):
        keys.create(tmp_path, name, 2.0)
    assert len(keys.records(tmp_path)) == 1


def test_without_a_file_there_are_no_keys(tmp_path: Path) -> None:
    assert keys.hashes(tmp_path / "nothing") == ()
    assert keys.revoke(tmp_path, "laptop") is None


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"keys": [{"id": 1}]}', '{"keys": 3}'])
def test_a_broken_file_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / KEYS_FILE).write_text(text)
    with pytest.raises(BandariError, match=r"cannot read '.*keys\.json'"):
        keys.hashes(tmp_path)
    with pytest.raises(ValueError, match="cannot read"):
        keys.hashes(tmp_path)
    with pytest.raises(BandariError):
        keys.create(tmp_path, "laptop", 1.0)
    assert (tmp_path / KEYS_FILE).read_text() == text


def test_keys_that_are_made_at_the_same_time_are_all_kept(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib as p; from bandari.serving import keys; keys.create(p.Path(sys.argv[1]), sys.argv[2], 1.0)"
    )
    making = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path), f"key-{n}"]) for n in range(6)]
    assert [process.wait() for process in making] == [0] * 6
    assert {record.name for record in keys.records(tmp_path)} == {f"key-{n}" for n in range(6)}
    assert json.loads((tmp_path / KEYS_FILE).read_text())["version"] == 1
