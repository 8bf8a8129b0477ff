"""Groups as the supervisor keeps them: counts, rolling changes, draining, waking, secrets, mounts."""

from __future__ import annotations

import json
import os
import signal
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bandari.desired.scaling import ConcurrencyTarget, ScalingPolicy
from bandari.desired.workloads import Exec, HttpGet, Probe
from bandari.serving.enter import mount_namespaces_available
from bandari.serving.protocol import STATE_FILE, EnvEntry, Mount, SecretRef, plain
from bandari.testing.gateway_link import LinkDouble
from bandari.testing.processes import Site, group, until
from bandari.units import Bounds

pytestmark = pytest.mark.engine

KINDS = "gateway, group, model, ray, rayenv, raygroup, rayschedule, rayservice, route"
ROUTE = {"group": "chat", "models": ["chat"]}
ON_DEMAND = plain(ScalingPolicy(Bounds(0, 2), concurrency=ConcurrencyTarget(1.0), cooldown=0.0, stabilization_down=0.0))


@pytest.fixture
def running(site: Site) -> Site:
    site.guard()
    return site


@pytest.fixture
def link(running: Site) -> Iterator[LinkDouble]:
    double = LinkDouble(running.folder)
    yield double
    double.close()


def told(replica: dict[str, Any]) -> dict[str, Any]:
    """What a replica says about itself."""
    with urllib.request.urlopen(f"http://127.0.0.1:{replica['port']}/", timeout=5) as answer:
        found: dict[str, Any] = json.load(answer)
    return found


def upstreams(table: dict[str, Any]) -> dict[str, bool]:
    """Replica -> whether it drains."""
    return {u["id"]: u.get("draining", False) for g in table["groups"] for u in g["upstreams"]}


def test_an_apply_that_changes_nothing_restarts_nothing(running: Site) -> None:
    running.apply("group.chat", group(replicas=2))
    before = running.ready()
    running.apply("group.chat", group(replicas=2))
    assert [r["pid"] for r in running.ready()] == [r["pid"] for r in before]
    assert running.log("supervisor").read_text().count("group.chat: applied") == 1


def test_other_bounds_and_probes_change_in_place(running: Site) -> None:
    running.apply("group.chat", group())
    (first,) = running.ready()
    readiness = Probe(http_get=HttpGet("/other", 8000), period=1)
    running.apply("group.chat", group(replicas=3, readiness=readiness, slots=8))
    until(lambda: len(running.ready()) == 3, "three replicas")
    assert running.ready()[0]["pid"] == first["pid"]
    running.apply("group.chat", group(replicas=1, readiness=readiness))
    until(lambda: len(running.ready()) == 1, "one replica")
    assert running.ready()[0]["pid"] == first["pid"]


def test_another_command_rolls_one_by_one_and_keeps_as_many_serving(running: Site, link: LinkDouble) -> None:
    running.apply("route.chat", ROUTE)
    running.apply("group.chat", group(replicas=2))
    old = {r["name"] for r in running.ready()}
    running.apply("group.chat", group("chat", "new", replicas=2))
    link.load("chat")
    serving = []

    def all_new(table: dict[str, Any]) -> bool:
        seen = upstreams(table)
        serving.append(sum(not draining for draining in seen.values()))
        link.load("chat", revision=table["revision"])
        return not old & seen.keys() and len(seen) == 2

    link.table(lambda table: len(upstreams(table)) == 2)
    link.table(all_new)
    assert min(serving) == 2
    assert [told(r)["args"] for r in running.ready()] == [["new"], ["new"]]


def test_a_change_that_does_not_come_up_leaves_the_old_replicas_and_says_why(running: Site) -> None:
    running.apply("group.chat", group(replicas=2))
    before = {r["pid"] for r in running.ready()}
    running.apply("group.chat", group("chat", "crash", replicas=2))
    until(lambda: "the weights are broken" in running.part("chat").get("reason", ""), "the reason")
    part = running.part("chat")
    assert part["ready"] == 2
    assert part["state"] != "ready"
    assert before <= {r["pid"] for r in part["detail"] if r["state"] == "ready"}
    running.apply("group.chat", group(replicas=2))
    assert {r["pid"] for r in running.ready()} == before


def test_a_draining_replica_ends_when_its_last_request_has_ended(running: Site, link: LinkDouble) -> None:
    running.apply("group.chat", group(replicas=2))
    running.ready()
    link.load("chat", chat_0=1, chat_1=1)
    running.apply("group.chat", group(replicas=1))
    table = link.table(lambda t: upstreams(t) == {"chat-0": False, "chat-1": True})
    link.load("chat", revision=table["revision"] - 1)
    link.load("chat", revision=table["revision"], chat_0=1, chat_1=1)
    link.load("other")
    assert running.pids("chat-1"), "an idle load of before it drained, or one with its request, does not end it"
    link.load("chat", revision=table["revision"], chat_0=1)
    until(lambda: not running.pids("chat-1"), "it ends")
    link.table(lambda t: upstreams(t) == {"chat-0": False})


def test_a_draining_replica_ends_when_its_grace_period_is_over(running: Site, link: LinkDouble) -> None:
    running.apply("group.chat", group(grace_period=0.5))
    running.ready()
    link.load("chat", chat_0=1)
    running.call("delete", "group.chat")
    until(lambda: not running.part("chat"), "the group is gone")
    assert "has used up its grace period" in running.log("supervisor").read_text()


def test_a_removal_goes_on_after_a_crash_of_the_supervisor(running: Site, link: LinkDouble) -> None:
    running.apply("group.chat", group(grace_period=60))
    running.ready()
    link.load("chat", chat_0=1)
    running.call("delete", "group.chat")
    until(lambda: running.part("chat")["detail"][0]["state"] == "draining", "it drains")
    os.kill(running.status()["supervisor_pid"], signal.SIGKILL)
    until(
        lambda: running.answers() and not running.pids("chat-0"), "its last request is lost with the gateway; it ends"
    )
    assert not running.part("chat")


def test_a_queued_request_wakes_a_group_that_is_scaled_to_zero(running: Site, link: LinkDouble) -> None:
    running.apply("route.chat", ROUTE)
    running.apply("group.chat", group(scaling=ON_DEMAND))
    until(lambda: running.part("chat")["state"] == "idle", "nothing runs")
    assert link.table(lambda t: bool(t["groups"]))["groups"][0].get("waking", True)
    link.load("chat", queued=1)
    link.table(lambda t: upstreams(t) == {"chat-0": False})
    assert running.part("chat")["ready"] == 1


def test_a_group_goes_to_zero_when_it_was_idle_for_its_cool_down(running: Site, link: LinkDouble) -> None:
    running.apply("group.chat", group(scaling=ON_DEMAND))
    link.load("chat", queued=3)
    until(lambda: running.part("chat")["ready"] == 2, "two replicas for three requests")
    table = link.table(lambda t: len(upstreams(t)) == 2)
    link.load("chat", revision=table["revision"])
    last = link.table(lambda t: all(upstreams(t).values()))
    link.load("chat", revision=last["revision"])
    until(lambda: running.part("chat")["state"] == "idle", "nothing runs")
    assert "idle" in running.part("chat")["scaling"]


def test_the_number_of_replicas_survives_the_supervisor(running: Site, link: LinkDouble) -> None:
    policy = plain(ScalingPolicy(Bounds(1, 3), concurrency=ConcurrencyTarget(1.0)))
    running.apply("group.chat", group(scaling=policy))
    link.load("chat", queued=3)
    until(lambda: len(running.ready()) == 3, "three replicas")
    before = {r["pid"] for r in running.ready()}
    os.kill(running.status()["supervisor_pid"], signal.SIGKILL)
    until(running.answers, "another supervisor")
    assert {r["pid"] for r in running.ready()} == before


def test_a_group_waits_for_its_weights_and_other_weights_replace_its_replicas(running: Site) -> None:
    body = {**group("chat", "$(MODEL)"), "model": "some weights"}
    running.apply("group.chat", body)
    until(lambda: running.part("chat")["state"] == "pending", "it waits")
    assert running.part("chat")["reason"] == 'waits for its weights: "model.chat" is not applied yet'
    running.apply("model.chat", {"builtin": "tiny"}, file="/models/a.gguf", folder="/models")
    assert told(running.ready()[0])["args"] == ["/models/a.gguf"]
    running.apply("model.chat", {"builtin": "tiny"}, file="/models/b.gguf", folder="/models")
    until(lambda: told(running.ready()[0])["args"] == ["/models/b.gguf"], "the other weights")


def test_variables_are_expanded_and_secrets_are_kept_nowhere(running: Site, tmp_path: Path) -> None:
    secrets = tmp_path / "secrets.yaml"
    env = (EnvEntry("WHO", "$(REPLICA)"), EnvEntry("KEY", secret=SecretRef("hub", "token")))
    running.apply("group.chat", group("chat", "$(WHO)", env=env, secrets_file=str(secrets)))
    reason = f'cannot be started: cannot start "chat": secrets file "{secrets}" not found'
    until(lambda: reason in running.part("chat").get("reason", ""), "the reason")
    secrets.write_text("hub: {token: very-secret-value}\n")
    (replica,) = running.ready()
    said = told(replica)
    assert (said["args"], said["env"]["KEY"]) == (["chat-0"], "very-secret-value")
    assert said["env"]["PORT"] == str(replica["port"])
    kept = [running.folder / STATE_FILE, running.log("supervisor"), running.log("chat-0")]
    assert not [path for path in kept if "very-secret-value" in path.read_text()]
    assert "very-secret-value" not in json.dumps(running.call("observe"))


def test_mounts_are_seen_at_their_path_and_in_their_variable(running: Site, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    mounts = (Mount("my-data", str(tmp_path / "data"), "/bandari-data"), Mount("cache", "", "/bandari-cache"))
    probe = Probe(http_get=HttpGet("/", 8000))
    running.apply("group.chat", group(mounts=mounts, readiness=probe))
    (replica,) = running.ready()
    environment = told(replica)["env"]
    assert environment["BANDARI_MOUNT_MY_DATA"] == str(tmp_path / "data")
    cache = Path(environment["BANDARI_MOUNT_CACHE"])
    assert cache.is_relative_to(running.folder)
    if mount_namespaces_available():
        inside = Path(f"/proc/{replica['pid']}/root")
        assert (inside / "bandari-data").samefile(tmp_path / "data")
        assert (inside / "bandari-cache").samefile(cache)
    running.call("delete", "group.chat")
    until(lambda: not running.part("chat"), "the group is gone")
    assert not cache.exists()


@pytest.mark.skipif(not mount_namespaces_available(), reason="no user and mount namespaces here")
def test_an_exec_probe_sees_what_its_replica_sees(running: Site, tmp_path: Path) -> None:
    mounts = (Mount("data", str(tmp_path), "/bandari-data"),)
    probe = Probe(exec=Exec(("sh", "-c", 'test -e /bandari-data/ready && test "$REPLICA_NAME" = chat-0')))
    running.apply("group.chat", group(mounts=mounts, readiness=probe, env=(EnvEntry("REPLICA_NAME", "$(REPLICA)"),)))
    until(lambda: running.part("chat")["detail"][0]["state"] == "starting", "it runs")
    (tmp_path / "ready").touch()
    running.ready()


def test_a_replica_is_held_to_its_memory_and_runs_nevertheless(running: Site) -> None:
    running.apply("group.chat", group(memory=512 * 2**20, enforce_limits=True))
    assert told(running.ready()[0])
    assert "memory is capped at 536870912 bytes by" in running.log("supervisor").read_text()
    running.call("stop")
    until(lambda: not running.processes(), "nothing is left")
    assert not list(Path("/sys/fs/cgroup").glob("**/bandari.try.*"))


@pytest.mark.parametrize(
    ("address", "body", "error"),
    [
        (
            "queue.chat",
            {},
            f'cannot apply "queue.chat": its kind is none of {KINDS}',
        ),
        ("group.chat", {"group": "chat"}, 'cannot apply "group.chat": Object missing required field `command`'),
        ("group.chat", {"group": 1}, 'cannot apply "group.chat": Expected `str`, got `int` - at `$.group`'),
        (
            "group",
            {},
            f'cannot apply "group": its kind is none of {KINDS}',
        ),
    ],
)
def test_a_body_that_cannot_be_is_refused(running: Site, address: str, body: dict[str, Any], error: str) -> None:
    assert running.call("apply", address, body=body)["error"] == error
    assert running.call("observe")["result"]["resources"] == []


def test_a_command_that_is_not_there_is_the_reason(running: Site) -> None:
    running.apply("group.chat", {"group": "chat", "command": ["no-such-engine"], "model": ""})
    until(lambda: 'cannot run "no-such-engine": no such file' in running.part("chat").get("reason", ""), "the reason")
    part = running.part("chat")
    assert (part["state"], part["ready"]) == ("backoff", 0)


def test_a_state_that_cannot_be_written_is_a_refusal_and_the_next_attempt_is_no_shortcut(running: Site) -> None:
    running.apply("group.chat", group())
    running.ready()
    (running.folder / "state.tmp").mkdir()  # In the place of the file that is written aside.
    for response in (running.call("apply", "route.chat", body=ROUTE), running.call("delete", "group.chat")):
        assert "the state cannot be written" in response["error"]
    assert running.ready()
    (running.folder / "state.tmp").rmdir()
    running.apply("route.chat", ROUTE)
    kept = json.loads((running.folder / STATE_FILE).read_bytes())["resources"]
    assert [resource["address"] for resource in kept] == ["group.chat", "route.chat"]
