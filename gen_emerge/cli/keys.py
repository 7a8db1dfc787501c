"""Takes what a terminal sends; gives what it means in a question, and the lines that say so. Knows no terminal."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType

LEFT = ("\x1b[D", "\x1bOD", "\xe0K", "\x00K")
RIGHT = ("\x1b[C", "\x1bOC", "\xe0M", "\x00M")
DOWN = ("\x1b[B", "\x1bOB", "\xe0P", "\x00P")
UNDO = ("u", "U", "\x7f", "\x08")
QUIT = ("q", "Q", "\x04", "\x1b", "")
"""Ctrl-D, Esc, and nothing at all: the terminal is gone."""
HELP = ("?", "h", "H")
INTERRUPT = "\x03"

_PAIR: Mapping[str, str] = MappingProxyType(
    {"l": "left", "1": "left", "r": "right", "2": "right", "t": "tie", "=": "tie", "s": "skip"}
)
_SINGLE: Mapping[str, str] = MappingProxyType({"k": "keep", "d": "discard", "c": "unsure", "s": "skip"})
_TRIPLET: Mapping[str, str] = MappingProxyType({"a": "a", "1": "a", "b": "b", "2": "b", "c": "unsure", "s": "skip"})
_WORDS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {"pair": _PAIR, "single": _SINGLE, "triplet": _TRIPLET, "rank": MappingProxyType({"s": "skip"})}
)
_ARROWS: Mapping[str, Sequence[str]] = MappingProxyType(
    {
        "pair": ("left", "right", "tie"),
        "single": ("discard", "keep", "unsure"),
        "triplet": ("a", "b", "unsure"),
        "rank": (),
    }
)
_OWN: Mapping[str, str] = MappingProxyType(
    {
        "pair": "l left  t tie  r right",
        "single": "d discard  c cannot say  k keep",
        "triplet": "a left  c cannot say  b right",
    }
)
_CAPITALS: Mapping[str, str] = MappingProxyType({"pair": "L, T, R", "single": "D, C, K", "triplet": "A, C, B"})
_ONE_KEY = re.compile(r"\x1b(?:\[[0-9;]*[A-Za-z~]|O[A-Z])|[\x00\xe0][A-Z]|.", re.DOTALL)
_EVERYWHERE = (
    ("s", "skip: says nothing, is not asked again"),
    ("u, backspace", "undo: take back the answer before"),
    ("q, Esc, Ctrl-D", "leave: answers are kept, the rest is open"),
    ("?, h", "these lines"),
)
_LINES: Mapping[str, Sequence[tuple[str, str]]] = MappingProxyType(
    {
        "pair": (
            ("l, left arrow", "the left one"),
            ("t, down arrow", "a tie, which is an answer too"),
            ("r, right arrow", "the right one"),
            *_EVERYWHERE,
        ),
        "single": (
            ("d, left arrow", "discard it"),
            ("c, down arrow", "cannot say: it speaks for neither side"),
            ("k, right arrow", "keep it"),
            *_EVERYWHERE,
        ),
        "triplet": (
            ("a, left arrow", "the one on the left is more like it"),
            ("c, down arrow", "cannot say"),
            ("b, right arrow", "the one on the right is more like it"),
            *_EVERYWHERE,
        ),
    }
)


def split(sent: str) -> list[str]:
    """One read of a terminal as keys: it may hold several, and an arrow is one key of several letters."""
    return _ONE_KEY.findall(sent) or [""]


def meaning(key: str, kind: str, letters: Sequence[str] = ()) -> tuple[str, bool] | None:
    """What a key says: (an answer, or "undo", "quit" or "help"; sure), None for a key without meaning here.

    Args:
        key: one key, as the terminal sends it.
        kind: the question's kind.
        letters: of the images that can be named; they go before whatever else a key means.
    """
    if key.lower() in letters:
        return key.lower(), not key.isupper()
    if key in QUIT:
        return "quit", True
    if key in UNDO:
        return "undo", True
    if key in HELP:
        return "help", True
    for arrow, answer in zip((LEFT, RIGHT, DOWN), _ARROWS[_group(kind)], strict=False):
        if key in arrow:
            return answer, True
    word = _WORDS[_group(kind)].get(key.lower())
    return None if word is None else (word, not key.isupper())


def short(kind: str, letters: Sequence[str] = ()) -> str:
    """The keys in one line; those of the answers stand as the arrows do: left, down, right."""
    own = _OWN.get(_group(kind)) or f"{letters[0]} ... {letters[-1]}, the best first"
    return f"{own}  s skip  u undo  q quit  ? help"


def lines(kind: str, letters: Sequence[str] = ()) -> list[str]:
    """All keys of a kind of question, a line each, and what a capital letter says."""
    known = _LINES.get(_group(kind)) or (
        (f"{letters[0]} ... {letters[-1]}", "the best, then the next best; the last follows by itself"),
        ("u, backspace", "undo: take back the last letter, then the answer before"),
        *(row for row in _EVERYWHERE if not row[0].startswith("u")),
    )
    longest = max(len(keys) for keys, _ in known)
    capitals = _CAPITALS.get(_group(kind)) or f"{letters[0]} ... {letters[-1]}".upper()
    rows = [f"{keys:<{longest}}  {text}" for keys, text in known]
    return [*rows, f"A capital letter ({capitals}) says that you are not sure."]


def strange(key: str) -> str:
    """What is said to a key without meaning."""
    name = f'"{key}"' if key.isprintable() and key.strip() else "That key"
    return f"{name} means nothing here: ? lists the keys."


def _group(kind: str) -> str:
    return {"pair": "pair", "triplet": "triplet", "rank4": "rank", "ranking": "rank"}.get(kind, "single")
