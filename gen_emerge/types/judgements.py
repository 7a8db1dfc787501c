"""What gates, critics and humans say of images, and what they are asked. Plain frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from gen_emerge.types.genomes import content_hash, frozen_map
from gen_emerge.types.pictures import Pixels

Gate = Literal["quality", "prompt", "novelty", "style"]


GATES: tuple[Gate, ...] = ("quality", "prompt", "novelty", "style")
"""The four gates, in the order in which a first failure is counted."""


Outcome = Literal["pass", "fail", "review"]


Status = Literal["passed", "review", "pending", "failed", "rejected"]


Answer = Literal["yes", "no", "unsure", "unanswered"]


Side = Literal["left", "right", "tie"]


HUMAN = "human:"
"""What the name of a judge begins with who is a person."""


REWARD = "reward:"
"""What the name of a judge begins with that is a head trained on people's answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """One gate's thresholds in the signal's raw units. None switches a bound off.

    The review band reaches `review / 2` to each side of a bound, of the upper one `review_upper / 2`; None for as wide
    as the lower one's. `duplicate` is novelty's second, smaller bound.
    """

    lower: float | None = None
    upper: float | None = None
    review: float = 0.0
    duplicate: float | None = None
    review_upper: float | None = None

    def band(self, end: Literal["lower", "upper"]) -> float:
        """How wide the review band about one bound is, raw units."""
        return self.review if end == "lower" or self.review_upper is None else self.review_upper

    @property
    def plain(self) -> list[float | None]:
        """As it is stored and hashed. What has one band for both ends reads as it did before there could be two."""
        row = [self.lower, self.upper, self.review, self.duplicate]
        return row if self.review_upper is None else [*row, self.review_upper]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What one hard filter or gate said of one candidate.

    Args:
        gate: a gate's name, or a hard filter's.
        kind: "filter" or "gate".
        outcome: pass, fail or review.
        value: the signal it looked at (NaN is never stored: None).
        bounds: the bounds it applied; None for filters that compare nothing with a number.
        calibration: version of the calibration (0 for filters).
        reason: one short sentence for people, "" when passed.
    """

    gate: str
    kind: Literal["filter", "gate"]
    outcome: Outcome
    value: float | None
    bounds: Bounds | None = None
    calibration: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a critic's call cost: tokens and US dollars (zero for critics that run here)."""

    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Critique:
    """A critic's answers to one bank about one image. `answers`: question id -> answer. Never a score."""

    critic: str
    bank: str
    bank_hash: str
    answers: Mapping[str, Answer]
    summary: str
    weaknesses: tuple[str, ...]
    usage: Usage = Usage()

    def __post_init__(self) -> None:
        object.__setattr__(self, "answers", frozen_map(self.answers))


@dataclass(frozen=True, slots=True, kw_only=True)
class DuelReply:
    """A critic's two answers to one duel, and what they cost. `outcome` is a tie unless both orders agree.

    Args:
        as_given: the winner when left was shown left.
        swapped: the winner when left was shown right; "left" still means the same image.
        usage: of both calls.
    """

    as_given: Side
    swapped: Side
    usage: Usage = Usage()

    @property
    def outcome(self) -> Side:
        """A split answer is a tie."""
        return self.as_given if self.as_given == self.swapped else "tie"


@dataclass(frozen=True, slots=True, kw_only=True)
class Duel:
    """Which of two candidates is better? `left` and `right` are candidate ids, as shown.

    Args:
        left: candidate id.
        right: candidate id.
        question: "quality" or "adherence".
        outcome: left, right or tie.
        judge: the critic's name and version, "human:RATER", or "reward:VERSION:HASH" of the head that settled it.
        order: "both" when asked in both orders (a split is a tie), "single" when shown once, "ranking" for one of the
            pairs that a ranking of more images implies.
        purpose: "cell" (for a place), "best" (against the current best), "round" (a human's pair), "take" (a human's
            pair of two takes of one genome, which only says how well the selector chooses) or "withdrawn" (a human's
            earlier verdict, otherwise the same, counts no longer).
        seconds: how long the judge took; None when not measured.
        attention: True for a repeated control pair.
    """

    left: int
    right: int
    question: str
    outcome: Side
    judge: str
    order: Literal["both", "single", "ranking"] = "both"
    purpose: Literal["cell", "best", "round", "take", "withdrawn"] = "cell"
    seconds: float | None = None
    attention: bool = False

    @property
    def by_human(self) -> bool:
        """Whether a person said it."""
        return self.judge.startswith(HUMAN)

    @property
    def by_head(self) -> bool:
        """Whether a head trained on people's answers said it: then it is no evidence beside those answers."""
        return self.judge.startswith(REWARD)


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """A version of all thresholds, with the evidence that moved them. `hash` covers the bounds alone."""

    version: int
    parent: int | None
    bounds: Mapping[str, Bounds]
    evidence: Mapping[str, Any]
    reason: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "bounds", frozen_map(self.bounds))
        object.__setattr__(self, "evidence", frozen_map(self.evidence))

    @property
    def hash(self) -> str:
        """Content hash of the bounds: equal thresholds, equal hash."""
        return content_hash(
            {name: bounds.plain for name, bounds in self.bounds.items()},
        )


QuestionKind = Literal["pair", "keep", "review", "rank4", "ranking", "triplet"]


Ask = Literal["quality", "adherence", "keep", "similarity"]


ShownAs = Literal["", "raw", "elite", "survivor", "review", "baseline"]


SINGLE: tuple[QuestionKind, ...] = ("keep", "review")
"""Kinds of questions about one image."""


RANKED: tuple[QuestionKind, ...] = ("rank4", "ranking")
"""Kinds of questions whose answer is an order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One thing asked of a human.

    Args:
        id: the round's, "-" and a number.
        kind: "pair": which of two; "keep": of one; "review": of one that waits; "rank4", "ranking": four images, or
            ten, in order; "triplet": which of two is more like a third.
        ask: by what.
        prompt: what it was made from; where the images differ, each one's after its name.
        images: name -> candidate id: "left" and "right"; "only"; "a", "b", "c", ...; or "reference", "a", "b".
        attention: True for an easy pair that was answered before, its sides swapped: it says how consistent a rater is.
        stream: how the image came to be shown: "raw" was turned away by a gate, "elite" holds a cell, "survivor" was
            accepted, "review" waits; of a pair, "baseline" where one of it is a baseline image; "" if nobody noted it.
    """

    id: str
    kind: QuestionKind
    ask: Ask
    prompt: str
    images: Mapping[str, int]
    attention: bool = False
    stream: ShownAs = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "images", frozen_map(self.images))


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """A human check-in: a few questions. `id` is "r" and a number; question ids are "r3-1", "r3-2", ...

    `reason`: "scheduled" (every so many cycles), "request" (somebody asked for it) or "alarm" (evidence did).
    `baseline`: candidate ids, in the round that froze them; later rounds compare with one of them.
    """

    id: str
    cycle: int
    reason: Literal["scheduled", "request", "alarm"]
    questions: tuple[Question, ...]
    baseline: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HumanAnswer:
    """One recorded answer. Answering twice appends; the last that was not undone stands.

    `order`: of a question that ranks, the names of its images, the best first; `answer` is "ranked" then.
    """

    question: str
    answer: Literal["left", "right", "tie", "skip", "keep", "discard", "unsure", "a", "b", "ranked"]
    rater: str
    confidence: Literal["sure", "unsure"] = "sure"
    seconds: float | None = None
    order: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """What was said, in a word; of a ranking its order: "b > a > d > c"."""
        return " > ".join(self.order) if self.order else self.answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Favourite:
    """A mark on one image, "interesting" or the series' one "breakthrough"; `level` None takes it away.

    `move`: the rater knows that another image is the breakthrough, and means this one from now on.
    """

    candidate: int
    level: Literal["interesting", "breakthrough"] | None
    rater: str
    move: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BankQuestion:
    """One yes/no question of a bank. `good` is the answer that speaks for the image."""

    id: str
    dimension: str
    text: str
    good: Literal["yes", "no"]


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionBank:
    """A versioned set of questions; never edited once used. `hash` is of the file's content."""

    id: str
    hash: str
    questions: tuple[BankQuestion, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exhibit:
    """What a critic is shown of one candidate.

    Args:
        candidate: candidate id.
        prompt: the text it was made from.
        pixels: (h, w, 3) uint8, read-only; None where only the answers are needed.
        signals: name -> raw value; only critics that measure use them, a vision model never sees them.
        critique: its earlier answers, if any.
    """

    candidate: int
    prompt: str
    pixels: Pixels | None
    signals: Mapping[str, float]
    critique: Critique | None = None
