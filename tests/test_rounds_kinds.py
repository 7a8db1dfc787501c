"""Rounds of other kinds: rankings, triplets, raw images, baseline images, easy pairs asked again."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from gen_emerge.chance import draw
from gen_emerge.preference import Contest, Material, open_round
from gen_emerge.preference.attention import consistency, easy_pair
from gen_emerge.preference.fitted import Fitted
from gen_emerge.preference.pairs import spread_out
from gen_emerge.types import Duel, HumanAnswer, Question, Round

GRID = {10 + i: (float(i % 5), float(i // 5)) for i in range(25)}
PROMPTS = {i: f"prompt {i}" for i in range(400)}
RAW = tuple(range(300, 330))


def ask(kind="checkin", *, number=1, elites=GRID, seed=1, ranked="pairs", **more):
    material = Material(elites=elites, prompts=PROMPTS, **more)
    rng = draw(seed, 25, 0, "round")
    return open_round(kind, material, number=number, cycle=25, reason="scheduled", rng=rng, ranked=ranked)


def kinds(asked):
    return [(q.kind, q.stream) for q in asked.questions]


def shown(asked):
    return [frozenset(q.images.values()) for q in asked.questions]


def human(left, right, rater="a"):
    return Duel(left=left, right=right, question="quality", outcome="left", judge=f"human:{rater}", purpose="round")


# ---- rankings ----------------------------------------------------------------------------------------------------


def test_rank4_asks_about_four_elites_at_a_time_by_quality():
    asked = ask("rank4")
    assert [q.kind for q in asked.questions] == ["rank4"] * 5
    for question in asked.questions:
        assert list(question.images) == ["a", "b", "c", "d"] and question.ask == "quality"
        assert len(set(question.images.values())) == 4 and set(question.images.values()) <= set(GRID)
        assert question.prompt == " | ".join(f"{name}: prompt {c}" for name, c in question.images.items())
    assert len(set(shown(asked))) == 5


def test_four_are_not_ranked_twice_and_what_was_compared_brings_nothing_new():
    few = {i: GRID[i] for i in range(10, 14)}
    first = ask("rank4", elites=few)
    assert shown(first) == [frozenset(few)]
    assert ask("rank4", elites=few, earlier=[first]) is None
    assert ask("pairs", elites=few, earlier=[first]) is None, "a ranking has compared every two of its images"
    more = {i: GRID[i] for i in range(10, 18)}
    second = ask("rank4", elites=more, earlier=[first])
    assert len(shown(second)[0] & set(few)) <= 2


def test_fewer_than_four_elites_are_not_ranked():
    assert ask("rank4", elites={i: GRID[i] for i in (10, 11, 12)}) is None


def test_a_calibration_round_ranks_ten_elites_drawn_by_chance():
    seen = Counter()
    for seed in range(40):
        asked = ask("ranking", seed=seed)
        (question,) = asked.questions
        assert (question.kind, question.ask, list(question.images)) == ("ranking", "quality", list("abcdefghij"))
        assert len(set(question.images.values())) == 10
        seen.update(question.images.values())
    assert set(seen) == set(GRID) and max(seen.values()) < 30
    (few,) = ask("ranking", elites={i: GRID[i] for i in range(10, 14)}).questions
    assert sorted(few.images.values()) == [10, 11, 12, 13]
    assert ask("ranking", elites={10: (0.0, 0.0), 11: (1.0, 0.0)}) is None, "two are a pair"


def test_ranked_check_ins_keep_contests_and_ask_five_screens():
    contest = [Contest(holder=10, challenger=110, tie=True, cycle=3)]
    asked = ask(ranked="rank4", contests=contest, raw=RAW)
    assert kinds(asked) == [("pair", ""), ("rank4", ""), ("rank4", ""), ("keep", "raw"), ("keep", "raw")]
    assert shown(asked)[0] == frozenset((10, 110))
    few = ask(ranked="rank4", elites={i: GRID[i] for i in (10, 11, 12)}, raw=RAW)
    assert kinds(few) == [("pair", "")] * 3 + [("keep", "raw")] * 2, "pairs where there are no four"


# ---- triplets ----------------------------------------------------------------------------------------------------


def test_triplets_ask_which_of_two_is_more_like_a_third():
    asked = ask("triplets")
    for question in asked.questions:
        assert (question.kind, question.ask, list(question.images)) == (
            "triplet",
            "similarity",
            ["reference", "a", "b"],
        )
    assert len({c for images in shown(asked) for c in images}) == 15, "every image once before one comes again"
    again = ask("triplets", number=2, earlier=[asked])
    left = set(GRID) - {c for images in shown(asked) for c in images}
    assert left <= {c for images in shown(again) for c in images}


def test_no_three_are_asked_about_twice():
    few = {i: GRID[i] for i in range(10, 14)}
    earlier = []
    for number in range(1, 4):
        asked = ask("triplets", number=number, elites=few, earlier=earlier, seed=number)
        earlier += [asked] if asked else []
    seen = [images for asked in earlier for images in shown(asked)]
    assert len(seen) == len(set(seen)) == 4
    assert ask("triplets", elites={10: (0.0,), 11: (1.0,)}) is None


# ---- raw images --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("review", "raw", "wanted"),
    [
        ((), RAW, {"": 3, "raw": 2}),
        ((150,), RAW, {"": 3, "review": 1, "raw": 1}),
        ((150, 151, 152), RAW, {"": 2, "review": 2, "raw": 1}),
        ((), RAW[:1], {"": 4, "raw": 1}),
        ((), (), {"": 4, "elite": 1}),
        ((150, 151), (), {"": 2, "review": 2, "elite": 1}),
    ],
)
def test_one_or_two_of_five_screens_are_raw(review, raw, wanted):
    asked = ask(review=review, raw=raw)
    assert Counter(q.stream for q in asked.questions) == wanted
    assert all(q.images["only"] in raw and q.ask == "keep" for q in asked.questions if q.stream == "raw")


def test_once_there_is_a_baseline_a_round_asks_one_of_each():
    first = ask()
    contest = [Contest(holder=10, challenger=110, tie=True, cycle=3)]
    more = {"number": 2, "earlier": [first], "review": (150, 151), "raw": RAW, "contests": contest}
    asked = ask(**more)
    assert kinds(asked) == [("pair", ""), ("pair", ""), ("pair", "baseline"), ("review", "review"), ("keep", "raw")]
    assert frozenset((10, 110)) in shown(asked)[:2]
    assert [kind for kind, _ in kinds(ask(**more, ranked="rank4"))] == ["pair", "rank4", "pair", "review", "keep"]
    takes = {200: (201, 202)}
    with_takes = ask(**more, takes=takes)
    assert [kind for kind, _ in kinds(with_takes)] == ["pair", "pair", "pair", "review", "keep"]
    assert any(max(images) in (201, 202) for images in shown(with_takes))
    assert "rank4" in [kind for kind, _ in kinds(ask(**more, takes=takes, ranked="rank4"))]


def test_raw_images_are_drawn_by_chance_and_shown_once():
    seen, earlier = set(), []
    for number in range(1, 12):
        asked = ask("keep", number=number, raw=RAW, earlier=earlier, seed=number)
        raw = [q.images["only"] for q in asked.questions if q.stream == "raw"]
        assert len(raw) == 2 and not seen & set(raw)
        assert all(q.stream == "elite" for q in asked.questions if q.images["only"] not in raw)
        seen |= set(raw)
        earlier.append(asked)
    assert min(seen) < 310 and max(seen) > 320
    assert Counter(q.stream for q in ask("keep", elites={10: (0.0,)}, recent=[60]).questions) == {
        "elite": 1,
        "survivor": 1,
    }


# ---- baseline images ---------------------------------------------------------------------------------------------


def test_the_first_check_in_freezes_ten_elites_and_later_ones_compare_with_them():
    first = ask()
    assert len(first.baseline) == 10 and set(first.baseline) <= set(GRID)
    assert not [q for q in first.questions if q.stream == "baseline"]
    earlier, met = [first], []
    for number in range(2, 14):
        asked = ask(number=number, earlier=earlier, seed=number, review=[150, 151, 152], raw=RAW)
        assert asked.baseline == ()
        (question,) = [q for q in asked.questions if q.stream == "baseline"]
        (baseline,) = set(question.images.values()) & set(first.baseline)
        met.append(baseline)
        earlier.append(asked)
        assert len(asked.questions) == 5
    assert Counter(met[:10]) == dict.fromkeys(first.baseline, 1), "each once before one comes again"


def test_only_check_ins_freeze_and_ask_the_baseline():
    assert ask("pairs").baseline == () == ask("keep").baseline
    frozen = ask()
    assert not [q for q in ask("pairs", earlier=[frozen], number=2).questions if q.stream == "baseline"]


def test_whom_the_baseline_meets_is_chance_alone():
    frozen = Round(
        id="r1",
        cycle=1,
        reason="scheduled",
        questions=(Question(id="r1-1", kind="keep", ask="keep", prompt="", images={"only": 10}),),
        baseline=tuple(range(200, 210)),
    )
    best = [human(10, other) for other in range(11, 20) for _ in range(5)]
    met = Counter()
    for seed in range(100):
        (question,) = [q for q in ask(earlier=[frozen], duels=best, seed=seed).questions if q.stream == "baseline"]
        met.update(set(question.images.values()) & set(GRID))
    assert len(met) >= 22 and max(met.values()) <= 12


def test_where_only_baseline_images_hold_cells_they_meet_each_other_until_all_have_met():
    few = {i: GRID[i] for i in (10, 11, 12)}
    earlier, met = [replace(ask("checkin", elites=few), questions=())], set()
    assert earlier[0].baseline == (10, 11, 12)
    for number in range(2, 6):
        asked = ask(number=number, elites=few, earlier=earlier, review=[150, 151], seed=number)
        met |= {images for q, images in zip(asked.questions, shown(asked), strict=True) if q.stream == "baseline"}
        earlier.append(asked)
    assert met and all(images <= set(few) for images in met)


def test_the_frozen_images_are_spread_over_the_map():
    rng = np.random.default_rng(0)
    crowd = {i: tuple(rng.normal(0, 0.01, 2)) for i in range(300)}
    corners = {1000 + i: (float(i % 2), float(i // 2)) for i in range(1, 4)}
    for seed in range(10):
        chosen = spread_out(crowd | corners, 10, draw(seed, 1, 0, "round"))
        assert set(corners) <= set(chosen) and len(set(chosen)) == 10
    alike = spread_out({i: (0.0, 0.0) for i in range(30)}, 10, draw(1, 1, 0, "round"))
    assert len(set(alike)) == 10
    assert spread_out({3: (0.0,), 1: (1.0,)}, 10, draw(1, 1, 0, "round")) == (1, 3)


# ---- easy pairs, asked again -------------------------------------------------------------------------------------


def pair_round(number, left, right, **more):
    question = Question(
        id=f"r{number}-1", kind="pair", ask="quality", prompt="p", images={"left": left, "right": right}, **more
    )
    return Round(id=f"r{number}", cycle=number, reason="request", questions=(question,))


def said(number, word, rater="a", **more):
    return HumanAnswer(question=f"r{number}-1", answer=word, rater=rater, **more)


CLEAR = [human(10, 11) for _ in range(12)]
EARLIER = [pair_round(1, 10, 11), pair_round(2, 12, 13)]


def repeats(asked):
    return [q for q in asked.questions if q.attention]


@pytest.mark.parametrize("kind", ["checkin", "pairs"])
def test_an_easy_pair_is_asked_again_with_its_sides_swapped(kind):
    asked = ask(kind, number=3, earlier=EARLIER, duels=CLEAR, answers=[said(1, "left")])
    (again,) = repeats(asked)
    assert dict(again.images) == {"left": 11, "right": 10} and again.ask == "quality"
    assert again.prompt == "left: prompt 11 | right: prompt 10"
    assert len(asked.questions) == 5


@pytest.mark.parametrize(
    ("why", "more"),
    [
        ("nobody answered", {"answers": []}),
        ("in doubt", {"answers": [said(1, "left", confidence="unsure")]}),
        ("against what is known", {"answers": [said(1, "right")]}),
        ("undecided", {"answers": [said(1, "tie")]}),
        ("not clear", {"duels": CLEAR[:1]}),
        ("clear by chance", {"duels": CLEAR[:4]}),
        ("too soon", {"earlier": EARLIER[:1]}),
        ("repeated already", {"earlier": [EARLIER[0], pair_round(2, 11, 10, attention=True), *[
            pair_round(n, 12, 13) for n in (3, 4)
        ]]}),
        ("one was a moment ago", {"earlier": [*EARLIER, pair_round(3, 14, 15, attention=True)]}),
    ],
)  # fmt: skip
def test_what_is_not_easy_or_not_due_is_not_asked_again(why, more):
    usual = {"earlier": EARLIER, "duels": CLEAR, "answers": [said(1, "left")]}
    assert len(repeats(ask("pairs", number=9, **usual))) == 1
    assert repeats(ask("pairs", number=9, **{**usual, **more})) == [], why


def test_what_seems_clear_by_chance_alone_is_no_easy_pair():
    gaps = [Fitted((), CLEAR[:count]).gap(10, 11) for count in (4, 12)]
    assert math.log(4) < gaps[0] < gaps[1], "four answers estimate four to one too, and are not sure of it"


def test_honest_raters_repeat_easy_pairs_as_often_as_is_expected_of_them():
    """Thirty images of sd 1, 120 comparisons by one Bradley-Terry rater; whoever is asked again answers anew."""
    repeated, expected, found = [], [], 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        worth = rng.normal(0.0, 1.0, 30)
        shown = {tuple(int(i) for i in rng.choice(30, 2, replace=False)) for _ in range(120)}
        rounds = [pair_round(number, *pair) for number, pair in enumerate(sorted(shown), start=1)]
        chances = [1 / (1 + math.exp(worth[right] - worth[left])) for left, right in sorted(shown)]
        words = ["left" if rng.random() < chance else "right" for chance in chances]
        given = [said(number, word) for number, word in enumerate(words, start=1)]
        duels = [
            human(*(pair if word == "left" else pair[::-1])) for pair, word in zip(sorted(shown), words, strict=True)
        ]
        fitted = Fitted((), duels)
        again = easy_pair(rounds, given, fitted, rng)
        if again is None:
            continue
        found += 1
        word, chance = words[int(again.id[1:-2]) - 1], chances[int(again.id[1:-2]) - 1]
        repeated.append(chance if word == "left" else 1 - chance)
        one, other = again.images["left"], again.images["right"]
        expected.append(fitted.alike(*((one, other) if word == "left" else (other, one))))
    assert found >= 10
    assert np.mean(repeated) > 0.86 and np.mean(repeated) == pytest.approx(np.mean(expected), abs=0.05)


def test_a_tie_is_no_repeat_of_a_decision():
    tied = [replace(duel, outcome="tie") for duel in CLEAR]
    more, none = (Fitted((), duels).alike(10, 11) for duels in ([*CLEAR, *tied], [*CLEAR, *CLEAR]))
    assert none > 0.9 and more < 0.7 and Fitted((), CLEAR).alike(10, 12) is None


def test_consistency_counts_raters_who_answered_both_times():
    rounds = [pair_round(1, 10, 11), pair_round(2, 11, 10, attention=True), pair_round(3, 12, 13)]
    rounds += [pair_round(4, 13, 12, attention=True)]
    questions = {q.id: q for asked in rounds for q in asked.questions}
    given = [
        *(said(1, "left", r) for r in ("a", "b", "c", "d")),
        said(1, "left", "e", confidence="unsure"),
        *(said(2, word, r) for r, word in [("a", "right"), ("b", "left"), ("c", "tie"), ("e", "right"), ("f", "left")]),
        said(2, "skip", "d"),
        said(3, "right", "a"),
        said(4, "left", "a"),
    ]
    assert [(c.rater, c.repeats, c.same) for c in consistency(questions, given)] == [
        ("a", 2, 2), ("b", 1, 0), ("c", 1, 0),
    ]  # fmt: skip
    model = Fitted((), [human(10, 11), human(10, 11), human(13, 12)])
    wanted = {"a": model.alike(10, 11) + model.alike(13, 12), "b": model.alike(10, 11), "c": model.alike(10, 11)}
    assert {c.rater: c.expected for c in consistency(questions, given, model)} == pytest.approx(wanted)
    assert [c.expected for c in consistency(questions, given, Fitted((), []))] == [1.0, 0.5, 0.5], "nothing is known"


# ---- all of them -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["checkin", "pairs", "rank4", "ranking", "triplets", "keep"])
def test_the_same_chance_gives_the_same_round_whatever_the_order_of_its_sources(kind):
    turned = dict(reversed(list(GRID.items())))
    more = {"earlier": EARLIER, "duels": CLEAR, "answers": [said(1, "left")]}
    one = ask(kind, raw=RAW, **more)
    assert one == ask(kind, elites=turned, raw=RAW[::-1], **more)
    assert one != ask(kind, raw=RAW, seed=2, **more)
