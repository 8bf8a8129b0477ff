"""The cluster file as a whole: its top-level keys, and the version of its language."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated

from pydantic import WithJsonSchema

from bandari.diagnostics import Diagnostic, error
from bandari.document import Document
from bandari.specs.cluster import KubernetesTargetSpec, LocalTargetSpec, TargetSpec
from bandari.specs.fields import Maybe, Text, entry
from bandari.specs.groups import Described
from bandari.specs.shape import missing_key, shown

VERSION = (1, 3)
"""The newest version of the language that is read."""
_VERSION = re.compile(r"(\d+)\.(\d+)", re.ASCII)


Version = Annotated[Text, WithJsonSchema({"type": "string", "x-kind": "text", "pattern": r"^1\.[0-3]$"})]


class FileSpec(Described):
    """The cluster file: its version and one target, the key of the four that holds `cluster`."""

    version: Version = entry(
        "Version of the language, `1.0` to `1.3`.", local="checked", clusters="checked", example="1.3"
    )
    aws: Maybe[TargetSpec] = entry("Amazon Web Services (EKS) as the target.", None, local="only with `--target local`")
    gcp: Maybe[TargetSpec] = entry("Google Cloud (GKE) as the target.", None, local="only with `--target local`")
    kubernetes: Maybe[KubernetesTargetSpec] = entry(
        "A Kubernetes cluster as the target; without `cluster` its options.", None, local="only with `--target local`"
    )
    local: Maybe[LocalTargetSpec] = entry(
        "This machine as the target; without `cluster` its options.", None, local="served", clusters="not used"
    )


def version_findings(document: Document) -> Iterator[Diagnostic]:
    """What is wrong with the file's version."""
    if "version" not in document.value:
        yield missing_key(document, ("version",), FileSpec)
        return
    value = document.value["version"]
    found = _VERSION.fullmatch(value) if isinstance(value, str) else None
    newest = ".".join(map(str, VERSION))
    if not found:
        message = f"cannot take {shown(value)} as version: it is not of the form x.y"
        yield error("BND213", document.span(("version",)), message, fix=f'write version: "{newest}"')
    elif (int(found[1]), int(found[2])) > VERSION or int(found[1]) < VERSION[0]:
        why = f"this bandari reads the versions {VERSION[0]}.0 to {newest}"
        fix = f'write version: "{newest}", or use a newer bandari'
        yield error("BND303", document.span(("version",)), f"cannot read version {value}", why=why, fix=fix)
