"""The main job from end to end, as a user has it: real gateway, real supervisor, real llama.cpp."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
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
    name: {name}
  modelGroups:
    - name: chat
      minInstances: 1
      maxInstances: {most}
      runtime:
        image: ghcr.io/ggml-org/llama.cpp:server-b6823
        env:
          - name: GREETING
            value: {greeting}
      model:
        source: builtin:tiny
"""

pytestmark = pytest.mark.engine


def write(user: User, *, name: str = "one", most: int = 1, greeting: str = "hello", more: str = "") -> None:
    user.write(FILE.format(name=name, most=most, greeting=greeting) + more)


def up(user: User, *words: str) -> Any:
    done = user.bandari("up", "--yes", "--json", *words)
    assert done.code == 0, done.out + done.err
    return valid(done, "up")


def valid(done: Ran, schema: str) -> Any:
    """The document, held against its published schema."""
    Draft202012Validator(json.loads((SCHEMAS / f"{schema}.json").read_text())).validate(done.document)
    return done.document


def ask(url: str, model: str = "chat") -> str:
    body = {"model": model, "max_tokens": 8, "messages": [{"role": "user", "content": "hi"}]}
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{url}/chat/completions", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        content: str = json.load(answer)["choices"][0]["message"]["content"]
    return content


def pids(user: User, cluster: str = "one") -> dict[str, int]:
    seen = user.bandari("status", "--cluster", cluster, "--json").document
    return {r["name"]: r["pid"] for part in seen["parts"] for r in part.get("detail", [])}


def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the deadline has passed"
        time.sleep(0.05)


def test_a_file_goes_in_and_a_replica_answers_behind_the_gateway(user: User) -> None:
    write(user)
    made = up(user)
    [endpoint] = made["endpoints"]
    assert ask(endpoint["url"]).strip()
    status = valid(user.bandari("status", "--json"), "status")
    assert status["ready"] is True
    assert {(p["kind"], p["name"]) for p in status["parts"]} >= {("gateway", "gateway"), ("group", "chat")}
    assert valid(user.bandari("endpoints", "--json"), "endpoints")["endpoints"] == made["endpoints"]
    for line in user.bandari("logs", "chat", "--json").out.splitlines():
        Draft202012Validator(json.loads((SCHEMAS / "log-line.json").read_text())).validate(json.loads(line))


def test_the_plan_after_up_is_empty_and_up_again_changes_nothing(user: User) -> None:
    write(user)
    up(user)
    before = pids(user)
    assert valid(user.bandari("plan", "--json", "--exit-code"), "findings")["changes"] == []
    assert user.bandari("plan", "--offline", "--exit-code").code == 0
    assert up(user)["applied"] == []
    assert pids(user) == before


def test_a_changed_field_shows_its_diff_and_only_its_part_restarts(user: User) -> None:
    more = FILE.split("modelGroups:\n")[1].replace("name: chat", "name: other").format(most=1, greeting="x")
    write(user, more=more)
    up(user)
    before = pids(user)
    write(user, greeting="bonjour", more=more)
    planned = user.bandari("plan", "--json", "--exit-code")
    assert planned.code == 3
    [change] = valid(planned, "findings")["changes"]
    assert (change["action"], change["address"]) == ("update", "group.chat")
    assert change["fields"] == [{"path": "env[GREETING].value", "before": "hello", "after": "bonjour"}]
    assert "restart" in change["consequence"]
    up(user)
    until(lambda: all(name in before or name.startswith("chat") for name in pids(user)))
    after = pids(user)
    kept = {name: pid for name, pid in after.items() if name.startswith("other")}
    assert kept == {name: pid for name, pid in before.items() if name.startswith("other")}
    assert set(after.values()) - set(before.values()), "chat has a new process"


def test_a_changed_bound_is_taken_over_in_place(user: User) -> None:
    write(user, most=1)
    up(user)
    before = pids(user)
    write(user, most=2)
    [change] = user.bandari("plan", "--json").document["changes"]
    assert change["consequence"].startswith("in place")
    up(user)
    assert pids(user) == before


def test_after_down_nothing_is_left_but_what_stays_on_purpose(user: User) -> None:
    write(user)
    url = up(user)["endpoints"][0]["url"]
    assert user.marked()
    assert len(valid(user.bandari("down", "--json"), "findings")["changes"]) == 4, "nobody could be asked"
    done = valid(user.bandari("down", "--yes", "--json"), "down")
    assert user.marked() == []
    assert {item["what"] for item in done["kept"]} == {"logs", "models"}
    port = int(url.rsplit(":", 1)[1].split("/")[0])
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0
    folder = user.home / "state" / "bandari" / "clusters" / "one"
    assert {path.name for path in folder.iterdir()} == {"logs"}
    assert user.bandari("status", "--cluster", "one").code == 1


def test_delete_data_removes_logs_keys_and_the_models_of_this_cluster_alone(user: User) -> None:
    write(user)
    up(user)
    done = user.bandari("down", "--yes", "--delete-data", "--json").document
    assert done["kept"] == []
    assert not (user.home / "state" / "bandari" / "clusters" / "one").exists()
    assert not list((user.home / "data" / "bandari" / "models").rglob("*.gguf"))


def test_clusters_of_different_names_live_side_by_side(user: User) -> None:
    write(user, name="one")
    first = up(user)["endpoints"][0]["url"]
    write(user, name="two")
    second = up(user)["endpoints"][0]["url"]
    assert first != second
    assert ask(first)
    assert ask(second)
    assert user.bandari("status").code == 1, "which of the two is meant is not clear"
    user.bandari("down", "--cluster", "two", "--yes")
    assert ask(first)


def test_a_taken_port_is_an_error_that_names_its_holder(user: User) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        write(user, more=f"  port: {port}\n")
        done = user.bandari("up", "--yes")
    assert done.code == 1
    assert str(port) in done.out + done.err
    assert str(os.getpid()) in done.out + done.err


def test_the_port_is_kept_over_down_of_nothing_and_a_second_up(user: User) -> None:
    write(user)
    first = up(user)["endpoints"]
    write(user, greeting="changed")
    assert up(user)["endpoints"] == first


def test_without_a_terminal_and_without_yes_nothing_happens(user: User) -> None:
    write(user)
    done = user.bandari("up")
    assert done.code == 2
    assert "--yes" in done.err
    asked = user.bandari("up", "--json")
    assert asked.code == 2
    shown = valid(asked, "findings")
    assert shown["changes"]
    assert "--yes" in shown["error"]["fix"]
    assert user.marked() == []


def test_a_saved_plan_is_private_holds_no_value_and_is_refused_when_stale(user: User) -> None:
    write(user, greeting="s3cr3t-greeting")
    assert user.bandari("plan", "-o", "p.json").code == 0
    saved = user.folder / "p.json"
    assert stat.S_IMODE(saved.stat().st_mode) == 0o600
    assert "s3cr3t-greeting" not in saved.read_text()
    write(user, greeting="another")
    stale = user.bandari("up", "p.json", "--yes")
    assert stale.code == 2
    assert "the file changed" in stale.err
    assert "the file changed" in valid(user.bandari("up", "p.json", "--yes", "--json"), "findings")["error"]["message"]
    write(user, greeting="s3cr3t-greeting")
    assert up(user, "p.json")["ready"] is True
    again = user.bandari("up", "p.json", "--yes")
    assert again.code == 2, "what the plan was made for has changed: it was applied"


def test_logs_follow_a_replica_and_survive_its_restart(user: User) -> None:
    write(user)
    url = up(user)["endpoints"][0]["url"]
    follower = subprocess.Popen(
        [sys.executable, "-m", "bandari.cli", "logs", "-f", "chat", "--json", "-n", "0"],
        env=user.environment,
        cwd=user.folder,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert follower.stdout is not None
    try:
        [pid] = [p for name, p in pids(user).items() if name.startswith("chat")]
        os.kill(pid, signal.SIGKILL)
        line = json.loads(follower.stdout.readline())
        assert line["part"].startswith("chat")
        until(lambda: bool(ask(url)))
    finally:
        follower.terminate()
        follower.wait()
        follower.stdout.close()


def test_guard_and_supervisor_may_both_die_and_the_next_command_revives_them(user: User) -> None:
    write(user)
    url = up(user)["endpoints"][0]["url"]
    before = pids(user)
    folder = user.home / "state" / "bandari" / "clusters" / "one"
    for name in ("guard.pid", "supervisor.pid"):
        os.kill(int((folder / name).read_text().split()[0]), signal.SIGKILL)
    assert ask(url), "everything goes on serving"
    assert pids(user) == before
    assert ask(url)


def test_an_unknown_model_is_404_in_the_shape_of_openai(user: User) -> None:
    write(user)
    url = up(user)["endpoints"][0]["url"]
    with pytest.raises(urllib.error.HTTPError) as caught:
        ask(url, model="nobody")
    with caught.value as answer:
        assert answer.code == 404
        assert json.load(answer)["error"]["code"] == "model_not_found"
