"""What every critic must do: one suite, each of them passes it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gen_emerge.critics import load, load_bank
from gen_emerge.critics.scripted import ScriptedCritic
from gen_emerge.types import Critique, Exhibit

BANK = load_bank(Path(__file__).parents[1] / "prompts" / "questions" / "general-1.toml")


def picture(seed, size=64):
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
    pixels = np.kron(coarse, np.ones((size // 8, size // 8, 1), dtype=np.uint8))
    pixels.setflags(write=False)
    return pixels


def exhibit(candidate, critique=None, signals=None):
    return Exhibit(
        candidate=candidate,
        prompt="marbled in ember colours",
        pixels=picture(candidate),
        signals={"contrast": 0.1 * candidate, "edge_density": 0.05 * candidate} if signals is None else signals,
        critique=critique,
    )


def scripted():
    ids = [q.id for q in BANK.questions]
    return ScriptedCritic({n: {i: "yes" if (n >> k) & 1 else "no" for k, i in enumerate(ids[:4])} for n in range(1, 9)})


@pytest.fixture(params=["measured", "scripted"])
def critic(request):
    return load("measured") if request.param == "measured" else scripted()


@pytest.fixture
def reviewed(critic):
    return [exhibit(n, critic.review(exhibit(n), brief="b", bank=BANK)) for n in range(1, 9)]


def test_a_critic_has_a_name_and_says_whether_it_answers_at_once(critic):
    assert critic.name and isinstance(critic.name, str)
    assert isinstance(critic.immediate, bool)


def test_every_question_is_answered_and_no_other(critic):
    critique = critic.review(exhibit(1), brief="a calm series", bank=BANK)
    assert isinstance(critique, Critique)
    assert list(critique.answers) == [q.id for q in BANK.questions]
    assert set(critique.answers.values()) <= {"yes", "no", "unsure", "unanswered"}
    assert (critique.critic, critique.bank, critique.bank_hash) == (critic.name, BANK.id, BANK.hash)


def test_a_review_describes_in_sentences_and_names_three_different_weaknesses(critic):
    critique = critic.review(exhibit(2), brief="", bank=BANK)
    assert 1 <= critique.summary.count(". ") + 1 <= 3 and critique.summary.endswith(".")
    assert len(critique.weaknesses) == len(set(critique.weaknesses)) == 3
    assert all(weakness.strip() for weakness in critique.weaknesses)


def test_no_sentence_of_a_review_holds_a_number(critic):
    for number in range(1, 9):
        critique = critic.review(exhibit(number), brief="", bank=BANK)
        assert not any(c.isdigit() for c in critique.summary + "".join(critique.weaknesses))


def test_an_immediate_critic_says_the_same_every_time(critic):
    first, second = (critic.review(exhibit(3), brief="", bank=BANK) for _ in range(2))
    assert first == second


def test_a_duel_does_not_depend_on_which_is_shown_first(critic, reviewed):
    turned = {"left": "right", "right": "left", "tie": "tie"}
    ends = set()
    for a in reviewed:
        for b in reviewed:
            end = critic.duel(a, b, brief="", bank=BANK).outcome
            assert critic.duel(b, a, brief="", bank=BANK).outcome == turned[end]
            ends.add(end)
    assert ends == {"left", "right", "tie"}, "pictures this different must not all be tied"


def test_an_image_ties_with_itself(critic, reviewed):
    assert all(critic.duel(one, one, brief="", bank=BANK).outcome == "tie" for one in reviewed)


def test_nothing_it_was_shown_is_changed(critic):
    shown = exhibit(4)
    before = shown.pixels.copy(), dict(shown.signals)
    critic.review(shown, brief="", bank=BANK)
    assert np.array_equal(shown.pixels, before[0]) and dict(shown.signals) == before[1]
