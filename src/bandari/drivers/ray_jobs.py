"""Jobs of one Ray cluster, from the command's side: submitted to its supervisor, logs read from its folder.

A supervisor that is away comes back (its guard starts it), so questions are asked again for a while; a submission
carries a token, so asking again submits nothing twice.
"""

from __future__ import annotations

import codecs
import json
import secrets
import sys
import time
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bandari.drivers.control import Control
from bandari.drivers.local import LocalDriver
from bandari.errors import BandariError, Terminal, Unreachable
from bandari.serving.protocol import LOG_FOLDER, STATE_FILE, Op, plain
from bandari.serving.ray.attempts import JOB_LOGS
from bandari.serving.ray.bodies import RayJobBody, RayVerb
from bandari.serving.ray.commands import DASHBOARD_PORT

PATIENCE = 60.0
"""Seconds that a supervisor may be away."""
POLL = 0.3
_PACKING = 300.0
"""Seconds that a submission may take: its folders are packed first."""


@dataclass(frozen=True, slots=True)
class RayPlace:
    """Where a Ray cluster is reached. `bin` holds its `python` and `ray`."""

    dashboard: str
    gcs: str
    bin: str


class RayJobs:
    """The jobs of the Ray cluster `ray` in the driver's cluster."""

    def __init__(self, driver: LocalDriver, ray: str) -> None:
        self.driver = driver
        self.ray = ray

    def submit(self, body: RayJobBody) -> str:
        """The name that the job got, once it is on disk; Terminal when it is refused."""
        token = secrets.token_hex(4)
        return str(self._ask(RayVerb.SUBMIT, {"job": plain(body), "token": token}, timeout=_PACKING)["job"])

    def rows(self, name: str = "") -> tuple[Mapping[str, Any], ...]:
        """All jobs, or those of one name, in the shape of bodies.RayJobStatus."""
        return tuple(self._ask(RayVerb.JOBS, {"job": name} if name else {})["jobs"])

    def stop(self, name: str) -> None:
        """Asks for the end of a job; Terminal when there is none of that name."""
        self._ask(RayVerb.STOP_JOB, {"job": name})

    def nodes(self) -> tuple[Mapping[str, Any], ...]:
        """All nodes, in the shape of bodies.RayNodeStatus."""
        return tuple(self._ask(RayVerb.NODES, {})["nodes"])

    def place(self) -> RayPlace:
        """Where it is reached; Terminal while its head is not ready."""
        head = next((node for node in self.nodes() if node.get("group") == "head"), None)
        if head is None or head["state"] != "ready" or not head.get("address"):
            state = head["state"] if head else "not started"
            fix = f"`bandari why --cluster {self.driver.cluster}` says what it waits for"
            raise Terminal(f"cannot reach the Ray cluster {self.ray!r}: its head is {state}", fix=fix)
        host, chosen = head["address"], self._chosen()
        dashboard = f"http://{host}:{DASHBOARD_PORT}"
        return RayPlace(dashboard, f"{host}:{chosen.get('gcs', 0)}", self._bin())

    def follow(self, name: str, say: Callable[[str], None], again: Callable[[str], None]) -> Mapping[str, Any]:
        """Says the lines of the log as they come, over all attempts, until the job is over; its last row. `again` is
        told when an attempt ended and another one will be made.
        """
        reader = LogReader(self.driver.folder)
        told = 0
        while True:
            try:
                rows = self.rows(name)
            except BandariError:
                if self.driver.exists():
                    raise
                return {"name": name, "state": "LOST", "message": f"cluster {self.driver.cluster!r} was taken down"}
            if not rows:
                return {"name": name, "state": "STOPPED", "message": "nothing is known of it any more"}
            row = rows[0]
            ids, over = row.get("submission_ids", ()), bool(row.get("ended"))
            for number, one in enumerate(ids, start=1):
                finished = over or number < len(ids) or row["state"] == "LOST"
                for line in reader.fresh(one, whole=finished):
                    say(line)
            if row["state"] == "LOST" and not over and told < len(ids):
                told = len(ids)
                again(f"attempt {told} was lost: {row.get('message', '')}; it will be submitted again")
            elif len(ids) > 1 and told < len(ids) - 1:
                told = len(ids) - 1
                again(f"attempt {told} failed; this is attempt {told + 1} of {row.get('max_retries', 1) + 1}")
            if over:
                return row
            time.sleep(POLL)

    def log(self, row: Mapping[str, Any]) -> Iterator[str]:
        """The lines of all attempts; of a job that others submitted as Ray tells them."""
        reader = LogReader(self.driver.folder)
        kept = [one for one in row.get("submission_ids", ()) if reader.path(one).exists()]
        for one in kept:
            yield from reader.past(one)
        if not kept and row.get("submission_ids"):
            yield from self._told(row["submission_ids"][-1])

    def _told(self, submission: str) -> list[str]:
        url = f"{self.place().dashboard}/api/jobs/{submission}/logs"
        try:
            with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310 - http on a loopback address
                return str(json.load(answer).get("logs", "")).splitlines()
        except (urllib.error.URLError, OSError, ValueError) as error:
            raise Terminal(f"cannot read the log of {submission!r}: {error}") from error

    def _ask(self, verb: RayVerb, body: Mapping[str, Any], *, timeout: float = 30.0) -> Mapping[str, Any]:
        until = time.monotonic() + PATIENCE
        while True:
            if not self.driver.exists():  # reviving the supervisor of a cluster that is down would bring it back
                raise Terminal(f"cannot ask {self.driver.cluster!r}: it is down")
            try:
                self.driver.revive()
                return Control(self.driver.folder, timeout=timeout).call(
                    Op.RAY, self.ray, body={"verb": verb.value, **body}
                )
            except Unreachable:
                if time.monotonic() > until:
                    raise
            time.sleep(POLL)

    def _chosen(self) -> Mapping[str, Any]:
        """What the supervisor chose once for the cluster: its ports."""
        try:
            found = json.loads((self.driver.folder / STATE_FILE).read_text()).get("ray", {}).get(self.ray, {})
        except (OSError, ValueError) as error:
            raise Terminal(f"cannot read the state of {self.driver.cluster!r}: {error}") from error
        return dict(found)

    def _bin(self) -> str:
        """Of its environment, else of the Python that runs bandari."""
        recorded = self.driver.recorded()
        outputs = next((o.outputs for a, o in recorded.items() if a.kind == "rayenv" and a.name == self.ray), {})
        return str(outputs.get("bin") or Path(sys.executable).parent)


@dataclass(slots=True)
class _Read:
    offset: int = 0
    rest: str = ""
    decoder: codecs.IncrementalDecoder = field(
        default_factory=lambda: codecs.getincrementaldecoder("utf-8")(errors="replace")
    )


class LogReader:
    """Reads the logs of attempts in a state folder, each line once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / LOG_FOLDER / JOB_LOGS
        self._read: dict[str, _Read] = {}

    def path(self, submission: str) -> Path:
        """The newer of the two files of a log."""
        return self.folder / f"{submission}.log"

    def past(self, submission: str) -> Iterator[str]:
        """All lines that are kept."""
        for path in (self.folder / f"{submission}.log.1", self.path(submission)):
            if path.exists():
                with path.open(errors="replace") as file:
                    yield from (line.rstrip("\n") for line in file)

    def fresh(self, submission: str, *, whole: bool) -> list[str]:
        """Lines that were not read yet; `whole`: nothing more comes, so the last one may lack its end."""
        read = self._read.setdefault(submission, _Read())
        path = self.path(submission)
        try:
            if path.stat().st_size < read.offset:
                read.offset = 0  # it was begun anew
            with path.open("rb") as file:
                file.seek(read.offset)
                chunk = file.read()
        except FileNotFoundError:
            chunk = b""
        read.offset += len(chunk)
        *lines, read.rest = (read.rest + read.decoder.decode(chunk, final=whole)).split("\n")
        if whole and read.rest:
            lines.append(read.rest)
            read.rest = ""
        return lines

    def submissions(self, slug: str) -> tuple[str, ...]:
        """Attempts of jobs of a name whose logs are kept, in their order; also when nothing else is known of them."""
        found = [path.name[: -len(".log")] for path in self.folder.glob("*.log")]
        mine = [one for one in found if one.rsplit("-", 2)[0] == slug or one == slug]
        return tuple(sorted(mine, key=lambda one: self.path(one).stat().st_mtime))


def last_lines(lines: Iterator[str], count: int | None) -> Iterator[str]:
    """The last lines of a log; None: all of them."""
    return lines if count is None else iter(deque(lines, maxlen=count))
