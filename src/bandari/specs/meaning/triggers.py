"""KEDA triggers, checked as KEDA would: types, settings, values. Source: see `bandari.specs.triggers`."""

from __future__ import annotations

from collections.abc import Iterator

from bandari.diagnostics import Diagnostic, Related, did_you_mean, error
from bandari.document import written
from bandari.specs.meaning.subject import Item, Subject
from bandari.specs.shape import shown
from bandari.specs.triggers import KNOWN_TYPES, METRIC_TYPES, SETTINGS, amount

_RESOURCES = ("cpu", "memory")


def check(subject: Subject) -> Iterator[Diagnostic]:
    """Types that KEDA lacks, and the settings of cpu, memory and prometheus; others are passed on as they are."""
    for group in subject.groups():
        for trigger in group.items("autoScaleTriggers"):
            kind = trigger.text("type")
            if kind and kind not in KNOWN_TYPES:
                yield _unknown_type(trigger, kind)
            elif kind and kind in SETTINGS and (metadata := trigger.inner("metadata")):
                yield from _settings(kind, metadata)
                yield from _metric_type(kind, trigger, metadata)


def _unknown_type(trigger: Item, kind: str) -> Diagnostic:
    near = did_you_mean(kind, KNOWN_TYPES)
    return error(
        "BND321",
        trigger.span("type"),
        f"cannot scale on {shown(kind)}: KEDA has no such trigger",
        why="triggers are KEDA's scalers: https://keda.sh/docs/latest/scalers/",
        fix=f"did you mean {near}?" if near else "use cpu, memory or prometheus",
    )


def _settings(kind: str, metadata: Item) -> Iterator[Diagnostic]:
    known = SETTINGS[kind]
    for key, value in metadata.value.items():
        if key not in known:
            yield _unknown_setting(kind, metadata, key)
        elif not isinstance(value, dict | list) and value is not None:
            yield from _malformed(metadata, key, written(value), known[key].problem(written(value)))
    for key, setting in known.items():
        if setting.required and key not in metadata.value:
            yield error(
                "BND322",
                metadata.key_span(),
                f"cannot read a {kind} trigger: metadata.{key} is missing",
                why=f"KEDA needs it: {setting.meaning}",
                fix=f'add {key}: "{setting.example}"',
            )


def _unknown_setting(kind: str, metadata: Item, key: str) -> Diagnostic:
    near = did_you_mean(key, SETTINGS[kind])
    beside = kind in _RESOURCES and key == "metricType"
    fix = f"did you mean `{near}`?" if near else f"remove it; known are {', '.join(SETTINGS[kind])}"
    return error(
        "BND323",
        metadata.key_span(key),
        f"cannot read metadata.{key}: a {kind} trigger has no such setting",
        why="KEDA ignores what it does not know",
        fix="write it beside metadata" if beside else fix,
    )


def _malformed(item: Item, key: str, text: str, problem: str) -> Iterator[Diagnostic]:
    if problem:
        message = f"cannot take {_shown(key, text)} as {key}: {problem}"
        yield error("BND324", item.span(key), message, why="KEDA refuses the trigger", fix="correct the value")


def _shown(key: str, text: str) -> str:
    """Headers and parameters of a query may hold a credential in any form, so they are never repeated."""
    return "the value" if key in ("customHeaders", "queryParameters") else shown(text)


def _metric_type(kind: str, trigger: Item, metadata: Item) -> Iterator[Diagnostic]:
    outer = trigger.text("metricType")
    if kind not in _RESOURCES:
        if outer == "Utilization":
            problem = "only cpu and memory have a utilization"
            yield from _malformed(trigger, "metricType", outer, problem)
        return
    inner = metadata.text("type")
    if outer and inner:
        yield error(
            "BND324",
            metadata.span("type"),
            "cannot take metadata.type beside metricType",
            why="KEDA refuses a trigger that has both",
            fix="keep metricType",
            related=[Related(trigger.span("metricType"), "metricType stands here")],
        )
    if not outer and not inner and "metricType" not in metadata.value:
        yield error(
            "BND322",
            metadata.key_span(),
            f"cannot read a {kind} trigger: it does not say what its value means",
            why="KEDA needs metricType: Utilization (percent of the request) or AverageValue (a quantity)",
            fix="add `metricType: Utilization` beside metadata",
        )
    value, metric = metadata.value.get("value"), outer or inner
    if metric in METRIC_TYPES and isinstance(value, str | int | float):
        text = written(value)
        yield from _malformed(metadata, "value", text, amount(kind, metric, text) if text else "")
