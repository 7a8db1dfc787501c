"""Takes a tower; gives a style scorer that knows its schools by their names alone, over the tower's one image pass.

The schools are the 27 style names of WikiArt (B. Saleh and A. Elgammal, "Large-scale Classification of Fine-Art
Paintings" (2015), table 2), each told in several sentences whose vectors are averaged, as CLIP's authors do (section
3.1.4). No published WikiArt classifier was found to be better; how well CLIP knows these schools depends on the model.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gen_emerge.errors import BadInput
from gen_emerge.scorers.clip.tower import Tower
from gen_emerge.scorers.style import StyleScorer
from gen_emerge.types import Pixels

SCHOOLS = (
    "Abstract Expressionism",
    "Action Painting",
    "Analytical Cubism",
    "Art Nouveau",
    "Baroque",
    "Color Field Painting",
    "Contemporary Realism",
    "Cubism",
    "Early Renaissance",
    "Expressionism",
    "Fauvism",
    "High Renaissance",
    "Impressionism",
    "Mannerism",
    "Minimalism",
    "Naive Art",
    "New Realism",
    "Northern Renaissance",
    "Pointillism",
    "Pop Art",
    "Post-Impressionism",
    "Realism",
    "Rococo",
    "Romanticism",
    "Symbolism",
    "Synthetic Cubism",
    "Ukiyo-e",
)
"""WikiArt's styles, in alphabetical order."""

SENTENCES = (
    "{}",
    "a {} painting",
    "a work of art in the style of {}",
    "a picture that belongs to {}",
    "a typical example of {}",
    "a detail from a {} picture",
)
"""How a school is told."""


def zero_shot(tower: Tower, *, temperature: float | None = None) -> StyleScorer:
    """A style scorer over the 27 schools.

    Args:
        tower: an open CLIP model, perhaps shared.
        temperature: cosines are divided by it before the softmax; None takes what the model was trained with.

    Raises:
        BadInput: a temperature that is not above 0.
    """
    divisor = 1.0 / tower.logit_scale if temperature is None else temperature
    if not (np.isfinite(divisor) and divisor > 0):
        raise BadInput(f"temperature = {temperature}: wanted a number above 0.", hint="Leave it out, or write 0.01.")
    schools = vectors(tower, SCHOOLS)

    def logits(images: Sequence[Pixels]) -> NDArray[np.float64]:
        return tower.image_features(images).astype(np.float64) @ schools.T / divisor

    told = hashlib.sha256("\n".join((*SCHOOLS, *SENTENCES)).encode()).hexdigest()[:8]
    return StyleScorer(
        SCHOOLS,
        logits,
        version=f"clip-zero-shot-1:{tower.version}:schools-{told}:t-{divisor:.6g}",
        notices=lambda: tower.notices,
    )


def vectors(tower: Tower, schools: Sequence[str]) -> NDArray[np.float64]:
    """The schools' unit vectors, (c, width) float64: the mean over the sentences."""
    texts = [sentence.format(school) for school in schools for sentence in SENTENCES]
    found = tower.text_features(texts).astype(np.float64).reshape(len(schools), len(SENTENCES), -1).mean(axis=1)
    return found / np.linalg.norm(found, axis=1, keepdims=True)
