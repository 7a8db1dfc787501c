"""What humans said that steers the emitters: stored answers -> the compass, as of a cycle.

Takes the store and, of what humans said, the part that a cycle may use; gives plain values. It only reads.
"""

from __future__ import annotations

from collections.abc import Mapping

from gen_emerge.judged import UNSURE_WEIGHT
from gen_emerge.preference.compass import Compass, Kept, fit_compass
from gen_emerge.preference.verdicts import as_duels, on_single_images
from gen_emerge.store import Store
from gen_emerge.types import Duel, HumanAnswer, take_group


def compass_of(store: Store, *, last: int | None = None) -> Compass:
    """The direction that humans' answers give, those included that no cycle has heard yet.

    Args:
        store: the series.
        last: only answers that the cycles up to this one may use; None for all.
    """
    told, kept = verdicts(store, last), keeps(store, last)
    ids = sorted({c for duel in told for c in (duel.left, duel.right)} | {each.candidate for each in kept})
    genomes = {candidate.id: candidate.genome for candidate in store.candidates(ids)} if ids else {}
    return fit_compass(told, kept, genomes)


class Liked:
    """What the compass names, as of a commit: fitted again where an answer came since, a function of the answers alone.

    Args:
        store: the series.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._heard: tuple[HumanAnswer, ...] = ()
        self._liked: dict[str, dict[str, float]] = {}

    def as_of(self, cycle: int) -> Mapping[str, Mapping[str, float]]:
        """Slot -> word -> log-odds, of the words that are named; what is not said tilts nothing.

        Args:
            cycle: a committed one; answers that came for later ones are not used.
        """
        heard = self._store.answers(cycle).standing
        if heard != self._heard:
            self._heard, self._liked = heard, {}
            for each in compass_of(self._store, last=cycle).leanings:
                if each.says and each.word:
                    self._liked.setdefault(each.name, {})[each.word] = each.value
        return self._liked


def verdicts(store: Store, last: int | None) -> list[Duel]:
    """Every answer that stands about which images are better, as duels, oldest first; takes of one genome left out."""
    questions = {q.id: q for each in store.rounds() for q in each.questions}
    said = [(questions[a.question], a) for a in store.answers(last).standing if a.question in questions]
    duels = [duel for question, answer in said for duel in as_duels(question, answer)]
    return [duel for duel in duels if take_group(duel.left, store.takes) != take_group(duel.right, store.takes)]


def keeps(store: Store, last: int | None) -> list[Kept]:
    """Every keep and discard that stands, oldest first: see `on_single_images`."""
    questions = {q.id: q for each in store.rounds() for q in each.questions}
    return [
        Kept(
            candidate=question.images["only"],
            rater=answer.rater,
            good=answer.answer == "keep",
            weight=1.0 if answer.confidence == "sure" else UNSURE_WEIGHT,
        )
        for question, answer in on_single_images(questions, store.answers(last).standing)
    ]
