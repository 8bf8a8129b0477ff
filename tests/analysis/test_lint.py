"""Every rule of lint: a state that it speaks about, and one that it leaves alone."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from bandari.analysis.lint import lint
from bandari.analysis.rules import RULES
from bandari.catalog import machines
from bandari.codes import advice
from bandari.desired.pools import Capacity, CapacityType
from bandari.desired.scaling import ExternalTrigger, ResourceKind, ResourceTarget, ScalingPolicy, TargetType
from bandari.desired.state import DesiredState, ProviderName, Tls
from bandari.desired.workloads import EnvVar, LocalOptions, ModelServer, Monitoring, ValueSource, Volume, VolumeMount
from bandari.diagnostics import Diagnostic, Severity
from bandari.runtimes.table import RUNTIMES
from bandari.testing.builders import (
    few_machines,
    from_source,
    http_probe,
    local_state,
    on_nodes,
    pool,
    requests,
    scaled,
    server,
    state,
    vector_store,
)
from bandari.units import Bounds, Memory

VLLM = "vllm/vllm-openai:v0.4.2"
STACK = "http://kube-prometheus-stack-prometheus.prometheus.svc.cluster.local:9090"
MONITORING = Monitoring("prometheus", Memory(1), frozenset())
NOTHING_SECRET = "sk-" + "0123456789abcdef"


def findings(desired: DesiredState) -> list[Diagnostic]:
    return list(lint(desired, few_machines(), RUNTIMES))


def codes(desired: DesiredState) -> list[str]:
    return [finding.code for finding in findings(desired)]


def mixed(base: int, most: int, *, public: bool = False) -> DesiredState:
    capacity = (
        Capacity(CapacityType.SPOT, Bounds(1, 4)),
        Capacity(CapacityType.ON_DEMAND, Bounds(base, most)),
    )
    group = server(mixed=True, pool="chat", is_public=public)
    return state(pool("chat", nodes=Bounds(1, 4), capacity=capacity), group)


def watching(service: str, *, namespace: str = "default") -> DesiredState:
    query = f"sum(rate(istio_requests_total{{destination_service{service}}}[1m]))"
    group = server("summary", scaling=scaled(queries={"http://prometheus:9090": query}))
    return state(server("chat"), group, namespace=namespace)


def asking(address: str, *others: Monitoring) -> DesiredState:
    return state(server(scaling=scaled(queries={address: "up"})), *others)


def with_variable(variable: EnvVar) -> DesiredState:
    return state(server(env=(variable,)))


def with_trigger(trigger: ExternalTrigger) -> DesiredState:
    return state(server(scaling=ScalingPolicy(Bounds(1, 3), external=(trigger,))))


def public(**options: object) -> DesiredState:
    return replace(local_state(server(is_public=True), **options))


GPU_GROUP = server(image=VLLM, gpu=True)
CUDA_GROUP = server(image="ghcr.io/ggml-org/llama.cpp:server-cuda-b6123", gpu=True)
PASSING = server(readiness_probe=http_probe("/health?slots=1"), liveness_probe=http_probe("/props"))
ON_MEMORY = ScalingPolicy(Bounds(1, 3), (ResourceTarget(ResourceKind.MEMORY, TargetType.UTILIZATION, 80.0),))
POD = (VolumeMount("cache", "/cache"),)

SPOKEN_OF: list[tuple[str, DesiredState]] = [
    ("BND401", state(*on_nodes(server(), "g4dn.xlarge"))),
    ("BND402", state(*on_nodes(GPU_GROUP, "c5.xlarge"))),
    ("BND403", state(pool("chat", "c5.xlagre"), server(pool="chat"))),
    ("BND403", state(pool("chat", "g2-standard-4"))),
    ("BND403", state(pool("jobs", instance_types=("c5.xlarge", "nothing.like-it")))),
    ("BND404", state(*on_nodes(server(requests=requests("5")), "c5.xlarge"))),
    ("BND404", state(*on_nodes(server(requests=requests(memory="9Gi")), "c5.xlarge"))),
    ("BND404", state(*on_nodes(server(requests=requests("4")), "c5.xlarge"))),
    ("BND404", state(*on_nodes(server(requests=requests(memory="7Gi")), "c5.xlarge"))),
    ("BND404", state(*on_nodes(server(image=VLLM, gpu=True, requests=requests(gpu=2)), "g4dn.xlarge"))),
    ("BND404", state(pool("store", "t3a.small"), vector_store(pool="store", requests=requests(memory="2Gi")))),
    ("BND405", state(server(image="ghcr.io/ggml-org/llama.cpp:server"))),
    ("BND405", state(server(image="registry.example.com:5000/my/server"))),
    ("BND405", state(server(image="my/server:latest"))),
    ("BND406", state(server(image=VLLM))),
    ("BND406", state(*on_nodes(server(image=VLLM), "c5.xlarge"))),
    ("BND407", state(*on_nodes(server(gpu=True), "g4dn.xlarge"))),
    ("BND408", state(server(readiness_probe=http_probe("/ready")))),
    ("BND408", state(server(liveness_probe=http_probe("/live")))),
    ("BND419", state(server(liveness_probe=http_probe("/health", 8080)))),
    ("BND409", state(server(volume_mounts=POD))),
    ("BND410", with_variable(EnvVar("HF_TOKEN", "abcdefghij"))),
    ("BND410", with_variable(EnvVar("SOMETHING", NOTHING_SECRET))),
    ("BND410", state(server(command=("server", "--api-key", "abcdefghij")))),
    ("BND410", state(server(command=("server", "--api-key=abcdefghij")))),
    ("BND410", state(server(local=LocalOptions(command=("server", NOTHING_SECRET))))),
    ("BND410", asking("http://user:password@prometheus:9090")),
    ("BND410", with_trigger(ExternalTrigger("rabbitmq", {"host": "amqp://user:password@broker/"}))),
    ("BND411", public()),
    ("BND412", watching('="chat.default.svc.cluster.local"')),
    ("BND412", watching('="summary.default.svc.cluster.local"', namespace="prod")),
    ("BND413", asking(STACK)),
    ("BND414", state(server(scaling=scaled(2, 2, cpu=50.0)))),
    ("BND415", state(server(scaling=scaled(0, 3, cpu=50.0)))),
    ("BND416", state(*on_nodes(server(image=VLLM, gpu=True, scaling=scaled(cpu=50.0)), "g4dn.xlarge"))),
    ("BND416", state(server(scaling=ON_MEMORY))),
    ("BND417", mixed(0, 0)),
    ("BND417", mixed(0, 2, public=True)),
    ("BND418", state(vector_store(replicas=2))),
]

LEFT_ALONE: list[tuple[str, DesiredState]] = [
    ("a plain group on known nodes", state(*on_nodes(server(), "c5.xlarge"))),
    ("a GPU group on GPU nodes", state(*on_nodes(GPU_GROUP, "g4dn.xlarge"))),
    ("a node label of somebody's own", state(pool("chat", "big-box"), provider=ProviderName.KUBERNETES)),
    ("a pool of alternatives of which one fits",
     state(pool("chat", instance_types=("t3a.small", "c5.xlarge")), server(pool="chat", requests=requests("3")))),
    ("a request on nodes of an unknown size",
     state(pool("chat", "huge"), server(pool="chat", requests=requests("900")), provider=ProviderName.KUBERNETES)),
    ("a request on this machine, which has no nodes",
     replace(state(*on_nodes(server(requests=requests("900")), "c5.xlarge")), target=local_state().target)),
    ("a digest", state(server(image="my/server:latest@sha256:" + "0" * 64))),
    ("a version", state(server(image="registry.example.com:5000/my/server:1.4"))),
    ("an image on this machine, which pulls none", local_state(server(image="ghcr.io/ggml-org/llama.cpp:server"))),
    ("vLLM's own CPU image", state(server(image="vllm/vllm-openai-cpu:v0.11.0"))),
    ("a CUDA build", state(*on_nodes(CUDA_GROUP, "g4dn.xlarge"))),
    ("probes that pass", state(PASSING)),
    ("a probe of an unknown server", state(server(image="my/server:1.4", readiness_probe=http_probe("/ready", 80)))),
    ("a probe of a named port", state(server(readiness_probe=http_probe("/health", "http")))),
    ("a declared volume", state(server(volumes=(Volume("cache", "emptyDir", {}),), volume_mounts=POD))),
    ("the model's own volume", state(server(volume_mounts=(VolumeMount("model-data", "/data"),)))),
    ("a secret by reference", with_variable(from_source("HF_TOKEN", ValueSource.SECRET, "hub", "token"))),
    ("a variable by reference", with_variable(EnvVar("HF_TOKEN", "$(OTHER)"))),
    ("a path to a secret", with_variable(EnvVar("API_KEY", "/run/secrets/key"))),
    ("a switch with a secret's name", with_variable(EnvVar("USE_AUTH", "false"))),
    ("a number of tokens", with_variable(EnvVar("MAX_TOKENS", "1000000"))),
    ("a command with a reference", state(server(command=("server", "--api-key", "$(API_KEY)")))),
    ("a flag without a value", state(server(command=("server", "--api-key", "--metrics")))),
    ("a private group here", local_state(server())),
    ("a public group here behind TLS", public(tls=Tls("cert.pem", "key.pem"))),
    ("a public group here on loopback", public(public_address="127.0.0.1")),
    ("a trigger that watches its own group", watching('="summary.default.svc.cluster.local"')),
    ("a trigger on a pattern", watching('=~"chat.*"')),
    ("an installed Prometheus", asking(STACK, MONITORING)),
    ("somebody's own Prometheus", asking("http://prometheus.monitoring.svc:9090")),
    ("a fixed group without triggers", state(server(scaling=scaled(2, 2)))),
    ("a group that its gateway wakes", local_state(server(scaling=scaled(0, 3, cpu=50.0)))),
    ("a sleeping group without triggers", state(server(scaling=scaled(0, 3)))),
    ("a sleeping group that work wakes",
     state(server(scaling=replace(scaled(0, 3, cpu=50.0), external=(ExternalTrigger("kafka", {}),))))),
    ("a mixed group with a base", mixed(1, 2, public=True)),
    ("a private mixed group that falls back on on-demand nodes", mixed(0, 2)),
    ("memory of an unknown server", state(server(image="my/server:1.4", scaling=ON_MEMORY))),
    ("a trigger that reads its credential elsewhere",
     with_trigger(ExternalTrigger("rabbitmq", {"hostFromEnv": "RABBITMQ_HOST", "passwordFromEnv": "BROKER"}))),
    ("three replicas of the vector store", state(vector_store(replicas=3))),
    ("one replica of the vector store", state(vector_store())),
    ("nothing at all", state()),
]  # fmt: skip


@pytest.mark.parametrize(("code", "desired"), SPOKEN_OF, ids=lambda value: value if isinstance(value, str) else "")
def test_a_rule_speaks_of_what_it_is_for_and_no_other_joins_in(code: str, desired: DesiredState) -> None:
    assert codes(desired) == [code]


@pytest.mark.parametrize(("what", "desired"), LEFT_ALONE, ids=[what for what, _ in LEFT_ALONE])
def test_what_is_right_is_left_alone(what: str, desired: DesiredState) -> None:
    assert codes(desired) == [], what


def test_every_rule_has_its_code_explained_and_its_case_above() -> None:
    table = [rule.code for rule in RULES]
    assert table == [item.code for item in advice.CODES]
    assert sorted({code for code, _ in SPOKEN_OF}) == sorted(table)


@pytest.mark.parametrize(("code", "desired"), SPOKEN_OF, ids=lambda value: value if isinstance(value, str) else "")
def test_every_finding_says_what_why_and_how_to_go_on(code: str, desired: DesiredState) -> None:
    for finding in findings(desired):
        assert re.match(r"cannot \w+ ", finding.message), code
        assert all(text and "\n" not in text for text in (finding.message, finding.why, finding.help))


def test_only_what_can_never_work_is_an_error() -> None:
    hopeless = [desired for _, desired in SPOKEN_OF if any(f.severity is Severity.ERROR for f in findings(desired))]
    assert {code for desired in hopeless for code in codes(desired)} == {"BND404"}
    (whole_machine,) = findings(state(*on_nodes(server(requests=requests("4")), "c5.xlarge")))
    assert whole_machine.severity is Severity.WARNING
    (larger,) = findings(state(*on_nodes(server(requests=requests("4001m")), "c5.xlarge")))
    assert larger.severity is Severity.ERROR


def test_an_idle_gpu_is_shown_with_its_price_and_the_date_of_the_price() -> None:
    (finding,) = findings(state(*on_nodes(server(), "g4dn.xlarge")))
    assert finding.why.startswith("g4dn.xlarge has 1 x T4 (16 GiB each) and costs 0.526 USD/h (us-east-1, 2026-07-20)")


def test_a_misspelt_machine_type_gets_the_nearest_name_of_its_own_cloud() -> None:
    (misspelt,) = findings(state(pool("chat", "c5.xlagre")))
    assert misspelt.help == "did you mean 'c5.xlarge'?"
    (foreign,) = findings(state(pool("chat", "g2-standard-4")))
    assert "it is a machine type of gcp" in foreign.message


@pytest.mark.parametrize(
    "desired",
    [
        with_variable(EnvVar("HF_TOKEN", "very-secret-value")),
        state(server(command=("server", "--api-key", "very-secret-value"))),
        state(server(command=("server", "--api-key=very-secret-value"))),
        asking("http://user:very-secret-value@prometheus:9090"),
    ],
)
def test_a_credential_is_never_repeated(desired: DesiredState) -> None:
    assert codes(desired) == ["BND410"]
    assert "very-secret-value" not in repr(findings(desired))
    assert all(finding.sensitive for finding in findings(desired)), "the line would be shown"


def test_one_public_group_is_enough_to_hear_of_plain_http() -> None:
    desired = local_state(server("a", is_public=True), server("b", is_public=True))
    assert codes(desired) == ["BND411"]


def test_without_a_catalog_nothing_is_said_of_machines() -> None:
    desired = state(*on_nodes(server(requests=requests("5")), "g4dn.xlarge"), provider=ProviderName.KUBERNETES)
    assert list(lint(desired, machines.NONE, RUNTIMES)) == []


def test_a_group_that_scales_on_queries_too_may_watch_its_cpu() -> None:
    policy = ScalingPolicy(
        Bounds(1, 3), scaled(cpu=50.0).resources, scaled(queries={"http://prometheus:9090": "up"}).queries
    )
    assert codes(state(*on_nodes(replace(GPU_GROUP, scaling=policy), "g4dn.xlarge"))) == []


def test_both_probes_of_a_group_are_looked_at() -> None:
    group: ModelServer = server(readiness_probe=http_probe("/ready"), liveness_probe=http_probe("/live"))
    first, second = findings(state(group))
    assert "llama.cpp does not serve '/ready'" in first.message
    assert "never sent a request" in first.why
    assert "'/live'" in second.message
    assert "for ever" in second.why
