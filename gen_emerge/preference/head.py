"""A head over frozen embeddings and checklist answers: takes what is known of two images; gives who is preferred.

A utility linear in a picture's features, in log-odds, with the uncertainty of its weights. It sees no image and asks
nobody. As plain JSON it is stored with a series, so that what it settled can be worked out again from the history.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gen_emerge.errors import BadInput
from gen_emerge.preference.comparisons import Floats
from gen_emerge.types import Side, content_hash

COMPONENTS = 32
"""So many principal components of the embedding at most. From 100 to 200 judgements no more directions can be told
apart, and a head of 1,792 weights would have to be stored with a covariance of three million numbers. Principal
components of the judged images, not a projection drawn by chance: that would keep 32 in 1,792 parts of every
direction, these keep those along which the images differ."""
SHARES = ("yes", "no", "unsure")
"""Answers that speak. A question that was not answered says nothing: it counts as the mean, never as a "no"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Looks:
    """What a head can know of n images.

    Args:
        vectors: (n, d) embeddings, all in one space.
        answers: (n,) question id -> yes, no, unsure or unanswered; an empty one where the critic did not look.
    """

    vectors: NDArray[np.floating]
    answers: Sequence[Mapping[str, str]]

    def take(self, places: NDArray[np.integer]) -> Looks:
        """Those of some images, in that order."""
        return Looks(vectors=self.vectors[places], answers=[self.answers[int(place)] for place in places])


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """From what is known of an image to r columns of mean 0 over the images it was made from.

    Args:
        centre: (d,) mean embedding.
        axes: (d, k) directions; scaled so that the k columns have a mean squared length of 1 over those images.
        questions: (c,) (question id, answer), a column each.
        shares: (c,) share of those images, of those that answered at all, with that answer.
        scale: what a checklist column is multiplied by, for a mean squared length of 1 as well.
    """

    centre: NDArray[np.float32]
    axes: NDArray[np.float32]
    questions: tuple[tuple[str, str], ...]
    shares: Floats
    scale: float

    @property
    def groups(self) -> NDArray[np.int64]:
        """(r,) 0 for the embedding's columns, 1 for the checklist's; from 0 where there is only one of the two."""
        first, second = self.axes.shape[1], len(self.questions)
        return np.repeat(np.array([0, int(first > 0)]), [first, second])

    def columns(self, looks: Looks) -> Floats:
        """(n, r) the columns of images."""
        seen = (looks.vectors.astype(np.float64) - self.centre) @ self.axes.astype(np.float64)
        said = np.zeros((len(looks.answers), len(self.questions)))
        for place, answers in enumerate(looks.answers):
            for column, (question, answer) in enumerate(self.questions):
                given = answers.get(question, "unanswered")
                if given in SHARES:
                    said[place, column] = (given == answer) - self.shares[column]
        return np.concatenate([seen, said * self.scale], axis=1)


def make_basis(looks: Looks) -> Basis:
    """The basis that some images give. Their order does not matter, nor what anybody said of them."""
    vectors = looks.vectors.astype(np.float64)
    centre = vectors.mean(axis=0).astype(np.float32)
    apart = vectors - centre
    kept = np.zeros((vectors.shape[1], 0))
    if np.abs(apart).max(initial=0.0) > 1e-9:
        _, size, axes = np.linalg.svd(apart, full_matrices=False)
        kept = axes[: int(np.sum(size[:COMPONENTS] > 1e-6 * size[0]))].T
        kept = kept / math.sqrt(float(np.mean(np.sum((apart @ kept) ** 2, axis=1))))
    questions, shares = _questions(looks.answers)
    spread = float(np.sum(shares * (1.0 - shares)))
    return Basis(
        centre=centre,
        axes=np.ascontiguousarray(kept, dtype=np.float32),
        questions=questions,
        shares=shares,
        scale=1.0 / math.sqrt(spread) if spread > 0 else 1.0,
    )


def _questions(answers: Sequence[Mapping[str, str]]) -> tuple[tuple[tuple[str, str], ...], Floats]:
    """The answers that some images have and others have not, and the share that has each."""
    found: list[tuple[str, str]] = []
    shares: list[float] = []
    for question in sorted({name for each in answers for name in each}):
        given = [each[question] for each in answers if each.get(question) in SHARES]
        for answer in SHARES:
            share = given.count(answer) / len(given) if given else 0.0
            if 0.0 < share < 1.0:
                found.append((question, answer))
                shares.append(share)
    return tuple(found), np.array(shares, dtype=np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """A fitted head.

    Args:
        basis: from images to columns.
        mean: (r,) weights, in log-odds.
        covariance: (r, r) their posterior covariance.
        own_sd: spread, in log-odds, of what the columns do not say of an image's utility.
        silence: variance, in log-odds squared, that the checklist's part has of an image whose answers are not known.
    """

    basis: Basis
    mean: Floats
    covariance: Floats
    own_sd: float
    silence: float

    def utilities(self, looks: Looks) -> Floats:
        """(n,) expected utility of each image, in log-odds; 0 is the average image it was trained on."""
        return np.asarray(self.basis.columns(looks) @ self.mean, dtype=np.float64)

    def probabilities(self, looks: Looks, left: NDArray[np.integer], right: NDArray[np.integer]) -> Floats:
        """(m,) P(the left image is preferred, given no tie), averaged over all that is not known.

        With m the expected difference and v its variance, of the weights and of what they do not say:
        1 / (1 + exp(-m / sqrt(1 + pi v / 8))) (MacKay 1992, "The evidence framework applied to classification
        networks", eq. 10).

        Args:
            looks: the images.
            left: (m,) places in them.
            right: (m,) places in them.
        """
        columns = self.basis.columns(looks)
        apart = columns[left] - columns[right]
        silent = np.array(
            [not any(a in SHARES for a in answers.values()) for answers in looks.answers], dtype=np.float64
        )
        variance = np.einsum("ij,jk,ik->i", apart, self.covariance, apart) + 2.0 * self.own_sd**2
        variance += self.silence * (silent[left] + silent[right])
        return _logistic(apart @ self.mean / np.sqrt(1.0 + math.pi / 8.0 * np.maximum(variance, 0.0)))

    def sure(self, looks: Looks, probability: float) -> tuple[Side | None, float]:
        """Who of two images is preferred, "left" the first, where that is sure enough; and P(the first is).

        Args:
            looks: of two images.
            probability: how sure it must be, in (0.5, 1).
        """
        chance = float(self.probabilities(looks, np.array([0]), np.array([1]))[0])
        return ("left" if chance >= probability else "right" if chance <= 1.0 - probability else None), chance

    def as_plain(self) -> dict[str, Any]:
        """As plain JSON; arrays in base64, little-endian."""
        return {
            "centre": _packed(self.basis.centre, "<f4"),
            "axes": _packed(self.basis.axes, "<f4"),
            "questions": [list(each) for each in self.basis.questions],
            "shares": self.basis.shares.tolist(),
            "scale": self.basis.scale,
            "mean": self.mean.tolist(),
            "covariance": _packed(self.covariance, "<f8"),
            "own_sd": self.own_sd,
            "silence": self.silence,
        }


def head_from(plain: Mapping[str, Any]) -> Head:
    """The head that `as_plain` gave.

    Raises:
        BadInput: it is none.
    """
    try:
        basis = Basis(
            centre=_unpacked(plain["centre"], "<f4").astype(np.float32),
            axes=_unpacked(plain["axes"], "<f4").astype(np.float32),
            questions=tuple((str(question), str(answer)) for question, answer in plain["questions"]),
            shares=np.array(plain["shares"], dtype=np.float64),
            scale=float(plain["scale"]),
        )
        head = Head(
            basis=basis,
            mean=np.array(plain["mean"], dtype=np.float64),
            covariance=_unpacked(plain["covariance"], "<f8").astype(np.float64),
            own_sd=float(plain["own_sd"]),
            silence=float(plain["silence"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise BadInput(f"A stored head cannot be read: {error}.", hint="gen-emerge verify NAME") from None
    width = basis.axes.shape[1] + len(basis.questions)
    fitting = (*basis.axes.shape[:1], (width,), (width, width)) == (
        *basis.centre.shape,
        head.mean.shape,
        head.covariance.shape,
    )
    if not fitting:
        raise BadInput("A stored head has arrays that do not fit each other.", hint="gen-emerge verify NAME")
    return head


def head_hash(plain: Mapping[str, Any]) -> str:
    """Content hash of a stored head: equal heads, equal hash."""
    return content_hash(dict(plain))


def _packed(array: NDArray[Any], kind: str) -> dict[str, Any]:
    return {"shape": list(array.shape), "base64": base64.b64encode(array.astype(kind).tobytes()).decode()}


def _unpacked(plain: Mapping[str, Any], kind: str) -> NDArray[Any]:
    return np.frombuffer(base64.b64decode(plain["base64"], validate=True), kind).reshape(plain["shape"])


def _logistic(odds: Floats) -> Floats:
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(odds, -700.0, 700.0))), dtype=np.float64)
