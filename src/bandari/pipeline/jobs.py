"""Jobs of Ray clusters on this machine: which cluster is meant, which job, and what a file says of one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from bandari.desired.state import ProviderName
from bandari.diagnostics import did_you_mean
from bandari.errors import Terminal
from bandari.pipeline.asking import chosen_ray_cluster, ray_clusters
from bandari.pipeline.running import clusters, existing
from bandari.pipeline.surroundings import folders
from bandari.serving.protocol import LOG_FOLDER
from bandari.serving.ray.attempts import JOB_LOGS, slug

if TYPE_CHECKING:
    from pathlib import Path

    from bandari.drivers.ray_jobs import RayJobs, RayPlace
    from bandari.pipeline.checking import Checked
    from bandari.serving.ray.bodies import RayJobBody

SUCCEEDED = "SUCCEEDED"
_SIGNALLED = 128


def ray_place(words: str) -> tuple[str, str]:
    """`NAME`, `NAME/RAY` or, where only a Ray cluster has that name, `RAY`: the cluster and the Ray cluster."""
    name, _, ray = words.partition("/")
    known = clusters()
    if not ray and name not in known:
        holders = [cluster for cluster in known if name in ray_clusters(cluster)]
        if len(holders) == 1:
            return holders[0], name
        if holders:
            fix = f"name one: {', '.join(f'{holder}/{name}' for holder in holders)}"
            raise Terminal(f"cannot tell which Ray cluster {name!r} is meant", fix=fix)
    return name, chosen_ray_cluster(name, ray)


def jobs_of(cluster: str, ray: str) -> RayJobs:
    """The jobs of one Ray cluster; Terminal when the cluster has no state here."""
    from bandari.drivers.ray_jobs import RayJobs

    return RayJobs(existing(cluster), ray)


def submit(cluster: str, ray: str, body: RayJobBody) -> str:
    """Submits a job; its name."""
    return jobs_of(cluster, ray).submit(body)


def follow(
    cluster: str, ray: str, name: str, say: Callable[[str], None], again: Callable[[str], None]
) -> Mapping[str, Any]:
    """Says the log of a job as it comes, until it is over; what became of it."""
    return jobs_of(cluster, ray).follow(name, say, again)


def found_job(cluster: str, name: str, ray: str = "") -> tuple[str, Mapping[str, Any]]:
    """The Ray cluster of a job and what is known of the job; Terminal with the nearest name when there is none."""
    rays = (ray,) if ray else ray_clusters(cluster)
    known: list[str] = []
    for one in rays:
        for row in jobs_of(cluster, one).rows():
            if row["name"] == name or name in row.get("submission_ids", ()):
                return one, row
            known.append(row["name"])
    near = did_you_mean(name, known)
    fix = f"did you mean {near!r}?" if near else f"there are: {', '.join(known[-10:]) or 'none'}"
    raise Terminal(f"cannot find job {name!r} in {cluster!r}", fix=fix)


def job_log(cluster: str, ray: str, row: Mapping[str, Any]) -> Iterator[str]:
    """The lines of a job, over all of its attempts."""
    return jobs_of(cluster, ray).log(row)


def kept_clusters() -> tuple[str, ...]:
    """Names of the clusters that are down and whose jobs left logs."""
    found = (path.parent.parent.name for path in folders().state.glob(f"*/{LOG_FOLDER}/{JOB_LOGS}"))
    return tuple(sorted(set(found) - set(clusters())))


def kept_log(cluster: str, name: str) -> Iterator[str]:
    """The lines of a job of a cluster that is down; Terminal when nothing of it was kept."""
    from bandari.drivers.ray_jobs import LogReader

    reader = LogReader(existing(cluster, kept=True).folder)
    found = reader.submissions(slug(name)) or reader.submissions(name)
    if not found:
        raise Terminal(f"cannot find a log of job {name!r}: {cluster!r} is down, and none was kept")
    return (line for one in found for line in reader.past(one))


def place(cluster: str, ray: str) -> RayPlace:
    """Where a Ray cluster is reached; Terminal while its head is not ready."""
    return jobs_of(cluster, ray).place()


def jobs_in(checked: Checked) -> tuple[RayJobBody, ...]:
    """The jobs that a file asks for, as they are submitted; they are no resources."""
    from bandari.desired.ray import RayJob
    from bandari.providers.local_ray import job_body

    found = checked.state.workloads if checked.state else ()
    return tuple(job_body(job) for job in found if isinstance(job, RayJob))


def job_of(path: Path) -> tuple[str, RayJobBody | None]:
    """The cluster that a file names, and the job in it, if there is one; InvalidInput when the file has errors."""
    from bandari.pipeline.checking import Options, check

    checked = check(path, Options(target=ProviderName.LOCAL))
    state = checked.valid()
    return state.target.cluster, next(iter(jobs_in(checked)), None)


def take_down(cluster: str) -> None:
    """Removes everything of a cluster but its logs; Terminal names what will not go."""
    existing(cluster).stop()


def exit_code(row: Mapping[str, Any]) -> int:
    """The exit code of a command that ends as the job did: the job's own, 128 + n for signal n, else 1."""
    if row["state"] == SUCCEEDED:
        return 0
    code = row.get("exit_code")
    if not isinstance(code, int) or code == 0:
        return 1
    return code & 0xFF if code > 0 else _SIGNALLED - code
