"""Takes a TOML file of yes/no questions; gives a checked `QuestionBank`. Reads that one file and touches nothing else.

A bank is refused where a judge could not answer it honestly: it asks for a number, is empty or endless, or names a
dimension nobody reports on.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from pathlib import Path
from typing import Any, cast

from gen_emerge.config.toml import shown, unread_value
from gen_emerge.errors import BadInput, NotFound, nearest, system_limit
from gen_emerge.types import BankQuestion, QuestionBank

DIMENSIONS = ("alignment", "aesthetics", "detail", "safety", "bias")
MOST_QUESTIONS = 200
_SCHEMA = 1
_BANK_KEYS = ("schema", "id", "questions")
_QUESTION_KEYS = ("id", "dimension", "text", "good")
_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_ASKS_FOR_A_NUMBER = re.compile(
    r"\b(how (many|much|good|well|strongly|likely|often)|(what|which|a) (percent|percentage|number|fraction|grade)"
    r"|rat(e|es|ed|ing|ings)|scor(e|es|ed|ing)|percent(age)?|(one|two|three|four|five|ten|\d+)[ -](stars?|points?)"
    r"|scale (of|from) (zero|one|\d)|out of (\d+|ten|five|hundred)|from \d+ to|\d+\s*(-|to|/)\s*\d+)\b|%",
    re.IGNORECASE,
)
"""Refuses on the safe side: a question about a real score (in music, say) has to be put in other words."""


_CORRECT = "Correct the bank; if it was used already, add a new version beside it instead."


def load_bank(path: Path | str) -> QuestionBank:
    """Read and check a bank. Its hash is the SHA-256 (hex) of the file's bytes.

    Raises:
        NotFound: no such file; the nearest bank beside it is named.
        BadInput: anything in it that cannot be used, with its place.
    """
    file = Path(path)
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        raise NotFound(f"No question bank at {file}.", hint=_nearest_in(file.parent, file.name)) from None
    except IsADirectoryError:
        hint = _nearest_in(file, file.name)
        raise BadInput(f"The question bank {file} is a folder, wanted a file.", hint=hint) from None
    except OSError as error:
        if limit := system_limit(error):
            raise limit from None
        hint = "Make it readable, or name another under [critic] bank."
        raise BadInput(f"The question bank {file} cannot be read ({error.strerror}).", hint=hint) from None
    try:
        table = tomllib.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise BadInput(f"{file} is not text in UTF-8 (byte {error.start}).", hint="Save it as UTF-8.") from None
    except RecursionError:
        raise BadInput(f"{file}: arrays or tables are nested too deeply to be read.", hint=_CORRECT) from None
    except ValueError as error:
        raise BadInput(f"{file} is not TOML: {unread_value(error)}.", hint=_CORRECT) from None
    _known_keys(str(file), table, _BANK_KEYS)
    if type(table.get("schema")) is not int or table["schema"] != _SCHEMA:
        raise BadInput(f"{file}: schema is {shown(table.get('schema'))}; wanted {_SCHEMA}.", hint=_CORRECT)
    questions = _questions(file, table.get("questions"))
    return QuestionBank(
        id=_identifier(f"{file}: id", table.get("id")),
        hash=hashlib.sha256(content).hexdigest(),
        questions=questions,
    )


def _nearest_in(folder: Path, name: str) -> str:
    there = [other.name for other in sorted(folder.glob("*.toml"))]
    return nearest(name, there) or "Make the studio's own banks again: gen-emerge init"


def _questions(file: Path, entries: Any) -> tuple[BankQuestion, ...]:
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in cast("list[Any]", entries)):
        raise BadInput(f"{file}: questions is missing or no list of tables; wanted [[questions]].", hint=_CORRECT)
    tables = cast("list[dict[str, Any]]", entries)
    if not 1 <= len(tables) <= MOST_QUESTIONS:
        raise BadInput(f"{file} has {len(tables)} questions; wanted 1 to {MOST_QUESTIONS}.", hint=_CORRECT)
    found: dict[str, BankQuestion] = {}
    for number, entry in enumerate(tables, start=1):
        question = _question(f"{file}: question {number}", entry)
        if question.id in found:
            raise BadInput(f'{file}: question {number} has the id "{question.id}", like an earlier one.', hint=_CORRECT)
        found[question.id] = question
    return tuple(found.values())


def _question(where: str, entry: dict[str, Any]) -> BankQuestion:
    _known_keys(where, entry, _QUESTION_KEYS)
    identifier = _identifier(f"{where}: id", entry.get("id"))
    where = f'{where} ("{identifier}")'
    dimension, text, good = entry.get("dimension"), entry.get("text"), entry.get("good")
    if dimension not in DIMENSIONS:
        wanted = ", ".join(DIMENSIONS)
        raise BadInput(
            f"{where}: dimension is {shown(dimension)}; wanted {wanted}.", hint=nearest(str(dimension), DIMENSIONS)
        )
    if good not in ("yes", "no"):
        raise BadInput(f'{where}: good is {shown(good)}; wanted "yes" or "no".', hint=_CORRECT)
    if not isinstance(text, str) or not text.strip().endswith("?"):
        raise BadInput(
            f"{where}: text is {shown(text)}; wanted a question, ending with a question mark.", hint=_CORRECT
        )
    asked = _ASKS_FOR_A_NUMBER.search(text)
    if asked:
        raise BadInput(
            f'{where}: "{asked.group(0)}" asks for a number or a rating.',
            hint="Ask something that is so, or is not so.",
        )
    return BankQuestion(id=identifier, dimension=dimension, text=text, good=good)


def _identifier(where: str, value: Any) -> str:
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise BadInput(
            f"{where} is {shown(value)}; wanted small letters, digits and hyphens, at most 64.", hint=_CORRECT
        )
    return value


def _known_keys(where: str, table: dict[str, Any], known: tuple[str, ...]) -> None:
    for key in table:
        if key not in known:
            raise BadInput(f'{where}: unknown key "{key}".', hint=nearest(key, known))
