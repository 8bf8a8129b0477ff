"""The rules on Ray clusters, in the order of their codes; `rules` puts them behind its own. One file a question."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from bandari.analysis.rules.ray import (
    cpu_on_gpu,
    cross_zone,
    cuda_without_gpu,
    fake_resources,
    floor_above_cap,
    floor_out_of_reach,
    folded_names,
    fraction,
    gpu_without_cuda,
    head_unspecified,
    minimum_above_cap,
    no_such_shape,
    odd_label,
    one_zone,
    replaced_settings,
    service_gpus,
    small_head,
    spot_head,
    spot_only,
    unknown_type,
    zone_name,
    zone_without_type,
)
from bandari.analysis.subject import Subject
from bandari.desired.state import ProviderName
from bandari.diagnostics import Diagnostic

Check = Callable[[Subject], Iterator[Diagnostic]]
EVERYWHERE: frozenset[ProviderName | None] = frozenset({None, *ProviderName})
"""None: no target is named yet."""
CLUSTERS: frozenset[ProviderName | None] = frozenset(ProviderName) - {ProviderName.LOCAL}
KUBERNETES: frozenset[ProviderName | None] = frozenset({ProviderName.KUBERNETES})

CHECKS: tuple[tuple[str, Check, frozenset[ProviderName | None]], ...] = (
    # The head.
    (small_head.CODE, small_head.check, EVERYWHERE),
    (head_unspecified.CODE, head_unspecified.check, KUBERNETES),
    # Floors and caps against each other and against the groups.
    (minimum_above_cap.CODE, minimum_above_cap.check, EVERYWHERE),
    (floor_out_of_reach.CODE, floor_out_of_reach.check, EVERYWHERE),
    (floor_above_cap.CODE, floor_above_cap.check, EVERYWHERE),
    # What Ray counts against what is there.
    (fake_resources.CODE, fake_resources.check, EVERYWHERE),
    # How nodes are bought.
    (spot_head.CODE, spot_head.check, EVERYWHERE),
    (spot_only.CODE, spot_only.check, EVERYWHERE),
    # CPUs, GPUs and the image.
    (gpu_without_cuda.CODE, gpu_without_cuda.check, EVERYWHERE),
    (cuda_without_gpu.CODE, cuda_without_gpu.check, EVERYWHERE),
    (cpu_on_gpu.CODE, cpu_on_gpu.check, EVERYWHERE),
    # Where nodes stand.
    (zone_name.CODE, zone_name.check, EVERYWHERE),
    (zone_without_type.CODE, zone_without_type.check, EVERYWHERE),
    (one_zone.CODE, one_zone.check, EVERYWHERE),
    (cross_zone.CODE, cross_zone.check, EVERYWHERE),
    # What is written and does not hold.
    (replaced_settings.CODE, replaced_settings.check, EVERYWHERE),
    (service_gpus.CODE, service_gpus.check, EVERYWHERE),
    (folded_names.CODE, folded_names.check, CLUSTERS),
    (unknown_type.CODE, unknown_type.check, EVERYWHERE),
    (no_such_shape.CODE, no_such_shape.check, EVERYWHERE - KUBERNETES),
    (odd_label.CODE, odd_label.check, EVERYWHERE),
    (fraction.CODE, fraction.check, EVERYWHERE),
)
