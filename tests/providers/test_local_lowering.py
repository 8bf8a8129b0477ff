from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bandari.analysis.resolve import anchor, resolve
from bandari.desired.state import DesiredState, Tls
from bandari.desired.workloads import EnvVar, ModelSource, ValueSource, Volume, VolumeMount
from bandari.planning.apply import apply
from bandari.planning.graph import Address, ResourceGraph
from bandari.planning.plan import Action, plan
from bandari.providers.local import provider
from bandari.runtimes.table import runtime_for
from bandari.serving.protocol import BODIES, plain
from bandari.serving.ray.bodies import RAY_BODIES
from bandari.testing import builders
from bandari.testing.fakes import Heard, MemoryDriver


def lowered(state: DesiredState, *, stand_ins: Mapping[str, str] | None = None) -> ResourceGraph:
    digests = {("hub", "token"): "d1"}
    resolved = resolve(
        state, host=builders.host(), runtime_for=runtime_for, stand_ins=stand_ins or {}, secret_digests=digests
    )
    return provider.lower(resolved)


def body(graph: ResourceGraph, kind: str, name: str) -> Mapping[str, Any]:
    return graph.by_address[Address("local", kind, name)].body


def test_a_group_becomes_a_model_a_set_of_processes_and_a_route_behind_the_gateway() -> None:
    graph = lowered(builders.local_state(builders.server("chat")))
    order = [str(r.address) for r in graph.in_order()]
    assert sorted(order) == ["gateway.gateway", "group.chat", "model.chat", "route.chat"]
    assert order.index("model.chat") < order.index("group.chat") < order.index("route.chat")
    assert order.index("gateway.gateway") < order.index("group.chat")


def test_every_kind_that_is_lowered_has_a_body_that_the_supervisor_knows() -> None:
    graph = lowered(builders.local_state(builders.server("chat")))
    assert {r.address.kind for r in graph} == BODIES.keys() - RAY_BODIES.keys()


def test_equal_states_lower_to_equal_graphs_and_the_plan_after_apply_is_empty() -> None:
    state = builders.local_state(builders.server("a"), builders.server("b", is_public=True))
    driver = MemoryDriver()
    apply(plan(lowered(state), {}, provider.consequence), {"local": driver}, Heard())
    assert plan(lowered(state), driver.observe(), provider.consequence).pending == ()


def test_a_changed_bound_is_one_change_in_place() -> None:
    driver = MemoryDriver()
    before = builders.local_state(builders.server("a", scaling=builders.scaled(1, 3)))
    after = builders.local_state(builders.server("a", scaling=builders.scaled(1, 5)))
    apply(plan(lowered(before), {}, provider.consequence), {"local": driver}, Heard())
    [change] = plan(lowered(after), driver.observe(), provider.consequence).pending
    assert str(change.address) == "group.a"
    assert [f.name for f in change.fields] == ["scaling.bounds.max"]
    assert change.consequence.startswith("in place")


def test_other_weights_restart_only_their_group() -> None:
    driver = MemoryDriver()
    before = builders.local_state(builders.server("a"), builders.server("b"))
    other = builders.server("b", model=ModelSource(path="/models/b.gguf"))
    after = builders.local_state(builders.server("a"), other)
    apply(plan(lowered(before), {}, provider.consequence), {"local": driver}, Heard())
    made = plan(lowered(after), driver.observe(), provider.consequence)
    assert [str(c.address) for c in made.pending] == ["model.b", "group.b"]
    assert all(c.action is Action.UPDATE for c in made.pending)
    assert "rolling restart" in made.pending[1].consequence


def test_a_group_without_triggers_scales_on_seventy_percent_of_its_slots() -> None:
    group = body(lowered(builders.local_state(builders.server("a", scaling=builders.scaled(1, 3)))), "group", "a")
    assert group["scaling"]["concurrency"] == {"value": round(0.7 * group.get("slots", 1), 3)}


def test_a_group_of_a_fixed_size_has_no_target() -> None:
    group = body(lowered(builders.local_state(builders.server("a", scaling=builders.scaled(2, 2)))), "group", "a")
    assert "concurrency" not in group["scaling"]


def test_variables_come_from_values_fields_requests_and_secrets_by_reference() -> None:
    env = (
        EnvVar("PLAIN", "x"),
        builders.from_source("FROM_MAP", ValueSource.CONFIG_MAP, "my-map", "my-key"),
        builders.from_source("NAMESPACE", ValueSource.FIELD, key="metadata.namespace"),
        builders.from_source("CPUS", ValueSource.RESOURCE_FIELD, key="requests.cpu"),
        EnvVar("MEGABYTES", source=ValueSource.RESOURCE_FIELD, key="requests.memory", divisor="1Mi"),
        builders.from_source("HF_TOKEN", ValueSource.SECRET, "hub", "token"),
        builders.from_source("MISSING", ValueSource.CONFIG_MAP, "my-map", "nothing", optional=True),
    )
    state = builders.local_state(
        builders.server("a", env=env), values={"my-map": {"my-key": "v"}}, secrets_file="/s.yaml"
    )
    group = body(lowered(state), "group", "a")
    given = {entry["name"]: entry for entry in group["env"]}
    assert given["PLAIN"]["value"] == "x"
    assert given["FROM_MAP"]["value"] == "v"
    assert given["NAMESPACE"]["value"] == "default"
    assert given["CPUS"]["value"] == "1"
    assert given["MEGABYTES"]["value"] == "1024"
    assert given["HF_TOKEN"] == {"name": "HF_TOKEN", "secret": {"name": "hub", "key": "token", "digest": "d1"}}
    assert "MISSING" not in given
    assert group["secrets_file"] == "/s.yaml"


def test_a_credential_in_plain_text_is_marked_to_print_as_stars() -> None:
    graph = lowered(builders.local_state(builders.server("a", env=(EnvVar("HF_TOKEN", "hf_abc"), EnvVar("A", "b")))))
    shown = str(plan(graph, {}, provider.consequence).changes)
    assert ("env", "[HF_TOKEN]", "value") in graph.by_address[Address("local", "group", "a")].secret
    assert all("hf_abc" not in str(c.fields) for c in plan(graph, {}, provider.consequence).changes)
    assert "***" in shown


def test_volumes_are_folders_of_this_machine() -> None:
    volumes = (Volume("data", "hostPath", {"path": "files"}), Volume("tmp", "emptyDir", {}))
    mounts = (
        VolumeMount("data", "/data/files", sub_path="a"),
        VolumeMount("tmp", "/scratch", read_only=True),
        VolumeMount("model-data", "/models"),
        VolumeMount("unknown", "/x"),
    )
    state = builders.local_state(builders.server("a", volumes=volumes, volume_mounts=mounts))
    group = body(lowered(anchor(state, "/etc/cluster")), "group", "a")
    assert [(m["name"], m["source"]) for m in group["mounts"]] == [
        ("data", "/etc/cluster/files/a"),
        ("tmp", ""),
        ("model-data", "$(MODEL_DIR)"),
    ]


def test_a_public_group_brings_a_public_listener_with_tls_when_the_file_has_it() -> None:
    state = builders.local_state(builders.server("a", is_public=True), tls=Tls("c.pem", "k.pem"), public_port=9443)
    gateway = body(lowered(anchor(state, "/here")), "gateway", "gateway")
    assert gateway["public"] is True
    assert gateway["tls_certificate"] == "/here/c.pem"
    assert gateway["public_port"] == 9443


def test_without_a_public_group_there_is_no_public_listener() -> None:
    gateway = body(lowered(builders.local_state(builders.server("a"), public_port=9443)), "gateway", "gateway")
    assert gateway == {}


def test_a_stand_in_keeps_name_and_route_and_says_what_really_answers() -> None:
    big = builders.server("big", image="vllm/vllm-openai:v0.6.3", gpu=True, model=ModelSource(hf_repo_id="org/big"))
    graph = lowered(builders.local_state(big), stand_ins={"big": "tiny"})
    assert body(graph, "group", "big")["stand_in"] == "builtin:tiny"
    assert body(graph, "route", "big")["stand_in"] == "builtin:tiny"
    assert body(graph, "model", "big")["builtin"] == "tiny"
    assert plain(body(graph, "group", "big"))["runtime"] == "llama.cpp"


def test_consequences_say_what_a_user_will_notice() -> None:
    public = builders.server("a", is_public=True, scaling=builders.scaled(0, 2))
    made = plan(lowered(builders.local_state(public)), {}, provider.consequence)
    said = {str(c.address): c.consequence for c in made.changes}
    assert "first free port from 8000" in said["gateway.gateway"]
    assert "plain HTTP" in said["gateway.gateway"]
    assert said["group.a"].startswith("starts on the first request, up to 2 under load")
    assert "API key" in said["route.a"]
