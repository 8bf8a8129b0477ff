"""Values that one service takes and another does not, and values that mean something else than they seem to."""

from __future__ import annotations

from collections.abc import Iterator

from bandari.desired.state import ProviderName
from bandari.diagnostics import Diagnostic, Related, did_you_mean, error, warning
from bandari.specs.compile_group import BUILTIN
from bandari.specs.groups import ModelSpec
from bandari.specs.meaning.subject import Subject
from bandari.specs.shape import keys_of, shown
from bandari.units import Memory

BUILTIN_MODELS = ("tiny",)
CLOUDWATCH_DAYS = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653),
)
"""https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html"""
_TINY = 2**20
_EVERYWHERE = ("0.0.0.0", "127.0.0.1")


def log_retention(subject: Subject) -> Iterator[Diagnostic]:
    """CloudWatch keeps logs for certain numbers of days only."""
    cluster = subject.target.inner("cluster")
    days = cluster.whole("logRetentionDays") if cluster else None
    if cluster and days and days > 0 and subject.provider is ProviderName.AWS and days not in CLOUDWATCH_DAYS:
        nearest = min(CLOUDWATCH_DAYS, key=lambda known: abs(known - days))
        yield error(
            "BND325",
            cluster.span("logRetentionDays"),
            f"cannot keep logs for {days} days on aws",
            why=f"CloudWatch takes {', '.join(map(str, CLOUDWATCH_DAYS))}",
            fix=f"set logRetentionDays: {nearest}",
        )


def models(subject: Subject) -> Iterator[Diagnostic]:
    """Built-in models by name; a model that names nothing."""
    for group in subject.groups():
        if (model := group.inner("model")) is None:
            continue
        source = model.text("source") or ""
        name = source.removeprefix(BUILTIN)
        if source.startswith(BUILTIN) and name not in BUILTIN_MODELS:
            near = did_you_mean(name, BUILTIN_MODELS)
            fix = f"did you mean {BUILTIN}{near}?" if near else f"write {BUILTIN}{BUILTIN_MODELS[0]}"
            message = f"cannot take {shown(source)} as a model: there is no such built-in model"
            yield error("BND320", model.span("source"), message, fix=fix)
        misspelt = model.value.keys() - set(keys_of(ModelSpec))
        if not misspelt and "source" not in model.value and "hfRepoId" not in model.value:
            yield warning(
                "BND319",
                model.key_span(),
                "model names no weights: neither hfRepoId nor source",
                why="its other keys have no effect; the image or the command must bring the model",
                fix="add hfRepoId or source, or remove model",
            )


def memory(subject: Subject) -> Iterator[Diagnostic]:
    """A plain number is bytes, as in Kubernetes; so few are a forgotten unit."""
    store = subject.target.inner("vectorStore")
    for item in (*subject.groups(), *([store] if store else [])):
        request = item.inner("resourceRequest")
        if request and (text := request.text("memory")) and _bytes(text) < _TINY:
            yield warning(
                "BND326",
                request.span("memory"),
                f"memory {text!r} means {_bytes(text)} bytes",
                why="a number without a unit is bytes",
                fix=f"write {text.strip()}Gi if that is meant" if text.strip().isdecimal() else "write Mi or Gi",
            )


def listeners(subject: Subject) -> Iterator[Diagnostic]:
    """The loopback listener stands at 127.0.0.1; a public one on all interfaces, or there, needs another port."""
    local = subject.local
    port = local.whole("port")
    address = local.text("publicAddress") or _EVERYWHERE[0]
    if port is not None and port == local.whole("publicPort") and address in _EVERYWHERE:
        yield error(
            "BND327",
            local.span("publicPort"),
            f"cannot listen on port {port} twice",
            why="the loopback listener and the public one are two",
            fix="give one of them another port, or remove publicPort: a free one is taken",
            related=[Related(local.span("port"), "port stands here")],
        )


def _bytes(text: str) -> int:
    try:
        return Memory.parse(text).bytes
    except ValueError:
        return _TINY
