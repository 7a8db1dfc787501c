"""Takes judgements and what is known of the images; gives the head that explains them. Pure and deterministic.

The Bradley-Terry model of this room (Davidson's ties, Laplace evidence; see `learned.py`), its features the columns of
`head.py`:

    utility of an image to a rater = its own part + columns @ (w + v of the rater)

w is the population level, what raters have in common; v ~ N(0, sd^2) is how this rater differs, its sd learned from all
raters, so whoever has judged little is drawn to the common taste by as much as raters share it. A rater alone has
nobody to differ from. An image's own part is not known of a new image: there it is uncertainty. While fitting it keeps
one much-compared picture from passing for evidence about all that look like it. People are as reliable as each other
here: who clicks at random differs from the common taste by all of it. What was read from deeds has no taste of its own
but a *reliability*, what the common differences are multiplied by (`raters.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gen_emerge.preference.comparisons import Comparisons, Edges, Floats, Ints, merge
from gen_emerge.preference.head import Basis, Head, Looks, make_basis
from gen_emerge.preference.learned import best_scales
from gen_emerge.preference.raters import reliabilities
from gen_emerge.preference.solver import Estimate, Graph, Scales

IMPLICIT = "implicit:"
"""What a judge's name begins with whose comparisons were read from what somebody did, not said."""
PERSONAL_RATERS = 6
"""So many raters, those who judged most, have a taste of their own; the others share the common one."""
ROUNDS = 2
"""So often the reliabilities of deeds are estimated anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgements:
    """m comparisons of images, as arrays.

    Args:
        left: (m,) places of images.
        right: (m,) places of images.
        outcome: (m,) 1 where the left was preferred, -1 where the right was, 0 for a tie.
        rater: (m,) names.
        screen: (m,) numbers: what was said on one screen hangs together.
        weight: (m,) how many judgements each counts for.
    """

    left: Ints
    right: Ints
    outcome: Ints
    rater: NDArray[np.str_]
    screen: Ints
    weight: Floats

    def __len__(self) -> int:
        return len(self.left)

    def where(self, mask: NDArray[np.bool_]) -> Judgements:
        """Those of them."""
        return Judgements(
            left=self.left[mask],
            right=self.right[mask],
            outcome=self.outcome[mask],
            rater=self.rater[mask],
            screen=self.screen[mask],
            weight=self.weight[mask],
        )

    @property
    def implicit(self) -> NDArray[np.bool_]:
        """(m,) those that nobody said."""
        return np.char.startswith(self.rater, IMPLICIT) if len(self) else np.zeros(0, dtype=np.bool_)


def fit_head(looks: Looks, said: Judgements, *, rater: str | None = None) -> Head:
    """The head of what raters have in common, or of one of them.

    Args:
        looks: the images.
        said: at least one comparison.
        rater: whose taste; None, or somebody without one of their own, for the common one.
    """
    images = np.unique(np.concatenate([said.left, said.right]))
    known = looks.take(images)
    basis = make_basis(known)
    columns = basis.columns(known)
    place = np.searchsorted(images, said.left), np.searchsorted(images, said.right)
    many = Comparisons(left=place[0], right=place[1], outcome=said.outcome, weight=said.weight, rater=said.rater)
    edges = merge(many, len(images), None, sides=False, raters=True)
    own = _personal(edges)
    solved = _fitted(edges, columns, basis, own)
    return _head(solved, basis, known, columns, own.index(rater) if rater in own else None)


def _personal(edges: Edges) -> list[str]:
    """Raters with a taste of their own, by name; nobody where there is one alone."""
    people = [place for place, name in enumerate(edges.names) if not name.startswith(IMPLICIT)]
    if len(people) < 2:
        return []
    judged = np.bincount(edges.rater, edges.totals, len(edges.names))
    most = sorted(people, key=lambda place: (-judged[place], place))[:PERSONAL_RATERS]
    return [str(edges.names[place]) for place in sorted(most)]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Solved:
    scales: Scales
    estimate: Estimate


def _fitted(edges: Edges, columns: Floats, basis: Basis, own: list[str]) -> _Solved:
    shown, width = columns[edges.left] - columns[edges.right], columns.shape[1]
    whose = np.array([own.index(name) if name in own else -1 for name in edges.names])[edges.rater]
    apart = [np.where((whose == place)[:, None], shown, 0.0) for place in range(len(own))]
    groups = np.concatenate([basis.groups, np.full(width * len(own), basis.groups.max(initial=-1) + 1)])
    read = np.array([name.startswith(IMPLICIT) for name in edges.names])

    def solve(reliability: Floats) -> _Solved:
        factor = reliability[edges.rater]
        graph = Graph(
            edges=edges,
            position=False,
            columns=np.column_stack([shown, *apart]) * factor[:, None] if len(groups) else None,
            groups=groups.astype(np.int64),
            reliability=factor,
        )
        scales, estimate = best_scales(graph, None)
        return _Solved(scales=scales, estimate=estimate)

    solved = solve(np.ones(len(edges.names)))
    for _ in range(ROUNDS if read.any() and not read.all() else 0):
        utilities, weights = solved.estimate.utilities, solved.estimate.weights
        common = utilities[edges.left] - utilities[edges.right] + np.column_stack([shown, *apart]) @ weights
        found = reliabilities(edges, common, np.zeros(len(common)))
        people = ~read[edges.rater]
        usual = float(np.exp(np.average(np.log(found[edges.rater[people]]), weights=edges.totals[people])))
        solved = solve(np.where(read, found / usual, 1.0))
    return solved


def _head(solved: _Solved, basis: Basis, known: Looks, columns: Floats, whose: int | None) -> Head:
    """The weights of one rater, or the common ones, with their covariance."""
    width, estimate = columns.shape[1], solved.estimate
    if not width:
        nothing = np.zeros(0)
        return Head(basis=basis, mean=nothing, covariance=np.zeros((0, 0)), own_sd=solved.scales.items, silence=0.0)
    inner = estimate.curvature.solve(estimate.cross, 1e-8)
    whole = np.linalg.inv(estimate.globals_ - estimate.cross.T @ inner)
    # The columns' weights are the last of the globals: the common ones, then every rater's own.
    whole = whole[-len(estimate.weights) :, -len(estimate.weights) :]
    picked = np.zeros((width, len(estimate.weights)))
    picked[:, :width] = np.eye(width)
    if whose is not None:
        picked[:, width * (whose + 1) : width * (whose + 2)] = np.eye(width)
    mean, covariance = picked @ estimate.weights, picked @ whole @ picked.T
    return Head(
        basis=basis,
        mean=np.asarray(mean, dtype=np.float64),
        covariance=np.asarray(0.5 * (covariance + covariance.T), dtype=np.float64),
        own_sd=solved.scales.items,
        silence=_silence(basis, known, columns, mean, covariance),
    )


def _silence(basis: Basis, known: Looks, columns: Floats, mean: Floats, covariance: Floats) -> float:
    """E of (checklist's columns @ weights)^2 over the images that have answers, the weights' own doubt included."""
    asked = np.array([bool(answers) for answers in known.answers])
    said = columns[asked][:, basis.axes.shape[1] :]
    if not said.size:
        return 0.0
    first = basis.axes.shape[1]
    spread = said.T @ said / len(said)
    own, doubt = mean[first:], covariance[first:, first:]
    return float(own @ spread @ own + np.trace(spread @ doubt))
