"""Words that shall never come again: from their cycle on no genome has one, whatever was waiting or was killed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from loop_crew import PROMPTS, Series, crew, genome, rhythm

from gen_emerge.emitters import all_emitters
from gen_emerge.emitters.bandit import Bandit
from gen_emerge.errors import BadInput
from gen_emerge.fakes import FakeGenerator
from gen_emerge.propose import Proposer
from gen_emerge.state import State
from gen_emerge.types import Genome, Input, Pattern, PromptBank
from gen_emerge.vocabulary import KIND, forbidden, without, written


def told(word: str, *, never: bool = True, cycle: int = 1, number: int = 1) -> Input:
    return Input(id=number, kind="compass", first_cycle=cycle, payload={"word": word, "never": never})


def has(genome: Genome, word: str) -> bool:
    return word in genome.slots.values() or word in genome.prompt


def cycles_with(series: Series, word: str, first: int, last: int) -> set[int]:
    return {c for c in range(first, last + 1) for each in series.store.candidates(cycle=c) if has(each.genome, word)}


def test_the_last_word_on_a_word_stands_as_of_a_cycle() -> None:
    inputs = [told("plum", cycle=3), told("jade", cycle=4, number=2), told("plum", never=False, cycle=6, number=3)]
    assert [sorted(forbidden(inputs, last)) for last in (2, 3, 5, 6)] == [[], ["plum"], ["jade", "plum"], ["jade"]]
    assert forbidden(inputs) == {"jade"}


def test_a_forbidden_word_leaves_every_slot_and_pattern() -> None:
    bank = replace(
        PROMPTS,
        slots={**PROMPTS.slots, "mood": ("serene", "stormy", "glass")},
        patterns=(*PROMPTS.patterns, Pattern(text="__school__ behind Glass", slots={})),
    )
    left = without(bank, {"glass"})
    assert left.slots["school"] == ("marbled", "strokes", "tiles")
    assert left.slots["mood"] == ("serene", "stormy")
    assert [pattern.text for pattern in left.patterns] == ["__school__ at noon"]
    assert without(bank, set()) is bank
    with pytest.raises(BadInput, match="slot mood of test-1 would have no word left") as refused:
        without(PROMPTS, {"serene", "stormy", "joyful"}, series="night")
    assert refused.value.hint == 'Allow one again: gen-emerge compass night --allow "serene"'
    assert not written("a stained-glasses case", {"glass"})


@pytest.mark.parametrize("depth", [0, 1, 3])
def test_from_its_cycle_on_no_genome_has_the_word(series: Callable[..., Series], depth: int) -> None:
    one = series(crew(rhythm=rhythm(pipeline_depth=depth, batch=8)))
    one.run(8)
    assert len(cycles_with(one, "glass", 1, 8)) > 4
    asked = one.store.add_input(KIND, {"word": "glass", "never": True})
    one.run(24)
    assert asked.first_cycle == 9  # run() ended: nothing has been begun beyond
    assert cycles_with(one, "glass", asked.first_cycle, 24) == set()
    again = one.store.add_input(KIND, {"word": "glass", "never": False})
    one.run(36)
    assert cycles_with(one, "glass", again.first_cycle, 36)
    said = [(cycle, event.message) for cycle, event in one.store.events() if event.kind == KIND]
    assert said == [(9, '"glass" never again.'), (25, '"glass" is allowed again.')]


def test_what_waits_keeps_all_that_is_not_forbidden(series: Callable[..., Series]) -> None:
    one = series(crew(rhythm=rhythm(pipeline_depth=2, batch=8)))
    one.run(8)
    waiting = {n: [p.genome for p in one.live.proposals[n]] for n in (9, 10, 11)}
    one.store.add_input(KIND, {"word": "plum", "never": True})
    one.run(11)
    for number, genomes in waiting.items():
        for before, after in zip(genomes, one.store.candidates(cycle=number), strict=True):
            if not has(before, "plum"):
                assert after.genome.hash == before.hash
            else:
                kept = {slot: word for slot, word in before.slots.items() if word != "plum"}
                assert kept.items() <= after.genome.slots.items()
                assert after.genome.operator == before.operator


def test_kills_and_pace_change_nothing(tmp_path: Path) -> None:
    made = []
    for name, stops in (("a", (20,)), ("b", (7, 8, 9, 10, 11, 13, 20))):
        one = Series(tmp_path / name, crew(rhythm=rhythm(pipeline_depth=2, batch=6)))
        one.run(6)
        one.store.add_input(KIND, {"word": "glass", "never": True}, first_cycle=9)
        for stop in stops:
            if stop == stops[0 if name == "a" else 3]:  # long before its cycle, or just before
                one.store.add_input(KIND, {"word": "serene", "never": True}, first_cycle=10)
            one.reopen().run(stop)
        made.append([one.genomes_of(cycle) for cycle in range(1, 21)])
        one.stop()
    assert made[0] == made[1]


def test_an_input_that_comes_while_a_cycle_is_begun_counts_from_the_next(
    series: Callable[..., Series], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = series(crew(rhythm=rhythm(pipeline_depth=0, batch=8)))
    one.run(5)
    look, asked = one.live.proposed, []

    def late(cycle: int) -> object:
        found = look(cycle)
        if cycle == 6:
            asked.append(one.store.add_input(KIND, {"word": "glass", "never": True}))
        return found

    monkeypatch.setattr(one.live, "proposed", late)
    one.run(12)
    assert [each.first_cycle for each in asked] == [7]
    assert cycles_with(one, "glass", 7, 12) == set()


def proposer_of(bank: PromptBank, batch: int = 1) -> Proposer:
    return Proposer(
        seed=1,
        batch=batch,
        warmup_cycles=1,
        size=(8, 8),
        generator=FakeGenerator(),
        bank=bank,
        emitters=all_emitters(),
        genomes=lambda hashes: {},
    )


def test_a_parents_own_text_goes_with_the_word() -> None:
    parent = genome(slots={"school": "tiles", "palette": "jade", "mood": "stormy"}, prompt="tiles behind Glass, jade")
    proposer = proposer_of(PROMPTS)
    text = proposer._text
    assert text(parent.prompt, parent.slots, frozenset({"glass"})) == "tiles in jade, stormy"
    assert text(parent.prompt, parent.slots, frozenset({"plum"})) == parent.prompt
    assert text(None, parent.slots, frozenset()) == "tiles in jade, stormy"


def test_patterns_that_are_all_forbidden_are_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    bank = replace(PROMPTS, patterns=PROMPTS.patterns[:1])
    asked: list[str] = []

    proposer = proposer_of(bank, batch=12)
    choose = Bandit.choose

    def noted(bandit: Bandit, names: list[str], rng: np.random.Generator, **options: Any) -> str:
        asked.extend(names)
        return choose(bandit, names, rng, **options)

    monkeypatch.setattr(Bandit, "choose", noted)
    state = State()
    proposer.propose(5, state, waiting=())
    assert "wildcards" in asked
    asked.clear()
    proposer.propose(5, state, waiting=(), never=frozenset({"glass"}))
    assert asked and "wildcards" not in asked
