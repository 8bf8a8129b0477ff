"""The compute configs that a file names, read for it: from a path beside it, or from the store of named ones."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from bandari.errors import Terminal
from bandari.pipeline.surroundings import folders

if TYPE_CHECKING:
    from bandari.drivers.compute_configs import ComputeConfigs
    from bandari.specs.ray.references import Referenced


def store() -> ComputeConfigs:
    """The named compute configs of this user."""
    from bandari.drivers.compute_configs import FOLDER, ComputeConfigs

    return ComputeConfigs(folders().state.parent / FOLDER)


def references(text: str, file: str) -> Mapping[str, Referenced]:
    """What stands behind each reference of a text, by its words; nothing for a text that is no YAML mapping."""
    if "ompute" not in text:  # neither compute_config nor computeConfig: most files name nothing
        return {}
    from bandari.document import load
    from bandari.specs.ray.references import wanted

    document, _ = load(text, file)
    if document is None:
        return {}
    beside = Path(file).parent
    return {item.words: _path(beside, item.words) if item.is_path else _stored(item.words) for item in wanted(document)}


def _path(beside: Path, words: str) -> Referenced:
    from bandari.pipeline.checking import load
    from bandari.specs.ray.references import Referenced

    try:
        place = beside / Path(words.strip()).expanduser()
        text, found = load(place)
    except (RuntimeError, ValueError):  # nobody's home, a zero byte
        return Referenced(None, reason="it is no path of this machine", fix="correct the path")
    if text is None:
        reason = next(iter(found)).message.rpartition(": ")[2]
        return Referenced(None, reason=f"{os.fspath(place)!r}: {reason}", fix="paths start from the folder of the file")
    return Referenced(text, os.fspath(place))


def _stored(words: str) -> Referenced:
    from bandari.specs.ray.references import Referenced, parts

    named = parts(words)
    if named is None:
        return Referenced(None, reason="it is no name and no name:version")
    try:
        version = store().get(*named)
    except Terminal as failure:
        return Referenced(None, reason=str(failure).partition(": ")[2] or "no such name is stored", fix=failure.fix)
    if version.archived:
        fix = f"`bandari compute-config create NAME --from {version.reference}` makes it usable under another name"
        return Referenced(None, reason="it is archived", fix=fix, archived=True)
    return Referenced(version.whole, os.fspath(version.path))
