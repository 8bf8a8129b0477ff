"""What pydantic says about a mapping -> findings with place, code, reason and a way out; all of them at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from bandari.desired.secrets import mask
from bandari.diagnostics import Diagnostic, did_you_mean, error
from bandari.document import Document, Path, written
from bandari.specs.fields import Spec

_LONGEST = 60
"""Characters of a value that a message repeats."""
_REASONS: Mapping[str, tuple[str, str, str]] = {
    "string_type": ("BND203", "text is expected", "write text; put it in quotes if YAML reads it as something else"),
    "int_type": ("BND203", "a whole number is expected", "write a number"),
    "int_parsing": ("BND203", "a whole number is expected", "write a number"),
    "int_parsing_size": ("BND205", "it is too large", "write a smaller number"),
    "int_from_float": ("BND203", "a whole number is expected", "write a number without a fraction"),
    "bool_type": ("BND203", "true or false is expected", "write true or false"),
    "bool_parsing": ("BND203", "true or false is expected", "write true or false"),
    "tuple_type": ("BND203", "a list is expected", "write each item after `- `, or all of them in [ ]"),
    "model_type": ("BND203", "a mapping is expected", "write `key: value` lines below it"),
    "dict_type": ("BND203", "a mapping is expected", "write `key: value` lines below it"),
    "finite_number": ("BND203", "a whole number is expected", "write a number"),
    "greater_than_equal": ("BND205", "it must be at least {ge}", "write {ge} or more"),
    "less_than_equal": ("BND205", "it must be at most {le}", "write {le} or less"),
    "string_pattern_mismatch": ("BND206", "it holds characters that are not allowed here", "use letters, digits and -"),
}
"""Type of a pydantic error -> code, reason, fix; in braces what its context holds."""


def findings(document: Document, base: Path, model: type[Spec], failure: ValidationError) -> Iterator[Diagnostic]:
    """The findings of a mapping that stands at `base` and was read as `model`."""
    for item in failure.errors(include_url=False):
        path = (*base, *item["loc"])
        match item["type"]:
            case "extra_forbidden":
                yield unknown_key(document, path, model_at(model, item["loc"][:-1]))
            case "missing":
                yield missing_key(document, path, model_at(model, item["loc"][:-1]))
            case _ if item["input"] is None:
                yield _without_value(document, path)
            case "literal_error":
                yield _not_one_of(document, path, item)
            case _:
                yield _refused(document, path, item)


def keys_of(model: type[Spec]) -> tuple[str, ...]:
    """The keys that a mapping may hold, as they are written."""
    return tuple(field.alias or name for name, field in model.model_fields.items())


def unknown_key(document: Document, path: Path, model: type[Spec]) -> Diagnostic:
    """A key that its mapping does not have; the span is the key's."""
    key, known = str(path[-1]), keys_of(model)
    near, inner = did_you_mean(key, known), _inner(model, key)
    fix = f"did you mean `{near}`?" if near else f"remove it; known here: {', '.join(sorted(known))}"
    fix = f"move it into `{inner}`" if inner else fix
    return error("BND201", document.key_span(path), f"cannot read {_place(path)}: there is no such key", fix=fix)


def _inner(model: type[Spec], key: str) -> str:
    """The mapping of a model that has a key which the model itself has not."""
    for name, field in model.model_fields.items():
        below = _spec_in(field.annotation)
        if below and key in keys_of(below):
            return field.alias or name
    return ""


def missing_key(document: Document, path: Path, model: type[Spec], why: str = "") -> Diagnostic:
    """A key that its mapping needs; the span is the key of the mapping, or the item of a list."""
    key = str(path[-1])
    field = next((f for name, f in model.model_fields.items() if (f.alias or name) == key), None)
    example = _as_yaml(field.examples[0]) if field and field.examples else "..."
    meaning = (field.description or "").rstrip(".") if field else ""
    meaning = meaning if meaning[1:2].isupper() else meaning[:1].lower() + meaning[1:]
    where = _place(path[:-1]) or "the file"
    span = document.key_span(path[:-1])
    return error(
        "BND202", span, f"cannot read {where}: `{key}` is missing", why=why or meaning, fix=f"add `{key}: {example}`"
    )


def _as_yaml(value: Any) -> str:
    return f"[{', '.join(map(written, value))}]" if isinstance(value, list) else written(value)


def model_at(model: type[Spec], loc: tuple[int | str, ...]) -> type[Spec]:
    """The model of a mapping inside another."""
    for step in loc:
        if isinstance(step, int):
            continue
        field = next(f for name, f in model.model_fields.items() if (f.alias or name) == step)
        model = _spec_in(field.annotation) or model
    return model


def _spec_in(annotation: Any) -> type[Spec] | None:
    if isinstance(annotation, type) and issubclass(annotation, Spec):
        return annotation
    return next((found for part in get_args(annotation) if (found := _spec_in(part))), None)


def _without_value(document: Document, path: Path) -> Diagnostic:
    what = "item" if isinstance(path[-1], int) else "key"
    why = f"{'an' if what == 'item' else 'a'} {what} with nothing after it is probably unfinished"
    message = f"cannot take {_place(path)} without a value"
    return error("BND204", document.span(path), message, why=why, fix=f"write a value, or remove the {what}")


def _not_one_of(document: Document, path: Path, item: ErrorDetails) -> Diagnostic:
    expected = item.get("ctx", {}).get("expected", "")
    words = [word.strip("'") for word in expected.replace(" or ", ", ").split(", ")]
    near = did_you_mean(item["input"], words) if isinstance(item["input"], str) else None
    fix = f"did you mean {near}?" if near else f"write {expected}"
    return error("BND207", document.span(path), _cannot_take(item, path, f"it is not one of {expected}"), fix=fix)


def _refused(document: Document, path: Path, item: ErrorDetails) -> Diagnostic:
    ctx = item.get("ctx", {})
    if item["type"] == "finding":
        message = _cannot_take(item, path, ctx["reason"])
        if ctx["code"] == "BND204":
            return _without_value(document, path)
        return error(ctx["code"], document.span(path), message, why=ctx["why"], fix=ctx["fix"])
    code, reason, fix = _REASONS.get(item["type"], ("BND203", item["msg"].lower(), "correct the value"))
    message = _cannot_take(item, path, reason.format_map(ctx))
    return error(code, document.span(path), message, fix=fix.format_map(ctx))


def _cannot_take(item: ErrorDetails, path: Path, reason: str) -> str:
    return f"cannot take {shown(item['input'])} as {_place(path)}: {reason}"


def shown(value: Any) -> str:
    """A value in a message: scalars in quotes, cut where they are long; what looks like a credential as `***`."""
    if isinstance(value, list | tuple):
        return "a list"
    if isinstance(value, dict):
        return "a mapping"
    text = mask(written(value))
    return repr(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}...")


def _place(path: Path) -> str:
    """The last steps of a path: `runtime.image`, `files[0]`."""
    keys = [n for n, step in enumerate(path) if isinstance(step, str)]
    tail = (
        path[keys[-2] if len(keys) > 1 else 0 :]
        if path and isinstance(path[-1], str)
        else path[keys[-1] if keys else 0 :]
    )
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in tail)
    return text.lstrip(".")
