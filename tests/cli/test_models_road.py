"""Models on the road: the seed's own group from a hub, and the production file with stand-ins."""

from __future__ import annotations

import json
import os
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bandari.serving.models import builtin
from bandari.testing.hub_server import LLAMA_GGUF, HubServer
from bandari.testing.user import User

EXAMPLES = Path(__file__).parents[2] / "examples"

SEED_GROUP = """\
version: "1.2"
local:
  values:
    my-config-map:
      my-key: from-the-map
  cluster:
    name: seed
  modelGroups:
    - name: llama2-7b-chat
      nodeType: g4dn.xlarge
      isPublic: false
      minInstances: 1
      maxInstances: 3
      runtime:
        image: ghcr.io/ggerganov/llama.cpp:server
        env:
          - name: ENV_VAR
            value: test
          - name: ANOTHER_ENV_VAR
            valueFrom:
              configMapKeyRef:
                name: my-config-map
                key: my-key
      model:
        hfRepoId: TheBloke/Llama-2-7B-Chat-GGUF
        files: ["FILES"]
        useModelStore: false
      autoScaleTriggers:
        - type: cpu
          metadata:
            type: Utilization
            value: "50"
"""

pytestmark = pytest.mark.engine


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[HubServer]:
    """A double of the hub with the seed's repository, whose every file is the tiny model."""
    with HubServer() as server:
        server.add_llama(builtin("tiny", tmp_path / "weights"))
        yield server


def ask(url: str, model: str) -> tuple[Any, Any]:
    body = {"model": model, "max_tokens": 8, "messages": [{"role": "user", "content": "hi"}]}
    request = urllib.request.Request(
        f"{url}/chat/completions", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer), answer.headers


def test_the_seeds_own_group_comes_up_from_the_hub(user: User, hub: HubServer) -> None:
    user.write(SEED_GROUP.replace("FILES", "*.Q4_0.gguf"))
    at_hub = {"HF_ENDPOINT": hub.endpoint}
    planned = user.bandari("plan", "--json", extra=at_hub)
    assert planned.code == 0, planned.out
    [model] = [c for c in planned.document["changes"] if c["address"] == "model.llama2-7b-chat"]
    assert LLAMA_GGUF in model["consequence"]
    assert "kB" in model["consequence"], "the plan says how much is downloaded"
    made = user.bandari("up", "--yes", "--json", extra=at_hub)
    assert made.code == 0, made.out + made.err
    url = made.document["endpoints"][0]["url"]
    for name in ("llama2-7b-chat", LLAMA_GGUF):
        answer, _ = ask(url, name)
        assert answer["choices"][0]["message"]["content"]
    [pid] = [r["pid"] for p in user.bandari("status", "--json").document["parts"] for r in p.get("detail", [])][1:]
    given = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    assert b"ENV_VAR=test" in given
    assert b"ANOTHER_ENV_VAR=from-the-map" in given
    asked = len(hub.requests)
    assert user.bandari("up", "--yes", "--json", extra=at_hub).document["applied"] == []
    assert len(hub.requests) == asked, "the hub is asked for nothing that is here already"


def test_a_token_is_sent_to_the_hub_and_reaches_no_replica_and_no_file(user: User, hub: HubServer) -> None:
    user.write(SEED_GROUP.replace("FILES", "*.Q4_0.gguf"))
    token = "hf_" + "a1b2c3d4" * 4
    made = user.bandari("up", "--yes", extra={"HF_ENDPOINT": hub.endpoint, "HF_TOKEN": token})
    assert made.code == 0, made.err
    assert token not in made.out + made.err
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (entry / "environ").exists():
            try:
                environment = (entry / "environ").read_bytes()
            except OSError:
                continue
            if b"BANDARI_CLUSTER_STATE=" + str(user.home).encode() in environment:
                assert token.encode() not in environment
    for path in (user.home / "state").rglob("*"):
        if path.is_file():
            assert token.encode() not in path.read_bytes()


def test_several_model_files_are_a_finding_that_lists_them_before_anything_is_done(user: User, hub: HubServer) -> None:
    user.write(SEED_GROUP.replace("FILES", "*.gguf"))
    for verb in (["plan"], ["up", "--yes"]):
        done = user.bandari(*verb, "--json", extra={"HF_ENDPOINT": hub.endpoint})
        assert done.code == 2
        [finding] = [d for d in done.document["diagnostics"] if d["severity"] == "error"]
        assert finding["code"] == "BND602"
        assert "Q4_0.gguf" in finding["message"]
        assert "files:" in (user.folder / "cluster.yaml").read_text().splitlines()[finding["line"] - 1]
    assert user.marked() == []


def test_globs_that_match_nothing_are_a_finding_that_lists_what_there_is(user: User, hub: HubServer) -> None:
    user.write(SEED_GROUP.replace("FILES", "*.q4_0.gguf"))
    done = user.bandari("plan", "--json", extra={"HF_ENDPOINT": hub.endpoint})
    assert done.code == 2
    [finding] = [d for d in done.document["diagnostics"] if d["severity"] == "error"]
    assert finding["code"] == "BND603"
    assert "Q4_0.gguf" in finding["why"]


def test_a_hub_that_does_not_answer_is_a_warning_to_plan_and_a_clear_failure_of_up(user: User) -> None:
    user.write(SEED_GROUP.replace("FILES", "*.Q4_0.gguf"))
    nowhere = {"HF_ENDPOINT": "http://127.0.0.1:9"}
    planned = user.bandari("plan", "--json", extra=nowhere)
    assert planned.code == 0
    assert "BND604" in {d["code"] for d in planned.document["diagnostics"]}
    made = user.bandari("up", "--yes", "--json", extra=nowhere)
    assert made.code == 1
    failed = {f["address"]: f for f in made.document["failed"]}
    assert set(failed) == {"model.llama2-7b-chat"}
    assert failed["model.llama2-7b-chat"]["fix"]
    assert "group.llama2-7b-chat" in made.document["left_out"]


@pytest.mark.parametrize(("wanted", "kept"), [("true", True), ("false", False)])
def test_a_store_folder_is_filled_and_used_only_by_groups_that_want_one(
    user: User, hub: HubServer, wanted: str, kept: bool
) -> None:
    store = user.folder / "store"
    text = SEED_GROUP.replace("FILES", "*.Q4_0.gguf")
    user.write(text.replace("useModelStore: false", f"useModelStore: {wanted}"))
    settings = {"HF_ENDPOINT": hub.endpoint, "BANDARI_MODEL_STORE": str(store)}
    assert user.bandari("up", "--yes", extra=settings).code == 0
    assert bool(list(store.rglob("*.gguf"))) is kept
    if kept:
        assert user.bandari("down", "--yes", "--delete-data").code == 0
        fetched = len(hub.requests)
        offline = {**settings, "HF_ENDPOINT": "http://127.0.0.1:9"}
        assert user.bandari("up", "--yes", extra=offline).code == 0, "the store is enough"
        assert len(hub.requests) == fetched


def test_a_file_that_was_removed_is_fetched_again(user: User, hub: HubServer) -> None:
    user.write(SEED_GROUP.replace("FILES", "*.Q4_0.gguf"))
    at_hub = {"HF_ENDPOINT": hub.endpoint}
    assert user.bandari("up", "--yes", extra=at_hub).code == 0
    for path in (user.home / "data").rglob("*.gguf"):
        path.unlink()
    assert user.bandari("plan", "--exit-code", extra=at_hub).code == 3
    assert user.bandari("up", "--yes", extra=at_hub).code == 0
    assert list((user.home / "data").rglob("*.gguf"))


def test_the_production_file_is_served_by_stand_ins_under_its_own_names(user: User) -> None:
    example = ["-f", str(EXAMPLES / "full-cluster.yaml"), "--target", "local"]
    skipped = ["--skip", "function,job,vectorStore,prometheus"]
    made = user.bandari("up", *example, "--stand-in", "tiny", *skipped, "--yes", "--json")
    assert made.code == 0, made.out + made.err
    rows = made.document["endpoints"]
    assert {row["group"] for row in rows} == {"llama2-7b-chat", "llama2-7b-chat-awq"}
    url = rows[0]["url"]
    for row in rows:
        _, headers = ask(url, row["group"])
        assert headers["x-bandari-stand-in"] == "builtin:tiny"
    parts = user.bandari("status", "--json").document["parts"]
    assert {p["name"]: p.get("stand_in") for p in parts if p["kind"] == "group"} == {
        "llama2-7b-chat": "builtin:tiny",
        "llama2-7b-chat-awq": "builtin:tiny",
    }
    again = user.bandari("plan", *example, "--stand-in", "tiny", *skipped)
    assert "No changes" in again.out


def test_an_engine_found_on_path_serves_where_the_file_names_it(user: User) -> None:
    """The `llama-server` here is a double: a script that hands its flags to the embedded engine."""
    programs = user.folder / "bin"
    programs.mkdir()
    script = programs / "llama-server"
    script.write_text(
        '#!/bin/sh\nif [ "$1" = --version ]; then echo "version: 6823 (a double)" >&2; exit; fi\n'
        f'exec {sys.executable} -m bandari.serving.llama "$@"\n'
    )
    script.chmod(0o755)
    user.write(
        "version: '1.3'\nlocal:\n  cluster: {name: own}\n  modelGroups:\n    - name: chat\n      minInstances: 1\n"
        "      maxInstances: 1\n      local: {engine: llama-server}\n"
        "      runtime: {image: 'ghcr.io/ggml-org/llama.cpp:server-b6823'}\n      model: {source: 'builtin:tiny'}\n"
    )
    missing = user.bandari("up", "--yes", "--json")
    assert missing.code == 2
    assert [d["code"] for d in missing.document["diagnostics"]] == ["BND503"]
    found = {"PATH": f"{programs}:{os.environ['PATH']}"}
    assert "llama-server 6823" in user.bandari("plan", extra=found).out
    made = user.bandari("up", "--yes", "--json", extra=found)
    assert made.code == 0, made.out + made.err
    answer, _ = ask(made.document["endpoints"][0]["url"], "chat")
    assert answer["choices"][0]["message"]["content"]


def test_any_image_is_served_here_by_a_command_of_its_own(user: User) -> None:
    command = json.dumps([sys.executable, "-m", "bandari.testing.model_server", "$(PORT)"])
    user.write(
        "version: '1.3'\nlocal:\n  cluster: {name: own}\n  modelGroups:\n    - name: custom\n      minInstances: 1\n"
        f"      maxInstances: 1\n      local: {{command: {command}}}\n"
        "      runtime: {image: 'registry.example/team/own-server:1.2'}\n"
    )
    made = user.bandari("up", "--yes", "--json")
    assert made.code == 0, made.out + made.err
    answer, _ = ask(made.document["endpoints"][0]["url"], "custom")
    assert answer["choices"]


def test_mounts_stand_at_their_paths_and_in_variables(user: User) -> None:
    """Where the host allows mount namespaces (this test's does, or says that it does not), else in variables alone."""
    (user.folder / "files").mkdir()
    (user.folder / "files" / "a.txt").write_text("from the host")
    program = (
        "import http.server, os, pathlib, sys\n"
        "seen = {n: v for n, v in os.environ.items() if n.startswith('BANDARI_MOUNT_')}\n"
        "for name, path in seen.items(): print(name, sorted(os.listdir(path)))\n"
        "for path in ('/mnt/files/a.txt', '/mnt/a'): print(path, pathlib.Path(path).exists())\n"
        "sys.stdout.flush()\n"
        "http.server.ThreadingHTTPServer(('127.0.0.1', int(sys.argv[1])), http.server.SimpleHTTPRequestHandler)"
        ".serve_forever()\n"
    )
    (user.folder / "own.py").write_text(program)
    command = json.dumps([sys.executable, str(user.folder / "own.py"), "$(PORT)"])
    user.write(
        "version: '1.3'\nlocal:\n  cluster: {name: own}\n  modelGroups:\n    - name: custom\n      minInstances: 1\n"
        f"      maxInstances: 1\n      local: {{command: {command}}}\n"
        "      runtime:\n        image: registry.example/own:1\n"
        "        readinessProbe: {tcpSocket: {port: 8000}}\n"
        f"        volumes: [{{name: files, hostPath: {{path: {user.folder}/files}}}}, {{name: tmp, emptyDir: {{}}}}]\n"
        "        volumeMounts: [{name: files, mountPath: /mnt/files}, {name: tmp, mountPath: /mnt/tmp},"
        " {name: model-data, mountPath: /mnt/model}, {name: tmp, mountPath: /mnt/a, subPath: a}]\n"
        "      model: {source: 'builtin:tiny'}\n"
    )
    made = user.bandari("up", "--yes", "--json")
    assert made.code == 0, made.out + made.err
    said = user.bandari("logs", "custom").out
    able = any(c["what"] == "mount namespaces" and c["state"] == "ok" for c in _checks(user))
    assert "BANDARI_MOUNT_FILES ['a.txt']" in said
    assert f"/mnt/a {able}" in said, "a folder of its own inside the volume"
    assert ".gguf" in next(line for line in said.splitlines() if "BANDARI_MOUNT_MODEL_DATA" in line)
    assert f"/mnt/files/a.txt {able}" in said


def _checks(user: User) -> Any:
    return user.bandari("doctor", "--json").document["checks"]
