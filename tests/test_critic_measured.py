"""The measured critic: it says what it measured, and "unsure" to what it cannot."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from importlib.resources import files
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from gen_emerge.critics import load, load_bank
from gen_emerge.critics.duels import better_answers, both_orders
from gen_emerge.critics.looks import look
from gen_emerge.critics.measured import MeasuredCritic
from gen_emerge.critics.scripted import ScriptedCritic
from gen_emerge.errors import BadInput
from gen_emerge.protocols import CriticDown
from gen_emerge.types import BankQuestion, Critique, Exhibit, QuestionBank

BANK = load_bank(Path(__file__).parents[1] / "prompts" / "questions" / "general-1.toml")
TABLE = tomllib.loads(files("gen_emerge.critics").joinpath("measured.toml").read_text())
CONDITIONS = [(rule["question"], when) for rule in TABLE["rules"] for when in rule["when"] if "yes" in when]
PEOPLE = ("hurt", "stereotype", "one-group", "contradiction", "colours-suit")


def plain(colour=(128, 128, 128), size=256):
    return np.full((size, size, 3), colour, dtype=np.uint8)


def review(pixels, signals=None, bank=BANK):
    return MeasuredCritic().review(
        Exhibit(candidate=1, prompt="p", pixels=pixels, signals=signals or {}), brief="", bank=bank
    )


def with_answers(candidate, **answers):
    critique = Critique(
        critic="c", bank=BANK.id, bank_hash=BANK.hash, answers={k.replace("_", "-"): v for k, v in answers.items()},
        summary="", weaknesses=(),
    )  # fmt: skip
    return Exhibit(candidate=candidate, prompt="p", pixels=None, signals={}, critique=critique)


@pytest.mark.parametrize(
    ("question", "when"), [c for c in CONDITIONS if c[1]["signal"] in ("contrast", "edge_density")]
)
def test_a_signal_answers_yes_no_and_unsure_between(question, when):
    between = 0.5 * (when["yes"] + when["no"])
    for value, said in ((when["yes"], "yes"), (when["no"], "no"), (between, "unsure")):
        assert review(plain(), {when["signal"]: value}).answers[question] == said


def test_what_was_not_measured_is_unsure_and_so_is_a_value_that_is_none():
    assert review(plain()).answers["contrast"] == "unsure"
    assert review(plain(), {"contrast": float("nan")}).answers["contrast"] == "unsure"


def test_a_signal_of_another_scorer_can_be_left_out():
    shown = Exhibit(candidate=1, prompt="p", pixels=plain(), signals={"quality": 5.0, "contrast": 1.0})
    answers = load("measured", ignore=["quality"]).review(shown, brief="", bank=BANK).answers
    assert answers["finished"] == "unsure" and answers["contrast"] == "yes"
    assert load("measured").review(shown, brief="", bank=BANK).answers["finished"] == "no"


def test_it_never_guesses_about_people_harm_or_meaning():
    rng = np.random.default_rng(0)
    for pixels in (plain(), rng.integers(0, 256, (256, 256, 3), dtype=np.uint8)):
        answers = review(pixels, {"quality": 9.0, "prompt": 9.0, "contrast": 0.9}).answers
        assert {answers[i] for i in PEOPLE} == {"unsure"}


def test_a_question_it_does_not_know_is_unsure():
    bank = QuestionBank(
        id="other", hash="0", questions=(BankQuestion(id="hands", dimension="detail", text="Hands?", good="no"),)
    )
    assert dict(review(plain(), bank=bank).answers) == {"hands": "unsure"}


def test_an_empty_picture_is_called_empty_and_a_busy_one_is_not():
    rng = np.random.default_rng(1)
    busy = np.kron(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8), np.ones((8, 8, 1), dtype=np.uint8))
    assert review(plain()).answers["empty"] == "yes"
    assert review(busy).answers["empty"] == "no"


def test_a_picture_leaning_to_one_side_is_out_of_balance():
    leaning = plain()
    leaning[60:200, 220:250] = 250
    critique = review(leaning)
    assert critique.answers["balance"] == "no"
    assert any("right" in weakness for weakness in critique.weaknesses)
    centred = plain()
    centred[100:156, 100:156] = 250
    assert review(centred).answers["balance"] == "yes"


def test_one_bright_spot_draws_the_eye_and_even_noise_does_not():
    spot = plain((40, 40, 40))
    spot[20:40, 20:40] = 255
    noise = np.random.default_rng(2).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    assert review(spot).answers["focus"] == "yes" and look(spot).busiest == "upper left"
    assert review(noise).answers["focus"] == "no"


def test_dense_stripes_are_called_glaring_and_specks_accidental():
    stripes = plain()
    stripes[:, ::6] = stripes[:, 1::6] = stripes[:, 2::6] = 255
    assert review(stripes).answers["glaring-stripes"] == "yes"
    dotted = plain()
    dotted[np.random.default_rng(3).random((256, 256)) < 0.02] = 255
    assert review(dotted).answers["specks"] == "yes"
    assert review(plain()).answers["glaring-stripes"] == "no"
    assert review(plain(size=64)).answers["specks"] == "unsure", "too small to tell specks from shapes"


def test_hues_from_all_around_the_circle_do_not_belong_together_and_greys_do():
    quarters = plain()
    quarters[:128, :128], quarters[:128, 128:] = (230, 40, 40), (40, 200, 60)
    quarters[128:, :128], quarters[128:, 128:] = (50, 60, 230), (230, 210, 40)
    assert review(quarters).answers["palette"] == "no"
    assert review(plain()).answers["palette"] == review(plain((200, 60, 40))).answers["palette"] == "yes"


def test_the_summary_says_the_colours_and_the_tone():
    values = {entry["signal"]: entry for entry in TABLE["words"]}
    dark = review(plain((20, 30, 120)), {"lightness": values["lightness"]["low"], "warmth": values["warmth"]["low"]})
    assert "dark" in dark.summary and "cool" in dark.summary and "blue" in dark.summary
    assert dark.summary.count(".") == 2


def test_weaknesses_begin_with_the_faults_it_answered():
    contrast = next(when for question, when in CONDITIONS if question == "contrast")
    low = contrast["no"] - 3 * (contrast["yes"] - contrast["no"])
    wanted = next(rule["weakness"] for rule in TABLE["rules"] if rule["question"] == "contrast")
    centred = plain()
    centred[96:160, 96:160] = 140
    assert wanted in review(centred, {"contrast": low}).weaknesses


@pytest.mark.parametrize("shape", [(1, 1), (2, 300), (300, 2), (7, 9), (64, 48)])
def test_any_shape_of_picture_can_be_reviewed(shape):
    critique = review(np.zeros((*shape, 3), dtype=np.uint8))
    assert len(critique.weaknesses) == 3 and critique.summary


def test_the_same_picture_at_another_size_is_answered_alike():
    rng = np.random.default_rng(4)
    small = np.kron(rng.integers(0, 256, (16, 16, 3), dtype=np.uint8), np.ones((16, 16, 1), dtype=np.uint8))
    small[rng.random((256, 256)) < 0.02] = 255
    large = np.kron(small, np.ones((2, 2, 1), dtype=np.uint8))
    assert review(small).answers["specks"] == "yes", "as fine as it gets"
    assert dict(review(small).answers) == dict(review(large).answers)


def test_a_duel_is_won_by_more_good_answers_only():
    critic = MeasuredCritic()
    good = with_answers(1, balance="yes", focus="yes", empty="yes")
    bad = with_answers(2, balance="no", focus="no", empty="no")
    assert critic.duel(good, bad, brief="", bank=BANK).outcome == "left", "two questions against one"
    assert critic.duel(bad, good, brief="", bank=BANK).outcome == "right"
    even = with_answers(3, balance="no", focus="yes", empty="no")
    assert critic.duel(good, even, brief="", bank=BANK).outcome == "tie", "one question each"


@pytest.mark.parametrize("other", ["unsure", "unanswered", None])
def test_an_open_answer_counts_for_nobody(other):
    one = with_answers(1, balance="yes")
    two = with_answers(2, **({} if other is None else {"balance": other}))
    assert MeasuredCritic().duel(one, two, brief="", bank=BANK).outcome == "tie"


def test_a_duel_never_looks_at_signals():
    one, two = with_answers(1, balance="yes"), with_answers(2, balance="yes")
    better = replace(one, signals={"quality": 10.0, "prompt": 1.0, "contrast": 1.0})
    assert MeasuredCritic().duel(better, two, brief="", bank=BANK).outcome == "tie"


def test_a_duel_without_a_review_or_a_review_without_an_image_is_refused():
    one = with_answers(1, balance="yes")
    with pytest.raises(BadInput, match="Candidate 2"):
        MeasuredCritic().duel(one, replace(one, candidate=2, critique=None), brief="", bank=BANK)
    with pytest.raises(BadInput, match="Candidate 1"):
        MeasuredCritic().review(one, brief="", bank=BANK)


def test_a_judge_who_prefers_the_left_side_ties_everything():
    assert both_orders(lambda swapped: "left").outcome == "tie"
    assert both_orders(lambda swapped: "right" if swapped else "left").outcome == "left"
    assert both_orders(lambda swapped: "tie" if swapped else "left").outcome == "tie"


def test_answers_to_questions_outside_the_bank_do_not_count():
    assert better_answers({"x": "yes"}, {"x": "no"}, BANK) == "tie"


def test_thresholds_lie_where_their_provenance_says():
    assert TABLE["provenance"]["script"] == "experiments/calibrate_measured_critic.py"
    assert len(CONDITIONS) >= 8
    for question, when in CONDITIONS:
        assert question in {q.id for q in BANK.questions}
        if "yes_quantile" in when:
            assert (when["yes"] > when["no"]) == (when["yes_quantile"] > when["no_quantile"]), question
        else:
            assert question in ("empty", "glaring-stripes"), "only the question's own words may set a bar"


def test_the_painters_own_pictures_get_different_answers():
    from gen_emerge.generators.painter import PARAMETERS, SLOTS, paint
    from gen_emerge.scorers.measures import measure

    rng = np.random.default_rng(20)
    critic, reviewed = load("measured"), []
    for number in range(24):
        slots = {slot: str(rng.choice(words)) for slot, words in SLOTS.items()}
        slots["school"] = SLOTS["school"][number % len(SLOTS["school"])]
        parameters = {name: float(rng.uniform(low, high)) for name, (low, high) in PARAMETERS.items()}
        pixels = np.asarray(paint(slots, number, parameters, 128, 128))
        shown = Exhibit(candidate=number, prompt="", pixels=pixels, signals=measure(pixels))
        reviewed.append(replace(shown, critique=critic.review(shown, brief="", bank=BANK)))
    decided = [i for i in (q.id for q in BANK.questions) if len({r.critique.answers[i] for r in reviewed}) > 1]
    assert len(decided) >= 6, decided
    ends = [critic.duel(a, b, brief="", bank=BANK).outcome for a, b in pairwise(reviewed)]
    assert 4 <= sum(end != "tie" for end in ends) <= 22


def test_an_unknown_critic_names_the_nearest():
    with pytest.raises(BadInput, match='"measured"'):
        load("measurd")


def test_a_scripted_critic_can_be_slow_silent_or_down():
    critic = ScriptedCritic({1: {"balance": "yes"}}, immediate=False, down_on=[2])
    shown = Exhibit(candidate=1, prompt="", pixels=plain(), signals={})
    answers = critic.review(shown, brief="", bank=BANK).answers
    assert not critic.immediate and answers["balance"] == "yes" and answers["focus"] == "unanswered"
    with pytest.raises(CriticDown):
        critic.review(shown, brief="", bank=BANK)
    assert critic.duel(shown, shown, brief="", bank=BANK).outcome == "tie"
