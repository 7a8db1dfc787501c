"""Detectors between the hard filters and the gates: who is turned away, what is kept of it, and who fails alone."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
from loop_crew import NO_GATES, RankCritic, Traits, crew, edges, world_crew

from gen_emerge.filters import Rule
from gen_emerge.measuring import find
from gen_emerge.preference.takes import Selector
from gen_emerge.scorers.defects.seams import Seams
from gen_emerge.state import funnel, replay
from gen_emerge.types import GATES, Defect

BOX = (0.1, 0.2, 0.3, 0.4)
IMMEDIATE = {"critic": RankCritic(lambda n: 0, immediate=True)}


def defect(reason: str = "It has six fingers.", box: Any = BOX) -> Defect:
    return Defect(kind="hand", box=box, reason=reason)


@dataclass(slots=True)
class Hands:
    """Finds what a test says is in a picture, by its number; remembers what it was shown."""

    world: Any
    found: dict[int, Any]
    shown: list[int] = field(default_factory=list)
    name: str = "hands"
    version: str = "hands-1"

    def find(self, images):
        numbers = [self.world.read(image)[0] for image in images]
        self.shown += numbers
        results = [self.found.get(n, ()) for n in numbers]
        if any(isinstance(result, Exception) for result in results):
            raise next(result for result in results if isinstance(result, Exception))
        return results


def traits(number: int) -> Traits:
    return Traits(x=edges(number) if number <= 4 else 0.5)


def handed(found, **changes):
    made = world_crew(traits, **{**IMMEDIATE, **changes})
    return replace(made, detectors=(Hands(made.generator, found),))


def test_who_has_a_defect_is_turned_away_by_name_and_how_many_there_are_is_kept(series):
    made = series(handed({6: [defect(), defect("Nor is this one.")], 8: (defect(),)})).run(2)
    assert made.status(6) == made.status(8) == ("rejected", "hands")
    (verdict,) = made.store.verdicts([6])[6]
    assert (verdict.gate, verdict.kind, verdict.outcome, verdict.value) == ("hands", "filter", "fail", 2.0)
    assert verdict.reason == "hand: It has six fingers. And 1 more."
    signals = made.store.signals([5, 6, 8])
    assert {n: signals[n]["hands"].value for n in signals} == {5: 0.0, 6: 2.0, 8: 1.0}
    assert signals[5]["hands"].scorer_version == "hands-1"
    assert "quality" in signals[5] and "quality" not in signals[6], "no model looks at what was turned away"
    assert funnel(made.state, GATES)["filters"] == {"hands": 2}
    assert funnel(replay(made.store.history()), GATES) == funnel(made.state, GATES)


def test_it_looks_at_what_the_filters_and_rules_left(series):
    made = series(handed({}, rules=(Rule(signal="x", above=0.7, name="far"),)))
    made.run(1)
    assert made.crew.detectors[0].shown == [1, 2]


@pytest.mark.parametrize(
    ("nonsense", "said"),
    [
        (RuntimeError("it broke"), "hands: RuntimeError: it broke"),
        (None, "hands: TypeError"),
        (["a hand"], "hands: 'a hand' is no defect"),
        ([defect(box=(0.5, 0.2, 0.3, 0.4))], "hands: the box of a defect is (0.5, 0.2, 0.3, 0.4)"),
        ([defect(box=(0.0, 0.0, float("nan"), 1.0))], "hands: the box of a defect is"),
        ([defect(box=(0.1, 0.2))], "hands: ValueError"),
    ],
)
def test_nonsense_about_one_image_is_that_image_s_failure_alone(series, nonsense, said):
    made = series(handed({6: nonsense, 7: (defect(),)})).run(3)
    status, cause = made.status(6)
    assert status == "failed" and cause.startswith(said)
    assert [made.status(n)[0] for n in (5, 7, 8)] == ["passed", "rejected", "passed"]
    assert [e.message for e in made.record(2).events] == [f"Candidate 6: {cause}"]


def test_too_few_results_are_asked_for_again_one_by_one():
    class Short:
        name, version = "short", "short-1"

        def find(self, images):
            return [()] if len(images) == 1 else []

    images = [np.zeros((8, 8, 3), np.uint8)] * 3
    assert find(Short(), images, attempts=2) == [(), (), ()]
    assert find(Short(), [], attempts=2) == []


def test_a_broken_take_is_not_chosen(series):
    selector = Selector(rule="best", signals=("quality",))
    base = world_crew(
        lambda n: Traits(x=edges(n), quality=float(n)), rhythm={"best_of": 2}, selector=selector, **IMMEDIATE
    )
    made = series(replace(base, detectors=(Hands(base.generator, {2: (defect(),)}),))).run(1)
    assert made.status(2) == ("rejected", "hands") and made.status(1)[0] == "passed"
    assert made.status(3) == ("rejected", "selector")


def test_a_change_of_detectors_is_told_at_the_next_boundary_and_counts_from_there(series):
    first = replace(handed({}), detectors=())
    made = series(first)
    for number, payload in (
        (1, {"settings": {}, "banks": {}}),
        (3, {"settings": {"detectors": ["hands"]}, "banks": {}}),
    ):
        made.store.add_input("config", payload, first_cycle=number)
    made.run(2)
    hands = Hands(first.generator, {6: (defect(),), 10: (defect(),)})
    made.reopen(detectors=(hands,)).run(3)
    assert made.status(6)[0] == "passed" and made.status(10) == ("rejected", "hands")
    assert [e.kind for e in made.record(3).events] == ["config"]
    assert "hands" not in first.versions and made.crew.versions["hands"] == "hands-1"


def test_stopped_in_between_it_comes_to_the_same(series):
    calm = series(handed({n: (defect(),) for n in range(6, 60, 5)})).run(12)
    cut = series(handed({n: (defect(),) for n in range(6, 60, 5)}))
    for cycle in (1, 2, 5, 6, 11, 12):
        cut.run(cycle).reopen()
    assert cut.state.digest() == calm.state.digest() and calm.state.rejections["hands"] > 5


def test_the_seams_of_pasted_pictures_do_not_come_past_it(series):
    class Pasted:
        """Every third picture has another one's right half."""

        name, version, parameters = "pasted", "pasted-1", {"tilt": (0.0, 1.0)}

        def render(self, genomes):
            return [self._paint(genome) for genome in genomes]

        def _paint(self, genome):
            rng = np.random.default_rng(genome.seed)
            pixels = rng.normal(128, 9, (genome.height, genome.width, 3))
            pixels += np.linspace(-30, 30, genome.height)[:, None, None] * rng.random(3)
            if genome.seed % 3 == 0:
                pixels[:, genome.width // 2 :] += 40
            return np.clip(pixels, 0, 255).astype(np.uint8)

    base = crew(generator=Pasted(), gates=NO_GATES, detectors=(Seams({}),))
    made = series(replace(base, rhythm=replace(base.rhythm, width=96, height=96))).run(6)
    fates = {c.genome.seed % 3 == 0: set() for c in made.store.candidates()}
    for candidate in made.store.candidates():
        fates[candidate.genome.seed % 3 == 0].add(candidate.cause)
    assert fates[True] == {"seams"} and "seams" not in fates[False]
