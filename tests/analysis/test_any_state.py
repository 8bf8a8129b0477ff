"""Lint and served are total: any state, however odd, gets an answer, always the same and always in words."""

from __future__ import annotations

from typing import TypeVar

from hypothesis import given
from hypothesis import strategies as st

from bandari.analysis.lint import lint
from bandari.analysis.resolve import stand_in
from bandari.analysis.served import not_served
from bandari.catalog.host import Host
from bandari.codes import CODES
from bandari.desired.pools import Capacity, CapacityType, NodePool, ResourceList
from bandari.desired.scaling import (
    ExternalTrigger,
    PrometheusTarget,
    ResourceKind,
    ResourceTarget,
    ScalingPolicy,
    TargetType,
)
from bandari.desired.state import DesiredState, LocalTarget, ProviderName, Target, Tls, Workload
from bandari.desired.workloads import (
    EnvVar,
    Exec,
    Function,
    Grpc,
    HttpGet,
    JobQueue,
    LocalOptions,
    ModelServer,
    ModelSource,
    Monitoring,
    Probe,
    TcpSocket,
    Tracing,
    ValueSource,
    VectorStore,
    Volume,
    VolumeMount,
)
from bandari.diagnostics import Diagnostic, Origin, Span
from bandari.runtimes.table import RUNTIMES
from bandari.testing.builders import few_machines
from bandari.units import Bounds, Cpu, Memory

MACHINES = few_machines()
WORDS = st.sampled_from(["", "chat", "a-b", "model-data", "TOKEN", "--api-key", "/data", "$(X)", "é\n\t"]) | st.text(
    max_size=8
)
MACHINE_NAMES = st.sampled_from([*MACHINES, "", "unheard.of"])
IMAGES = WORDS | st.sampled_from([
    "vllm/vllm-openai:v0.4.2", "ghcr.io/ggml-org/llama.cpp:server", "a@sha256:0", ":", "host:5000/x", "llama.cpp@",
])  # fmt: skip
ADDRESSES = WORDS | st.sampled_from(["http://[", "http://a:b@c", "http://p.svc.cluster.local:9090", "//x.svc"])
QUERIES = WORDS | st.sampled_from(['up{destination_service="chat.default.svc"}', 'destination_service="'])
BOUNDS = st.tuples(st.integers(0, 5), st.integers(0, 5)).map(lambda pair: Bounds(min(pair), max(pair)))
MEMORIES = st.builds(Memory, st.integers(0, 2**45))
PORTS = st.integers(0, 70_000) | WORDS
PATHS = WORDS | st.sampled_from(["/health", "/ready", "?", "health"])


T = TypeVar("T")


def tuples(items: st.SearchStrategy[T]) -> st.SearchStrategy[tuple[T, ...]]:
    return st.lists(items, max_size=3).map(tuple)


POLICIES = st.builds(
    ScalingPolicy,
    BOUNDS,
    resources=tuples(
        st.builds(ResourceTarget, st.sampled_from(ResourceKind), st.sampled_from(TargetType), st.floats())
    ),
    queries=tuples(st.builds(PrometheusTarget, ADDRESSES, QUERIES, st.floats())),
    external=tuples(st.builds(ExternalTrigger, WORDS, st.dictionaries(WORDS, WORDS, max_size=2))),
)
REQUESTS = st.builds(
    ResourceList,
    st.none() | st.builds(Cpu, st.integers(0, 10**6)),
    st.none() | MEMORIES,
    st.none() | st.integers(0, 16),
)
PROBES = st.one_of(
    st.none(),
    st.builds(Probe, http_get=st.builds(HttpGet, PATHS, PORTS, host=WORDS)),
    st.builds(Probe, tcp_socket=st.builds(TcpSocket, PORTS)),
    st.builds(Probe, grpc=st.builds(Grpc, st.integers())),
    st.builds(Probe, exec=st.builds(Exec, tuples(WORDS))),
)
PLACES = tuples(WORDS | st.integers(0, 3)) | st.tuples(
    st.just("autoScaleTriggers"),
    st.integers(0, 3),
    st.just("metadata"),
    st.sampled_from(["query", "serverAddress", "x"]),
)
ORIGINS = st.builds(
    Origin,
    st.just(Span("f", 1, 1)),
    st.dictionaries(PLACES, st.builds(Span, st.just("f"), st.integers(1, 9), st.just(1))),
)
SERVERS = st.builds(
    ModelServer,
    name=WORDS,
    pool=WORDS,
    image=IMAGES,
    scaling=POLICIES,
    model=st.none() | st.builds(ModelSource, WORDS, builtin=WORDS),
    is_public=st.booleans(),
    command=tuples(WORDS),
    env=tuples(st.builds(EnvVar, WORDS, WORDS, st.none() | st.sampled_from(ValueSource), WORDS, WORDS, st.booleans())),
    readiness_probe=PROBES,
    liveness_probe=PROBES,
    volumes=tuples(st.builds(Volume, WORDS, st.sampled_from(["hostPath", "nfs"]), st.just({}))),
    volume_mounts=tuples(st.builds(VolumeMount, WORDS, WORDS)),
    requests=REQUESTS,
    gpu=st.booleans(),
    node_type=MACHINE_NAMES,
    mixed=st.booleans(),
    local=st.builds(LocalOptions, tuples(WORDS), st.sampled_from(["", "vllm", "llama-server", "other"])),
    origin=ORIGINS,
)
WORKLOADS: st.SearchStrategy[Workload] = st.one_of(
    SERVERS,
    st.builds(Function, WORDS, tuples(WORDS), ORIGINS),
    st.builds(JobQueue, WORDS, MEMORIES, tuples(WORDS), ORIGINS),
    st.builds(VectorStore, WORDS, WORDS, st.integers(0, 5), MEMORIES, REQUESTS, ORIGINS),
    st.builds(Monitoring, WORDS, MEMORIES, st.just(frozenset[str]()), ORIGINS),
    st.builds(Tracing, WORDS, st.booleans(), origin=ORIGINS),
)
POOLS = st.builds(
    NodePool,
    WORDS,
    tuples(MACHINE_NAMES),
    BOUNDS,
    tuples(st.builds(Capacity, st.sampled_from(CapacityType), BOUNDS)),
    gpu=st.booleans(),
    origin=ORIGINS,
)
LOCAL = st.builds(
    LocalTarget,
    values=st.dictionaries(WORDS, st.dictionaries(WORDS, WORDS, max_size=2), max_size=2),
    secrets_file=WORDS,
    public_address=WORDS,
    tls=st.none() | st.just(Tls("a", "b")),
    gpu=st.none() | st.booleans(),
)
TARGETS = st.builds(Target, st.sampled_from(ProviderName), WORDS, namespace=WORDS, local=LOCAL)
STATES = st.builds(DesiredState, TARGETS, tuples(POOLS), tuples(WORKLOADS))
HOSTS = st.builds(
    Host,
    system=st.sampled_from(["Linux", "Darwin"]),
    cpus=st.floats(0, 512),
    memory=MEMORIES,
    gpus=st.integers(0, 8),
    engines=st.dictionaries(st.sampled_from(["xllamacpp", "llama-server", "vllm"]), WORDS),
    mount_namespaces=st.booleans(),
)


def in_words(findings: list[Diagnostic]) -> bool:
    return all(f.code in CODES and f.message.startswith("cannot ") and f.why and f.help for f in findings)


@given(STATES)
def test_any_state_can_be_linted(state: DesiredState) -> None:
    found = list(lint(state, MACHINES, RUNTIMES))
    assert in_words(found)
    assert found == list(lint(state, MACHINES, RUNTIMES))


@given(STATES, HOSTS)
def test_any_state_can_be_asked_about_any_host(state: DesiredState, host: Host) -> None:
    points = not_served(state, host, RUNTIMES, frozenset())
    assert in_words([point.diagnostic for point in points])
    assert not any(point.stand_in and point.skip for point in points)


@given(STATES, HOSTS)
def test_what_is_said_to_be_settled_by_a_stand_in_is(state: DesiredState, host: Host) -> None:
    points = not_served(state, host, RUNTIMES, frozenset())
    unable = {point.item for point in points if point.stand_in}
    stood_in = tuple(
        stand_in(item, "tiny") if isinstance(item, ModelServer) and item.name in unable else item
        for item in state.workloads
    )
    left = not_served(DesiredState(state.target, state.pools, stood_in), host, RUNTIMES, frozenset())
    assert not any(point.blocking and point.stand_in for point in left)
