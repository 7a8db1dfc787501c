"""Emitters and proposals: independent draws, what each operator may change, and that nothing is rendered again."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from loop_crew import PROMPTS
from scipy.stats import chi2

from gen_emerge.archive import Archive
from gen_emerge.chance import draw
from gen_emerge.emitters import FRESH, all_emitters
from gen_emerge.emitters.operators import Crossover, Fresh, Mutate, Reseed, Vary, Wildcards
from gen_emerge.errors import GenEmergeError
from gen_emerge.fakes import FakeGenerator
from gen_emerge.propose import MAX_REDRAWS, Proposer
from gen_emerge.state import State
from gen_emerge.types import Axes, Genome, Pattern, Placement, Proposal, Sketch, Sources

RANGES = {"tilt": (-1.0, 3.0), "waves": (10.0, 20.0), "depth": (0.0, 0.5)}
FRESH_SOURCES = Sources(bank=PROMPTS, parameters=RANGES)
SLOTS = list(PROMPTS.slots)


def genome(number, *, slots=None, parameters=None, **more):
    rng = np.random.default_rng(number)
    slots = slots or {slot: words[int(rng.integers(len(words)))] for slot, words in PROMPTS.slots.items()}
    usual = {
        "prompt": PROMPTS.prompt(slots) if set(slots) == set(SLOTS) else "p",
        "seed": number,
        "generator": "fake",
        "generator_version": "fake-1",
        "width": 32,
        "height": 32,
    }
    drawn = {name: float(rng.uniform(low, high)) for name, (low, high) in RANGES.items()}
    return Genome(slots=slots, parameters=drawn if parameters is None else parameters, **{**usual, **more})


def parents(count=6, weights=None):
    many = tuple(genome(100 + n) for n in range(count))
    return Sources(
        bank=PROMPTS,
        parameters=RANGES,
        parents=many,
        weights=np.full(count, 1 / count) if weights is None else np.asarray(weights, dtype=float),
    )


def sketches(emitter, sources, count=200, purpose="test"):
    return [emitter.propose(sources, draw(7, 1 + n // 8, n % 8, purpose)) for n in range(count)]


def by_hash(sources):
    return {parent.hash: parent for parent in sources.parents}


def differing(sketch, parent):
    return [slot for slot in SLOTS if sketch.slots[slot] != parent.slots[slot]]


# ---- independence ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def fresh():
    return sketches(Fresh(), FRESH_SOURCES, 4000)


def uneven(counts, expected):
    """Chi-square above the 99.99th percentile of chance."""
    statistic = sum((count - expected) ** 2 / expected for count in counts)
    return statistic > chi2.ppf(0.9999, len(counts) - 1)


@pytest.mark.parametrize("slot", SLOTS)
def test_fresh_draws_use_every_word_evenly(fresh, slot):
    counts = Counter(sketch.slots[slot] for sketch in fresh)
    words = PROMPTS.slots[slot]
    assert set(counts) == set(words)
    assert not uneven([counts[word] for word in words], len(fresh) / len(words))


def test_fresh_draws_use_every_combination_of_words_evenly(fresh):
    counts = Counter(tuple(sketch.slots.values()) for sketch in fresh)
    total = int(np.prod([len(words) for words in PROMPTS.slots.values()]))
    assert len(counts) == total
    assert not uneven(list(counts.values()), len(fresh) / total)


def numbers(sketches, slot):
    return np.array([PROMPTS.slots[slot].index(sketch.slots[slot]) for sketch in sketches], dtype=float)


@pytest.mark.parametrize("step", [1, 7, 8, 9], ids=["next slot", "before", "next cycle", "after"])
def test_neighbouring_slots_and_cycles_are_not_correlated(fresh, step):
    columns = [numbers(fresh, slot) for slot in SLOTS]
    columns += [np.array([sketch.seed for sketch in fresh], dtype=float)]
    columns += [np.array([sketch.parameters[name] for sketch in fresh]) for name in RANGES]
    for column in columns:
        assert abs(np.corrcoef(column[:-step], column[step:])[0, 1]) < 4.5 / np.sqrt(len(column))


def test_words_parameters_and_seed_of_one_draw_are_not_correlated(fresh):
    columns = [numbers(fresh, slot) for slot in SLOTS] + [np.array([sketch.seed for sketch in fresh], dtype=float)]
    columns += [np.array([sketch.parameters[name] for sketch in fresh]) for name in RANGES]
    between = np.corrcoef(np.stack(columns)) - np.eye(len(columns))
    assert np.abs(between).max() < 4.5 / np.sqrt(len(fresh))


def test_seeds_do_not_repeat_beyond_chance(fresh):
    seeds = [sketch.seed for sketch in fresh]
    assert len(set(seeds)) >= 3998
    assert min(seeds) < 2**32 * 0.01 and 2**32 * 0.99 < max(seeds) < 2**32


def test_parameters_fill_their_ranges_evenly(fresh):
    for name, (low, high) in RANGES.items():
        values = [sketch.parameters[name] for sketch in fresh]
        assert low <= min(values) and max(values) <= high
        assert not uneven(np.histogram(values, bins=20, range=(low, high))[0], len(fresh) / 20)


@pytest.mark.parametrize("name", list(all_emitters()))
def test_a_draw_is_a_function_of_seed_cycle_slot_purpose_and_attempt_alone(name):
    emitter, sources = all_emitters()[name], parents()

    def at(*key):
        return emitter.propose(sources, draw(*key))

    base = at(7, 3, 2, "emitter", 0)
    at(7, 99, 0, "emitter")
    assert at(7, 3, 2, "emitter", 0) == base
    others = [at(8, 3, 2, "emitter", 0), at(7, 4, 2, "emitter", 0), at(7, 3, 1, "emitter", 0), at(7, 3, 2, "other", 0)]
    others.append(at(7, 3, 2, "emitter", 1))
    assert sum(other == base for other in others) <= (1 if name == "mutate" else 0)


# ---- the operators -----------------------------------------------------------------------------------------------


def test_a_mutation_changes_one_word_or_two_and_nothing_else():
    sources = parents()
    changed = Counter()
    for sketch in sketches(Mutate(), sources, 600):
        parent = by_hash(sources)[sketch.parents[0]]
        assert len(sketch.parents) == 1
        assert (sketch.seed, sketch.parameters) == (parent.seed, dict(parent.parameters))
        assert list(sketch.slots) == SLOTS
        changed[len(differing(sketch, parent))] += 1
    assert set(changed) == {1, 2}
    assert 0.18 < changed[2] / 600 < 0.32


def test_a_mutation_reaches_every_slot_and_every_other_word():
    sources = parents(1)
    seen = {
        (slot, s.slots[slot]) for s in sketches(Mutate(), sources, 600) for slot in differing(s, sources.parents[0])
    }
    wanted = {(slot, w) for slot in SLOTS for w in PROMPTS.slots[slot] if w != sources.parents[0].slots[slot]}
    assert seen == wanted


def test_a_slot_with_one_word_cannot_mutate():
    bank = replace(PROMPTS, slots={"school": ("glass",), "palette": ("ember", "plum"), "mood": ("joyful",)})
    parent = genome(1, slots={"school": "glass", "palette": "plum", "mood": "joyful"})
    sources = Sources(bank=bank, parameters=RANGES, parents=(parent,), weights=np.ones(1))
    assert {tuple(s.slots.values()) for s in sketches(Mutate(), sources, 40)} == {("glass", "ember", "joyful")}
    fixed = replace(bank, slots={slot: words[:1] for slot, words in bank.slots.items()})
    assert Mutate().propose(replace(sources, bank=fixed), draw(1, 1, 0, "m")) is None


def test_a_crossover_takes_from_both_and_from_nowhere_else():
    sources = parents()
    both = 0
    for sketch in sketches(Crossover(), sources, 400):
        mother, father = (by_hash(sources)[name] for name in sketch.parents)
        assert mother.hash != father.hash
        assert all(sketch.slots[slot] in (mother.slots[slot], father.slots[slot]) for slot in SLOTS)
        for name, value in sketch.parameters.items():
            assert value in (mother.parameters[name], father.parameters[name])
        assert sketch.seed in (mother.seed, father.seed)
        apart = [slot for slot in SLOTS if mother.slots[slot] != father.slots[slot]]
        if len(apart) >= 2:
            both += 1
            assert {sketch.slots[slot] == mother.slots[slot] for slot in apart} == {True, False}
    assert both > 200


def test_each_of_two_parents_gives_about_half():
    sources = parents(2)
    mothers = [
        sketch.seed == by_hash(sources)[sketch.parents[0]].seed for sketch in sketches(Crossover(), sources, 400)
    ]
    assert 0.4 < np.mean(mothers) < 0.6


def test_a_crossover_needs_two():
    assert Crossover().propose(parents(1), draw(1, 1, 0, "x")) is None


def test_wildcards_honour_the_fixed_words_and_fill_the_tokens():
    seen = Counter()
    for sketch in sketches(Wildcards(), FRESH_SOURCES, 400):
        assert set(sketch.slots) == set(SLOTS) and not sketch.parents
        if sketch.text.startswith("stained"):
            seen["glass"] += 1
            assert (sketch.slots["school"], sketch.slots["mood"]) == ("glass", "serene")
            assert sketch.text == f"stained glass, {sketch.slots['palette']}, quiet"
        else:
            seen["noon"] += 1
            assert sketch.text == f"{sketch.slots['school']} at noon"
    assert min(seen.values()) > 140
    # What a pattern neither fixes nor names is drawn too.
    palettes = {s.slots["palette"] for s in sketches(Wildcards(), FRESH_SOURCES, 400) if s.text.endswith("noon")}
    assert palettes == set(PROMPTS.slots["palette"])


def test_wildcards_fill_slots_whose_names_have_several_words():
    bank = replace(
        PROMPTS,
        slots={"art_style": ("ink", "oil"), "light2": ("dawn", "dusk")},
        patterns=(Pattern(text="__art_style__ at __light2__, __art_style__", slots={}),),
    )
    sketch = Wildcards().propose(Sources(bank=bank, parameters={}), draw(7, 1, 0, "w"))
    style, light = sketch.slots["art_style"], sketch.slots["light2"]
    assert sketch.text == f"{style} at {light}, {style}"


def test_a_bank_without_patterns_has_no_wildcards():
    assert Wildcards().propose(Sources(bank=replace(PROMPTS, patterns=()), parameters={}), draw(1, 1, 0, "w")) is None


def test_variation_keeps_words_and_seed_and_stays_within_the_ranges():
    sources = parents()
    moved = Counter()
    for sketch in sketches(Vary(), sources, 600):
        parent = by_hash(sources)[sketch.parents[0]]
        assert dict(sketch.slots) == dict(parent.slots) and sketch.seed == parent.seed and sketch.text == parent.prompt
        steps = 0
        for name, (low, high) in RANGES.items():
            assert low <= sketch.parameters[name] <= high
            steps += sketch.parameters[name] != parent.parameters[name]
        moved[steps] += 1
    assert set(moved) == {1, 2, 3}


def test_variation_at_the_edge_of_a_range_does_not_pile_up_there():
    edge = genome(1, parameters={name: high for name, (_, high) in RANGES.items()})
    sources = Sources(bank=PROMPTS, parameters=RANGES, parents=(edge,), weights=np.ones(1))
    values = [s.parameters["tilt"] for s in sketches(Vary(), sources, 400)]
    changed = [value for value in values if value != 3.0]
    assert len(changed) > 150 and max(changed) < 3.0 and min(changed) >= -1.0
    assert 0.3 < np.median(3.0 - np.array(changed)) / (0.2 * 4.0) < 1.0


def test_variation_needs_parameters():
    assert Vary().propose(replace(parents(), parameters={}), draw(1, 1, 0, "v")) is None


def test_reseeding_changes_the_seed_alone():
    sources = parents()
    many = sketches(Reseed(), sources, 200)
    for sketch in many:
        parent = by_hash(sources)[sketch.parents[0]]
        assert (dict(sketch.slots), dict(sketch.parameters), sketch.text) == (
            dict(parent.slots), dict(parent.parameters), parent.prompt,
        )  # fmt: skip
        assert sketch.seed != parent.seed
    assert len({sketch.seed for sketch in many}) == 200


@pytest.mark.parametrize("name", ["mutate", "crossover", "vary", "reseed"])
def test_without_elites_there_is_nothing_to_work_on(name):
    assert all_emitters()[name].propose(FRESH_SOURCES, draw(1, 1, 0, "none")) is None


@pytest.mark.parametrize("name", ["mutate", "crossover", "vary", "reseed"])
def test_words_of_an_older_bank_and_parameters_of_another_generator_are_drawn_anew(name):
    old = {"school": "fresco", "palette": "plum", "era": "baroque"}
    made = tuple(genome(n, slots=old, parameters={"tilt": 99.0, "gone": 1.0}) for n in (1, 2))
    sources = Sources(bank=PROMPTS, parameters=RANGES, parents=made, weights=np.full(2, 0.5))
    many = sketches(all_emitters()[name], sources, 120)
    for sketch in many:
        assert list(sketch.slots) == SLOTS
        assert all(sketch.slots[slot] in PROMPTS.slots[slot] for slot in SLOTS)
        assert list(sketch.parameters) == list(RANGES)
        assert all(low <= sketch.parameters[name] <= high for name, (low, high) in RANGES.items())
    assert {sketch.slots["school"] for sketch in many} == set(PROMPTS.slots["school"])
    if name != "mutate":
        assert {sketch.slots["palette"] for sketch in many} == {"plum"}
    if name != "vary":
        assert {sketch.parameters["tilt"] for sketch in many} == {3.0}


def test_parents_are_chosen_by_their_weights():
    sources = parents(4, weights=[0.1, 0.0, 0.3, 0.6])
    chosen = Counter(sketch.parents[0] for sketch in sketches(Reseed(), sources, 3000))
    for parent, weight in zip(sources.parents, sources.weights, strict=True):
        assert chosen[parent.hash] / 3000 == pytest.approx(weight, abs=0.035)


@pytest.mark.parametrize("name", list(all_emitters()))
def test_a_draw_changes_nothing_it_draws_from(name):
    sources = parents()
    before = sources.weights.copy(), [dict(p.slots) for p in sources.parents], [p.hash for p in sources.parents]
    sketches(all_emitters()[name], sources, 30)
    after = sources.weights, [dict(p.slots) for p in sources.parents], [p.hash for p in sources.parents]
    assert np.array_equal(before[0], after[0]) and before[1:] == after[1:]


# ---- proposals ---------------------------------------------------------------------------------------------------


def proposer(*, emitters=None, warmup=0, elites=(), bank=PROMPTS, **more):
    library = {elite.hash: elite for elite in elites}
    usual = {
        "seed": 7,
        "batch": 8,
        "warmup_cycles": warmup,
        "size": (32, 32),
        "generator": FakeGenerator(),
        "bank": bank,
        "emitters": emitters or all_emitters(),
        "genomes": lambda hashes: {name: library[name] for name in hashes},
    }
    return Proposer(**{**usual, **more})


def hashes(proposals):
    return [proposal.genome.hash for proposal in proposals]


def test_what_was_rendered_or_waits_is_not_proposed_again():
    first = proposer().propose(1, State(), waiting=())
    state = State()
    state.known = {bytes.fromhex(name) for name in hashes(first)[:4]}
    again = proposer().propose(1, state, waiting=hashes(first)[4:])
    assert not set(hashes(again)) & set(hashes(first))
    assert len(set(hashes(again))) == 8


class Few:
    """Fresh draws of which there are only `count`."""

    name = FRESH

    def __init__(self, count):
        self.count = count

    def propose(self, sources, rng):
        slots = {slot: words[0] for slot, words in sources.bank.slots.items()}
        return Sketch(slots=slots, seed=int(rng.integers(self.count)), parameters={"tilt": 0.0, "waves": 0.0})


def test_two_slots_of_a_batch_never_get_the_same_genome():
    made = proposer(emitters={FRESH: Few(12)}).propose(1, State(), waiting=())
    assert len(set(hashes(made))) == 8


def test_a_vocabulary_that_is_used_up_is_an_error_that_says_so():
    with pytest.raises(GenEmergeError, match=r"slot 5: .*rendered before") as raised:
        proposer(emitters={FRESH: Few(5)}).propose(1, State(), waiting=())
    assert "vocabulary" in raised.value.hint


def test_an_emitter_that_only_repeats_gives_way_to_a_fresh_draw():
    elite = genome(3, parameters={"tilt": 0.5, "waves": 0.5})
    state = state_with([elite])
    state.known.add(bytes.fromhex(elite.hash))

    class Stubborn:
        name = "mutate"
        draws = 0

        def propose(self, sources, rng):
            Stubborn.draws += 1
            return Sketch(slots=elite.slots, seed=elite.seed, parameters=elite.parameters, parents=(elite.hash,))

    state.bandit.learn([("mutate", "new")] * 5000 + [(FRESH, None)] * 5000)
    made = proposer(emitters={FRESH: Fresh(), "mutate": Stubborn()}, elites=[elite]).propose(9, state, waiting=())
    assert {proposal.genome.operator for proposal in made} == {FRESH}
    assert Stubborn.draws % MAX_REDRAWS == 0 and Stubborn.draws > 0


def test_the_warm_up_proposes_only_fresh_draws():
    elites = [genome(n) for n in range(3)]
    state = state_with(elites)
    during = proposer(warmup=4, elites=elites).propose(4, state, waiting=())
    after = [proposer(warmup=4, elites=elites).propose(cycle, state, waiting=()) for cycle in range(5, 15)]
    assert {p.genome.operator for p in during} == {FRESH} and not any(p.genome.parents for p in during)
    assert {p.genome.operator for batch in after for p in batch} == set(all_emitters())


def test_without_any_elite_the_operators_fall_back_to_fresh_draws():
    made = [p.genome for cycle in range(1, 20) for p in proposer().propose(cycle, State(), waiting=())]
    assert {one.operator for one in made} == {FRESH, "wildcards"}


def test_a_proposal_says_what_it_is_for_and_by_whom_it_is_rendered():
    made = proposer(size=(48, 40)).propose(6, State(), waiting=())
    assert [(p.cycle, p.slot) for p in made] == [(6, slot) for slot in range(8)]
    one = made[0].genome
    assert (one.width, one.height, one.generator, one.generator_version) == (48, 40, "fake", "fake-1")


def state_with(elites, *, dims=(5, 5), cells=None, tries=None):
    state = State()
    state.archive = Archive(Axes(version=1, kind="grid", names=("a", "b"), low=(0.0, 0.0), high=(1.0, 1.0), dims=dims))
    for number, elite in enumerate(elites, start=1):
        state.genomes[number] = elite.hash
        cell = cells[number - 1] if cells else number - 1
        state.archive.apply(
            Placement(candidate=number, cell=cell, descriptor=(0.0, 0.0), descriptor_version=1, outcome="new"), 1
        )
    state.tries.update(tries or {})
    return state


def chosen_parents(state, elites, cycles=150):
    emitters = {FRESH: Fresh(), "reseed": Reseed()}
    state.bandit.learn([("reseed", "new")] * 5000 + [(FRESH, None)] * 5000)
    made = [
        p for c in range(1, cycles) for p in proposer(emitters=emitters, elites=elites).propose(c, state, waiting=())
    ]
    counted = Counter(parent for proposal in made for parent in proposal.genome.parents)
    return [counted[elite.hash] / counted.total() for elite in elites]


def test_parents_beside_empty_cells_are_preferred():
    # In a 5 x 5 grid: the middle of a full plus (no empty neighbour), its four arms (three each).
    elites = [genome(n) for n in range(5)]
    shares = chosen_parents(state_with(elites, cells=[12, 7, 11, 13, 17]), elites)
    weights = np.array([1, 4, 4, 4, 4]) / 17
    assert shares == pytest.approx(weights, abs=0.05)


def test_parents_that_were_little_tried_are_preferred():
    elites = [genome(n) for n in range(3)]
    tries = {elites[0].hash: 9, elites[1].hash: 1}
    shares = chosen_parents(state_with(elites, cells=[6, 8, 18], tries=tries), elites)
    weights = np.array([1 / 10, 1 / 2, 1])
    assert shares == pytest.approx(weights / weights.sum(), abs=0.05)


# ---- changed settings --------------------------------------------------------------------------------------------


def test_a_waiting_proposal_that_still_fits_is_kept():
    waiting = proposer().propose(3, State(), waiting=())
    assert [proposer().adapt(proposal) for proposal in waiting] == list(waiting)


def test_a_waiting_proposal_follows_a_change_of_size_and_keeps_the_rest():
    for proposal in proposer().propose(3, State(), waiting=()):
        adapted = proposer(size=(64, 48)).adapt(proposal)
        old, new = proposal.genome, adapted.genome
        assert (new.width, new.height) == (64, 48)
        assert (new.slots, new.seed, new.parameters, new.prompt) == (old.slots, old.seed, old.parameters, old.prompt)
        assert (adapted.cycle, adapted.slot, new.operator) == (3, proposal.slot, old.operator)


def test_a_waiting_proposal_follows_a_change_of_the_bank_and_keeps_the_words_that_are_left():
    bank = replace(PROMPTS, slots={**PROMPTS.slots, "school": ("glass", "fresco")}, hash="2" * 64)
    kept = 0
    for proposal in proposer().propose(3, State(), waiting=()):
        new = proposer(bank=bank).adapt(proposal).genome
        old = proposal.genome.slots["school"]
        assert new.slots["school"] in ("glass", "fresco") and new.slots["mood"] == proposal.genome.slots["mood"]
        kept += old == new.slots["school"] == "glass"
        assert proposer(bank=bank).adapt(proposal) == proposer(bank=bank).adapt(proposal)
    assert kept == sum(p.genome.slots["school"] == "glass" for p in proposer().propose(3, State(), waiting=()))


def test_a_proposal_of_another_generator_gets_this_one_s_parameters():
    other = genome(5, generator="other", parameters={"zoom": 3.0, "tilt": 0.25})
    new = proposer().adapt(Proposal(cycle=3, slot=0, genome=other)).genome
    assert (new.generator, set(new.parameters), new.parameters["tilt"]) == ("fake", {"tilt", "waves"}, 0.25)
    assert 0.0 <= new.parameters["waves"] <= 1.0


def test_an_adapted_proposal_is_not_rendered_twice():
    """Where what is left of a genome was rendered before, it gets another seed, and its lineage stays."""
    proposal = Proposal(cycle=3, slot=1, genome=genome(4, parents=("a" * 64,)))
    larger = proposer(size=(64, 48))
    first = larger.adapt(proposal).genome
    assert first.seed == proposal.genome.seed
    again = larger.adapt(proposal, lambda known: known == first.hash).genome
    assert again.hash != first.hash and again.seed != first.seed
    assert (again.slots, again.parents) == (first.slots, first.parents)
    assert again == larger.adapt(proposal, lambda known: known == first.hash).genome
    with pytest.raises(GenEmergeError, match="rendered before"):
        larger.adapt(proposal, lambda known: True)
