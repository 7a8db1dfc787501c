"""What a picture begins from: recipes of noise and starting pictures, and the emitters that work on them."""

from __future__ import annotations

import hashlib
import json
import math
import pickle
from collections import Counter
from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest
from loop_crew import PROMPTS
from PIL import Image as Pillow
from test_emitters import FRESH_SOURCES, RANGES, genome, proposer, sketches, state_with

from gen_emerge.chance import draw
from gen_emerge.emitters import FRESH, all_emitters
from gen_emerge.emitters.latent import ANGLES, STRENGTHS, FromPicture, Perturb, Slerp, slerp, turned
from gen_emerge.emitters.operators import Crossover, Mutate, Reseed, Vary
from gen_emerge.fakes import FakeGenerator
from gen_emerge.state import State
from gen_emerge.store import images, read_recipe
from gen_emerge.store.rows import genome_from, recipe_json
from gen_emerge.types import Genome, Proposal, Sources, content_hash
from gen_emerge.types.genomes import MAX_NOISES, bounded_noise

BOTH = frozenset({"noise", "image"})
LATENT = ["slerp", "perturb", "image"]
OLD = "548c9563ecdf9c65fe2df05485e2b94783f01a1569364365fc71310a8e94ac51"
"""Of `plain()`, from before genomes had noise."""


def plain(**more):
    values = {
        "slots": {"school": "glass", "mood": "serene"},
        "prompt": "stained glass",
        "negative": "blur",
        "seed": 11,
        "generator": "painter",
        "generator_version": "painter-1",
        "parameters": {"zoom": 0.5},
        "width": 64,
        "height": 48,
    }
    return Genome(**{**values, **more})


def able(*parents, abilities=BOTH, weights=None):
    count = len(parents)
    shares = np.full(count, 1 / max(count, 1)) if weights is None else np.asarray(weights, dtype=float)
    return Sources(bank=PROMPTS, parameters=RANGES, parents=parents, weights=shares, abilities=abilities)


# ---- genomes -----------------------------------------------------------------------------------------------------


def test_a_genome_without_noise_or_start_is_what_it_was_before_there_were_any():
    assert set(plain().recipe()) == {
        "slots", "prompt", "negative", "seed", "generator", "generator_version", "parameters", "width", "height",
    }  # fmt: skip
    assert plain().hash == OLD


def test_noise_and_start_act_on_the_pixels_and_so_on_the_hash():
    kinds = [
        plain(),
        plain(noise=((1, 0.5),)),
        plain(noise=((1, 0.25),)),
        plain(noise=((2, 0.5),)),
        plain(noise=((1, 0.5), (2, 0.5))),
        plain(start="ab" * 32),
        plain(start="cd" * 32),
    ]
    assert len({one.hash for one in kinds}) == len(kinds)
    assert all(one.hash == content_hash(one.recipe()) for one in kinds)


FULL = {
    "noise": ((4_294_967_295, 0.1 + 0.2), (3, -1 / 3)),
    "start": "ab" * 32,
    "parameters": {"zoom": 0.5, "strength": 0.65},
}


def test_noise_and_start_survive_json_pickle_the_store_and_a_picture(tmp_path):
    given = plain(**FULL, parents=("cd" * 32,), operator="slerp")
    from_json = Genome(**json.loads(json.dumps(given.recipe())), parents=given.parents, operator=given.operator)
    stored = genome_from(recipe_json(given), "slerp", " ".join(given.parents))
    pixels = np.random.default_rng(1).integers(0, 256, (48, 64, 3), np.uint8)
    written = images.write(tmp_path, given, pixels, series="night")
    for found in (from_json, stored, pickle.loads(pickle.dumps(given)), read_recipe(tmp_path / written.path)):
        assert found == given and found.hash == given.hash and found.noise == given.noise
        assert found.start == given.start and isinstance(found.noise[0], tuple)


def test_recipes_from_before_are_still_read(tmp_path):
    old = plain()
    text = recipe_json(old)
    assert "noise" not in text and "start" not in text
    assert genome_from(text, "fresh", "") == old
    written = images.write(tmp_path, old, np.zeros((48, 64, 3), np.uint8), series="night")
    found = read_recipe(tmp_path / written.path)
    assert (found, found.noise, found.start) == (old, (), "")


def test_other_tools_find_how_far_a_picture_left_the_one_it_began_from(tmp_path):
    pixels = np.zeros((48, 64, 3), np.uint8)
    for given, wanted in ((plain(**FULL), True), (plain(), False)):
        written = images.write(tmp_path, given, pixels, series="night")
        with Pillow.open(tmp_path / written.path) as picture:
            picture.load()
            assert ("Denoising strength: 0.65" in picture.info["parameters"]) == wanted


def test_other_tools_find_the_constants_of_a_series(tmp_path):
    version = "diffusers-0.42.1:0123:DDIMScheduler:25-steps:guidance-7.5:float16"
    for given, wanted in (
        (plain(generator_version=version), ("Steps: 25,", "CFG scale: 7.5,")),
        (plain(generator_version=version.replace("7.5", "1-8"), parameters={"guidance": 3.0}), ("CFG scale: 3,",)),
        (plain(), ("Steps: 1,", "CFG scale: 1,")),
    ):
        text = images.parameters_text(given)
        assert all(words in text for words in wanted), text


def test_of_too_many_noises_the_largest_are_kept_in_their_order():
    given = [(seed, weight) for seed, weight in enumerate((0.3, -2.0, 0.1, 1.0, 0.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4))]
    kept = bounded_noise(given)
    assert [seed for seed, _ in kept] == [1, 3, 5, 6, 7, 8, 9, 10] and len(kept) == MAX_NOISES
    assert bounded_noise([(5, 0.0)]) == ()


# ---- arithmetic of noise -----------------------------------------------------------------------------------------


def unit(recipe, seeds):
    lead, noise = recipe
    weights = {lead: 1.0, **dict(noise)}
    vector = np.array([weights.get(seed, 0.0) for seed in seeds])
    return vector / np.linalg.norm(vector)


def test_the_ends_of_an_arc_are_the_parents_exactly():
    first, second = (1, ((5, 0.3),)), (2, ())
    assert slerp(first, second, 0.0) == first
    assert slerp(first, second, 1.0) == second
    assert slerp(first, first, 0.4) == first


@pytest.mark.parametrize("share", [0.01, 0.25, 0.5, 0.75, 0.99])
@pytest.mark.parametrize("second", [(2, ()), (2, ((1, 0.7),)), (1, ((3, 1.5),)), (9, ((2, 0.4), (1, 0.2)))])
def test_an_arc_is_walked_evenly(share, second):
    first, seeds = (1, ((2, 0.5),)), [1, 2, 3, 9]
    whole = math.acos(float(unit(first, seeds) @ unit(second, seeds)))
    between = unit(slerp(first, second, share), seeds)
    assert math.acos(float(unit(first, seeds) @ between)) == pytest.approx(share * whole, abs=1e-6)
    assert math.acos(float(unit(second, seeds) @ between)) == pytest.approx((1 - share) * whole, abs=1e-6)


@pytest.mark.parametrize("angle", [0.1, 0.6, 1.2])
def test_a_turn_is_by_the_angle_asked_for(angle):
    before, seeds = ((2, 0.5), (3, -1.0)), [1, 2, 3, 7]
    after = turned(before, 7, angle)
    assert after[:2] == before
    assert math.acos(float(unit((1, before), seeds) @ unit((1, after), seeds))) == pytest.approx(angle)


# ---- emitters ----------------------------------------------------------------------------------------------------


def test_emitters_of_noise_and_pictures_are_offered_only_to_who_can_use_them():
    usual = list(all_emitters())
    assert usual == ["fresh", "mutate", "crossover", "wildcards", "vary", "reseed"]
    assert list(all_emitters(BOTH)) == [*usual, *LATENT]
    assert list(all_emitters(frozenset({"image"}))) == [*usual, "image"]


@pytest.mark.parametrize("emitter", [Slerp(), Perturb(), FromPicture()], ids=LATENT)
def test_without_the_ability_or_without_elites_there_is_nothing_to_work_on(emitter):
    parents = [genome(n) for n in range(3)]
    assert emitter.propose(able(*parents, abilities=frozenset()), draw(1, 1, 0, "n")) is None
    assert emitter.propose(replace(FRESH_SOURCES, abilities=BOTH), draw(1, 1, 0, "n")) is None
    assert emitter.propose(able(*parents), draw(1, 1, 0, "n")) is not None


def test_noise_between_two_elites_keeps_the_first_one_s_words():
    parents = [genome(n) for n in range(4)]
    by_hash = {parent.hash: parent for parent in parents}
    for sketch in sketches(Slerp(), able(*parents), 100):
        mother, father = (by_hash[name] for name in sketch.parents)
        assert mother is not father and not sketch.start
        assert dict(sketch.slots) == dict(mother.slots) and sketch.parameters == dict(mother.parameters)
        assert {sketch.seed, *(seed for seed, _ in sketch.noise)} == {mother.seed, father.seed}
        assert 0 < sketch.noise[0][1] <= 1


def test_elites_that_began_from_the_same_noise_have_nothing_between_them():
    assert Slerp().propose(able(genome(1), genome(2, seed=1)), draw(1, 1, 0, "n")) is None


def test_a_perturbation_keeps_the_noise_and_adds_one():
    parent = genome(1, noise=((5, 0.5),))
    for sketch in sketches(Perturb(), able(parent), 100):
        assert (sketch.seed, sketch.noise[0], len(sketch.noise)) == (1, (5, 0.5), 2)
        length = math.sqrt(1.25)
        assert math.tan(ANGLES[0]) * length <= sketch.noise[1][1] <= math.tan(ANGLES[1]) * length


def test_noise_grows_no_further_than_its_bound():
    parent = genome(1)
    for cycle in range(20):
        sketch = Perturb().propose(able(parent), draw(1, cycle, 0, "n"))
        parent = genome(1, noise=sketch.noise)
    assert len(parent.noise) == MAX_NOISES


def test_elites_that_began_from_a_picture_have_no_noise_to_share():
    began = genome(1, start="ab" * 32, parameters={"strength": 0.5})
    assert Perturb().propose(able(began), draw(1, 1, 0, "n")) is None
    assert Slerp().propose(able(began, genome(2)), draw(1, 1, 0, "n")) is None
    assert {s.parents for s in sketches(Perturb(), able(began, genome(2)), 40)} == {(genome(2).hash,)}


def test_a_variation_begins_from_the_elite_s_picture():
    parents = [genome(n) for n in range(3)]
    seen = set()
    for sketch in sketches(FromPicture(), able(*parents), 100):
        assert sketch.parents == (sketch.start,) and sketch.start in {parent.hash for parent in parents}
        assert sketch.parameters["strength"] in STRENGTHS and not sketch.noise
        seen.add(sketch.parameters["strength"])
    assert seen == set(STRENGTHS)


@pytest.mark.parametrize("emitter", [Mutate(), Vary(), Crossover()], ids=["mutate", "vary", "crossover"])
def test_what_the_seed_is_kept_for_keeps_noise_and_picture_too(emitter):
    parents = [
        genome(1, noise=((5, 0.5),)),
        genome(2, start="ab" * 32, parameters={**genome(2).parameters, "strength": 0.5}),
    ]
    own = {parent.seed: parent for parent in parents}
    for sketch in sketches(emitter, able(*parents), 60):
        assert (sketch.noise, sketch.start) == (own[sketch.seed].noise, own[sketch.seed].start)
        assert ("strength" in sketch.parameters) == bool(sketch.start)
    for sketch in sketches(emitter, able(*parents, abilities=frozenset()), 20):
        assert (sketch.noise, sketch.start, "strength" in sketch.parameters) == ((), "", False)


def test_a_new_seed_is_new_noise_over_the_same_picture():
    began = genome(2, start="ab" * 32, parameters={**genome(2).parameters, "strength": 0.5})
    sketch = Reseed().propose(able(began), draw(1, 1, 0, "n"))
    assert (sketch.start, sketch.parameters["strength"]) == (began.start, 0.5)
    assert Reseed().propose(able(genome(1, noise=((5, 0.5),))), draw(1, 1, 0, "n")).noise == ()


# ---- proposals ---------------------------------------------------------------------------------------------------


class Able(FakeGenerator):
    """A fake that says it mixes noise and begins from pictures."""

    abilities = BOTH


def test_proposals_use_what_the_generator_can_do():
    elites = [genome(n) for n in range(3)]
    proposing = proposer(generator=Able(), emitters=all_emitters(Able.abilities), elites=elites)
    made = [p.genome for c in range(1, 40) for p in proposing.propose(c, state_with(elites), waiting=())]
    assert {one.operator for one in made} == set(all_emitters(BOTH))
    assert all(one.noise for one in made if one.operator in ("slerp", "perturb"))
    assert all(one.start in {e.hash for e in elites} for one in made if one.operator == "image")
    assert all("strength" in one.parameters for one in made if one.start)


def test_proposals_for_a_generator_without_abilities_are_what_they_always_were():
    elites = [genome(n, parameters={"tilt": 0.5, "waves": 0.25}) for n in range(3)]
    made = [
        p.genome.hash for c in range(1, 30) for p in proposer(elites=elites).propose(c, state_with(elites), waiting=())
    ]
    assert hashlib.sha256(" ".join(made).encode()).hexdigest()[:16] == "4169e1bbb77aa2b5"


def test_who_could_never_propose_is_not_offered_to_the_bandit():
    class Plain(FakeGenerator):
        parameters: ClassVar[dict[str, tuple[float, float]]] = {}

    elites = [genome(n, parameters={}) for n in range(3)]
    proposing = proposer(generator=Plain(), emitters=all_emitters(BOTH), elites=elites)
    state = state_with(elites)
    state.bandit.learn([(name, None) for name in ("mutate", "crossover", "wildcards", "reseed", FRESH)] * 200)
    state.bandit.learn([("mutate", "new")] * 100)
    made = Counter(p.genome.operator for c in range(1, 40) for p in proposing.propose(c, state, waiting=()))
    assert "mutate" in made and made[FRESH] < 0.2 * made.total()  # as many as the bandit gave to anybody
    assert not {"vary", "slerp", "perturb", "image"} & set(made)


def test_a_bank_without_patterns_leaves_nothing_to_a_wildcard():
    """Untried for ever, the emitter would be chosen again and again, and its slots be fresh draws."""
    elites = [genome(n) for n in range(3)]
    proposing = proposer(bank=replace(PROMPTS, patterns=()), elites=elites)
    state = state_with(elites)
    state.bandit.learn([(name, None) for name in ("mutate", "crossover", "vary", "reseed", FRESH)] * 200)
    state.bandit.learn([("mutate", "new")] * 100)
    made = Counter(p.genome.operator for c in range(1, 40) for p in proposing.propose(c, state, waiting=()))
    assert made["mutate"] > made[FRESH] and made[FRESH] < 0.2 * made.total()


def test_a_waiting_proposal_keeps_what_it_begins_from_where_the_generator_still_can():
    fits = {"parameters": {"tilt": 0.5, "waves": 0.5, "strength": 0.5}}
    waiting = Proposal(cycle=3, slot=0, genome=genome(5, start="ab" * 32, **fits))
    assert proposer(generator=Able()).adapt(waiting) is waiting
    larger = proposer(generator=Able(), size=(64, 48)).adapt(waiting).genome
    assert (larger.start, larger.parameters) == ("ab" * 32, fits["parameters"])
    other = proposer(size=(64, 48)).adapt(waiting).genome
    assert (other.start, set(other.parameters)) == ("", {"tilt", "waves"})


def test_without_elites_proposals_are_fresh_whatever_the_generator_can_do():
    proposing = proposer(generator=Able(), emitters=all_emitters(BOTH))
    made = [p.genome for cycle in range(1, 20) for p in proposing.propose(cycle, State(), waiting=())]
    assert {one.operator for one in made} == {FRESH, "wildcards"}
