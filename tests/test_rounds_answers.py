"""Lines of answers: what is taken, what is refused, what stands."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace

import pytest

from gen_emerge.errors import BadInput
from gen_emerge.preference import Undo, as_duels, decisions, is_complete, parse_answers
from gen_emerge.preference.verdicts import on_single_images, withdraw, withdrawal
from gen_emerge.types import Duel, HumanAnswer, Question, Round

PAIR = Question(id="r1-1", kind="pair", ask="quality", prompt="p", images={"left": 4, "right": 9})
FIT = Question(id="r1-2", kind="pair", ask="adherence", prompt="p", images={"left": 7, "right": 8}, attention=True)
KEEP = Question(id="r1-3", kind="keep", ask="keep", prompt="p", images={"only": 5})
REVIEW = Question(id="r1-4", kind="review", ask="keep", prompt="p", images={"only": 6})
RANK = Question(id="r2-1", kind="rank4", ask="quality", prompt="p", images={"a": 4, "b": 9, "c": 7, "d": 8})
LIKE = Question(id="r2-2", kind="triplet", ask="similarity", prompt="p", images={"reference": 4, "a": 9, "b": 7})
QUESTIONS = {q.id: q for q in (PAIR, FIT, KEEP, REVIEW)}
ALL = {**QUESTIONS, RANK.id: RANK, LIKE.id: LIKE}
ROUND = Round(id="r1", cycle=25, reason="scheduled", questions=tuple(QUESTIONS.values()))


def parse(*lines):
    return parse_answers([line if isinstance(line, str) else json.dumps(line) for line in lines], ALL, rater="ann")


def answer(question, said, rater="ann"):
    return HumanAnswer(question=question, answer=said, rater=rater)


def test_every_field_of_a_line_is_kept():
    line = {"question": "r1-1", "answer": "left", "confidence": "unsure", "seconds": 2.5}
    assert parse(line) == [HumanAnswer(question="r1-1", answer="left", rater="ann", confidence="unsure", seconds=2.5)]


def test_a_ranking_is_an_order_and_a_triplet_a_letter():
    line = {"question": "r2-1", "order": ["d", "a", "c", "b"], "confidence": "unsure", "seconds": 9}
    (given,) = parse(line)
    assert given == HumanAnswer(
        question="r2-1", answer="ranked", rater="ann", confidence="unsure", seconds=9.0, order=("d", "a", "c", "b")
    )
    assert given.words == "d > a > c > b"
    assert parse({"question": "r2-1", "answer": "skip"}) == [answer("r2-1", "skip")]
    assert parse({"question": "r2-2", "answer": "b"}) == [answer("r2-2", "b")]


def test_confidence_and_seconds_may_be_left_out():
    assert parse({"question": "r1-3", "answer": "keep"}) == [answer("r1-3", "keep")]


def test_no_lines_and_blank_lines_give_no_answers():
    assert parse() == parse("", "  \n") == []


@pytest.mark.parametrize(
    ("question", "said"),
    [("r1-1", s) for s in ("left", "right", "tie", "skip")]
    + [(q, s) for q in ("r1-3", "r1-4") for s in ("keep", "discard", "unsure", "skip")],
)
def test_answers_that_fit_their_question_are_taken(question, said):
    assert parse({"question": question, "answer": said})[0].answer == said


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("left", "not JSON"),
        ("[1]", "not a JSON object"),
        ('{"question": "r1-1", "answer": "left"', "not JSON"),
        ("[" * 100_000, "not JSON"),
        ({}, '"question" is missing'),
        ({"question": "r1-1"}, '"answer" is missing'),
        ({"question": "r1-9", "answer": "left"}, 'Did you mean "r1-'),
        ({"question": 3, "answer": "left"}, "wanted the id"),
        ({"question": "r1-1", "answer": "lefft"}, 'Did you mean "left"'),
        ({"question": "r1-1", "answer": "keep"}, "wanted for a pair one of left, right, tie, skip"),
        ({"question": "r1-3", "answer": "left"}, "wanted for a keep one of keep, discard"),
        ({"question": "r1-4", "answer": "tie"}, "wanted for a review one of"),
        ({"question": "r1-1", "answer": True}, '"answer" is true'),
        ({"question": "r1-1", "answer": ["left"]}, '"answer" is ["left"]'),
        ({"question": "r1-1", "answer": "left", "confidence": "maybe"}, '"confidence" is "maybe"'),
        ({"question": "r1-1", "answer": "left", "confidence": None}, '"confidence" is null'),
        ({"question": "r1-1", "answer": "left", "seconds": True}, '"seconds" is true'),
        ({"question": "r1-1", "answer": "left", "seconds": "2"}, "wanted a number >= 0"),
        ({"question": "r1-1", "answer": "left", "seconds": -1}, "wanted a finite number >= 0"),
        ('{"question": "r1-1", "answer": "left", "seconds": NaN}', "NaN is no number"),
        ('{"question": "r1-1", "answer": "left", "seconds": 1e999}', "wanted a finite number"),
        ('{"question": "r1-1", "answer": "left", "seconds": 1' + "0" * 400 + "}", "wanted a finite number"),
        ({"question": "r1-1", "answer": "left", "second": 1}, 'Did you mean "seconds"'),
        ('{"question": "r1-1", "answer": "left", "answer": "right"}', "a key came twice"),
        ({"undo": "r3-1"}, 'no question "r3-1"'),
        ({"question": "r2-1"}, '"order" is missing'),
        ({"question": "r2-1", "order": "bacd"}, '"order" is "bacd"; wanted a list of names'),
        ({"question": "r2-1", "order": ["b", 1, "c", "d"]}, '"order" is ["b", 1, "c", "d"]'),
        ({"question": "r2-1", "order": ["b", "a", "c"]}, '"order" leaves out d'),
        ({"question": "r2-1", "order": []}, '"order" leaves out a, b, c, d'),
        ({"question": "r2-1", "order": ["b", "a", "c", "e"]}, '"order" names "e", which was not shown'),
        ({"question": "r2-1", "order": ["b", "a", "c", "d", "b"]}, '"order" names "b" twice'),
        ({"question": "r2-1", "order": ["b", "a", "c", "d"], "answer": "skip"}, '"order" and "answer" both came'),
        ({"question": "r2-1", "answer": "a"}, '"answer" is "a" for a rank4'),
        ({"question": "r2-1", "answer": "ranked"}, 'Wanted all of a, b, c, d once, the best first: "order": ["a", "b"'),
        ({"question": "r2-2", "answer": "left"}, "wanted for a triplet one of a, b, unsure, skip"),
        ({"question": "r2-2", "order": ["a", "b"]}, "an order for a triplet"),
        ({"question": "r1-1", "answer": "left", "order": ["left", "right"]}, "an order for a pair"),
        ({"undo": "r1-1", "answer": "left"}, "an undo stands alone"),
    ],
)
def test_one_bad_line_refuses_all_and_is_named(line, said):
    with pytest.raises(BadInput) as refused:
        parse({"question": "r1-1", "answer": "left"}, "", line)
    assert "Line 3:" in str(refused.value)
    assert said in f"{refused.value} {refused.value.hint}"


def test_a_rater_without_a_name_is_refused():
    with pytest.raises(BadInput, match="rater"):
        parse_answers([], QUESTIONS, rater=" ")


def most(question, standing, questions):
    """What most raters say of a question about one image or two."""
    return next(iter(decisions(question, standing, questions).values()), None)


def the_duel(question, given):
    (duel,) = as_duels(question, given)
    return duel


def votes(*words, question=PAIR):
    return [answer(question.id, word, f"rater {n}") for n, word in enumerate(words)]


@pytest.mark.parametrize(
    ("words", "winner"),
    [
        ((), None),
        (("left",), 4),
        (("left", "right"), None),
        (("right", "left", "right"), 9),
        (("right", "tie", "tie"), 9),
        (("tie", "skip"), None),
    ],
)
def test_more_raters_decide_a_pair_and_ties_speak_for_neither(words, winner):
    assert most(PAIR, votes(*words), QUESTIONS) == winner


@pytest.mark.parametrize(
    ("words", "decision"),
    [(("keep", "discard"), None), (("keep", "unsure"), "keep"), (("discard", "keep", "discard"), "discard")],
)
def test_more_raters_decide_about_a_single_image(words, decision):
    assert most(REVIEW, votes(*words, question=REVIEW), QUESTIONS) == decision


def test_a_rater_counts_once_by_the_last_answer_about_the_same_images():
    turned = Question(id="r2-1", kind="pair", ask="quality", prompt="p", images={"left": 9, "right": 4})
    questions = {**QUESTIONS, turned.id: turned}
    said = [answer("r1-1", "left"), answer("r1-1", "right", "bob"), answer("r2-1", "right")]
    assert most(PAIR, said, questions) is None
    assert most(PAIR, [*said, answer("r2-1", "right", "bob")], questions) == 4
    assert most(PAIR, [*said, answer("r2-1", "skip", "bob")], questions) is None
    assert most(FIT, said, questions) is None


def ranked(*order, rater="ann"):
    return HumanAnswer(question="r2-1", answer="ranked", rater=rater, order=order)


def test_a_ranking_speaks_of_every_pair_of_its_images_and_pairs_speak_of_it():
    said = [answer("r1-1", "left"), ranked("b", "a", "c", "d")]
    assert decisions(RANK, said, ALL) == {
        frozenset((4, 9)): 9, frozenset((4, 7)): 4, frozenset((4, 8)): 4,
        frozenset((9, 7)): 9, frozenset((9, 8)): 9, frozenset((7, 8)): 7,
    }  # fmt: skip
    assert most(PAIR, said, ALL) == 9, "the last word of one rater stands, in whatever kind of question"
    assert most(PAIR, said[::-1], ALL) == 4
    both = [ranked("b", "a", "c", "d"), answer("r1-1", "left", "bob"), answer("r1-1", "left", "cy")]
    assert decisions(RANK, both, ALL)[frozenset((4, 9))] == 4
    assert decisions(RANK, [ranked("a", "b", "c", "d"), ranked("d", "c", "b", "a", rater="bob")], ALL) == {}
    assert decisions(RANK, [answer("r2-1", "skip")], ALL) == {}
    fits = replace(RANK, ask="adherence")
    assert most(PAIR, said, {**ALL, RANK.id: fits}) == 4, "adherence is another question"


def test_a_triplet_and_a_repeated_pair_decide_nothing():
    assert decisions(LIKE, [answer("r2-2", "a")], ALL) == {} and as_duels(LIKE, answer("r2-2", "a")) == []
    again = replace(PAIR, id="r3-1", attention=True, images={"left": 9, "right": 4})
    said = [answer("r1-1", "left"), answer("r3-1", "left")]
    assert decisions(again, said, {**ALL, again.id: again}) == {}
    assert most(PAIR, said, {**ALL, again.id: again}) == 4


def test_a_ranking_is_the_duels_of_all_its_pairs():
    found = as_duels(RANK, ranked("d", "a", "c", "b"))
    winners = [(d.left, d.right) if d.outcome == "left" else (d.right, d.left) for d in found]
    assert winners == [(8, 4), (8, 7), (8, 9), (4, 7), (4, 9), (7, 9)]
    assert {(d.question, d.judge, d.order, d.purpose) for d in found} == {("quality", "human:ann", "ranking", "round")}
    assert Counter(d.outcome for d in found) == {"left": 3, "right": 3}, "no side is favoured"
    assert as_duels(RANK, answer("r2-1", "skip")) == []
    duels = as_duels(PAIR, answer("r1-1", "left")) + found
    assert all([withdraw(duels, withdrawal(duel)) for duel in found])
    assert duels == as_duels(PAIR, answer("r1-1", "left"))


def test_a_withdrawal_strikes_out_the_last_such_verdict_and_no_other():
    first, other = the_duel(PAIR, answer("r1-1", "left")), the_duel(PAIR, answer("r1-1", "left", "bob"))
    duels = [first, other, first, replace(first, outcome="right")]
    assert withdraw(duels, withdrawal(replace(first, seconds=9.0)))
    assert duels == [first, other, replace(first, outcome="right")]
    assert not withdraw(duels, withdrawal(replace(other, outcome="tie"))) and len(duels) == 3


def test_an_undo_in_the_file_is_read():
    assert parse({"undo": "r1-1"}) == [Undo(question="r1-1", rater="ann")]


def test_a_round_is_complete_when_every_question_has_a_standing_answer():
    given = {q: answer(q, "skip") for q in QUESTIONS}
    assert is_complete(ROUND, given)
    del given["r1-1"]
    assert not is_complete(ROUND, given)


def test_an_answered_pair_is_a_duel_of_its_rater():
    assert the_duel(PAIR, answer("r1-1", "right")) == Duel(
        left=4, right=9, question="quality", outcome="right", judge="human:ann", order="single", purpose="round"
    )
    shown = the_duel(FIT, HumanAnswer(question="r1-2", answer="tie", rater="bob", seconds=3.0))
    assert (shown.question, shown.outcome, shown.judge) == ("adherence", "tie", "human:bob")
    assert (shown.seconds, shown.attention) == (3.0, True)


def test_a_skip_and_a_keep_are_no_duels():
    assert as_duels(PAIR, answer("r1-1", "skip")) == []
    assert as_duels(KEEP, answer("r1-3", "keep")) == []


def test_of_a_raters_words_on_one_image_the_last_counts_in_whatever_round_it_was_said():
    again = replace(KEEP, id="r3-1", kind="review")
    said = [
        answer(KEEP.id, "keep"),
        answer(REVIEW.id, "discard"),
        answer(KEEP.id, "keep", rater="ben"),
        answer(again.id, "discard"),
        answer(REVIEW.id, "unsure", rater="ben"),
        answer(PAIR.id, "left"),
        answer("r9-9", "keep"),
    ]
    found = on_single_images({**ALL, again.id: again}, said)
    assert [(question.id, each.rater, each.answer) for question, each in found] == [
        (REVIEW.id, "ann", "discard"),
        (KEEP.id, "ben", "keep"),
        (again.id, "ann", "discard"),
    ]
