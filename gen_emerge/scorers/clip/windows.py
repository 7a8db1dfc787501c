"""Takes texts of any length; gives token rows that each fit a CLIP text tower's window. Nothing is cut off.

open_clip's tokenizers cut what is too long without a word. Here a long text is read in several windows of about equal
length, which break between words where they can.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


class Windows:
    """Splits texts for one tokenizer.

    Args:
        tokenizer: open_clip's.
        window: tokens a row, the two marks at its ends included.
    """

    def __init__(self, tokenizer: Any, window: int) -> None:
        self._tokenizer = tokenizer
        self.window = window

    def rows(self, text: str) -> NDArray[np.int64]:
        """(k, window) int64 token rows, k >= 1; one row whenever the text fits."""
        if hasattr(self._tokenizer, "sot_token_id"):
            return self._of_open_clip(text)
        return self._of_transformers(text)

    def _of_open_clip(self, text: str) -> NDArray[np.int64]:
        tokenizer = self._tokenizer
        start, end = tokenizer.sot_token_id, tokenizer.eot_token_id
        # A mark inside the text would end it there for the text tower.
        tokens = [token for token in tokenizer.encode(text) if token not in (start, end)]
        whole_word = [tokenizer.decoder[token].endswith("</w>") for token in tokens]
        rows = np.zeros((0, self.window), np.int64)
        for first, last in cuts(len(tokens), self.window - 2, whole_word):
            row = np.zeros(self.window, np.int64)
            row[: last - first + 2] = [start, *tokens[first:last], end]
            rows = np.vstack([rows, row])
        return rows

    def _of_transformers(self, text: str) -> NDArray[np.int64]:
        wrapper = self._tokenizer
        inner = getattr(wrapper, "tokenizer", wrapper)
        cleaned = wrapper.clean_fn(text) if hasattr(wrapper, "clean_fn") else text
        # The tokenizer itself makes further rows of what does not fit the first, each with its marks.
        read = inner(
            cleaned,
            max_length=self.window,
            padding="max_length",
            truncation=True,
            return_overflowing_tokens=True,
        )
        rows = np.atleast_2d(np.asarray(read["input_ids"], np.int64))
        if len(rows) == 1:
            return np.asarray(wrapper([text]), np.int64)
        if getattr(wrapper, "strip_sep_token", False):
            rows = np.where(rows == inner.sep_token_id, 0, rows)
        return rows


def cuts(count: int, room: int, ends: list[bool]) -> list[tuple[int, int]]:
    """Where to cut `count` tokens into as few parts of at most `room` as can be, about equally long.

    Args:
        count: tokens, >= 0.
        room: tokens a part, >= 1.
        ends: (count,) whether a word ends with this token.

    Returns:
        (first, last + 1) of each part; one empty part for no tokens.
    """
    parts: list[tuple[int, int]] = []
    first = 0
    while count - first > room:
        left = -(-(count - first) // room)
        target = first + min(room, -(-(count - first) // left))
        # The next word's end within the room, else the one before, else wherever the room ends.
        after = next((at for at in range(target, first + room + 1) if ends[at - 1]), 0)
        before = next((at for at in range(target, first + room // 2, -1) if ends[at - 1]), 0)
        last = after or before or first + room
        parts.append((first, last))
        first = last
    return [*parts, (first, count)]
