"""The compass: which words a rater's answers ask for, named only where chance alone would hardly say so."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gen_emerge.banks import load_prompts
from gen_emerge.preference.compass import Compass, Kept, fit_compass
from gen_emerge.types import Duel, Genome

BANK = load_prompts(Path(__file__).parents[1] / "prompts" / "painter-1.toml")
Taste = Callable[[Genome], float]
Evidence = tuple[list[Duel], list[Kept], dict[int, Genome]]


def nothing(genome: Genome) -> float:
    return 0.0


def glass(genome: Genome) -> float:
    """A taste for glass, and against stormy moods."""
    return 3.0 * (genome.slots["school"] == "glass") - 3.0 * (genome.slots["mood"] == "stormy")


def genomes(rng: np.random.Generator, count: int) -> dict[int, Genome]:
    return {
        number: Genome(
            slots={slot: words[int(rng.integers(len(words)))] for slot, words in BANK.slots.items()},
            prompt="",
            seed=number,
            generator="painter",
            generator_version="1",
            parameters={"warp": float(rng.random())},
            width=8,
            height=8,
        )
        for number in range(1, count + 1)
    }


def beats(rng: np.random.Generator, odds: float) -> bool:
    return bool(rng.random() < 1 / (1 + math.exp(-odds)))


def duel(left: int, right: int, *, won: bool, **changes: object) -> Duel:
    told = {"question": "quality", "judge": "human:ann", "purpose": "round", **changes}
    return Duel(left=left, right=right, outcome="left" if won else "right", **told)  # type: ignore[arg-type]


def asked(seed: int, taste: Taste, *, images: int, duels: int, keeps: int = 0) -> Evidence:
    """Pairs and single images drawn by chance, answered by a Bradley-Terry rater who keeps what is above average."""
    rng = np.random.default_rng(seed)
    made = genomes(rng, images)
    told: list[Duel] = []
    for _ in range(duels):
        left, right = (int(place) + 1 for place in rng.choice(images, 2, replace=False))
        told.append(duel(left, right, won=beats(rng, taste(made[left]) - taste(made[right]))))
    shown = [int(place) + 1 for place in rng.permutation(images)[:keeps]]
    return told, [Kept(candidate=c, rater="ann", good=beats(rng, taste(made[c]))) for c in shown], made


def words(compass: Compass) -> tuple[set[str], set[str]]:
    more, less = compass.named("more"), compass.named("less")
    return {each.word for each in more}, {each.word for each in less}


def test_a_rater_who_loves_one_word_is_told_so_with_the_evidence() -> None:
    compass = fit_compass(*asked(3, glass, images=120, duels=300))
    assert words(compass) == ({"glass"}, {"stormy"})
    (found,) = compass.named("more")
    assert found.name == "school"
    assert found.low > 0
    assert found.high > found.value > found.low
    told, _, made = asked(3, glass, images=120, duels=300)
    apart = [(made[d.left].slots["school"] == "glass") != (made[d.right].slots["school"] == "glass") for d in told]
    assert found.answers == sum(apart)
    assert (compass.duels, compass.images) == (300, len({c for d in told for c in (d.left, d.right)}))


def test_love_of_one_word_is_found_again_and_again_and_no_other() -> None:
    found = [words(fit_compass(*asked(seed, glass, images=120, duels=300))) for seed in range(20)]
    assert sum("glass" in more for more, _ in found) >= 18
    assert sum(bool(more - {"glass"} or less - {"stormy"}) for more, less in found) <= 2


def test_one_loved_word_among_fifty_that_say_nothing_is_found() -> None:
    def ember(genome: Genome) -> float:
        return 3.0 * (genome.slots["palette"] == "ember")

    found = [words(fit_compass(*asked(seed, ember, images=200, duels=600))) for seed in range(10)]
    assert sum(each == ({"ember"}, set()) for each in found) >= 8


@pytest.mark.parametrize(("images", "duels", "keeps"), [(40, 60, 20), (120, 300, 0), (30, 300, 30)])
def test_a_rater_who_answers_at_random_is_told_nothing_in_nine_series_of_ten(
    images: int, duels: int, keeps: int
) -> None:
    found = [fit_compass(*asked(seed, nothing, images=images, duels=duels, keeps=keeps)) for seed in range(100)]
    assert sum(words(compass) == (set(), set()) for compass in found) >= 90


def test_one_much_compared_picture_says_little_of_its_words() -> None:
    palette = BANK.slots["palette"][:10]
    made = {n: replace(g, slots={"palette": palette[n % 10]}) for n, g in genomes(np.random.default_rng(5), 30).items()}
    found = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        pairs = [rng.choice(range(1, 31), 2, replace=False).tolist() for _ in range(600)]
        told = [duel(a, b, won=a == 1 or (b != 1 and beats(rng, 0.0))) for a, b in pairs]
        found.append(words(fit_compass(told, [], made)))
    assert sum(each == (set(), set()) for each in found) >= 18


def test_keeps_count_less_than_duels_and_still_count() -> None:
    told, kept, made = asked(1, glass, images=400, duels=0, keeps=400)
    compass = fit_compass(told, kept, made)
    assert "glass" in words(compass)[0]
    unsure = [Kept(candidate=k.candidate, rater=k.rater, good=k.good, weight=0.25) for k in kept]
    (sure,) = (each for each in compass.leanings if each.word == "glass")
    (less,) = (each for each in fit_compass(told, unsure, made).leanings if each.word == "glass")
    assert less.error > sure.error


def test_somebody_who_keeps_nearly_everything_loves_no_word_for_it() -> None:
    rng = np.random.default_rng(2)
    made = genomes(rng, 300)
    kept = [Kept(candidate=c, rater="ann", good=bool(rng.random() < 0.95)) for c in made]
    assert words(fit_compass([], kept, made)) == (set(), set())


def test_critics_adherence_repeated_pairs_and_takes_say_nothing() -> None:
    told, _, made = asked(3, glass, images=120, duels=300)
    for changes in ({"judge": "measured-1"}, {"question": "adherence"}, {"attention": True}, {"purpose": "take"}):
        others = [duel(d.left, d.right, won=d.outcome == "left", **changes) for d in told]
        assert fit_compass(others, [], made).duels == 0


def test_a_parameter_is_told_where_larger_is_better() -> None:
    compass = fit_compass(*asked(4, lambda genome: 4.0 * genome.parameters["warp"], images=120, duels=300))
    assert [(each.name, each.word) for each in compass.named("more")] == [("warp", "")]


def test_imported_pictures_and_single_words_say_nothing() -> None:
    rng = np.random.default_rng(1)
    bare = {
        number: Genome(
            slots={} if number % 2 else {"mood": "serene"},
            prompt="a sea",
            seed=number,
            generator="import",
            generator_version="1",
            parameters={},
            width=8,
            height=8,
        )
        for number in range(1, 21)
    }
    told = [duel(n, n + 1, won=beats(rng, 0.0)) for n in range(1, 20)]
    compass = fit_compass(told, [], bare)
    assert (compass.leanings, compass.duels, compass.images) == ((), 19, 20)


def test_without_answers_there_is_nothing_to_say() -> None:
    assert fit_compass([], [], {}) == Compass()
