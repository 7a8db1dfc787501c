"""A head of a rater's taste: what it learns, what it is unsure of, and when it may act."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gen_emerge.errors import BadInput
from gen_emerge.preference import held_out
from gen_emerge.preference.head import Looks, head_from, head_hash, make_basis
from gen_emerge.preference.head_fit import IMPLICIT, Judgements, fit_head
from gen_emerge.preference.held_out import blocks, foretell, gained, joined, level_of, weigh

IMAGES = 120


def images(seed: int, count: int = IMAGES, wide: int = 40) -> Looks:
    """Embeddings of ten directions, and three questions that a direction each answers."""
    rng = np.random.default_rng((seed, 1))
    directions = rng.normal(size=(count, 10)) * 0.9 ** np.arange(10)
    vectors = directions @ np.random.default_rng(9).normal(size=(10, wide))
    answers = [{f"q{k}": "yes" if rng.random() < 0.5 else "no" for k in range(3)} for _ in range(count)]
    return Looks(vectors=vectors / np.linalg.norm(vectors, axis=1, keepdims=True), answers=answers)


def direction(looks: Looks, number: int, size: float = 2.0) -> np.ndarray:
    values = looks.vectors @ np.random.default_rng((7, number)).normal(size=looks.vectors.shape[1])
    return size * (values - values.mean()) / values.std()


def answered(
    truth: np.ndarray, count: int, seed: int, *, rater: str = "ann", pairs: Sequence[tuple[int, int]] | None = None
) -> Judgements:
    """Pairs drawn by chance, answered by Bradley-Terry."""
    rng = np.random.default_rng((seed, 2))
    drawn = pairs or [tuple(rng.choice(len(truth), 2, replace=False).tolist()) for _ in range(count)]
    left, right = (np.array(side, dtype=np.int64) for side in zip(*drawn, strict=True))
    won = rng.random(len(drawn)) < 1.0 / (1.0 + np.exp(truth[right] - truth[left]))
    return Judgements(
        left=left,
        right=right,
        outcome=np.where(won, 1, -1),
        rater=np.array([rater] * len(drawn)),
        screen=np.arange(len(drawn)),
        weight=np.ones(len(drawn)),
    )


def loss(head: Any, looks: Looks, asked: Judgements) -> float:
    return float(held_out.log_losses(head.probabilities(looks, asked.left, asked.right), asked.outcome == 1).mean())


def test_a_taste_is_foretold_on_images_it_has_never_seen_and_by_honest_odds() -> None:
    seen, new = images(1), images(2)
    head = fit_head(seen, answered(direction(seen, 0), 300, 1))
    asked = answered(direction(new, 0), 4000, 3)
    chance = head.probabilities(new, asked.left, asked.right)
    assert loss(head, new, asked) < 0.55
    for low, high in ((0.1, 0.3), (0.3, 0.5), (0.5, 0.7), (0.7, 0.9)):
        some = (chance > low) & (chance <= high)
        assert float(np.mean(asked.outcome[some] == 1)) == pytest.approx(float(chance[some].mean()), abs=0.1)


def test_a_taste_for_answers_is_learned_and_silence_is_no_answer() -> None:
    looks = images(3)
    truth = 2.0 * np.array([each["q1"] == "yes" for each in looks.answers])
    head = fit_head(looks, answered(truth, 400, 3))
    place = head.basis.axes.shape[1] + head.basis.questions.index(("q1", "yes"))
    assert head.mean[place] == max(head.mean)
    said = [{"q1": "yes"}, {"q1": "no"}, {"q1": "unanswered"}, {}]
    four = Looks(vectors=np.repeat(looks.vectors[:1], 4, axis=0), answers=said)
    yes, no, unanswered, silent = head.utilities(four)
    assert yes > unanswered == silent > no
    # Who has said nothing may be either: less sure than of the mean of all answers.
    known = head.probabilities(four, np.array([0]), np.array([1]))
    half = head.probabilities(four, np.array([0]), np.array([3]))
    assert head.silence > 0
    assert known > half > 0.5
    certain = replace(head, silence=0.0).probabilities(four, np.array([0]), np.array([3]))
    assert certain > half


def test_probabilities_are_averaged_over_what_is_not_known() -> None:
    looks = images(4)
    head = fit_head(looks, answered(direction(looks, 1), 80, 4))
    left, right = np.array([3, 9, 30]), np.array([70, 50, 4])
    columns = head.basis.columns(looks)
    rng = np.random.default_rng(0)
    weights = rng.multivariate_normal(head.mean, head.covariance, 40_000)
    own = rng.normal(0.0, head.own_sd * np.sqrt(2.0), (40_000, 3))
    odds = weights @ (columns[left] - columns[right]).T + own
    drawn = (1.0 / (1.0 + np.exp(-odds))).mean(axis=0)
    assert head.probabilities(looks, left, right) == pytest.approx(drawn, abs=0.02)
    mode = 1.0 / (1.0 + np.exp(-(columns[left] - columns[right]) @ head.mean))
    assert np.all(np.abs(drawn - 0.5) < np.abs(mode - 0.5) - 0.01)
    assert head.probabilities(looks, right, left) == pytest.approx(1.0 - head.probabilities(looks, left, right))


def test_one_picture_much_compared_is_no_evidence_about_all_that_look_like_it() -> None:
    looks = images(5)
    truth = np.zeros(IMAGES)
    truth[0] = 6.0  # one picture is loved; nothing else differs
    star = [(0, other) for other in range(1, 61)]
    head = fit_head(looks, answered(truth, 0, 5, pairs=star))
    alike = looks.vectors[:1] * 0.98 + looks.vectors[5:6] * 0.02
    pair = Looks(vectors=np.concatenate([alike, looks.vectors[100:101]]), answers=[{}, {}])
    assert head.own_sd > 0.7
    assert head.sure(pair, 0.9)[0] is None


def test_a_stored_head_says_what_it_said(tmp_path: Any) -> None:
    looks = images(6)
    head = fit_head(looks, answered(direction(looks, 2), 100, 6))
    plain = json.loads(json.dumps(head.as_plain()))
    again = head_from(plain)
    left, right = np.arange(50), np.arange(50, 100)
    assert np.array_equal(again.probabilities(looks, left, right), head.probabilities(looks, left, right))
    assert head_hash(again.as_plain()) == head_hash(plain)
    other = fit_head(looks, answered(direction(looks, 2), 101, 6))
    assert head_hash(other.as_plain()) != head_hash(plain)
    for wrong in ({**plain, "mean": plain["mean"][1:]}, {k: v for k, v in plain.items() if k != "axes"}, {"scale": 1}):
        with pytest.raises(BadInput, match="stored head"):
            head_from(wrong)


def test_images_that_do_not_differ_give_a_head_that_knows_nothing() -> None:
    same = Looks(vectors=np.ones((40, 5)), answers=[{"q": "yes"} for _ in range(40)])
    head = fit_head(same, answered(np.zeros(40), 60, 7))
    assert head.probabilities(same, np.array([0, 1]), np.array([2, 3])).tolist() == [0.5, 0.5]
    assert make_basis(same).axes.shape == (5, 0)


# ---- raters -----------------------------------------------------------------------------------------------------


def test_a_rater_with_few_answers_is_drawn_to_the_common_taste_and_one_with_many_keeps_their_own() -> None:
    looks = images(8)
    common, anns, bobs = (direction(looks, number, size) for number, size in ((3, 1.3), (20, 0.6), (4, 0.6)))
    gains = []
    for seed in range(4):
        crowd = answered(common + anns, 250, 100 + seed)
        few, many = (answered(common + bobs, count, 200 + seed, rater="bob") for count in (15, 250))
        asked = answered(common + bobs, 2000, 300 + seed, rater="bob")
        alone = [loss(fit_head(looks, own), looks, asked) for own in (few, many)]
        beside = [loss(fit_head(looks, joined(crowd, own), rater="bob"), looks, asked) for own in (few, many)]
        shared = loss(fit_head(looks, joined(crowd, many)), looks, asked)
        gains.append([alone[0] - beside[0], alone[1] - beside[1], shared - beside[1]])
    with_few, with_many, beside_common = np.mean(gains, axis=0)
    assert with_few > 0.03
    assert with_many > -0.02
    assert beside_common > 0.005


def test_somebody_who_clicks_at_random_counts_for_little_beside_others() -> None:
    found = []
    for seed in range(3):
        looks = images(90 + seed)
        truth = direction(looks, 5)
        asked = answered(truth, 3000, 90 + seed)
        ann, clicks = answered(truth, 120, 190 + seed), answered(0.0 * truth, 200, 290 + seed, rater="zed")
        theirs = fit_head(looks, joined(ann, clicks), rater="ann")
        pooled = fit_head(looks, joined(ann, replace(clicks, rater=np.array(["ann"] * 200))))
        found.append([loss(each, looks, asked) for each in (fit_head(looks, ann), theirs, pooled)])
    alone, beside, pooled = np.mean(found, axis=0)
    assert beside < pooled - 0.05
    assert beside < alone + 0.1


def test_deeds_have_a_reliability_of_their_own_and_no_taste() -> None:
    looks = images(10)
    truth = direction(looks, 6)
    ann = answered(truth, 150, 93)
    contrary = answered(-truth, 150, 94, rater=f"{IMPLICIT}opened")
    asked = answered(truth, 3000, 95)
    with_them = loss(fit_head(looks, joined(ann, contrary)), looks, asked)
    pooled = loss(fit_head(looks, joined(ann, replace(contrary, rater=ann.rater))), looks, asked)
    assert with_them < pooled - 0.05
    common = fit_head(looks, joined(ann, contrary))
    asked_for = fit_head(looks, joined(ann, contrary), rater=f"{IMPLICIT}opened")
    assert np.array_equal(common.mean, asked_for.mean)


# ---- what it has not seen ---------------------------------------------------------------------------------------


def test_no_image_is_both_learned_from_and_foretold(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = images(11)
    said = answered(direction(looks, 7), 200, 96)
    beside = answered(direction(looks, 7), 60, 97, rater=f"{IMPLICIT}opened")
    fits: list[set[int]] = []
    real = held_out.fit_head

    def noting(looks: Looks, learned: Judgements, **options: Any) -> Any:
        fits.append({*learned.left.tolist(), *learned.right.tolist()})
        head = real(looks, learned, **options)

        class Head:
            def probabilities(self, looks: Looks, left: np.ndarray, right: np.ndarray) -> np.ndarray:
                assert fits[-1].isdisjoint({*left.tolist(), *right.tolist()})
                return head.probabilities(looks, left, right)

        return Head()

    monkeypatch.setattr(held_out, "fit_head", noting)
    told = foretell(looks, said, {}, beside=beside)
    assert len(fits) == 10
    assert not np.isnan(told.head).any()
    # Without what lies beside, a fit has a good half of the answers.
    assert min(told.trained) > 80


def test_blocks_hold_every_answer_once_and_never_cut_a_screen() -> None:
    looks = images(12)
    said = answered(direction(looks, 8), 126, 98)
    ranked = replace(said, screen=np.arange(126) // 7)
    found = blocks(ranked)
    assert sorted(np.concatenate(found).tolist()) == list(range(126))
    of = [set(ranked.screen[block].tolist()) for block in found]
    assert sum(len(each) for each in of) == 18
    assert blocks(said.where(np.zeros(126, dtype=bool))) == []


def held(looks: Looks, said: Judgements, signals: dict[str, np.ndarray], **options: Any) -> held_out.HeldOut:
    told = foretell(looks, said, signals, **options)
    return weigh(said, told, sure=0.8, rng=np.random.default_rng(5))


def test_a_head_acts_only_where_it_beats_every_signal_by_its_whole_interval() -> None:
    looks = images(13)
    taste = direction(looks, 9)
    noise = np.random.default_rng(13).normal(size=IMAGES)
    good, bad = taste + 0.1 * noise, noise
    said = answered(taste, 200, 99)
    alone = held(looks, said, {"bad": bad})
    assert alone.better
    assert (alone.foretold, alone.left_out, alone.screens) == (200, 0, 200)
    assert alone.gains["bad"].low > 0 < alone.gains["coin"].low
    beside = held(looks, said, {"bad": bad, "good": good})
    assert beside.best_signal == "good"
    assert beside.gains["bad"].low > 0
    assert beside.gains["good"].low < 0
    assert not beside.better
    # The contrary signal says as much, and one that was not measured says nothing.
    turned = held(looks, said, {"good": -good, "nothing": np.full(IMAGES, np.nan)})
    assert turned.log_loss["good"] == pytest.approx(beside.log_loss["good"])
    assert turned.accuracy["nothing"] == 0.5


def test_who_clicks_at_random_never_lets_it_act() -> None:
    acted = []
    for seed in range(24):
        looks = images(1000 + seed)
        acted.append(held(looks, answered(np.zeros(IMAGES), 150, 1000 + seed), {"bad": looks.vectors[:, 0]}).better)
    assert sum(acted) <= 1  # a whole 95% interval above nothing: less than one in forty


@pytest.mark.parametrize("kind", ["none", "one", "few", "ties", "one pair", "few images"])
def test_too_few_answers_say_nothing(kind: str) -> None:
    looks = images(14)
    taste = direction(looks, 10)
    said = {
        "none": lambda: answered(taste, 1, 1).where(np.array([False])),
        "one": lambda: answered(taste, 1, 1),
        "few": lambda: answered(taste, 55, 1),
        "ties": lambda: replace(answered(taste, 200, 1), outcome=np.zeros(200, dtype=np.int64)),
        "one pair": lambda: answered(taste, 0, 1, pairs=[(0, 1)] * 200),
        "few images": lambda: answered(taste[:6], 200, 1),
    }[kind]()
    found = held(looks, said, {"bad": looks.vectors[:, 0]})
    assert not found.enough
    assert not found.better


def test_deeds_that_follow_a_taste_make_few_weak_answers_go_further() -> None:
    gains = []
    for seed in range(3):
        looks = images(500 + seed)
        taste = direction(looks, 3)
        said = answered(0.5 * taste, 70, 600 + seed)
        did = answered(2.0 * taste, 200, 700 + seed, rater=f"{IMPLICIT}opened")
        plain, more = foretell(looks, said, {}), foretell(looks, said, {}, beside=did)
        won = said.outcome == 1
        losses = [held_out.log_losses(each.head, won) for each in (plain, more)]
        gains.append(gained(losses[0] - losses[1], said.screen, np.random.default_rng(0)))
    assert sum(gain.low > 0 for gain in gains) >= 2


def test_every_further_look_at_answers_must_be_surer() -> None:
    assert [round(level_of(look), 4) for look in (1, 2, 3)] == [0.95, 0.9833, 0.9917]
    assert sum((1.0 - level_of(look)) / 2.0 for look in range(1, 5_000)) < 0.05
    said = answered(direction(images(3), 1), 150, 4)
    told = foretell(images(3), said, {})
    held = [weigh(said, told, sure=0.8, rng=np.random.default_rng(5), look=look) for look in (1, 20)]
    assert held[0].gains["coin"].low > held[1].gains["coin"].low
    assert held[0].gains["coin"].value == held[1].gains["coin"].value


def test_only_the_raters_own_answers_are_foretold_for_their_head() -> None:
    looks = images(15)
    ann = answered(direction(looks, 11), 150, 1)
    bob = answered(direction(looks, 12), 80, 2, rater="bob")
    told = foretell(looks, joined(ann, bob), {}, rater="bob")
    assert np.isnan(told.head[:150]).all()
    assert not np.isnan(told.head[150:]).any()
    assert told.left_out == 0


def test_intervals_come_from_whole_screens() -> None:
    rng = np.random.default_rng(16)
    of_screen = rng.normal(0.1, 1.0, 60)
    differences = np.repeat(of_screen, 6)
    alone = gained(differences, np.arange(360), np.random.default_rng(0))
    together = gained(differences, np.repeat(np.arange(60), 6), np.random.default_rng(0))
    assert together.value == alone.value
    assert (together.high - together.low) / (alone.high - alone.low) == pytest.approx(np.sqrt(6), rel=0.15)
