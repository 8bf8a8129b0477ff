from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from bandari.serving.ray.autoscaling import config, targets
from bandari.serving.ray.bodies import RayClusterBody, RayGroupBody, RayNodeBody
from bandari.serving.ray.commands import HeadPorts, RedisStore, head_command, head_environ, node_environ, worker_command
from bandari.serving.ray.limits import counted, total

PORTS = HeadPorts(gcs=6379, client=1, autoscaler_metrics=2, dashboard_metrics=3)
NODE = RayNodeBody({"CPU": 2, "GPU": 1, "widget": 0.5}, {"team": "red"}, memory=10**9, object_store_memory=10**8)


def environ(**more: str) -> dict[str, str]:
    return node_environ(
        {"PATH": "/usr/bin", "RAY_ADDRESS": "elsewhere", **more},
        bin_folder="/env/bin", name="demo.work-1", group="work", resources={"CPU": 8, "GPU": 2}, cores=2,
    )  # fmt: skip


def test_a_worker_is_told_its_resources_and_labels_as_they_are_declared() -> None:
    words = worker_command("ray", NODE, address="127.9.9.2", temp="/tmp/t", gcs="127.9.9.1:6379", labels={"z": "a"})
    assert {"--num-cpus=2", "--num-gpus=1", "--memory=1000000000", "--object-store-memory=100000000"} <= set(words)
    assert '--resources={"widget": 0.5}' in words
    assert "--labels=team=red,z=a" in words
    assert "--node-ip-address=127.9.9.2" in words
    assert "--address=127.9.9.1:6379" in words


def test_an_object_store_is_never_smaller_than_ray_takes() -> None:
    words = worker_command("ray", RayNodeBody(object_store_memory=1), address="a", temp="t", gcs="g")
    assert "--object-store-memory=80000000" in words


def test_a_head_has_a_dashboard_and_an_autoscaler_only_when_it_is_told() -> None:
    plain = head_command("ray", NODE, address="127.9.9.1", temp="/tmp/t", ports=PORTS)
    assert "--dashboard-host=127.9.9.1" in plain
    assert not [word for word in plain if word.startswith("--autoscaling-config")]
    sized = head_command("ray", NODE, address="127.9.9.1", temp="/tmp/t", ports=PORTS, autoscaling_config="/c.json")
    assert "--autoscaling-config=/c.json" in sized


def test_programs_of_the_environment_come_first_and_nothing_leads_to_another_cluster() -> None:
    values = environ()
    assert values["PATH"] == "/env/bin:/usr/bin"
    assert "RAY_ADDRESS" not in values
    assert (values["RAY_CLOUD_INSTANCE_ID"], values["RAY_NODE_TYPE_NAME"]) == ("demo.work-1", "work")
    assert "OMP_NUM_THREADS" not in values, "Ray sets it for each of its workers"
    assert values["RAY_prestart_worker_first_driver"] == "0", "8 logical CPUs on 2 cores"


def test_gpus_that_a_variable_hides_do_not_keep_ray_from_logical_ones() -> None:
    assert "CUDA_VISIBLE_DEVICES" not in environ(CUDA_VISIBLE_DEVICES="")
    assert environ(CUDA_VISIBLE_DEVICES="0,1")["CUDA_VISIBLE_DEVICES"] == "0,1"


def test_the_state_of_a_head_is_in_its_own_namespace() -> None:
    values = head_environ({}, PORTS, redis=RedisStore("127.0.0.1:1", "ns"), provider_folder="/p", autoscaled=True)
    assert (values["RAY_REDIS_ADDRESS"], values["RAY_external_storage_namespace"]) == ("127.0.0.1:1", "ns")
    assert values["PYTHONPATH"] == "/p"


GROUPS = st.lists(
    st.builds(
        lambda name, cpu, gpu, low, more: RayGroupBody(
            "demo", name, RayNodeBody({"CPU": cpu, "GPU": gpu}), min=low, max=low + more
        ),
        st.sampled_from(["a", "b", "c"]), st.integers(0, 4), st.integers(0, 2), st.integers(0, 3), st.integers(0, 3),
    ),
    max_size=3,
    unique_by=lambda group: group.group,
)  # fmt: skip
AMOUNTS = st.dictionaries(st.sampled_from(["CPU", "GPU"]), st.integers(0, 20).map(float), max_size=2)


@given(GROUPS, AMOUNTS, AMOUNTS)
def test_the_least_of_each_group_keeps_its_bounds_and_what_the_floor_adds_keeps_the_cap(
    groups: list[RayGroupBody], minimum: dict[str, float], maximum: dict[str, float]
) -> None:
    body = RayClusterBody("demo", RayNodeBody({"CPU": 1}), min_resources=minimum, max_resources=maximum)
    least = targets(body, groups)
    assert all(group.min <= least[group.group] <= group.max for group in groups)
    if any(least[group.group] > group.min for group in groups):
        nodes = [counted(body.head), *(counted(g.node) for g in groups for _ in range(least[g.group]))]
        own = [counted(body.head), *(counted(g.node) for g in groups for _ in range(g.min))]
        caps = {name: max(cap, total(own).get(name, 0.0)) for name, cap in maximum.items()}
        assert all(total(nodes).get(name, 0.0) <= cap for name, cap in caps.items())
        assert all(total(nodes).get(name, 0.0) >= amount for name, amount in minimum.items())


@given(GROUPS)
def test_the_config_of_the_autoscaler_names_every_group_with_its_bounds(groups: list[RayGroupBody]) -> None:
    told = config(RayClusterBody("demo", RayNodeBody(), idle_timeout=30), groups, socket="/s/supervisor.sock")
    types = json.loads(json.dumps(told))["available_node_types"]
    assert types.keys() == {"head", *(group.group for group in groups)}
    assert all((types[g.group]["min_workers"], types[g.group]["max_workers"]) == (g.min, g.max) for g in groups)
    assert told["max_workers"] == sum(group.max for group in groups)
    assert told["idle_timeout_minutes"] == 0.5
