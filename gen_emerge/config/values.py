"""The kinds of values that series files hold: plain ones as TOML reads them -> checked ones, or what was wanted."""

from __future__ import annotations

import math
import posixpath
from pathlib import PurePosixPath, PureWindowsPath
from typing import Annotated, Any, Literal, cast

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field


def is_plain(value: Any) -> bool:
    """Whether a value can stand in a series file: text, finite numbers, true / false, arrays and tables of them."""
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, list):
        return all(is_plain(item) for item in cast(list[Any], value))
    if isinstance(value, dict):
        return all(is_plain(item) for item in cast(dict[str, Any], value).values())
    return isinstance(value, str | int)


def number(value: Any, wanted: str, *, words: tuple[str, ...], least: float = -math.inf) -> Any:
    """A finite number, or one of the words; else `wanted` is what the error says."""
    if isinstance(value, str) and value in words:
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            finite = float(value)
        except OverflowError:
            raise ValueError(wanted) from None
        if math.isfinite(finite) and finite >= least:
            return finite
    raise ValueError(wanted)


def _inside(path: str) -> str:
    """A bank's path: relative, and nowhere out of the studio folder."""
    if len(path) > 1000 or any(len(part.encode("utf-8", "replace")) > 255 for part in path.split("/")):
        raise ValueError("a path of at most 1000 letters, 255 between slashes")
    if not path.isprintable():
        raise ValueError("a path of printable letters")
    outside = PurePosixPath(path).is_absolute() or PureWindowsPath(path).drive or path.startswith("\\")
    if outside or posixpath.normpath(path.replace("\\", "/")).split("/")[0] == "..":
        raise ValueError('a path inside the studio folder, such as "prompts/painter-1.toml"')
    return path


def _bound(value: Any) -> Any:
    return number(value, 'a number, "auto" or "off"', words=("auto", "off"))


def _distance(value: Any) -> Any:
    return number(value, 'a number from 0, "auto" or "off"', words=("auto", "off"), least=0.0)


def _width(value: Any) -> Any:
    return number(value, 'a width from 0, or "auto"', words=("auto",), least=0.0)


def _whole(value: Any) -> Any:
    """A whole number where a real one is wanted, which TOML tells apart; those that a float holds exactly."""
    return float(value) if type(value) is int and abs(value) < 2**53 else value


def _schema(value: Any) -> Any:
    if type(value) is not int or value != 1:
        raise ValueError("1, the schema this version reads")
    return value


Bound = Annotated[float | Literal["auto", "off"], BeforeValidator(_bound)]
Duplicate = Annotated[float | Literal["auto", "off"], BeforeValidator(_distance)]
Real = Annotated[float, BeforeValidator(_whole)]
Review = Annotated[float | Literal["auto"], BeforeValidator(_width)]
BankPath = Annotated[str, Field(min_length=1), AfterValidator(_inside)]
Words = Annotated[tuple[str, ...], Field(strict=False)]
Counts = Annotated[tuple[int, ...], Field(strict=False)]
Schema = Annotated[Literal[1], BeforeValidator(_schema)]


class Table(BaseModel):
    """What every table of a series file is: frozen, strict, without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)
