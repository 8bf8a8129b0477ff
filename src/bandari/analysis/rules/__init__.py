"""The rules of lint, in the order of their codes: one small file, one code and one question each.

A rule sees the whole subject and yields its findings; it knows no other rule. Where two would say the same of one
group, the later one leaves the case to the earlier, and says so in its docstring.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bandari.analysis.rules import (
    blind_trigger,
    cannot_wake,
    cpu_build,
    does_not_fit,
    gpu_missing,
    gpu_unused,
    never_scales,
    no_base,
    no_prometheus,
    other_group,
    plain_http,
    plain_secret,
    probe,
    probe_port,
    two_replicas,
    undeclared_volume,
    unknown_machine,
    unpinned_image,
    without_gpu,
)
from bandari.analysis.subject import Subject
from bandari.desired.state import DesiredState, ProviderName
from bandari.diagnostics import Diagnostic

ANYWHERE: frozenset[ProviderName | None] = frozenset({None, *ProviderName})
"""None: no target is named yet."""
HERE: frozenset[ProviderName | None] = frozenset({ProviderName.LOCAL})
CLUSTERS: frozenset[ProviderName | None] = frozenset(ProviderName) - HERE
CLOUDS: frozenset[ProviderName | None] = frozenset({ProviderName.AWS, ProviderName.GCP})


@dataclass(frozen=True, slots=True)
class Rule:
    """A question to the states of some targets; each of its findings has this code."""

    code: str
    check: Callable[[Subject], Iterator[Diagnostic]]
    targets: frozenset[ProviderName | None] = ANYWHERE


RULES: tuple[Rule, ...] = (
    # Machines: is what is paid for used, does what is asked for exist.
    Rule(gpu_unused.CODE, gpu_unused.check),
    Rule(gpu_missing.CODE, gpu_missing.check),
    Rule(unknown_machine.CODE, unknown_machine.check, CLOUDS),  # elsewhere a node type is anybody's label
    Rule(does_not_fit.CODE, does_not_fit.check, CLUSTERS),  # here the host is the node, and `served` judges it
    # Images and the hardware that they were built for.
    Rule(unpinned_image.CODE, unpinned_image.check, CLUSTERS),  # nothing pulls an image here
    Rule(without_gpu.CODE, without_gpu.check),
    Rule(cpu_build.CODE, cpu_build.check),
    # What a replica is given.
    Rule(probe.CODE, probe.check),
    Rule(undeclared_volume.CODE, undeclared_volume.check, CLUSTERS),  # here `served` says it, and it blocks
    Rule(plain_secret.CODE, plain_secret.check),
    Rule(plain_http.CODE, plain_http.check, HERE),
    # Scaling.
    Rule(other_group.CODE, other_group.check),
    Rule(no_prometheus.CODE, no_prometheus.check, CLUSTERS),  # here `served` says that none runs
    Rule(never_scales.CODE, never_scales.check),
    Rule(cannot_wake.CODE, cannot_wake.check, CLUSTERS),  # here the gateway wakes a group
    Rule(blind_trigger.CODE, blind_trigger.check),
    # What one loss takes away.
    Rule(no_base.CODE, no_base.check),
    Rule(two_replicas.CODE, two_replicas.check),
    # What a cluster does otherwise than one machine.
    Rule(probe_port.CODE, probe_port.check, CLUSTERS),  # here probes follow the replica's own port
)


def rules_for(state: DesiredState) -> tuple[Rule, ...]:
    """The rules that a state has to do with: those of Ray are imported for a state with Ray clusters alone."""
    if not state.ray_clusters():
        return RULES
    from bandari.analysis.rules import ray  # noqa: PLC0415 - fifteen milliseconds for those who have a use for them

    return (*RULES, *(Rule(code, check, targets) for code, check, targets in ray.CHECKS))
