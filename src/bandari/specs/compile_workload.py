"""A job, service, schedule or workspace file -> the desired state: its Ray cluster, and what runs on it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import PurePath
from typing import Any

from pydantic import ValidationError

from bandari.desired.ray import (
    RayCluster,
    RayImage,
    RayJob,
    RaySchedule,
    RayService,
    RuntimeEnvironment,
    ServeApplication,
)
from bandari.desired.state import DesiredState, LocalTarget, ProviderName, Target, Workload
from bandari.diagnostics import Diagnostic, Diagnostics, error, warning
from bandari.document import Document, Path
from bandari.specs import shape
from bandari.specs.compile_ray import Compiled
from bandari.specs.fields import LABEL, as_label
from bandari.specs.ray import workload_rules
from bandari.specs.ray.fields import RaySpec
from bandari.specs.ray.references import References, compile_reference
from bandari.specs.ray.workloads import (
    MODELS,
    ApplicationSpec,
    CodeSpec,
    JobSpec,
    Kind,
    PlacedSpec,
    RuntimeEnvSpec,
    ScheduleSpec,
    ServiceSpec,
    WorkspaceSpec,
    kinds_of,
)
from bandari.specs.shape import shown

_OPTIONS = (
    *("http_options", "grpc_options", "logging_config", "proxy_location", "tracing_config"),
    "ray_gcs_external_storage_config",
)
_MORE = ("logging_config", "autoscaling_policy", "external_scaler_enabled")
_MINUTE = 60.0


def compile_workload(
    document: Document, *, target: ProviderName | None, name: str = "", references: References | None = None
) -> tuple[DesiredState | None, Diagnostics]:
    """The state of a workload file, and every finding about it and the compute config that it names.

    `name` goes over the file's own name. `references` holds the text behind a `name:version`.
    """
    kind = _kind(document)
    if isinstance(kind, Diagnostic):
        return None, Diagnostics([kind])
    base: Path = ("job_config",) if kind is Kind.SCHEDULE else ()
    found = Diagnostics()
    spec = _validated(document, base, MODELS[kind], found)
    found.add(*workload_rules.findings(document, kind))
    label = _label(document, base, name, found)
    compiled, said = compile_reference(document, (*base, "compute_config"), name=label, references=references or {})
    found.add(*said, *_one_resource(document, base, kind, compiled), *_clouds(document, base, compiled))
    if spec is None or compiled is None or found.errors:
        return None, found
    return _Compiler(document, base, label).state(spec, compiled, target), found


def _kind(document: Document) -> Kind | Diagnostic:
    kinds = kinds_of(document.value)
    if len(kinds) == 1:
        return kinds[0]
    first = next(iter(document.value))
    said = " and ".join(f"a {kind.value}" for kind in kinds)
    why = "entrypoint makes a job, applications a service, job_config with cron_expression a schedule"
    message = f"cannot tell what the file describes: it has keys of {said}"
    return error("BND740", document.key_span((first,)), message, why=why, fix="write each in a file of its own")


def _validated(document: Document, base: Path, model: type[RaySpec], found: Diagnostics) -> RaySpec | None:
    inner = document.value.get("job_config") if base else document.value
    legacy = tuple(workload_rules.legacy_keys(document, base, inner if isinstance(inner, dict) else {}))
    found.add(*legacy)
    try:
        return model.model_validate(document.value)
    except ValidationError as failure:
        said = {finding.span for finding in legacy}
        found.add(*(f for f in shape.findings(document, (), model, failure) if f.span not in said))
        return None


def _label(document: Document, base: Path, name: str, found: Diagnostics) -> str:
    """The name of the cluster: given, the file's `name`, or the file's stem; always a DNS label."""
    inner = document.value.get("job_config") if base else document.value
    own = inner.get("name") if isinstance(inner, dict) else None
    if name and not LABEL.fullmatch(name):
        message = f"cannot call the cluster {name!r}: it is no DNS label"
        why = "names become Kubernetes names and host names: a-z, 0-9 and -, at most 63"
        found.add(error("BND208", document.span(()), message, why=why, fix=f"write --name {as_label(name) or 'NAME'}"))
    if name or not isinstance(own, str) or not own.strip():
        return name or as_label(PurePath(document.file).stem) or "ray"
    if LABEL.fullmatch(own):
        return own
    label = as_label(own) or "ray"
    found.add(
        warning(
            "BND754",
            document.span((*base, "name")),
            f"cannot call the cluster {shown(own)}: it is called {label!r}",
            why="names become Kubernetes names and host names: a-z, 0-9 and -, at most 63",
            fix=f"write {label}",
        )
    )
    return label


def _one_resource(document: Document, base: Path, kind: Kind, compiled: Compiled | None) -> Iterator[Diagnostic]:
    if compiled and compiled.cluster.alternatives and kind in (Kind.SERVICE, Kind.WORKSPACE):
        message = f"cannot run a {kind.value} on a compute config with several `configs`"
        why = "which of them is used is chosen anew for each run, so only jobs can"
        fix = "name a compute config with one shape"
        yield error("BND752", document.span((*base, "compute_config")), message, why=why, fix=fix)


def _clouds(document: Document, base: Path, compiled: Compiled | None) -> Iterator[Diagnostic]:
    inner = document.value.get("job_config") if base else document.value
    cloud = inner.get("cloud") if isinstance(inner, dict) else None
    other = compiled.cluster.cloud if compiled else ""
    if isinstance(cloud, str) and other and cloud != other:
        message = f"cannot use two clouds: the file names {shown(cloud)}, its compute config {shown(other)}"
        why = "the nodes stand in one cloud"
        yield error("BND753", document.span((*base, "cloud")), message, why=why, fix="leave `cloud` out here")


class _Compiler:
    """One walk over a valid file; `base` is where the job of a schedule stands."""

    def __init__(self, document: Document, base: Path, name: str) -> None:
        self.document = document
        self.base = base
        self.name = name

    def state(self, spec: RaySpec, compiled: Compiled, target: ProviderName | None) -> DesiredState:
        origin = self.document.origin(())
        placed = spec.job_config if isinstance(spec, ScheduleSpec) else spec
        assert isinstance(placed, PlacedSpec)
        place = Target(target, self.name, local=LocalTarget(origin=origin), origin=origin)
        return DesiredState(place, compiled.pools, (self._cluster(placed, compiled.cluster), *self._runs(spec)))

    def _cluster(self, spec: PlacedSpec, cluster: RayCluster) -> RayCluster:
        idle = spec.idle_termination_minutes if isinstance(spec, WorkspaceSpec) else None
        return replace(
            cluster,
            image=self._image(spec),
            cloud=cluster.cloud or spec.cloud or "",
            cluster_idle_limit=cluster.cluster_idle_limit if idle is None else idle * _MINUTE,
        )

    def _image(self, spec: PlacedSpec) -> RayImage:
        own = isinstance(spec, WorkspaceSpec)
        return RayImage(
            spec.image_uri or "",
            spec.containerfile or "",
            spec.registry_login_secret or "",
            spec.ray_version or "",
            requirements=spec.requirements if own else (),
            env=spec.env_vars if own else {},
            origin=self.document.origin(self.base),
        )

    def _runs(self, spec: RaySpec) -> Iterator[Workload]:
        match spec:
            case ScheduleSpec():
                zone = spec.timezone or "UTC"
                job, origin = self._job(spec.job_config), self.document.origin(())
                yield RaySchedule(self.name, job, spec.cron_expression, zone, origin)
            case JobSpec():
                yield self._job(spec)
            case ServiceSpec():
                yield self._service(spec)

    def _job(self, spec: JobSpec) -> RayJob:
        return RayJob(
            self.name,
            self.name,
            spec.entrypoint,
            _environment(spec),
            spec.max_retries,
            spec.timeout_s,
            spec.tags or {},
            self._written("job_queue_config") or {},
            self.document.origin(self.base),
        )

    def _service(self, spec: ServiceSpec) -> RayService:
        return RayService(
            self.name,
            self.name,
            tuple(self._application(index, a, spec) for index, a in enumerate(spec.applications)),
            spec.version_name or "",
            spec.query_auth_token_enabled,
            {key: value for key in _OPTIONS if (value := self._written(key)) is not None},
            tags=spec.tags or {},
            origin=self.document.origin(()),
        )

    def _application(self, index: int, spec: ApplicationSpec, service: ServiceSpec) -> ServeApplication:
        as_written = self.document.value["applications"][index]
        return ServeApplication(
            spec.name,
            spec.route_prefix or "",
            spec.import_path,
            merged(_environment(service), spec.runtime_env),
            spec.args or {},
            tuple(as_written.get("deployments") or ()),
            {key: value for key in _MORE if (value := as_written.get(key)) is not None},
            self.document.origin(("applications", index)),
        )

    def _written(self, key: str) -> Any:
        value: Any = self.document.value
        for step in self.base:
            value = value[step]
        return value.get(key)


def _environment(spec: CodeSpec) -> RuntimeEnvironment:
    return RuntimeEnvironment(
        spec.working_dir or "",
        spec.excludes,
        spec.requirements,
        spec.py_modules,
        spec.env_vars,
        spec.py_executable or "",
    )


def merged(service: RuntimeEnvironment, own: RuntimeEnvSpec | None) -> RuntimeEnvironment:
    """The environment of an application: the service's, and over it its own; lists are joined."""
    if own is None:
        return service
    lines, settings = _pip(own.pip)
    more: dict[str, Any] = dict(own.model_extra or {})
    requirements = (*service.requirements, *lines)
    if settings:
        more["pip"] = {**settings, "packages": list(requirements)}
    return RuntimeEnvironment(
        own.working_dir or service.working_dir,
        own.excludes if own.working_dir else (*service.excludes, *own.excludes),
        () if settings else requirements,
        (*service.py_modules, *own.py_modules),
        {**service.env_vars, **own.env_vars},
        own.py_executable or service.py_executable,
        more,
    )


def _pip(value: Any) -> tuple[tuple[str, ...], Mapping[str, Any]]:
    """Lines of pip, and settings beside them when there are any."""
    if isinstance(value, dict):
        lines, settings = _pip(value.get("packages"))[0], {k: v for k, v in value.items() if k != "packages"}
        return lines, settings
    return ((value,) if isinstance(value, str) else tuple(value or ())), {}
