"""What a round asks: pairs that teach most, never twice, sides by chance."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from gen_emerge.chance import draw
from gen_emerge.errors import BadInput
from gen_emerge.preference import Contest, Material, open_round
from gen_emerge.preference.fitted import Fitted
from gen_emerge.types import Duel

GRID = {10 + i: (float(i % 5), float(i // 5)) for i in range(25)}
PROMPTS = {i: f"prompt {i}" for i in range(200)}


def ask(kind="checkin", *, number=1, elites=GRID, seed=1, ranked="pairs", **more):
    material = Material(elites=elites, prompts=PROMPTS, **more)
    rng = draw(seed, 25, 0, "round")
    return open_round(kind, material, number=number, cycle=25, reason="scheduled", rng=rng, ranked=ranked)


def pairs_of(asked):
    return [frozenset(q.images.values()) for q in asked.questions if q.kind == "pair"]


def human(left, right):
    return Duel(left=left, right=right, question="quality", outcome="left", judge="human:a", purpose="round")


def test_a_checkin_is_five_questions_with_two_reviews_and_one_keep():
    asked = ask(review=[150, 140, 160])
    assert [q.kind for q in asked.questions] == ["pair", "pair", "review", "review", "keep"]
    assert [q.id for q in asked.questions] == ["r1-1", "r1-2", "r1-3", "r1-4", "r1-5"]
    assert [q.images["only"] for q in asked.questions[2:4]] == [140, 150], "the oldest wait longest"
    assert asked.questions[4].images["only"] in GRID
    assert (asked.id, asked.cycle, asked.reason) == ("r1", 25, "scheduled")


def test_without_a_review_queue_pairs_take_its_place():
    assert [q.kind for q in ask().questions] == ["pair"] * 4 + ["keep"]


def test_with_a_single_elite_only_one_image_is_asked_about():
    asked = ask(elites={7: (0.0, 0.0)}, review=[3])
    assert [(q.kind, q.images["only"]) for q in asked.questions] == [("review", 3), ("keep", 7)]


def test_a_short_supply_of_pairs_is_made_up_by_the_review_queue():
    asked = ask(elites={1: (0.0,), 2: (1.0,)}, review=[30, 31, 32, 33])
    assert Counter(q.kind for q in asked.questions) == {"pair": 1, "review": 3, "keep": 1}


def test_there_is_no_round_when_there_is_nothing_to_ask():
    assert ask(elites={}) is None
    assert ask("review") is None
    assert ask("pairs", elites={1: (0.0, 0.0)}) is None
    assert ask("keep", elites={}) is None


@pytest.mark.parametrize("kind", ["pairs", "keep", "review"])
def test_a_round_of_one_kind_asks_that_kind_alone(kind):
    asked = ask(kind, review=list(range(100, 110)))
    assert {q.kind for q in asked.questions} == {kind.removesuffix("s")}
    assert len(asked.questions) == 5
    assert all(q.ask == "keep" for q in asked.questions) == (kind != "pairs")


def test_recently_accepted_images_may_be_asked_keep_and_waiting_ones_not():
    asked = ask("keep", elites={1: (0.0,)}, recent=[50, 51], review=[51])
    assert {q.images["only"] for q in asked.questions} == {1, 50}


def test_a_round_of_which_nothing_is_known_spreads_over_the_images():
    asked = ask("pairs")
    assert len({i for pair in pairs_of(asked) for i in pair}) >= 8


def test_a_pair_a_human_answered_is_not_asked_again():
    small = {i: (float(i),) for i in range(4)}
    met = [(0, 1), (1, 2), (2, 3), (0, 2), (0, 3)]
    asked = ask("pairs", elites=small, duels=[human(a, b) for a, b in met])
    assert pairs_of(asked) == [frozenset((1, 3))]
    assert ask("pairs", elites=small, duels=[human(a, b) for a, b in [*met, (3, 1)]]) is None


def test_a_critics_duel_does_not_count_as_asked():
    small = {0: (0.0,), 1: (1.0,)}
    by_critic = Duel(left=0, right=1, question="quality", outcome="left", judge="measured-1")
    assert pairs_of(ask("pairs", elites=small, duels=[by_critic])) == [frozenset((0, 1))]


def test_a_pair_of_an_earlier_round_is_not_asked_again_even_when_it_was_skipped():
    first = ask("pairs")
    second = ask("pairs", number=2, earlier=[first])
    assert not set(pairs_of(first)) & set(pairs_of(second))


def test_pairs_go_to_images_that_were_rarely_compared():
    often = [i for i in GRID if i < 25]
    duels = [human(a, b) for k, a in enumerate(often) for b in often[k + 1 : k + 4]]
    asked = ask("pairs", duels=duels)
    assert all(i >= 25 for pair in pairs_of(asked) for i in pair)


def test_pairs_go_where_the_order_is_open():
    """Four images whose order is known, and two of a known level that nobody has set against each other."""
    duels = [human(a, b) for a, b in [(10, 11), (11, 12), (12, 13), (10, 12), (11, 13), (10, 13)] for _ in range(8)]
    level = [human(a, b) for new in (14, 15) for a, b in [(11, new), (new, 12)] for _ in range(6)]
    few = {i: GRID[i] for i in range(10, 16)}
    for seed in range(10):
        first = pairs_of(ask("pairs", elites=few, duels=[*duels, *level], seed=seed))[0]
        assert first == frozenset((14, 15)), "what is settled already teaches less"


def test_critics_verdicts_and_withdrawn_ones_are_weighed_as_the_preference_model_does():
    few = {i: GRID[i] for i in (10, 11, 12)}
    said = [human(10, 11)] * 9
    gone = [replace(duel, purpose="withdrawn") for duel in said]
    fitted = [
        Fitted(sorted(few), duels).gap(10, 11)
        for duels in (said, [replace(d, judge="measured-1") for d in said], [*said, *gone], [*said, human(11, 10)])
    ]
    assert fitted[0] > fitted[3] > 0 and fitted[0] > fitted[1] > 0 and fitted[2] is None
    skipped = [replace(d, attention=True) for d in said], [replace(d, purpose="take") for d in said]
    assert [Fitted(sorted(few), duels).gap(10, 11) for duels in skipped] == [None, None]


def test_keep_goes_to_those_asked_least():
    first = ask("keep", elites={i: (0.0,) for i in range(8)})
    second = ask("keep", number=2, elites={i: (0.0,) for i in range(8)}, earlier=[first])
    asked = {q.images["only"] for q in first.questions}
    again = [q.images["only"] for q in second.questions]
    assert set(again[:3]) == set(range(8)) - asked


def test_sides_are_drawn_by_chance():
    sides = Counter()
    for seed in range(200):
        asked = ask("pairs", elites={1: (0.0,), 2: (1.0,)}, seed=seed)
        sides[asked.questions[0].images["left"]] += 1
    assert 70 < sides[1] < 130


def test_one_pair_in_three_asks_for_adherence_and_names_the_prompts():
    asks = Counter()
    for number in range(1, 31):
        for question in ask("pairs", number=number).questions:
            asks[question.ask] += 1
            for candidate in question.images.values():
                assert f"prompt {candidate}" in question.prompt
    assert asks == {"quality": 100, "adherence": 50}


def test_the_same_chance_gives_the_same_round_whatever_the_order_of_its_sources():
    turned = dict(reversed(list(GRID.items())))
    assert ask(review=[3, 2, 1]) == ask(elites=turned, review=[1, 2, 3])
    assert ask(seed=1) != ask(seed=2)


def test_opening_a_round_over_a_large_map_stays_quick():
    rng = np.random.default_rng(0)
    started = time.process_time()
    elites = {i: tuple(rng.random(2)) for i in range(4000)}
    material = Material(elites=elites, review=range(5000, 100_000), prompts=dict.fromkeys(range(100_000), "p"))
    asked = open_round("checkin", material, number=1, cycle=9, reason="request", rng=rng)
    assert len(asked.questions) == 5
    assert time.process_time() - started < 1.0


def contest(holder, challenger, *, tie=True, cycle=3):
    return Contest(holder=holder, challenger=challenger, tie=tie, cycle=cycle)


CONTESTS = [contest(holder, holder + 100, tie=holder % 2 == 0, cycle=holder) for holder in GRID]


@pytest.mark.parametrize(("kind", "review", "wanted"), [("checkin", (), 2), ("checkin", (3, 4), 1), ("pairs", (), 2)])
def test_a_round_keeps_a_place_or_two_for_holders_against_their_challengers(kind, review, wanted):
    for number in (1, 2, 3):
        asked = ask(kind, number=number, review=review, contests=CONTESTS)
        assert len(asked.questions) == 5
        turning = [q for q in asked.questions if q.kind == "pair" and max(q.images.values()) >= 100]
        assert [q.ask for q in turning] == ["quality"] * wanted, "only quality decides a cell"
        # Undecided ones first, the newest of them first.
        assert sorted(min(q.images.values()) for q in turning) == [34, 32][:wanted][::-1]
        turns = sum((number + place) % 3 == 0 for place in range(len(pairs_of(asked))))
        assert Counter(q.ask for q in asked.questions)["adherence"] == turns, "the others take its turns"


def test_a_decided_meeting_is_asked_about_when_no_undecided_one_is_left():
    some = [contest(10, 110, tie=False, cycle=9), contest(11, 111, cycle=2), contest(12, 112, tie=False, cycle=4)]
    asked = ask("pairs", contests=some)
    assert {frozenset((11, 111)), frozenset((10, 110))} <= set(pairs_of(asked))
    later = ask("pairs", contests=some, earlier=[asked], number=2)
    assert frozenset((12, 112)) in pairs_of(later) and not set(pairs_of(asked)) & set(pairs_of(later))


def test_one_challenger_a_holder_in_a_round():
    asked = ask("pairs", contests=[contest(10, 110 + n) for n in range(9)])
    assert len([pair for pair in pairs_of(asked) if max(pair) >= 100]) == 1


def test_contests_fill_a_round_that_runs_out_of_pairs():
    small = {10: (0.0,), 11: (1.0,), 12: (2.0,)}
    some = [contest(holder, holder + 100) for holder in small]
    met = [human(10, 11), human(10, 12)]
    asked = ask("pairs", elites=small, contests=some, duels=met)
    assert set(pairs_of(asked)) == {frozenset((11, 12)), *(frozenset((h, h + 100)) for h in small)}


def test_equal_contests_are_drawn_by_chance_whatever_their_order():
    equal = [contest(holder, holder + 100) for holder in GRID]
    assert ask("pairs", contests=equal) == ask("pairs", contests=equal[::-1])
    drawn = {pair for seed in range(30) for pair in pairs_of(ask("pairs", contests=equal, seed=seed)) if max(pair) > 99}
    assert len(drawn) > 15


def test_an_unknown_kind_is_refused():
    with pytest.raises(BadInput, match='"pairs"'):
        ask("pair")
