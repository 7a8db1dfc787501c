"""Takes humans' duels, keeps and the images' genomes; gives the direction of their taste over words. Pure functions.

The Bradley-Terry model of this room with the words as its features, one weight a word instead of principal components,
because the weights themselves are what is wanted:

    utility of an image = its own part + sum over its words of w + sum over its parameters of b x

with Gaussian priors; that of the images' own parts is learned from the evidence (see `learned.py`). An image's own part
is what keeps one much-compared picture from passing for evidence about its words: twenty duels of one picture say
little of them, one duel of each of twenty pictures says much. Keeping an image is beating its rater's bar, an item
without words.

A word is told by its *contrast*: its weight less the mean weight of its slot. Duels never say more, since every image
has one word of each slot. It is named where its interval excludes 0. There are fifty words or so, and what is said is
read as one sentence, so the interval holds for all of them at once (Sidak 1967): with 80% for each by itself, a rater
who clicks at random would be told of several words that they love or hate.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gen_emerge.preference.comparisons import CODES, Comparisons, Edges, Floats, merge
from gen_emerge.preference.evidence import PSEUDO_SD
from gen_emerge.preference.learned import best_scales
from gen_emerge.preference.solver import Graph, Scales, maximise
from gen_emerge.types import Duel, Genome

COVERAGE = 0.8
"""Chance that all intervals together hold. The prior draws every estimate nearer to 0 than its interval allows for, so
a taste for no word is told of one more seldom than 1 - 0.8: in at most one series of ten (a test counts)."""
KEEP_WEIGHT = 0.5
"""What a keep or a discard counts beside a duel: its bar moves with what was seen just before, a pair's does not.
Stated, not yet learned."""
WORD_SD = PSEUDO_SD
"""Prior sd of a word's weight, in log-odds: what people's utilities spread by. Not learned: one loved word among fifty
that say nothing makes a learned common scale so small that it can never be named. A prior around 0 names nothing by
itself, whatever its scale: it only draws estimates nearer to 0 than chance alone brings them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One rater's keep (`good`) or discard of an image; `weight` is 1 for one they were sure of."""

    candidate: int
    rater: str
    good: bool
    weight: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaning:
    """What the evidence says of one word, or of one parameter.

    Args:
        name: the slot, or the parameter.
        word: the word; "" for a parameter.
        value: log-odds by which an image with it beats one with the average word of its slot, all else alike; for a
            parameter by which one that is a standard deviation larger beats one that is not.
        error: its posterior standard deviation.
        low: lower end of its interval; all intervals hold together with the chance `COVERAGE`.
        high: upper end.
        answers: human answers that speak of it: one side has it and the other has not.
    """

    name: str
    word: str
    value: float
    error: float
    low: float
    high: float
    answers: int

    @property
    def says(self) -> Literal["more", "less", ""]:
        """Nothing ("") where the interval holds 0."""
        return "more" if self.low > 0 else "less" if self.high < 0 else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compass:
    """The direction. `leanings`: every word that was seen beside another, the strongest first; then parameters.

    `duels` and `keeps` are how many human answers there are, `images` how many images they are about.
    """

    leanings: tuple[Leaning, ...] = ()
    duels: int = 0
    keeps: int = 0
    images: int = 0

    def named(self, says: Literal["more", "less"]) -> list[Leaning]:
        """What may be said, the strongest first."""
        return [each for each in self.leanings if each.says == says]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Columns:
    """(n, r) what of an image may speak, scaled; `names` and `scale` (r,): a weight times its scale is in log-odds."""

    values: Floats
    names: Sequence[tuple[str, str]]
    scale: Floats
    groups: NDArray[np.int64]
    has: NDArray[np.bool_] = field(repr=False)


def fit_compass(duels: Iterable[Duel], kept: Iterable[Kept], genomes: Mapping[int, Genome]) -> Compass:
    """The direction of a series' raters together.

    Args:
        duels: verdicts that stand; those of humans about quality count.
        kept: what humans kept and discarded.
        genomes: candidate id -> its genome, of every image that these are about.
    """
    told, kept = [duel for duel in duels if _counts(duel)], list(kept)
    images = sorted({c for duel in told for c in (duel.left, duel.right)} | {k.candidate for k in kept})
    raters = sorted({k.rater for k in kept})
    about = Compass(duels=len(told), keeps=len(kept), images=len(images))
    columns = _columns([genomes[number] for number in images])
    if not columns.names or not (told or kept):
        return about
    edges = _edges(told, kept, images, raters)
    weights, covariance = _fitted(edges, columns, len(images), len(raters))
    return replace(about, leanings=_leanings(weights, covariance, columns, _answers(told, kept, images, columns)))


def _counts(duel: Duel) -> bool:
    """Whether a human says in it which of two genomes gave the better picture; a repeated pair counts once."""
    told = duel.by_human and duel.question == "quality"
    return told and duel.purpose not in ("take", "withdrawn") and not duel.attention


def _columns(genomes: Sequence[Genome]) -> _Columns:
    """Words that some images have and others have not, then parameters that differ; around their mean in their slot.

    Each kind is scaled to a mean squared length of 1 over the images: then an sd learned for its weights is the spread
    of utilities, in log-odds, that it explains (see `features.py`). An imported picture has none of them.
    """
    slots = list(dict.fromkeys(slot for genome in genomes for slot in genome.slots))
    found: list[Floats] = []
    names: list[tuple[str, str]] = []
    has: list[NDArray[np.bool_]] = []
    for slot in slots:
        among = np.array([slot in genome.slots for genome in genomes])
        for word in dict.fromkeys(genome.slots[slot] for genome in genomes if slot in genome.slots):
            own = np.array([genome.slots.get(slot) == word for genome in genomes])
            if own.sum() < among.sum():
                found.append(np.where(among, own - own[among].mean(), 0.0))
                names.append((slot, word))
                has.append(own)
    words = len(names)
    for name in dict.fromkeys(name for genome in genomes for name in genome.parameters):
        among = np.array([name in genome.parameters for genome in genomes])
        values = np.array([genome.parameters.get(name, 0.0) for genome in genomes])
        spread = float(values[among].std())
        if spread > 1e-12:
            found.append(np.where(among, (values - values[among].mean()) / spread, 0.0))
            names.append((name, ""))
            has.append(among)
    if not names:
        nothing = np.zeros((len(genomes), 0))
        return _Columns(
            values=nothing,
            names=(),
            scale=nothing[0:0].ravel(),
            groups=nothing.astype(np.int64).ravel(),
            has=nothing.astype(np.bool_),
        )
    values = np.column_stack(found)
    scale = np.ones(len(names))
    for kind in (slice(0, words), slice(words, None)):
        if values[:, kind].size:
            scale[kind] = 1.0 / np.sqrt(np.mean(np.sum(values[:, kind] ** 2, axis=1)))
    groups = np.array([int(0 < words <= place) for place in range(len(names))], dtype=np.int64)
    return _Columns(values=values * scale, names=names, scale=scale, groups=groups, has=np.column_stack(has))


def _edges(told: Sequence[Duel], kept: Sequence[Kept], images: Sequence[int], raters: Sequence[str]) -> Edges:
    """Images first, then a bar for every rater who kept or discarded any."""
    place = {number: n for n, number in enumerate(images)}
    bar = {rater: len(images) + n for n, rater in enumerate(raters)}
    rows = [(place[d.left], place[d.right], CODES[d.outcome], 1.0) for d in told]
    rows += [(place[k.candidate], bar[k.rater], 1 if k.good else -1, KEEP_WEIGHT * k.weight) for k in kept]
    left, right, won, weight = (np.array(column) for column in zip(*rows, strict=True))
    many = Comparisons(left=left, right=right, outcome=won, weight=weight.astype(np.float64))
    return merge(many, len(images) + len(raters), None, sides=False)


def _fitted(edges: Edges, columns: _Columns, images: int, raters: int) -> tuple[Floats, Floats]:
    """(r,) weights of the columns in log-odds, and their (r, r) posterior covariance."""
    padded = np.concatenate([columns.values, np.zeros((raters, columns.values.shape[1]))])
    shown = padded[edges.left] - padded[edges.right]
    # Where each bar lies is a weight of its own: how many images somebody keeps must not speak for every word.
    bars = (edges.right[:, None] == images + np.arange(raters)).astype(np.float64)
    groups = np.concatenate([columns.groups, np.full(raters, columns.groups.max() + 1)])
    graph = Graph(edges=edges, position=False, columns=np.column_stack([shown, bars]), groups=groups)
    learned, _ = best_scales(graph, None)
    own_sd = [WORD_SD / float(columns.scale[columns.groups == group][0]) for group in np.unique(columns.groups)]
    scales = Scales(items=learned.items, columns=(*own_sd, *learned.columns[len(own_sd) :]))
    estimate = maximise(graph, scales)
    inner = estimate.curvature.solve(estimate.cross, 1e-8)
    whole = np.linalg.inv(estimate.globals_ - estimate.cross.T @ inner)
    # The columns' weights are the last of the globals, the bars the last of those.
    first, count = len(whole) - len(groups), len(columns.names)
    own = whole[first : first + count, first : first + count]
    return estimate.weights[:count] * columns.scale, own * np.outer(columns.scale, columns.scale)


def _answers(told: Sequence[Duel], kept: Sequence[Kept], images: Sequence[int], columns: _Columns) -> NDArray[np.int64]:
    """(r,) how many answers speak of each column; all about images that have it, for parameters."""
    place = {number: n for n, number in enumerate(images)}
    counts = np.zeros(len(columns.names), dtype=np.int64)
    word = np.array([bool(word) for _, word in columns.names])
    for duel in told:
        left, right = columns.has[place[duel.left]], columns.has[place[duel.right]]
        counts += np.where(word, left != right, left & right)
    for each in kept:
        counts += columns.has[place[each.candidate]]
    return counts


def _leanings(
    weights: Floats, covariance: Floats, columns: _Columns, answers: NDArray[np.int64]
) -> tuple[Leaning, ...]:
    """The contrasts within the slots, the strongest words first; parameters as they are."""
    contrast = np.eye(len(weights))
    for slot in {slot for slot, word in columns.names if word}:
        own = np.array([bool(word) and name == slot for name, word in columns.names])
        contrast[np.ix_(own, own)] -= 1.0 / own.sum()
    values = contrast @ weights
    errors = np.sqrt(np.maximum(np.diag(contrast @ covariance @ contrast.T), 0.0))
    wide = NormalDist().inv_cdf(0.5 + 0.5 * COVERAGE ** (1.0 / len(weights)))
    found = [
        Leaning(
            name=name,
            word=word,
            value=float(value),
            error=float(error),
            low=float(value - wide * error),
            high=float(value + wide * error),
            answers=int(count),
        )
        for (name, word), value, error, count in zip(columns.names, values, errors, answers, strict=True)
    ]
    return tuple(sorted(found, key=lambda each: (not each.word, -abs(each.value), each.name, each.word)))
