"""Paths that a Ray cluster and its workloads name, made absolute from the folder of the file. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from bandari.desired.ray import RayCluster, RayJob, RaySchedule, RayService, RayWorkload, RuntimeEnvironment

Absolute = Callable[[str], str]


def anchored(item: RayWorkload, absolute: Absolute) -> RayWorkload:
    """The item with absolute paths; an address such as s3://... is none of this machine."""
    match item:
        case RayCluster():
            image = item.image
            files = _requirements(image.requirements, absolute)
            image = replace(image, containerfile=absolute(image.containerfile), requirements=files)
            return replace(item, image=image)
        case RayJob():
            return _job(item, absolute)
        case RaySchedule():
            return replace(item, job=_job(item.job, absolute))
        case RayService():
            applications = tuple(
                replace(application, environment=environment(application.environment, absolute))
                for application in item.applications
            )
            return replace(item, applications=applications)


def environment(runtime: RuntimeEnvironment, absolute: Absolute) -> RuntimeEnvironment:
    """A runtime environment with absolute paths."""
    return replace(
        runtime,
        working_dir=_local(runtime.working_dir, absolute),
        requirements=_requirements(runtime.requirements, absolute),
        py_modules=tuple(_local(module, absolute) for module in runtime.py_modules),
    )


def is_file(requirements: tuple[str, ...]) -> bool:
    """Whether requirements are the path of a file of them, and no lines."""
    return len(requirements) == 1 and requirements[0].endswith((".txt", ".lock")) and " " not in requirements[0]


def _job(job: RayJob, absolute: Absolute) -> RayJob:
    return replace(job, environment=environment(job.environment, absolute))


def _requirements(lines: tuple[str, ...], absolute: Absolute) -> tuple[str, ...]:
    return (absolute(lines[0]),) if is_file(lines) else lines


def _local(path: str, absolute: Absolute) -> str:
    return path if "://" in path else absolute(path)
