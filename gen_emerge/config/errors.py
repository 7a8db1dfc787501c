"""Takes pydantic's list of what is wrong; gives one sentence a key (path, what came, what was wanted) and a hint."""

from __future__ import annotations

from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from gen_emerge.config.toml import shown
from gen_emerge.errors import IN_THE_FILE, nearest

_SHOWN = 5
_KINDS: dict[str, str] = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "greater_than_equal": "a number",
    "less_than_equal": "a number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "string_type": "a text in quotes",
    "string_too_short": "a text that is not empty",
    "tuple_type": "an array in [ ]",
    "model_type": "a table",
    "dict_type": "a table",
}


def explain(error: ValidationError, model: type[BaseModel], where: str) -> tuple[str, str]:
    """Turn a refusal into a message and a hint.

    Args:
        error: what pydantic refused.
        model: the whole file's model.
        where: how to name the file.
    """
    sentences: list[str] = []
    hint = ""
    problems = error.errors(include_url=False)
    for problem in problems[:_SHOWN]:
        loc = problem["loc"]
        path = key_path(loc)
        if problem["type"] == "extra_forbidden":
            table = _model_at(model, loc[:-1])
            sentences.append(f"unknown key {path}")
            hint = hint or (nearest(str(loc[-1]), _keys(table)) if table else "")
        elif problem["type"] == "missing":
            sentences.append(f"{path} is missing")
        else:
            came = _shown(problem["input"], problem["type"])
            sentences.append(f"{path}{came}: wanted {_wanted(problem, model)}")
            if problem["type"] == "literal_error" and isinstance(problem["input"], str):
                hint = hint or nearest(problem["input"], _choices(model, loc))
    more = f"; and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
    return f"{where}: {'; '.join(sentences)}{more}.", hint or IN_THE_FILE


def key_path(loc: tuple[int | str, ...]) -> str:
    """Write a place as the user would: `loop.batch`, `filters.rules[0].below`."""
    path = ""
    for part in loc:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    return path or "the file"


def _shown(value: Any, kind: str) -> str:
    if kind == "value_error" and isinstance(value, dict | BaseModel):
        return ""
    return f" = {shown(value)}"


def _wanted(problem: Any, model: type[BaseModel]) -> str:
    kind, context = problem["type"], problem.get("ctx", {})
    if kind == "value_error":
        return str(context["error"])
    if kind == "literal_error":
        return str(context["expected"]).replace("'", '"')
    if kind == "string_pattern_mismatch":
        return "lower-case letters, digits and hyphens, at most 64, beginning with a letter or digit"
    if kind == "string_too_long":
        return f"at most {context['max_length']} letters"
    words: str = _KINDS.get(str(kind)) or str(problem["msg"])
    if "number" not in words:
        return words
    info = _field_at(model, problem["loc"])
    if info is None:
        return words
    if info.annotation is int:
        words = "a whole number"
    low = next((m.ge for m in info.metadata if hasattr(m, "ge")), None)
    high = next((m.le for m in info.metadata if hasattr(m, "le")), None)
    return f"{words} from {_plain(low)} to {_plain(high)}" if low is not None and high is not None else words


def _plain(limit: float) -> str:
    """A limit without an exponent, or the zeros that a float ends with."""
    return f"{limit:.6f}".rstrip("0").rstrip(".") if isinstance(limit, float) and limit < 1e15 else str(limit)


def _keys(model: type[BaseModel]) -> list[str]:
    return [info.alias or name for name, info in model.model_fields.items() if name != "options"]


def _field_at(model: type[BaseModel], loc: tuple[int | str, ...]) -> FieldInfo | None:
    table = _model_at(model, loc[:-1])
    if table is None or not loc:
        return None
    for name, info in table.model_fields.items():
        if loc[-1] in (name, info.alias):
            return info
    return None


def _choices(model: type[BaseModel], loc: tuple[int | str, ...]) -> list[str]:
    info = _field_at(model, loc)
    return [str(choice) for choice in get_args(info.annotation)] if info else []


def _model_at(model: type[BaseModel], loc: tuple[int | str, ...]) -> type[BaseModel] | None:
    here: type[BaseModel] | None = model
    for part in loc:
        if isinstance(part, int):
            continue
        info = here.model_fields.get(part) if here else None
        kinds = [info.annotation, *get_args(info.annotation)] if info else []
        here = next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), None)
    return here
