"""Takes the path of a prompt bank (TOML); gives a checked `PromptBank`. Banks are only read, never written.

The format is described in `prompts/README.md`. Every error names the file, the place in it, what came and what was
wanted.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from string import Formatter
from typing import Any, cast

from gen_emerge.config.toml import shown, unread_value
from gen_emerge.errors import BadInput, NotFound, nearest, system_limit
from gen_emerge.types import Pattern, PromptBank

_SLOT = re.compile(r"^[a-z](?:_?[a-z0-9])*$")
_TOKEN = re.compile(r"__(.+?)__")
_KEYS = ("schema", "id", "template", "negative", "slots", "patterns")
_MOST_STRANGE = 12
"""Words that are named of those that a slot or a generator does not know."""


def load_prompts(path: Path) -> PromptBank:
    """Read one prompt bank.

    Args:
        path: of the TOML file.

    Returns:
        The bank; its `hash` is the SHA-256 of the file's bytes.

    Raises:
        NotFound: there is no such file; the nearest in its folder is named.
        BadInput: it is not a prompt bank.
    """
    content = _read(path)
    table = _parse(path, content)
    _refuse_unknown(path, "", table, _KEYS)
    if type(table.get("schema")) is not int or table["schema"] != 1:
        raise _bad(path, f"schema = {shown(table.get('schema'))}, wanted schema = 1")
    slots = _slots(path, table.get("slots"))
    template = _text(path, "template", table.get("template"))
    _check_template(path, template, slots)
    rows = table.get("patterns", [])
    if not isinstance(rows, list):
        raise _bad(path, "patterns must be an array of tables, each under [[patterns]]")
    strange: list[tuple[str, str]] = []
    patterns = tuple(_pattern(path, i, row, slots, strange) for i, row in enumerate(cast(list[Any], rows)))
    if len(strange) == 1:
        raise _bad(path, f"{strange[0][0]} is no word of that slot", strange[0][1])
    if strange:
        told = ", ".join(what for what, _ in strange[:_MOST_STRANGE])
        more = f", and {len(strange) - _MOST_STRANGE} more" if len(strange) > _MOST_STRANGE else ""
        raise _bad(path, f"{told}{more} are no words of their slots", "Take these patterns out, or the words in.")
    return PromptBank(
        id=_text(path, "id", table.get("id")),
        hash=hashlib.sha256(content).hexdigest(),
        template=template,
        negative=_text(path, "negative", table.get("negative", ""), empty=True),
        slots=slots,
        patterns=patterns,
    )


def check_words(bank: PromptBank, vocabulary: Mapping[str, Iterable[str]], *, generator: str) -> None:
    """Refuse a bank with slots or words that its generator would not understand.

    Args:
        bank: the bank a series names.
        vocabulary: slot -> every word the generator knows.
        generator: its name.

    Raises:
        BadInput: naming every slot and word that it would not, with the nearest known one.
    """
    strange: list[tuple[str, str]] = []
    for slot, words in bank.slots.items():
        if slot not in vocabulary:
            strange.append((f'slot "{slot}"', nearest(slot, vocabulary)))
            continue
        known = dict.fromkeys(vocabulary[slot])
        strange += [(f'{slot} "{word}"', nearest(word, known)) for word in words if word not in known]
    if not strange:
        return
    told, hint = ", no ".join(what for what, _ in strange[:_MOST_STRANGE]), strange[0][1]
    if more := len(strange) - _MOST_STRANGE:
        told += f", and {more} more" if more > 0 else ""
    if len(strange) > 1:
        hint = " ".join(f"{what}: {near}" for what, near in strange[:_MOST_STRANGE])
    raise BadInput(f'The generator "{generator}" knows no {told} (prompt bank {bank.id}).', hint=hint)


def _bad(path: Path, problem: str, hint: str = "") -> BadInput:
    wanted = "Correct the bank; if it was used already, add a new version beside it instead."
    return BadInput(f"{path.name} (a prompt bank): {problem}.", hint=hint or wanted)


def _read(path: Path) -> bytes:
    if path.is_dir():
        raise NotFound(f"The prompt bank {path} is a folder, wanted a file.", hint=_nearest_in(path, path.name))
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise NotFound(f"There is no prompt bank {path}.", hint=_nearest_in(path.parent, path.name)) from None
    except OSError as error:
        if limit := system_limit(error):
            raise limit from None
        reason = (error.strerror or str(error)).lower()
        raise BadInput(
            f"The prompt bank {path} cannot be read: {reason}.", hint="Make it readable, or copy it from elsewhere."
        ) from None


def _nearest_in(folder: Path, name: str) -> str:
    there = sorted(file.name for file in folder.glob("*.toml"))
    return nearest(name, there) or "Make the studio's own banks again: gen-emerge init"


def _parse(path: Path, content: bytes) -> dict[str, Any]:
    try:
        return tomllib.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise _bad(path, f"not text in UTF-8 (byte {error.start})") from None
    except tomllib.TOMLDecodeError as error:
        raise _bad(path, f"not valid TOML: {error}") from None
    except RecursionError:
        raise _bad(path, "arrays or tables are nested too deeply to be read") from None
    except ValueError as error:  # a number of thousands of digits, or a date that is none
        raise _bad(path, f"a value cannot be read: {unread_value(error)}") from None


def _refuse_unknown(path: Path, where: str, table: Mapping[str, Any], known: Iterable[str]) -> None:
    names = list(known)
    for key in table:
        if key not in names:
            raise _bad(path, f"unknown key {where}{key}", nearest(key, names))


def _text(path: Path, key: str, value: Any, *, empty: bool = False) -> str:
    if not isinstance(value, str) or not (value.strip() or empty):
        came = "is missing" if value is None else f"= {shown(value)}"
        raise _bad(path, f"{key} {came}, wanted a text in quotes")
    return value


def _slots(path: Path, table: Any) -> dict[str, tuple[str, ...]]:
    if not isinstance(table, dict) or not table:
        raise _bad(path, '[slots] is missing or empty, wanted a table such as [slots] mood = ["serene", "stormy"]')
    slots: dict[str, tuple[str, ...]] = {}
    for name, value in cast(dict[str, Any], table).items():
        if not _SLOT.match(name):
            raise _bad(path, f'slots: "{name}" is no name for a slot, wanted lower-case letters, digits and "_"')
        if not isinstance(value, list) or not value:
            raise _bad(path, f"slots.{name} has no words, wanted an array of texts")
        words = tuple(_text(path, f"slots.{name}[{i}]", word) for i, word in enumerate(cast(list[Any], value)))
        twice = sorted(word for word, times in Counter(words).items() if times > 1)
        if twice:
            raise _bad(path, f'slots.{name} has "{twice[0]}" twice')
        slots[name] = words
    return slots


def _check_template(path: Path, template: str, slots: Mapping[str, tuple[str, ...]]) -> None:
    try:
        parts = list(Formatter().parse(template))
    except ValueError as error:
        raise _bad(path, f"template has a brace too many or too few ({error}): {template!r}") from None
    used: list[str] = []
    for _, name, form, conversion in parts:
        if name is None:
            continue
        if form or conversion or name not in slots:
            raise _bad(path, f"template uses {{{name}}}, which is no slot", nearest(name, slots))
        used.append(name)
    for slot in slots:
        if used.count(slot) != 1:
            raise _bad(path, f"template uses {{{slot}}} {used.count(slot)} times, wanted every slot once")


def _pattern(
    path: Path, index: int, row: Any, slots: Mapping[str, tuple[str, ...]], strange: list[tuple[str, str]]
) -> Pattern:
    """One pattern. Words that it fixes and its slots do not have are added to `strange`, with what is near."""
    where = f"patterns[{index}]"
    if not isinstance(row, dict):
        raise _bad(path, f"{where} must be a table with text and slots")
    table = cast(dict[str, Any], row)
    _refuse_unknown(path, f"{where}.", table, ("text", "slots"))
    text = _text(path, f"{where}.text", table.get("text"))
    fixes = table.get("slots", {})
    if not isinstance(fixes, dict):
        raise _bad(path, f'{where}.slots = {shown(fixes)}, wanted a table such as {{ mood = "serene" }}')
    fixed: dict[str, str] = {}
    for slot, value in cast(dict[str, Any], fixes).items():
        if slot not in slots:
            raise _bad(path, f"{where}.slots fixes {slot}, which is no slot", nearest(slot, slots))
        word = _text(path, f"{where}.slots.{slot}", value)
        if word not in slots[slot]:
            strange.append((f'{where}.slots.{slot} = "{word}"', nearest(word, slots[slot])))
        fixed[slot] = word
    for token in _TOKEN.findall(text):
        if token not in slots:
            raise _bad(path, f"{where}.text has __{token}__, which is no slot", nearest(token, slots))
        if token in fixed:
            raise _bad(path, f"{where} both fixes {token} and draws it as __{token}__")
    return Pattern(text=text, slots=fixed)
