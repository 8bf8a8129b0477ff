"""What one machine lacks: each point is found, says what settles it, and is settled by just that."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import replace

import pytest

from bandari.analysis.resolve import stand_in
from bandari.analysis.served import SECTIONS, NotServed, not_served, section_of
from bandari.catalog.host import Host
from bandari.codes import local
from bandari.desired.scaling import ExternalTrigger, ScalingPolicy
from bandari.desired.state import DesiredState, Item
from bandari.desired.workloads import (
    EnvVar,
    Function,
    Grpc,
    JobQueue,
    LocalOptions,
    ModelServer,
    ModelSource,
    Monitoring,
    Probe,
    Tracing,
    ValueSource,
    Volume,
    VolumeMount,
)
from bandari.diagnostics import Severity
from bandari.runtimes.table import RUNTIMES
from bandari.testing.builders import (
    from_source,
    host,
    http_probe,
    local_state,
    requests,
    scaled,
    server,
    vector_store,
)
from bandari.units import Bounds, Memory

VLLM = "vllm/vllm-openai:v0.4.2"
GIB = Memory(2**30)
MOUNT = (VolumeMount("cache", "/cache"),)
PLAIN = host()
WITH_GPU = host(gpus=1, engines={"xllamacpp": "1", "vllm": "0.11"})

EVERY_SECTION: tuple[Item, ...] = (
    Function("function", ()),
    JobQueue("job", GIB, ()),
    vector_store(),
    Monitoring("prometheus", GIB, frozenset()),
    Tracing("tracing", auto_scaling=False),
)


def lacking(desired: DesiredState, here: Host = PLAIN, secrets: Collection[tuple[str, str]] = ()) -> list[NotServed]:
    return list(not_served(desired, here, RUNTIMES, secrets))


def codes(desired: DesiredState, here: Host = PLAIN, secrets: Collection[tuple[str, str]] = ()) -> list[str]:
    return [point.diagnostic.code for point in lacking(desired, here, secrets)]


def volume(kind: str) -> ModelServer:
    return server(volumes=(Volume("cache", kind, {}),), volume_mounts=MOUNT)


def variable(source: ValueSource, ref: str, key: str) -> ModelServer:
    return server(env=(EnvVar("PLAIN", "value"), from_source("VARIABLE", source, ref, key)))


def trigger(kind: str) -> ModelServer:
    return server(scaling=ScalingPolicy(Bounds(1, 3), external=(ExternalTrigger(kind, {}),)))


SETTINGS = variable(ValueSource.CONFIG_MAP, "settings", "mode")
TOKEN = variable(ValueSource.SECRET, "hub", "token")
GPU_LLAMA = server(image="ghcr.io/ggml-org/llama.cpp:server-cuda-b6123", gpu=True)
GPU_VLLM = server(image=VLLM, gpu=True, model=ModelSource(hf_repo_id="owner/name"))
UNKNOWN = server(image="my/server:1.4")
OWN_COMMAND = LocalOptions(command=("my-server", "$(PORT)"))

BLOCKING: list[tuple[str, ModelServer, Host]] = [
    ("BND502", GPU_LLAMA, PLAIN),
    ("BND502", replace(GPU_LLAMA, requests=requests(gpu=2)), WITH_GPU),
    ("BND503", replace(GPU_VLLM, gpu=False), PLAIN),
    ("BND503", server(), host(engines={"vllm": "0.11"})),
    ("BND503", server(local=LocalOptions(engine="llama-server")), PLAIN),
    ("BND503", server(local=LocalOptions(engine="vllm")), WITH_GPU),
    ("BND504", UNKNOWN, PLAIN),
    ("BND505", SETTINGS, PLAIN),
    ("BND506", TOKEN, PLAIN),
    ("BND507", server(volume_mounts=MOUNT), PLAIN),
    ("BND507", volume("persistentVolumeClaim"), PLAIN),
    ("BND507", volume("configMap"), PLAIN),
    ("BND508", variable(ValueSource.FIELD, "", "metadata.labels['app']"), PLAIN),
    ("BND508", variable(ValueSource.RESOURCE_FIELD, "", "limits.cpu"), PLAIN),
    ("BND509", server(command=("/app/llama-server", "--grammar", "root ::= 'a'")), PLAIN),
    ("BND509", server(command=("/bin/sh", "-c", "server")), PLAIN),
    ("BND512", server(requests=requests(memory="17Gi")), PLAIN),
    ("BND516", server(model=None), PLAIN),
]

ONLY_SAID: list[tuple[str, ModelServer, Host]] = [
    ("BND510", trigger("kafka"), PLAIN),
    ("BND510", server(scaling=scaled(queries={"http://prometheus.monitoring.svc:9090": "up"})), PLAIN),
    ("BND510", server(scaling=scaled(queries={"http://prometheus.monitoring.svc.cluster.local/": "up"})), PLAIN),
    ("BND511", server(scaling=scaled(3, 3), requests=requests(memory="6Gi")), PLAIN),
    ("BND511", server(scaling=scaled(1, 1), requests=requests("9")), PLAIN),
    ("BND511", server(scaling=scaled(9, 9)), PLAIN),
    ("BND513", server(readiness_probe=Probe(grpc=Grpc(8000))), PLAIN),
    ("BND515", volume("emptyDir"), host(mount_namespaces=False)),
]

SERVED: list[tuple[str, ModelServer, Host]] = [
    ("a plain group", server(), PLAIN),
    ("a GPU group on a GPU", GPU_LLAMA, WITH_GPU),
    ("vLLM on a GPU", GPU_VLLM, WITH_GPU),
    ("a GPU group with a command of its own", replace(GPU_VLLM, local=OWN_COMMAND), PLAIN),
    ("an unknown image with a command of its own", replace(UNKNOWN, local=OWN_COMMAND), PLAIN),
    ("an image that brings its model, with a command of its own", server(model=None, local=OWN_COMMAND), PLAIN),
    (
        "another engine that is here",
        server(local=LocalOptions(engine="llama-server")),
        host(engines={"llama-server": ""}),
    ),
    ("a group on its second-best engine", server(), host(engines={"llama-server": "b1"})),
    ("a folder of this machine", volume("hostPath"), PLAIN),
    ("a fresh folder", volume("emptyDir"), PLAIN),
    ("the model's own volume", server(volume_mounts=(VolumeMount("model-data", "/data"),)), PLAIN),
    ("a volume that nothing mounts", server(volumes=(Volume("cache", "nfs", {}),)), PLAIN),
    ("the name of a pod", variable(ValueSource.FIELD, "", "metadata.name"), PLAIN),
    ("its request", variable(ValueSource.RESOURCE_FIELD, "", "requests.memory"), PLAIN),
    ("a Prometheus outside a cluster", server(scaling=scaled(queries={"http://10.0.0.7:9090": "up"})), PLAIN),
    ("an address that is none", server(scaling=scaled(queries={"http://[": "up"})), PLAIN),
    ("a cpu trigger", server(scaling=scaled(cpu=50.0)), PLAIN),
    ("an HTTP probe", server(readiness_probe=http_probe()), PLAIN),
    ("as much memory as there is", server(requests=requests("8", "16Gi")), PLAIN),
    ("many replicas that need not start", server(scaling=scaled(0, 99)), PLAIN),
]


@pytest.mark.parametrize(("code", "group", "here"), BLOCKING, ids=lambda value: value if isinstance(value, str) else "")
def test_what_a_group_needs_and_is_not_here_keeps_up_from_serving_it(code: str, group: ModelServer, here: Host) -> None:
    (point,) = lacking(local_state(group), here)
    assert (point.diagnostic.code, point.item, point.blocking, point.skip) == (code, "chat", True, "")


@pytest.mark.parametrize(
    ("code", "group", "here"), ONLY_SAID, ids=lambda value: value if isinstance(value, str) else ""
)
def test_what_only_makes_it_serve_less_well_is_said_and_refuses_nothing(
    code: str, group: ModelServer, here: Host
) -> None:
    (point,) = lacking(local_state(group), here)
    assert (point.diagnostic.code, point.blocking) == (code, False)


@pytest.mark.parametrize(("what", "group", "here"), SERVED, ids=[what for what, _, _ in SERVED])
def test_what_is_served_is_not_spoken_of(what: str, group: ModelServer, here: Host) -> None:
    assert codes(local_state(group), here) == [], what


@pytest.mark.parametrize(("code", "group", "here"), BLOCKING, ids=lambda value: value if isinstance(value, str) else "")
def test_a_stand_in_settles_whatever_a_group_lacks(code: str, group: ModelServer, here: Host) -> None:
    capable = replace(here, engines={**here.engines, "xllamacpp": "1"})
    assert all(point.stand_in for point in lacking(local_state(group), capable)), code
    assert codes(local_state(stand_in(group, "tiny")), capable) == []


def test_without_an_engine_for_it_no_stand_in_is_offered() -> None:
    (point,) = lacking(local_state(server()), host(engines={}))
    assert not point.stand_in
    assert "--stand-in" not in point.diagnostic.help
    assert "pip install 'bandari[local]'" in point.diagnostic.help


def test_every_point_is_found_in_one_go() -> None:
    group = replace(GPU_VLLM, env=(*SETTINGS.env, *TOKEN.env), volume_mounts=MOUNT)
    assert codes(local_state(group, *EVERY_SECTION)) == [
        *["BND501"] * 5,
        *["BND502", "BND503", "BND505", "BND506", "BND507"],
    ]


@pytest.mark.parametrize("section", EVERY_SECTION, ids=lambda item: type(item).__name__)
def test_a_section_of_a_later_version_is_settled_by_leaving_it_out(section: Item) -> None:
    (point,) = lacking(local_state(server(), section))
    assert point.skip == point.item
    assert point.skip in SECTIONS
    assert point.blocking
    assert not point.stand_in
    assert f"--skip {point.skip}" in point.diagnostic.help


def test_every_workload_belongs_to_a_section_of_the_file() -> None:
    workloads = local_state(*EVERY_SECTION).workloads
    assert {section_of(workload) for workload in workloads} == SECTIONS - {"rayClusters"}
    assert section_of(server()) == "modelGroups"
    assert section_of(server(mixed=True)) == "mixedModelGroups"


def test_values_in_the_file_stand_for_a_config_map() -> None:
    assert codes(local_state(SETTINGS, values={"settings": {"mode": "fast"}})) == []
    assert codes(local_state(SETTINGS, values={"settings": {"other": "fast"}})) == ["BND505"]
    (point,) = lacking(local_state(SETTINGS))
    assert "local: {values: {settings: {mode: ...}}}" in point.diagnostic.help


def test_the_secrets_file_stands_for_secrets() -> None:
    assert codes(local_state(TOKEN), secrets={("hub", "token")}) == []
    (without_file,) = lacking(local_state(TOKEN))
    assert "local: {secretsFile: secrets.yaml}" in without_file.diagnostic.help
    (with_file,) = lacking(local_state(TOKEN, secrets_file="/etc/secrets.yaml"))
    assert "add hub: {token: ...} to '/etc/secrets.yaml'" in with_file.diagnostic.help


@pytest.mark.parametrize("source", list(ValueSource))
def test_an_optional_variable_is_left_out_without_a_word(source: ValueSource) -> None:
    group = server(env=(from_source("VARIABLE", source, "nothing", "here", optional=True),))
    assert codes(local_state(group)) == []


def test_a_group_that_can_do_without_a_gpu_runs_on_the_cpu_when_the_file_says_so() -> None:
    assert codes(local_state(GPU_LLAMA, gpu=False)) == []
    (point,) = lacking(local_state(GPU_LLAMA))
    assert "local: {gpu: false}" in point.diagnostic.help


def test_vllm_needs_a_gpu_whatever_the_file_says() -> None:
    assert codes(local_state(GPU_VLLM, gpu=False), WITH_GPU) == ["BND502"]


def test_a_system_that_is_not_linux_serves_nothing() -> None:
    first, *_ = lacking(local_state(server()), host(system="Darwin"))
    assert first.diagnostic.code == "BND514"
    assert (first.blocking, first.stand_in, first.skip) == (True, False, "")


def test_groups_that_are_refused_anyway_do_not_count_against_the_machine() -> None:
    large = server("large", requests=requests("64", "640Gi"))
    assert codes(local_state(server(), large)) == ["BND512"]


def test_a_host_of_unknown_memory_is_not_judged_by_it() -> None:
    assert codes(local_state(server(requests=requests(memory="64Gi"))), host(memory=Memory(0))) == []


def test_every_code_is_explained_and_met_above() -> None:
    met = {code for code, _, _ in (*BLOCKING, *ONLY_SAID)} | {"BND501", "BND514"}
    assert met == {item.code for item in local.CODES}


@pytest.mark.parametrize(
    ("code", "group", "here"), [*BLOCKING, *ONLY_SAID], ids=lambda value: value if isinstance(value, str) else ""
)
def test_every_point_is_a_warning_that_says_why_and_what_settles_it(code: str, group: ModelServer, here: Host) -> None:
    for point in lacking(local_state(group), here):
        finding = point.diagnostic
        assert finding.severity is Severity.WARNING, code
        assert re.match(r"cannot \w+ ", finding.message), code
        assert all(text and "\n" not in text for text in (finding.message, finding.why, finding.help)), code
