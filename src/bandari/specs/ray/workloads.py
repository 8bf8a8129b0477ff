"""Job, service, schedule and workspace files as typed models, and which of them a mapping is. Shapes alone.

Facts: the format's reference, section 3. What a key does on each target stands beside it.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import ConfigDict

from bandari.specs.fields import FilledItems, Maybe, entry
from bandari.specs.ray.fields import AtLeastOne, Filled, Flag, RaySpec, Whole, Words
from bandari.specs.ray.workload_fields import (
    ComputeConfig,
    ImportPath,
    Lines,
    Pip,
    Priority,
    RayVersion,
    Route,
    Seconds,
    Share,
    Texts,
    Variables,
)

_HOSTED = "no effect: warned about"
_SERVE = "given to Ray Serve"


class PlacedSpec(RaySpec):
    """What every workload file has in common: its name, its image, its nodes."""

    name: Maybe[Filled] = entry("Name; absent: the file's.", None, local="name of the cluster", example="train")
    image_uri: Maybe[Filled] = entry(
        "Container image.", None, local="its Ray and Python, as an environment", rules="this or `containerfile`"
    )
    containerfile: Maybe[Filled] = entry("Containerfile to build.", None, local="as an environment")
    compute_config: ComputeConfig = entry("Inline, or `name[:version]` of the store.", None, local="started")
    requirements: Lines = entry("Requirements of pip, or a path to a file of them.", (), local="installed")
    env_vars: Variables = entry("Environment variables.", dict, local="set")
    cloud: Maybe[str] = entry("Name of a cloud.", None, local="kept")
    project: Maybe[str] = entry("Project of a hosted service.", None, local=_HOSTED)
    registry_login_secret: Maybe[Filled] = entry("Secret of the image's registry.", None, local="not used")
    ray_version: Maybe[RayVersion] = entry("Version of Ray, where no image is named.", None, local="selects Ray")
    priority: Maybe[Priority] = entry("Priority in a hosted scheduler, 0 to 1000.", None, local=_HOSTED)
    tags: Maybe[Words] = entry("Tags.", None, local="kept")


class CodeSpec(PlacedSpec):
    """What jobs and services have in common: the code that runs."""

    working_dir: Maybe[Filled] = entry("Folder of the code.", None, local="where the code runs")
    excludes: Texts = entry("Patterns of files that stay out of it.", (), local="left out")
    py_modules: Texts = entry("Folders that are put on the Python path.", (), local="on the path")
    py_executable: Maybe[Filled] = entry("Command that runs Python.", None, local="used")
    connections: Maybe[Any] = entry("Connections of a hosted service.", None, local=_HOSTED)


class JobQueueSpec(RaySpec):
    """A queue of a hosted service that is made with its first job."""

    name: Maybe[Filled] = entry("Name of the queue.", None, local="kept")
    idle_timeout_s: Whole = entry("Idle seconds until its cluster goes; 0: never.", local="kept", example=600)
    execution_mode: Literal["FIFO", "LIFO", "PRIORITY"] = entry("Order of its jobs.", "FIFO", local="kept")
    compute_config: Maybe[Filled] = entry("Name of a compute config.", None, local="kept", rules="a name only")
    max_concurrency: AtLeastOne = entry("Jobs at a time.", 1, local="kept")
    auto_termination_threshold_job_count: Maybe[AtLeastOne] = entry("Jobs until it is replaced.", None, local="kept")


class JobQueueConfigSpec(RaySpec):
    """The queue that a job waits in."""

    priority: Maybe[Whole] = entry("Priority in the queue, 0 is highest.", None, local="kept")
    target_job_queue_name: Maybe[Filled] = entry(
        "A queue that exists.", None, local="kept", rules="this or `job_queue_spec`"
    )
    job_queue_spec: Maybe[JobQueueSpec] = entry("A queue to make.", None, local="kept")


class JobSpec(CodeSpec):
    """A command that runs to its end."""

    entrypoint: Filled = entry("The command.", local="run", example="python main.py")
    max_retries: Whole = entry("Further attempts after a failure.", 1, local="kept")
    timeout_s: Seconds = entry("Seconds that one attempt may take; absent: no limit.", None, local="kept")
    job_queue_config: Maybe[JobQueueConfigSpec] = entry("Queue of a hosted service.", None, local="kept")


class RuntimeEnvSpec(RaySpec):
    """Ray's runtime_env of an application; further keys go to Ray as they are."""

    model_config = ConfigDict(extra="allow")

    working_dir: Maybe[Filled] = entry("Folder of the code, instead of the service's.", None, local="used")
    excludes: Texts = entry("Patterns of files that stay out of it.", (), local="left out")
    py_modules: Texts = entry("Folders on the Python path, beside the service's.", (), local="on the path")
    py_executable: Maybe[Filled] = entry("Command that runs Python.", None, local="used")
    env_vars: Variables = entry("Environment variables, over the service's.", dict, local="set")
    pip: Maybe[Pip] = entry("Requirements, beside the service's.", None, local="installed")


class DeploymentSpec(RaySpec):
    """Options of one deployment; keys are Ray Serve's."""

    model_config = ConfigDict(extra="allow")

    name: Filled = entry("Name of the deployment.", local=_SERVE, example="Ranker")


class ApplicationSpec(RaySpec):
    """One application of Ray Serve."""

    name: Filled = entry("Name.", "default", local=_SERVE, rules="once in the service")
    route_prefix: Route = entry("Path of its requests.", "/", local="behind the gateway", rules="once in the service")
    import_path: ImportPath = entry("Module and application.", local=_SERVE, example="app.main:graph")
    runtime_env: Maybe[RuntimeEnvSpec] = entry("Its own environment.", None, local="merged with the service's")
    args: Maybe[dict[str, Any]] = entry("Arguments of its builder.", None, local=_SERVE)
    deployments: Maybe[tuple[DeploymentSpec, ...]] = entry("Options of its deployments.", None, local=_SERVE)
    logging_config: Maybe[dict[str, Any]] = entry("Its logging.", None, local=_SERVE)
    autoscaling_policy: Maybe[dict[str, Any]] = entry("Policy of its scaling.", None, local=_SERVE)
    external_scaler_enabled: Maybe[Flag] = entry("Whether something else scales it.", None, local=_SERVE)


class ExternalStorageSpec(RaySpec):
    """Redis for the head's state."""

    enabled: Flag = entry("Whether it is used.", True, local="always, by a Redis of this machine")
    address: Maybe[Filled] = entry("Address of the Redis.", None, local="not used")
    certificate_path: Maybe[Filled] = entry("Certificate of it.", None, local="not used")


class ServeTracingSpec(RaySpec):
    """Tracing of requests."""

    enabled: Flag = entry("Whether requests are traced.", True, local="kept")
    exporter_import_path: Maybe[Filled] = entry("Exporter of the spans.", None, local="kept")
    sampling_ratio: Share = entry("Share of the requests.", None, local="kept")


class ServiceSpec(CodeSpec):
    """Applications of Ray Serve behind one address."""

    applications: FilledItems[ApplicationSpec] = entry("The applications.", local="served")
    version_name: Maybe[Filled] = entry("Name of this version; absent: made from its content.", None, local="kept")
    query_auth_token_enabled: Flag = entry("Whether an API key is asked for.", True, local="public, with an API key")
    http_options: Maybe[dict[str, Any]] = entry(
        "Options of HTTP.", None, local=_SERVE, rules="no host, port, root_path"
    )
    grpc_options: Maybe[dict[str, Any]] = entry("Options of gRPC.", None, local=_SERVE, rules="no port")
    logging_config: Maybe[dict[str, Any]] = entry("Logging of all applications.", None, local=_SERVE)
    proxy_location: Maybe[Literal["EveryNode", "HeadOnly"]] = entry("Where proxies run.", None, local=_SERVE)
    ray_gcs_external_storage_config: Maybe[ExternalStorageSpec] = entry(
        "Redis for the head's state.", None, local="a Redis of this machine"
    )
    tracing_config: Maybe[ServeTracingSpec] = entry("Tracing of requests.", None, local="kept")


class ScheduleSpec(RaySpec):
    """A job by the clock."""

    job_config: JobSpec = entry("The job.", local="run by the clock")
    cron_expression: Filled = entry("When: five fields.", local="kept", example="0 3 * * *")
    timezone: Maybe[Filled] = entry("IANA name, or `local`; absent: UTC.", None, local="kept")


class WorkspaceSpec(PlacedSpec):
    """A cluster to work on."""

    idle_termination_minutes: Maybe[Whole] = entry(
        "Idle minutes until the cluster goes down; 0: never.", None, local="kept"
    )


class Kind(enum.Enum):
    """The kinds of workload files."""

    JOB = "job"
    SERVICE = "service"
    SCHEDULE = "schedule"
    WORKSPACE = "workspace"


MODELS: Mapping[Kind, type[RaySpec]] = {
    Kind.JOB: JobSpec,
    Kind.SERVICE: ServiceSpec,
    Kind.SCHEDULE: ScheduleSpec,
    Kind.WORKSPACE: WorkspaceSpec,
}
_OWN: Mapping[Kind, frozenset[str]] = {
    Kind.JOB: frozenset({"entrypoint", "max_retries", "timeout_s", "job_queue_config"}),
    Kind.SERVICE: frozenset(ServiceSpec.model_fields) - frozenset(CodeSpec.model_fields) | {"ray_serve_config"},
    Kind.SCHEDULE: frozenset(ScheduleSpec.model_fields),
}
"""Keys that tell a kind; a file without any of them, and without code to run, is a workspace."""
_CODE = frozenset(CodeSpec.model_fields) - frozenset(PlacedSpec.model_fields)


def kinds_of(value: Mapping[str, Any]) -> tuple[Kind, ...]:
    """The kinds that a file's keys speak for; more than one is a contradiction."""
    found = tuple(kind for kind, keys in _OWN.items() if keys & value.keys())
    return found or ((Kind.JOB,) if _CODE & value.keys() else (Kind.WORKSPACE,))
