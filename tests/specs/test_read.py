"""A cluster file becomes a desired state: defaults, meanings, places, and all findings at once."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from bandari.desired.pools import Capacity, CapacityType
from bandari.desired.scaling import (
    ExternalTrigger,
    PrometheusTarget,
    ResourceKind,
    ResourceTarget,
    ScalingPolicy,
    TargetType,
)
from bandari.desired.state import DesiredState, ProviderName, Tls
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
from bandari.specs.read import read
from bandari.units import Bounds, Cpu, Memory

EXAMPLES = Path(__file__).parent.parent.parent / "examples"
AWS = """\
version: "1.3"
aws:
  cluster: {name: demo, region: us-west-2, nodeType: t3a.medium, minNodes: 1, maxNodes: 4}
"""
LOCAL = 'version: "1.3"\nlocal:\n  cluster: {name: demo}\n'


def state(text: str, target: ProviderName | None = None) -> DesiredState:
    found, diagnostics = read(text, "cluster.yaml", target=target)
    assert list(diagnostics.errors) == []
    assert found is not None
    return found


def group(body: str, head: str = LOCAL) -> str:
    lines = "".join(f"      {line}\n" for line in body.strip().splitlines())
    return f"{head}  modelGroups:\n    - name: chat\n      minInstances: 1\n      maxInstances: 3\n{lines}"


def server(body: str) -> ModelServer:
    [found] = state(group(body)).servers()
    return found


def full() -> str:
    return (EXAMPLES / "full-cluster.yaml").read_text()


def test_a_group_that_says_little_gets_the_defaults() -> None:
    assert server("runtime: {image: some/image:1.0}\nmodel: {hfRepoId: a/b}") == ModelServer(
        name="chat",
        pool="",
        image="some/image:1.0",
        scaling=ScalingPolicy(Bounds(1, 3)),
        model=ModelSource(hf_repo_id="a/b", files=("*",), use_model_store=True),
    )


def test_two_files_that_mean_the_same_are_equal() -> None:
    short = group("runtime: {image: a/b:1}")
    long = """\
description: ""
local:
  publicAddress: 0.0.0.0
  values: {}
  job: {enabled: false}
  prometheus: {enabled: no, grafana: "true"}
  modelGroups:
    - &group
      runtime:
        image: "a/b:1"
        command:
        env: []
      isPublic: false
      autoScaleTriggers:
      diskSize: "20"
      maxInstances: "3"
      minInstances: 1.0
      name: chat
  mixedModelGroups: []
  cluster:
    namespace: default
    logRetentionDays: 14
    name: "demo"
version: 1.0
"""
    assert state(short) == state(long)


def test_the_full_file_becomes_every_part() -> None:
    found = state(full())
    assert [type(workload) for workload in found.workloads] == [
        *(ModelServer, ModelServer, Function, JobQueue, VectorStore, Monitoring),
    ]
    assert [(pool.name, pool.section, str(pool.nodes)) for pool in found.pools] == [
        ("system", "cluster", "2..4"),
        ("llama2-7b-chat", "modelGroups", "1..3"),
        ("llama2-7b-chat-awq", "mixedModelGroups", "2..3"),
        ("function-0", "function", "1..3"),
        ("job-0", "job", "1..3"),
        ("vector-store", "vectorStore", "2"),
    ]
    assert found.servers()[0].scaling.resources == (ResourceTarget(ResourceKind.CPU, TargetType.UTILIZATION, 50.0),)
    assert found.servers()[1].scaling.queries[0].threshold == 20000.0


def test_the_placeholder_of_the_full_file_is_accepted_as_it_stands_in_the_documentation() -> None:
    written = 'command: ["/app/llama-server", "--ctx-size", "4096"]'
    assert written in full()
    assert state(full().replace(written, "command: [...]")).servers()[0].command == ("...",)


@pytest.mark.parametrize(
    ("base", "on_demand", "spot", "nodes"),
    [(1, 2, (1, 2), (2, 3)), (0, 5, (1, 2), (1, 5)), (2, 2, (1, 1), (3, 3)), (1, 9, (3, 4), (4, 9))],
)
def test_a_mixed_group_runs_on_spot_above_its_base(
    base: int, on_demand: int, spot: tuple[int, int], nodes: tuple[int, int]
) -> None:
    text = f"""{AWS}  mixedModelGroups:
    - name: big
      nodeType: g4dn.xlarge
      gpu: {{enabled: true}}
      baseInstances: {base}
      maxOnDemandInstances: {on_demand}
      spot: {{minInstances: {spot[0]}, maxInstances: {spot[1]}}}
      runtime: {{image: vllm/vllm-openai:v0.4.2}}
"""
    pool = state(text).pool("big")
    assert pool
    assert pool.nodes == Bounds(*nodes) == state(text).servers()[0].scaling.bounds
    assert (pool.disk_gb, pool.gpu) == (40, True)
    assert pool.capacity == (
        Capacity(CapacityType.SPOT, Bounds(*spot)),
        Capacity(CapacityType.ON_DEMAND, Bounds(base, on_demand)),
    )


def test_kubernetes_own_objects_are_kept_whole() -> None:
    found = server("""
runtime:
  image: a/b:1
  env:
    - {name: PLAIN, value: 0123}
    - {name: EMPTY}
    - {name: NOTHING, value: }
    - {name: MAP, valueFrom: {configMapKeyRef: {name: m, key: k, optional: true}}}
    - {name: SECRET, valueFrom: {secretKeyRef: {name: s, key: k}}}
    - {name: FIELD, valueFrom: {fieldRef: {fieldPath: status.podIP}}}
    - {name: CPU, valueFrom: {resourceFieldRef: {resource: requests.cpu, divisor: 1m}}}
  readinessProbe:
    httpGet: {path: /r, port: "8080", scheme: HTTPS, host: h, httpHeaders: [{name: X-A, value: 1}]}
    initialDelaySeconds: 1
    periodSeconds: 2
    timeoutSeconds: 3
    successThreshold: 4
    failureThreshold: 5
  livenessProbe: {exec: {command: [test, -f, 1]}, terminationGracePeriodSeconds: 6}
  volumes:
    - {name: a, hostPath: {path: /srv}}
    - {name: b, emptyDir: {}}
  volumeMounts:
    - {name: a, mountPath: /a, subPath: x/y, readOnly: true}
    - {name: b, mountPath: /b, subPathExpr: $(A)}
""")
    assert found.env == (
        EnvVar("PLAIN", "0123"),
        EnvVar("EMPTY", ""),
        EnvVar("NOTHING", ""),
        EnvVar("MAP", None, ValueSource.CONFIG_MAP, "m", "k", optional=True),
        EnvVar("SECRET", None, ValueSource.SECRET, "s", "k"),
        EnvVar("FIELD", None, ValueSource.FIELD, key="status.podIP"),
        EnvVar("CPU", None, ValueSource.RESOURCE_FIELD, "", "requests.cpu", divisor="1m"),
    )
    http = HttpGet("/r", 8080, "HTTPS", "h", (("X-A", "1"),))
    assert found.readiness_probe == Probe(http, None, None, None, 1, 2, 3, 4, 5)
    assert found.liveness_probe == Probe(exec=Exec(("test", "-f", "1")), termination_grace_period=6)
    assert found.volumes == (Volume("a", "hostPath", {"path": "/srv"}), Volume("b", "emptyDir", {}))
    assert found.volume_mounts == (
        VolumeMount("a", "/a", "x/y", read_only=True),
        VolumeMount("b", "/b", sub_path_expr="$(A)"),
    )


def test_the_other_handlers_of_probes_are_kept() -> None:
    found = server("""
runtime:
  image: a/b:1
  readinessProbe: {tcpSocket: {port: http}}
  livenessProbe: {grpc: {port: 9000, service: health}}
""")
    assert found.readiness_probe == Probe(tcp_socket=TcpSocket("http"))
    assert found.liveness_probe == Probe(grpc=Grpc(9000, "health"))


def test_triggers_become_targets_and_others_pass_through() -> None:
    found = server("""
runtime: {image: a/b:1}
autoScaleTriggers:
  - {type: cpu, metricType: AverageValue, metadata: {value: 500m}}
  - {type: memory, metricType: AverageValue, metadata: {value: 1Gi, containerName: main}}
  - type: prometheus
    metadata: {serverAddress: "http://p:9090", query: up, threshold: 0.5, activationThreshold: 2, unsafeSsl: true,
      ignoreNullValues: "0", namespace: n, customHeaders: "a=b", queryParameters: "c=d,e=f",
      cortexOrgID: t, timeout: 5s}
  - {type: kafka, metricType: AverageValue, metadata: {topic: t, lagThreshold: 5}}
""")
    assert found.scaling.resources == (
        ResourceTarget(ResourceKind.CPU, TargetType.AVERAGE_VALUE, 0.5),
        ResourceTarget(ResourceKind.MEMORY, TargetType.AVERAGE_VALUE, 2.0**30, "main"),
    )
    assert found.scaling.queries == (
        PrometheusTarget(
            "http://p:9090",
            "up",
            0.5,
            activation=2.0,
            ignore_null_values=False,
            namespace="n",
            headers={"X-Scope-OrgID": "t", "a": "b"},
            query_parameters={"c": "d", "e": "f"},
            unsafe_ssl=True,
            more={"timeout": "5s"},
        ),
    )
    assert found.scaling.external == (ExternalTrigger("kafka", {"topic": "t", "lagThreshold": "5"}, "AverageValue"),)


def test_quantities_are_taken_as_they_are_meant() -> None:
    requests = server("runtime: {image: a/b:1}\nresourceRequest: {cpu: 0.5, memory: 2147483648, gpu: '1'}").requests
    assert (requests.cpu, requests.memory, requests.gpu) == (Cpu(500), Memory(2**31), 1)


@pytest.mark.parametrize(
    ("source", "model"),
    [
        ("builtin:tiny", ModelSource(builtin="tiny")),
        ("./model.gguf", ModelSource(path="./model.gguf")),
    ],
)
def test_a_model_may_come_from_a_path_or_be_built_in(source: str, model: ModelSource) -> None:
    assert server(f"runtime: {{image: a/b:1}}\nmodel: {{source: '{source}'}}").model == model


def test_options_of_this_machine_may_stand_beside_another_target() -> None:
    text = f"""{AWS}local:
  values: {{settings: {{mode: on, size: 1.10, deep: true}}}}
  secretsFile: secrets.yaml
  port: "8001"
  publicPort: 8443
  publicAddress: 127.0.0.1
  tls: {{certificate: c.pem, key: k.pem}}
  gpu: false
kubernetes:
  context: test
"""
    target = state(text, ProviderName.LOCAL).target
    assert (target.provider, target.region, target.local.gpu) == (ProviderName.LOCAL, "us-west-2", False)
    assert target.local.values == {"settings": {"mode": "on", "size": "1.10", "deep": "true"}}
    assert (target.local.secrets_file, target.local.port, target.local.public_port) == ("secrets.yaml", 8001, 8443)
    assert (target.local.public_address, target.local.tls) == ("127.0.0.1", Tls("c.pem", "k.pem"))
    assert state(text).target.provider is ProviderName.AWS


def test_a_group_may_say_what_it_does_on_this_machine() -> None:
    found = server("runtime: {image: a/b:1}\nlocal: {command: [serve, 1], engine: vllm, enforceLimits: true}")
    assert found.local == LocalOptions(("serve", "1"), "vllm", enforce_limits=True)


def test_what_only_a_cloud_needs_may_be_absent_when_the_file_runs_here() -> None:
    text = 'version: "1.3"\naws:\n  cluster: {name: demo}\n'
    assert [finding.code for finding in read(text, "f")[1]] == ["BND202"] * 4
    assert state(text, ProviderName.LOCAL).pools == ()


def test_a_pool_never_has_the_name_of_another() -> None:
    body = "nodeType: c5.xlarge\nruntime: {image: a/b:1}"
    found = state(group(body, AWS).replace("name: chat", "name: system"))
    assert [pool.name for pool in found.pools] == ["system", "system-nodes"]
    assert found.servers()[0].pool == "system-nodes"


def test_sections_that_are_off_bring_nothing() -> None:
    text = f"{AWS}  job: {{enabled: false}}\n  prometheus: {{grafana: true}}\n  tracing: {{autoScalingEnabled: true}}\n"
    assert state(text).workloads == ()


def test_observers_keep_their_switches_and_settings() -> None:
    text = f"""{AWS}  prometheus: {{enabled: true, grafana: true, coreDns: true}}
  tracing: {{enabled: true, zipkinHelmSettings: {{zipkin: {{storage: {{type: mem}}}}}}}}
"""
    monitoring, tracing = state(text).workloads
    assert isinstance(monitoring, Monitoring)
    assert isinstance(tracing, Tracing)
    assert monitoring.switches == {"grafana", "coreDns"}
    assert tracing.zipkin_helm_settings == {"zipkin": {"storage": {"type": "mem"}}}


def test_words_for_people_may_stand_anywhere() -> None:
    body = "description: a group\nruntime: {image: a/b:1, description: r}\nmodel: {hfRepoId: a/b, description: m}"
    found = state("description: a file\n" + group(body))
    assert (found.description, found.servers()[0].description) == ("a file", "a group")


def test_every_item_keeps_the_places_of_its_fields() -> None:
    found = state(full()).servers()[0]
    lines = full().splitlines()
    assert lines[found.origin.span.line - 1].strip().startswith("- name: llama2-7b-chat")
    assert "valueFrom" in lines[found.origin.at("runtime", "env", 1, "valueFrom").line - 1]
    assert "g4dn.xlarge" in lines[found.origin.at("nodeType").line - 1]


def test_all_findings_come_in_one_run_each_in_its_place() -> None:
    text = """\
version: "1.3"
aws:
  cluster:
    name: demo
    region: us-west-2
    nodetype: t3a.medium
    minNodes: 9
    maxNodes: 4
  modelGroups:
    - name: chat
      nodeType: g4dn.xlarge
      minInstances: -1
      maxInstances: 3
      runtime:
        image: a/b:1
        readinessProbe:
          httpGt: {port: 8000}
    - name: Chat
      nodeType: g4dn.xlarge
      minInstances: 2
      maxInstances: 1
      runtime: {}
"""
    state_, found = read(text, "cluster.yaml")
    assert state_ is None
    assert [(finding.span.line, finding.span.column, finding.code) for finding in found] == [
        (3, 3, "BND202"),
        (6, 5, "BND201"),
        (7, 15, "BND308"),
        (12, 21, "BND205"),
        (17, 11, "BND201"),
        (18, 13, "BND208"),
        (18, 13, "BND309"),
        (20, 21, "BND308"),
        (22, 7, "BND202"),
    ]
    assert next(finding for finding in found if finding.code == "BND201").help == "did you mean `nodeType`?"


def test_a_contradiction_shows_both_lines() -> None:
    [finding] = read(AWS.replace("minNodes: 1", "minNodes: 9"), "cluster.yaml")[1]
    assert (finding.span.line, [related.span.line for related in finding.related]) == (3, [3])
    assert finding.message == "cannot have minNodes 9 above maxNodes 4"


def test_reading_the_full_file_is_quick() -> None:
    text = full()
    read(text, "cluster.yaml")
    before = time.process_time()
    read(text, "cluster.yaml")
    assert time.process_time() - before < 0.1


def fixes(text: str) -> list[tuple[str, str]]:
    return [(finding.code, finding.help) for finding in read(text, "cluster.yaml")[1]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('version: "1.3"\nlocl: {cluster: {name: a}}\n', ("BND201", "did you mean `local`?")),
        (group("runtime: {image: a/b:1}\nhfRepoId: a/b"), ("BND201", "move it into `model`")),
        (group("runtime: {image: a/b:1}").replace("chat", "My Chat"), ("BND208", "write my-chat")),
        (group("runtime: {image: a/b:1}").replace("maxInstances: 3", "m: 1"), ("BND202", "add `maxInstances: 3`")),
        (group("runtime: {image: a/b:1}\nmodel: {hfRepoId: 'https://h.co/a/b'}"), ("BND209", "write a/b")),
        (
            group("runtime: {image: a/b:1, volumes: [{name: v, secret: {secretName: s, defaultMode: 0644}}]}"),
            ("BND205", "write 0o644"),
        ),
    ],
)
def test_a_finding_says_what_to_write(text: str, expected: tuple[str, str]) -> None:
    assert expected in fixes(text)


def test_names_that_begin_with_a_digit_are_two_names() -> None:
    text = group("runtime: {image: a/b:1}").replace("name: chat", "name: 7b-chat")
    assert fixes(text) == []


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ("runtime: {image: x, readinessProbe: {tcpSocket: {port: 1}, periodSeconds: 2147483648}}", "BND205", "at most"),
        ("runtime: {image: x, volumes: [{name: a, hostPath: {path: /x, type: Dir}}]}", "BND207", "hostPath.type"),
        ("runtime: {image: x, volumes: [{name: a, emptyDir: {sizeLimit: big}}]}", "BND206", "emptyDir.sizeLimit"),
        (
            "runtime: {image: x}\nautoScaleTriggers: [{type: cpu, metricType: Utilization, metadata: {value: true}}]",
            "BND324",
            "'true'",
        ),
        ('runtime: {image: x, volumeMounts: [{name: a, mountPath: "b\\nc"}]}', "BND212", "mountPath"),
        ("runtime: {image: x}\nmodel: {hfrepoid: a/b}", "BND201", "model.hfrepoid"),
        (
            "runtime: {image: x}\nautoScaleTriggers: [{type: cpu, metadata: {metricType: Utilization, value: 50}}]",
            "BND323",
            "metadata.metricType",
        ),
    ],
)
def test_what_kubernetes_or_keda_would_refuse_or_ignore_is_one_finding(body: str, code: str, message: str) -> None:
    [found] = read(group(body), "cluster.yaml")[1]
    assert found.code == code
    assert message in found.message
    assert "\n" not in found.help


def test_a_header_that_a_trigger_sends_is_never_repeated() -> None:
    trigger = (
        "{type: prometheus, metadata: {serverAddress: 'http://p', query: up, threshold: 1, customHeaders: 'X: 5ecret'}}"
    )
    [found] = read(group(f"runtime: {{image: x}}\nautoScaleTriggers: [{trigger}]"), "cluster.yaml")[1]
    assert found.code == "BND324"
    assert "5ecret" not in found.message


def test_a_provisioner_is_one_that_is_known() -> None:
    [found] = read(f"{AWS}kubernetes: {{provisioner: karpentr}}\n", "cluster.yaml")[1]
    assert (found.code, found.help) == ("BND207", "did you mean karpenter?")


def test_a_disk_in_kubernetes_own_words_is_taken_as_it_is() -> None:
    [disk] = server("runtime: {image: x, volumes: [{name: a, iscsi: {targetPortal: p, iqn: q, lun: 0}}]}").volumes
    assert disk == Volume("a", "iscsi", {"targetPortal": "p", "iqn": "q", "lun": 0})


@pytest.mark.parametrize("nine", ["9", '"9"', "9.0", '" 9 "', '"+9"', '"0_9"', '"9.0"', "0x9", "09"])
def test_a_minimum_is_compared_however_its_number_is_written(nine: str) -> None:
    text = group("runtime: {image: x}").replace("minInstances: 1", f"minInstances: {nine}")
    assert [found.code for found in read(text, "cluster.yaml")[1]] == ["BND308"]


@pytest.mark.parametrize("text", ['"\u0663"', '"9_"', '"1e1"', '"0x9"', '""', '"inf"', ".inf", "1.5"])
def test_what_is_no_whole_number_is_one_finding(text: str) -> None:
    [found] = read(group("runtime: {image: x}").replace("minInstances: 1", f"minInstances: {text}"), "cluster.yaml")[1]
    assert found.code == "BND203"


@pytest.mark.parametrize(
    "body",
    [
        "resourceRequest: {cpu: NUMBER, memory: 1Gi}",
        "resourceRequest: {cpu: 1, memory: NUMBER}",
        "autoScaleTriggers: [{type: cpu, metricType: Utilization, metadata: {value: NUMBER}}]",
        "autoScaleTriggers: [{type: NUMBER, metadata: {}}]",
        "local: {engine: NUMBER}",
        "diskSize: NUMBER",
    ],
)
def test_a_row_of_thousands_of_digits_is_answered_in_a_few_words(body: str) -> None:
    text = group(f"runtime: {{image: x}}\n{body.replace('NUMBER', repr('9' * 5000))}")
    [found] = read(text, "cluster.yaml")[1]
    assert len(found.message) + len(found.help) < 400
