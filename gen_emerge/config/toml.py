"""Plain values as TOML writes them, for series files and for errors about them. Takes values, gives one line."""

from __future__ import annotations

import json
import re
from datetime import date, datetime, time
from typing import Any, cast

_BARE = re.compile(r"^[A-Za-z0-9_-]+$")
_SHOWN = 60
"""Letters of a value that an error shows."""
STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Signs that steer a terminal or turn the direction of what follows; line breaks and tabs are none of them."""


def toml_value(value: Any) -> str:
    """Write one plain value on one line."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, int):
        try:
            return str(value)
        except ValueError:  # longer than Python writes out: hexadecimal ones are read whatever their length
            return f"a number of {value.bit_length():,} binary digits"
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, list):
        return "[" + ", ".join(toml_value(item) for item in cast(list[Any], value)) + "]"
    if isinstance(value, dict):
        items = cast(dict[str, Any], value).items()
        return (
            "{ " + ", ".join(f"{toml_key(key)} = {toml_value(item)}" for key, item in items) + " }" if items else "{}"
        )
    return STEERING.sub(lambda sign: f"\\u{ord(sign[0]):04x}", json.dumps(str(value), ensure_ascii=False))


def shown(value: Any) -> str:
    """A value for an error: as TOML writes it, and not without end."""
    if value is None:
        return "nothing"
    text = toml_value(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


def unread_value(error: ValueError) -> str:
    """Why a value of a TOML file cannot be read: Python's own words about long numbers help nobody."""
    said = str(error)
    return "it is no number of a sensible size (thousands of digits)" if "integer string conversion" in said else said


def toml_key(key: str) -> str:
    """A key as TOML writes it, in quotes where it needs them."""
    return key if _BARE.match(key) else toml_value(key)
