"""Takes a prompt's text; gives its place in the prompt network's space: the sum of the vectors of the words it knows.

A bag of words: order, grammar and unknown words do not act. Of each slot the first word named counts. The vocabulary
and the vectors lie beside the network (`trunk.json`, `words.npy`), learned with it. NumPy only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_TOKEN = re.compile(r"[^\W\d_]+(?:[-'][^\W\d_]+)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """The words a prompt network knows.

    Args:
        slots: slot -> its words, in the order of the rows of `vectors`, slot after slot.
        aliases: other words -> known ones.
        vectors: (words, d) float32.
    """

    slots: Mapping[str, tuple[str, ...]]
    aliases: Mapping[str, str]
    vectors: NDArray[np.float32]

    def found(self, text: str) -> dict[str, str]:
        """Slot -> word for the first word of each slot that the text names; known words win over aliases."""
        slot_of = {word: slot for slot, words in self.slots.items() for word in words}
        tokens = _TOKEN.findall(text.lower())
        named: dict[str, str] = {}
        for word in [*tokens, *(self.aliases[token] for token in tokens if token in self.aliases)]:
            if word in slot_of:
                named.setdefault(slot_of[word], word)
        return named

    def place(self, text: str) -> NDArray[np.float32]:
        """The caption's direction: (d,) float32 of length 1, or all zero when no word is known."""
        rows = [word for words in self.slots.values() for word in words]
        chosen = [rows.index(word) for word in self.found(text).values()]
        if not chosen:
            return np.zeros(self.vectors.shape[1], np.float32)
        total = self.vectors[sorted(chosen)].sum(axis=0)
        return (total / max(float(np.linalg.norm(total)), 1e-9)).astype(np.float32)
