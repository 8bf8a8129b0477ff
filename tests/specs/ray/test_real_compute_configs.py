"""The public compute configs of two projects, each with its right answer; and small files of the same classes.

The 40 real files are no part of the repository: where they lie beside it, the table holds for them.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from bandari import pipeline
from bandari.desired.state import DesiredState
from bandari.diagnostics import Diagnostics
from bandari.document import load
from bandari.pipeline.rendering import render
from bandari.specs.compile_ray import Compiled, compile_compute
from bandari.specs.read import read

REAL = Path(__file__).parents[4] / "shared" / "data" / "compute-configs"
COMPILES = "compiles"
KUBERAY, REJECTED, WORKLOAD = "is KubeRay's dialect", "is refused", "holds a compute config"
TABLE = {
    "current/archive__events__2024-ray-summit__ray-summit-end-to-end-llms__configs__aws.yaml": COMPILES,
    "current/archive__events__2024-ray-summit__ray-summit-rag__configs__aws.yaml": COMPILES,
    "current/archive__events__2024-ray-summit__ray-summit-stable-diffusion__configs__aws.yaml": COMPILES,
    "current/archive__reference__e2e-llm-workflows__configs__aws.yaml": COMPILES,
    "current/configs__basic-single-node__aws.yaml": COMPILES,
    "current/configs__basic-single-node__k8s@c47ed1af.yaml": COMPILES,
    "current/configs__distributing-pytorch__gce.yaml": COMPILES,
    "current/configs__getting-started__k8s@b422dcac.yaml": COMPILES,
    "current/configs__image-search-and-classification__gce.yaml": COMPILES,
    "current/configs__object-detection-video-processing__gce.yaml": COMPILES,
    "current/configs__pytorch-fsdp__k8s@1b5649d1.yaml": COMPILES,
    "current/configs__pytorch-fsdp__k8s@1e727019.yaml": COMPILES,
    "current/configs__ray_train_workloads__gce.yaml": COMPILES,
    "current/configs__text-embeddings__aws.yaml": COMPILES,
    "current/configs__text-embeddings__gce.yaml": COMPILES,
    "current/release__benchmarks__distributed__pg_topology__compute_rack_555@acbd46c6.yaml": COMPILES,
    "current/release__llm_tests__batch__llm_1x_1xb200@3ff8f00f.yaml": COMPILES,
    "current/release__nightly_tests__dataset__autoscaling__"
    "autoscaler_scales_up_when_compute_bound_cluster_compute@8018121e.yaml": COMPILES,
    "current/release__nightly_tests__dataset__heterogeneous_memory_compute_multitenancy@0718d5b0.yaml": COMPILES,
    "current/release__train_tests__mid_epoch_resume_benchmark__compute_configs__3B@10fee95b.yaml": COMPILES,
    "current/templates__compute-config-cluster-shapes__configs__autoscaling.yaml": REJECTED,
    "current/templates__compute-config-cluster-shapes__configs__heterogeneous.yaml": COMPILES,
    "current/templates__compute-config-cluster-shapes__configs__spot_instances.yaml": COMPILES,
    "current/templates__deployment-serve-llm__large-size-llm__service.yaml": WORKLOAD,
    "current/templates__image-search-and-classification__configs__train_model.yaml": WORKLOAD,
    "legacy/release__air_tests__air_benchmarks__compute_gpu_4x4_aws@394cd2d5.yaml": COMPILES,
    "legacy/release__air_tests__air_benchmarks__compute_gpu_4x4_gce@394cd2d5.yaml": COMPILES,
    "legacy/release__benchmarks__distributed__many_nodes_tests__compute_config@394cd2d5.yaml": COMPILES,
    "legacy/release__benchmarks__distributed_gce@394cd2d5.yaml": COMPILES,
    "legacy/release__cluster_tests__cpt_autoscaling_1-3_kuberay@394cd2d5.yaml": KUBERAY,
    "legacy/release__llm_tests__serve__llm_2x_4xl4_custom_resource@6472f064.yaml": COMPILES,
    "legacy/release__llm_tests__serve__llm_auto_select_worker@394cd2d5.yaml": COMPILES,
    "legacy/release__nightly_tests__chaos_test__compute_template@2135df0b.yaml": COMPILES,
    "legacy/release__nightly_tests__dataset__checkpoint_benchmark_compute_large@7707132b.yaml": COMPILES,
    "legacy/release__nightly_tests__dataset__cross_az_250_350_compute_aws@394cd2d5.yaml": COMPILES,
    "legacy/release__nightly_tests__dataset__fixed_size_gpu_compute_spot@e747bd64.yaml": COMPILES,
    "legacy/release__nightly_tests__dataset__kuberay_autoscaling_cpu_compute@15f7e895.yaml": KUBERAY,
    "legacy/release__nightly_tests__shuffle__100tb_shuffle_compute_gce@394cd2d5.yaml": COMPILES,
    "legacy/release__train_tests__jax__compute_gce_tpu_singlehost@418859fe.yaml": COMPILES,
    "legacy/release__train_tests__trainium__compute_aws@0e35cdd7.yaml": COMPILES,
}
ENVIRONMENT = "env:\n  ANYSCALE_CLOUD_NAME: demo\n  ANYSCALE_CLOUD_ID: cld_1\n"
needs_files = pytest.mark.skipif(not REAL.is_dir(), reason="the real files are not here")


def answer(text: str, file: str, folder: Path) -> tuple[DesiredState | None, Diagnostics]:
    """What becomes of a file, rendered with a stand-in where it is a template; alone, a template is one finding."""
    state, found = read(text, file)
    if [finding.code for finding in found] != ["BND729"]:
        return state, found
    variables = folder / "env.yaml"
    variables.write_text(ENVIRONMENT)
    rendered = render(text, file, variables)
    assert rendered.text is not None, list(rendered.diagnostics)
    return read(rendered.text, rendered.label)


@needs_files
@pytest.mark.parametrize("name", TABLE, ids=lambda name: name.rpartition("__")[2])
def test_a_real_file_gets_its_right_answer(name: str, tmp_path: Path) -> None:
    text = (REAL / name).read_text()
    if TABLE[name] == WORKLOAD:
        return holds_a_compute_config(text)
    state, found = answer(text, Path(name).name, tmp_path)
    codes = [finding.code for finding in found]
    if TABLE[name] == KUBERAY:
        assert codes == ["BND304"]
    elif TABLE[name] == REJECTED:
        assert [(finding.code, finding.span.line) for finding in found] == [("BND714", 7)]
    else:
        assert state is not None, list(found)
        assert set(codes) <= {"BND718", "BND721"}
    return None


def holds_a_compute_config(text: str) -> None:
    document, _ = load(text, "service.yaml")
    assert document is not None
    compiled, found = compile_compute(document, ("compute_config",), name="demo")
    assert compiled is not None
    assert {finding.code for finding in found} <= {"BND724"}


@needs_files
def test_no_real_file_is_without_an_answer() -> None:
    assert {path.relative_to(REAL).as_posix() for path in REAL.glob("*/*.yaml")} == set(TABLE)


def compiled(text: str, *path: str | int) -> tuple[Compiled, list[str]]:
    document, _ = load(text, "compute.yaml")
    assert document is not None
    made, found = compile_compute(document, path, name="demo")
    assert made is not None, list(found)
    return made, [finding.code for finding in found]


def test_a_template_makes_as_many_groups_as_its_loop_says(tmp_path: Path) -> None:
    text = (
        'cloud: {{env["ANYSCALE_CLOUD_NAME"]}}\nworker_nodes:\n'
        "{% for k in range(555) %}  - {name: 'rack-{{k}}', instance_type: m6i.large, min_nodes: 18, max_nodes: 18}\n"
        "{% endfor %}head_node: {instance_type: m5.16xlarge}\n"
    )
    assert [finding.code for finding in read(text, "rack.yaml")[1]] == ["BND729"]
    state, _ = answer(text, "rack.yaml", tmp_path)
    assert state is not None
    [cluster] = state.ray_clusters()
    assert (len(cluster.groups), cluster.groups[-1].name, cluster.cloud) == (555, "rack-554", "demo")
    assert state.target.cluster == "rack"


def test_a_list_of_one_mapping_is_read_as_the_mapping() -> None:
    made, codes = compiled(
        "name: deploy\ncompute_config:\n  auto_select_worker_config: true\n  advanced_instance_config:\n"
        "    BlockDeviceMappings:\n      - Ebs:\n        - {VolumeSize: 1000, VolumeType: gp3}\n"
        "        DeviceName: /dev/sda1\n",
        "compute_config",
    )
    settings = made.cluster.head.passthrough
    assert codes == ["BND724"]
    assert settings is not None
    assert settings.provider == "aws"
    assert settings.body["BlockDeviceMappings"] == [
        {"Ebs": {"VolumeSize": 1000, "VolumeType": "gp3"}, "DeviceName": "/dev/sda1"}
    ]


def test_settings_of_google_may_be_in_either_case() -> None:
    for properties, disk in (("instance_properties", "initialize_params"), ("instanceProperties", "initializeParams")):
        made, codes = compiled(
            f"advanced_instance_config:\n  {properties}:\n    disks:\n      - {disk}: [{{disk_size_gb: 375}}]\n"
        )
        settings = made.cluster.head.passthrough
        assert codes == ["BND724"]
        assert settings is not None
        assert settings.provider == "gcp"
        assert settings.body[properties]["disks"] == [{disk: {"disk_size_gb": 375}}]


def test_nothing_below_a_key_of_the_older_schema_is_what_the_machine_has() -> None:
    made, codes = compiled(
        "cloud: demo\ncloud_id:\nallowed_azs:\naws:\nhead_node_type:\n  instance_type: m5.large\n"
        "  resources: {cpu: , gpu: , memory: }\nworker_node_types:\n  - name: w\n    instance_type: m5.large\n"
        "    min_workers:\n    max_workers:\n    use_spot:\n    resources:\n"
    )
    assert codes == []
    assert made.cluster.head.resources is None
    assert made.cluster.groups[0].nodes.max == 10


def test_names_of_groups_are_kept_as_they_are_written() -> None:
    names = ["1xL4:16CPU-64GB", "gpu_worker", "16CPU-64GB"]
    made, _ = compiled("worker_nodes:\n" + "".join(f"  - {{name: '{n}', instance_type: g6.4xlarge}}\n" for n in names))
    assert [group.name for group in made.cluster.groups] == names
    assert [pool.name for pool in made.pools] == ["demo-head", *(f"demo-{name}" for name in names)]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("cluster_name: a\nprovider: {type: aws}\nhead_node_type: head\n", "Ray's cluster launcher"),
        ("head_node_type: head\nprovider: {type: aws}\n", "Ray's cluster launcher"),
        ("head_node_type: {resources: {limits: {cpu: 4}}}\n", "dialect of KubeRay"),
        ("autoscaler_version: v2\nhead_node_type: {}\n", "dialect of KubeRay"),
        ("apiVersion: ray.io/v1\nkind: RayService\n", "a KubeRay RayService"),
        ("apiVersion: v1\nkind: Pod\n", "a Kubernetes Pod"),
    ],
)
def test_a_file_of_another_language_is_named_for_what_it_is(text: str, what: str) -> None:
    state, found = read(text, "compute.yaml")
    assert state is None
    assert [finding.code for finding in found] == ["BND304"]
    assert what in next(iter(found)).message


def test_a_resource_key_with_a_colon_is_a_resource() -> None:
    made, codes = compiled("max_resources: {'accelerator_type:T4': 4, GPU: 8}\n")
    assert codes == []
    assert made.cluster.max_resources == {"accelerator_type:T4": 4.0, "GPU": 8.0}


def test_braces_in_a_cluster_file_make_no_template(tmp_path: Path) -> None:
    file = tmp_path / "cluster.yaml"
    file.write_text('version: "1.3"\nlocal:\n  cluster:\n    name: demo\n    description: "{{ value }}"\n')
    assert list(pipeline.check(file).diagnostics) == []
