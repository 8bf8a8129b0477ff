"""Every code of a finding with its long explanation: what `bandari explain CODE` prints.

BND1xx: the text is no usable YAML. BND2xx: a value has not the shape of its field. BND3xx: values do not fit each
other. BND4xx: advice on a file that is valid. BND5xx: what this machine lacks. BND6xx: what a target or a
model hub answered. BND70x to 73x: Ray compute configs; 74x, 75x: the files of jobs and services; 76x to 78x: advice on
Ray clusters; 79x: images.
"""

from __future__ import annotations

from collections.abc import Mapping

from bandari.codes import advice, images, local, meaning, ray_advice, ray_config, ray_files, shape, syntax, target
from bandari.codes.code import Code

__all__ = ["CODES", "Code"]

_ALL = (
    *syntax.CODES, *shape.CODES, *meaning.CODES, *advice.CODES, *local.CODES, *target.CODES,
    *ray_config.CODES, *ray_files.CODES, *ray_advice.CODES, *images.CODES,
)  # fmt: skip
CODES: Mapping[str, Code] = {item.code: item for item in _ALL}
assert len(CODES) == len(_ALL), "two codes with one number"
