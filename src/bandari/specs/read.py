"""Text -> desired state: the stages 1 to 3 in a row, with every finding of all of them."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import ValidationError

from bandari.desired.state import DesiredState, ProviderName
from bandari.diagnostics import Diagnostic, Diagnostics
from bandari.document import Document, load
from bandari.specs import dialect, meaning, shape, targets
from bandari.specs.compile_cluster import compile_cluster
from bandari.specs.fields import Spec
from bandari.specs.file import FileSpec, version_findings
from bandari.specs.groups import Described


def read(text: str, file: str, *, target: ProviderName | None = None) -> tuple[DesiredState | None, Diagnostics]:
    """The state that a text asks for, and all findings; None when one of them is an error.

    `target` stands in for the target that the file names.
    """
    document, found = load(text, file)
    if document is None:
        return None, found
    if other := dialect.other_language(document):
        found.add(other)
        return None, found
    choice = targets.choose(document)
    found.add(*choice.found, *_top_level(document))
    specs = {key: _validated(document, key, model, found) for key, model in choice.models.items()}
    if not choice.key:
        return None, found
    provider = target or ProviderName(choice.key)
    found.add(*meaning.findings(document, choice.key, provider))
    if found.errors:
        return None, found
    return compile_cluster(document, choice.key, provider, specs), found


def _top_level(document: Document) -> Iterator[Diagnostic]:
    yield from version_findings(document)
    words = {key: value for key, value in document.value.items() if key == "description"}
    try:
        Described.model_validate(words)
    except ValidationError as failure:
        yield from shape.findings(document, (), Described, failure)
    for key in document.value:
        if key not in shape.keys_of(FileSpec):
            yield shape.unknown_key(document, (key,), FileSpec)


def _validated(document: Document, key: str, model: type[Spec], found: Diagnostics) -> Spec | None:
    try:
        return model.model_validate(document.value[key])
    except ValidationError as failure:
        said = {finding.span for finding in found}
        found.add(*(f for f in shape.findings(document, (key,), model, failure) if f.span not in said))
        return None
