"""The tilt: drawn words follow what humans like by a bounded amount, as of a commit, the same after every kill."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from loop_crew import PROMPTS, Series, crew, genome, rhythm

from gen_emerge.chance import draw
from gen_emerge.config import parse
from gen_emerge.emitters import all_emitters
from gen_emerge.errors import BadConfig
from gen_emerge.store import round_payload
from gen_emerge.types import Question, Round, Sources

PARENT = genome(slots={"school": "tiles", "palette": "ochre", "mood": "joyful"}, prompt="tiles in ochre, joyful")
DRAWS = 6000


def drawn(emitter: str, liked: dict[str, float], tilt: float) -> Counter[str]:
    sources = Sources(
        bank=PROMPTS, parameters={}, parents=(PARENT,), weights=np.ones(1), liked={"palette": liked}, tilt=tilt
    )
    found: Counter[str] = Counter()
    for number in range(DRAWS):
        sketch = all_emitters()[emitter].propose(sources, draw(3, 1, number, emitter))
        assert sketch is not None
        found[sketch.slots["palette"]] += sketch.slots["palette"] != PARENT.slots["palette"] or emitter != "mutate"
    return found


@pytest.mark.parametrize("emitter", ["fresh", "mutate"])
def test_every_word_keeps_half_of_its_chance_however_much_another_is_liked(emitter: str) -> None:
    plain = drawn(emitter, {}, 0.5)
    tilted = drawn(emitter, {"plum": 50.0, "jade": -50.0}, 0.5)
    assert tilted["plum"] > 2.5 * plain["plum"]
    for word, count in plain.items():
        # Five standard deviations of the two counts.
        assert tilted[word] >= 0.5 * count - 5 * np.sqrt(count)


def test_what_is_liked_comes_more_often_by_its_log_odds() -> None:
    count = len(PROMPTS.slots["palette"])
    found = drawn("fresh", {"plum": 1.0, "jade": -1.0}, 0.4)
    whole = np.e + 1 / np.e + count - 2
    for word, odds in (("plum", 1.0), ("jade", -1.0), ("sand", 0.0)):
        chance = 0.6 / count + 0.4 * np.exp(odds) / whole
        assert found[word] / DRAWS == pytest.approx(chance, abs=5 * np.sqrt(chance / DRAWS))


def test_without_a_tilt_or_anything_liked_the_draws_are_what_they_were() -> None:
    assert drawn("fresh", {"plum": 5.0}, 0.0) == drawn("fresh", {}, 0.5) == drawn("fresh", {}, 0.0)
    assert drawn("wildcards", {"plum": 5.0}, 0.5) == drawn("wildcards", {}, 0.0)
    rng = draw(3, 1, 0, "fresh")
    sketch = all_emitters()["fresh"].propose(Sources(bank=PROMPTS, parameters={}), draw(3, 1, 0, "fresh"))
    assert sketch is not None
    assert sketch.slots == {slot: words[int(rng.integers(len(words)))] for slot, words in PROMPTS.slots.items()}


def judged(folder: Path, *, tilt: float, depth: int = 1) -> Series:
    """Twelve cycles, then 300 pairs in which plum always wins: they count from cycle 15 on."""
    series = Series(folder, crew(rhythm=rhythm(pipeline_depth=depth, batch=8), tilt=tilt)).run(12)
    palette = {c.id: c.genome.slots["palette"] for c in series.store.candidates()}
    rng = np.random.default_rng(1)
    questions = []
    for number in range(300):
        left, right = (int(c) for c in rng.choice(sorted(palette), 2, replace=False))
        images = {"left": left, "right": right}
        questions.append(Question(id=f"r9-{number}", kind="pair", ask="quality", prompt="p", images=images))
    asked = Round(id="r9", cycle=12, reason="request", questions=tuple(questions))
    series.store.add_input("round", round_payload(asked))
    for question in questions:
        won = [side for side, c in question.images.items() if palette[c] == "plum"]
        word = won[0] if len(won) == 1 else ("left", "right")[int(rng.integers(2))]
        series.answer(question.id, word, cycle=15)
    return series


def genomes(series: Series, first: int, last: int) -> list[list[str]]:
    return [series.genomes_of(cycle) for cycle in range(first, last + 1)]


@pytest.mark.parametrize("depth", [0, 2])
def test_answers_tilt_what_is_proposed_from_their_commit_on(tmp_path: Path, depth: int) -> None:
    plain, tilted = (judged(tmp_path / f"t{tilt}", tilt=tilt, depth=depth).run(30) for tilt in (0.0, 0.5))
    first = 15 + depth + 1
    assert tilted.live.liked.as_of(14) == {}
    assert list(tilted.live.liked.as_of(15)) == ["palette"]
    assert tilted.live.liked.as_of(15)["palette"]["plum"] > 0
    assert genomes(plain, 1, first - 1) == genomes(tilted, 1, first - 1)
    assert genomes(plain, first, 30) != genomes(tilted, first, 30)
    for each in (plain, tilted):
        each.stop()


def test_kills_change_nothing_of_a_tilted_series(tmp_path: Path) -> None:
    made = []
    for name, stops in (("a", (24,)), ("b", (13, 15, 16, 17, 20, 24))):
        series = judged(tmp_path / name, tilt=0.5)
        for stop in stops:
            series.reopen().run(stop)
        made.append(genomes(series, 1, 24))
        series.stop()
    assert made[0] == made[1]


def test_more_than_half_is_refused() -> None:
    assert parse({"name": "night"}).compass.tilt == 0.0
    assert parse({"name": "night", "compass": {"tilt": 0.5}}).compass.tilt == 0.5
    with pytest.raises(BadConfig, match=r"compass\.tilt"):
        parse({"name": "night", "compass": {"tilt": 0.51}})
