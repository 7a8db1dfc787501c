"""What people answer, at the boundary: asked by real rounds, changed, taken back, contradicted; live and replayed."""

from __future__ import annotations

import pytest
from loop_crew import NO_GATES, RankCritic, Traits, crew, edges, rhythm, world_crew

from gen_emerge.audit import verify_history
from gen_emerge.calibration.first import GateSetting
from gen_emerge.cli import rounds as cli_rounds
from gen_emerge.judged import judged
from gen_emerge.preference import open_round
from gen_emerge.preference import rounds as preference_rounds
from gen_emerge.state import CHALLENGERS_KEPT, replay
from gen_emerge.store import Store
from gen_emerge.types import Question, Round

QUALITY = {**NO_GATES, "quality": GateSetting(lower=0.3, review=0.2)}


def traits(number):
    """Four of the warm-up lay out the map (cells 0 and 2), all others lie in the middle cell; 5 waits for review."""
    return Traits(x=edges(number) if number <= 4 else 0.5, quality=0.3 if number == 5 else 0.5)


def plan(**more):
    """An undecided critic: 6 holds the middle cell and every later image ties with it."""
    return world_crew(traits, gates=QUALITY, critic=RankCritic(lambda n: 0, immediate=True), **more)


def undo(made, question, rater="anna", cycle=None):
    made.store.add_input("undo", {"question": question, "rater": rater}, first_cycle=cycle)


def told(made):
    """What humans said, as recorded: (cycle, left, right, outcome, rater, purpose)."""
    return [
        (r.cycle, d.left, d.right, d.outcome, d.judge.removeprefix("human:"), d.purpose)
        for r in made.records
        for d in r.duels
        if d.judge.startswith("human:")
    ]


def same_after_a_restart(made):
    """The digest, the state's memory of challengers, and what the preference model says, live and replayed."""
    live = made.live.preference
    pairs = [(6, 7), (7, 6), (6, 1), (1, 6)]
    before = (made.state.digest(), made.state.contests, live.best(), [live.sure(*pair) for pair in pairs])
    made.reopen()
    again = made.live.preference
    return before == (made.state.digest(), made.state.contests, again.best(), [again.sure(*p) for p in pairs])


def contests_of(asked, state):
    """Questions of a round that set a holder against another accepted image of its cell: (question, holder, other)."""
    cells = {e.candidate: e.cell for e in state.archive}
    found = []
    for question in asked.questions:
        for contest in state.contests:
            if set(question.images.values()) == {contest.holder, contest.challenger}:
                assert contest.holder in cells and contest.challenger in state.accepted
                found.append((question, contest.holder, contest.challenger))
    return found


# ---- questions that can turn a cell ------------------------------------------------------------------------------


def test_a_check_in_asks_for_a_cell_and_the_answer_turns_it(series):
    made = series(crew(rhythm=rhythm(checkin_every=6, dims=(3, 3), cells=9), critic=RankCritic(immediate=True))).run(5)
    before = replay(made.store.history())
    made.run(6)
    asked = made.record(6).round
    turning = contests_of(asked, before)
    assert 1 <= len(turning) <= 2
    question, holder, challenger = turning[0]
    assert question.ask == "quality" and made.holder(cell_of(made, holder)) == holder
    (side,) = (side for side, candidate in question.images.items() if candidate == challenger)
    made.answer(question.id, side)
    made.run(8)
    (turned,) = [p for p in made.placements(challenger) if p[3] == "human"]
    assert turned[1:] == ("won", holder, "human")
    digest, contests = made.state.digest(), made.state.contests
    assert (made.reopen().state.digest(), made.state.contests) == (digest, contests)


def cell_of(made, candidate):
    return next(elite.cell for elite in made.state.archive if elite.candidate == candidate)


def test_the_last_few_challengers_of_a_cell_are_remembered_and_past_holders_are_among_them(series):
    made = series(plan()).run(7)
    contests = made.state.contests
    assert made.holder(1) == 6 and all(c.tie for c in contests if c.holder == 6)
    assert len([c for c in contests if c.holder == 6]) == CHALLENGERS_KEPT
    made.answer(made.ask_pair(900, 6, 7), "right")
    made.run(10)
    assert made.holder(1) == 7
    made.answer(made.ask_pair(901, 8, 7), "left")
    made.run(13)
    assert made.holder(1) == 8
    assert all(c.challenger != c.holder for c in made.state.contests)
    assert made.state.challengers == replay(made.store.history()).challengers
    assert all(len(each) <= CHALLENGERS_KEPT for each in made.state.challengers.values())


def test_a_past_holder_may_be_asked_about(series):
    critic = RankCritic(lambda n: {9: 1}.get(n, 0), immediate=True)
    made = series(world_crew(traits, gates=QUALITY, critic=critic)).run(3)
    assert made.holder(1) == 9
    assert (9, 6, False, 3) in made.state.contests


# ---- answers changed or taken back after their boundary ----------------------------------------------------------


def test_an_undo_after_its_boundary_withdraws_the_verdict_and_leaves_the_map(series):
    made = series(plan()).run(3)
    question = made.ask_pair(900, 6, 7)
    made.answer(question, "right", cycle=4)
    made.run(5)
    assert made.holder(1) == 7 and made.live.preference.sure(7, 6) == "left"
    undo(made, question, cycle=6)
    made.run(6)
    assert told(made) == [(4, 6, 7, "right", "anna", "round"), (6, 6, 7, "right", "anna", "withdrawn")]
    assert made.live.preference.sure(7, 6) is None and made.live.preference.sure(6, 7) is None
    assert made.holder(1) == 7, "what happened is not rewritten"
    (event,) = [e for e in made.record(6).events if e.kind == "withdrawn"]
    assert event.payload == {"question": question, "rater": "anna", "was": "right", "is": None}
    assert same_after_a_restart(made)


def test_a_changed_answer_counts_once_and_turns_the_cell_back(series):
    made = series(plan()).run(3)
    question = made.ask_pair(900, 6, 7)
    made.answer(question, "right", cycle=4)
    made.run(4)
    made.answer(question, "left", cycle=6)
    made.run(6)
    assert told(made)[1:] == [(6, 6, 7, "right", "anna", "withdrawn"), (6, 6, 7, "left", "anna", "round")]
    assert made.holder(1) == 6 and made.placements(6)[-1] == (6, "won", 7, "human")
    assert made.live.preference.sure(7, 6) == "right"
    undo(made, question, cycle=8)
    made.run(8)
    # The answer before stands again, and is heard again.
    assert told(made)[3:] == [(8, 6, 7, "left", "anna", "withdrawn"), (8, 6, 7, "right", "anna", "round")]
    assert made.holder(1) == 7
    assert same_after_a_restart(made)


def test_the_same_answer_again_is_no_news(series):
    made = series(plan()).run(3)
    question = made.ask_pair(900, 6, 7)
    for cycle in (4, 5, 6):
        made.answer(question, "left", cycle=cycle)
    made.run(7)
    assert told(made) == [(4, 6, 7, "left", "anna", "round")]


def test_a_skip_later_takes_the_verdict_back(series):
    made = series(plan()).run(3)
    question = made.ask_pair(900, 6, 7)
    made.answer(question, "left", cycle=4)
    made.answer(question, "skip", cycle=5)
    made.run(5)
    assert [t[-1] for t in told(made)] == ["round", "withdrawn"]
    assert made.live.preference.sure(7, 6) is None


def test_an_undone_keep_leaves_the_image_where_it_is(series):
    made = series(plan()).run(3)
    question = made.ask_review(900, 5)
    made.answer(question, "keep", cycle=4)
    made.run(4)
    placed = made.placements(5)
    undo(made, question, cycle=5)
    made.run(6)
    assert made.status(5) == ("passed", "human") and made.placements(5) == placed and len(placed) == 1
    assert [e.payload["was"] for e in made.record(5).events if e.kind == "withdrawn"] == ["keep"]
    assert same_after_a_restart(made)


# ---- raters who disagree -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("votes", "holder"),
    [
        (("right", "left"), 6),
        (("left", "right"), 6),
        (("right", "tie"), 7),
        (("left", "right", "right"), 7),
        (("right", "right", "left"), 7),
        (("right", "left", "left"), 6),
        (("tie", "tie"), 6),
    ],
)
def test_more_raters_decide_a_pair_and_a_draw_leaves_the_holder(series, votes, holder):
    made = series(plan()).run(3)
    question = made.ask_pair(900, 6, 7)
    for number, vote in enumerate(votes):
        made.answer(question, vote, rater=f"rater {number}", cycle=4)
    made.run(5)
    assert made.holder(1) == holder
    assert len(told(made)) == len(votes), "every word is kept"
    assert len([p for p in made.placements(7) if p[3] == "human"]) == (holder == 7)


def test_a_third_rater_settles_what_two_left_open_and_a_fourth_reopens_nothing(series):
    made = series(plan()).run(3)
    question = made.ask_pair(900, 6, 7)
    for cycle, (rater, vote) in enumerate([("anna", "left"), ("ben", "right"), ("cy", "right"), ("di", "left")], 4):
        made.answer(question, vote, rater=rater, cycle=cycle)
    holders = []
    for cycle in range(4, 8):
        made.run(cycle)
        holders.append(made.holder(1))
    assert holders == [6, 6, 7, 7]
    assert same_after_a_restart(made)


@pytest.mark.parametrize(
    ("votes", "status"),
    [
        (("keep", "discard"), ("review", "quality")),
        (("discard", "keep"), ("review", "quality")),
        (("keep", "unsure"), ("passed", "human")),
        (("discard", "keep", "discard"), ("rejected", "quality")),
        (("discard", "keep", "keep"), ("passed", "human")),
    ],
)
def test_more_raters_decide_about_an_image_and_a_draw_leaves_it_in_review(series, votes, status):
    made = series(plan()).run(3)
    question = made.ask_review(900, 5)
    for number, vote in enumerate(votes):
        made.answer(question, vote, rater=f"rater {number}", cycle=4)
    made.run(5)
    assert made.status(5) == status
    assert bool(made.placements(5)) == (status[0] == "passed")
    assert made.state.digest() == replay(made.store.history()).digest()


def test_raters_asked_about_one_image_in_two_rounds_are_counted_together(series):
    made = series(plan()).run(3)
    first, second = made.ask_review(900, 5), made.ask_review(901, 5)
    made.answer(first, "keep", rater="anna", cycle=4)
    made.answer(first, "discard", rater="ben", cycle=4)
    made.answer(second, "keep", rater="anna", cycle=5)
    made.run(5)
    assert made.status(5) == ("review", "quality")
    made.answer(second, "keep", rater="ben", cycle=6)
    made.run(6)
    assert made.status(5) == ("passed", "human")


def test_which_answer_came_first_decides_nothing(series):
    digests = set()
    for order in ((0, 1), (1, 0)):
        made = series(plan()).run(3)
        # Both would take the cell from 6.
        asked = [made.ask_pair(900, 6, 7), made.ask_pair(901, 6, 8)]
        for place in order:
            made.answer(asked[place], "right", cycle=4)
        digests.add((made.run(5).state.digest(), made.holder(1)))
    assert len(digests) == 1


# ---- rounds on request -------------------------------------------------------------------------------------------


def test_two_requests_at_once_open_two_rounds_that_ask_different_things(series, monkeypatch):
    made = series(crew(critic=RankCritic(lambda n: n % 5, immediate=True))).run(8)
    others = []

    def overtaken(*given, **named):
        asked = open_round(*given, **named)
        if not others:
            others.append(None)
            with Store.open(made.folder) as beside:
                others[0] = cli_rounds.request_round(beside, "pairs", seed=7)
        return asked

    monkeypatch.setattr(preference_rounds, "open_round", overtaken)
    monkeypatch.setattr("gen_emerge.hearing.open_round", overtaken, raising=False)
    mine, other = cli_rounds.request_round(made.store, "pairs", seed=7), others[0]
    assert {mine.id, other.id} == {"r8a", "r8b"}
    assert [asked.id for asked in made.store.rounds()] == [other.id, mine.id]
    ids = [q.id for asked in made.store.rounds() for q in asked.questions]
    pairs = [frozenset(q.images.values()) for asked in (mine, other) for q in asked.questions]
    assert len(set(ids)) == len(ids) and len(set(pairs)) == len(pairs)


def test_a_round_s_id_is_taken_once(series):
    made = series(crew()).run(4)
    asked = cli_rounds.request_round(made.store, "keep", seed=7)
    assert not made.store.add_round(asked)
    assert [each.id for each in made.store.rounds()] == [asked.id]


@pytest.mark.parametrize("immediate", [True, False])
@pytest.mark.parametrize("mute", ["critic", "duel"])
def test_who_was_kept_and_waits_for_the_critic_is_no_contradiction(series, immediate, mute):
    """Its last verdict says review for ever; then it waits like everybody whom the critic could not speak of."""
    critic = RankCritic(lambda n: 0, immediate=immediate)
    made = series(world_crew(traits, gates=QUALITY, critic=critic)).run(3)
    critic.mute = {5} if mute == "critic" else {(5, 6)}
    made.answer(made.ask_review(900, 5), "keep")
    made.run(6)
    assert made.status(5) == ("pending", mute)
    assert verify_history(made.store) == []


# ---- rankings, triplets, pairs asked again -----------------------------------------------------------------------


def ask_ranking(made, number, *candidates):
    """A requested round that ranks these, by letters."""
    images = dict(zip("abcdefghij", candidates, strict=False))
    question = Question(id=f"r{number}-1", kind="rank4", ask="quality", prompt="", images=images)
    made.store.add_round(Round(id=f"r{number}", cycle=made.state.cycle, reason="request", questions=(question,)))
    return question.id


def rank(made, question, order, *, rater="anna", cycle):
    payload = {"question": question, "answer": "ranked", "order": list(order), "rater": rater, "confidence": "sure"}
    made.store.add_input("answer", payload, first_cycle=cycle)


def test_a_ranking_gives_the_cell_to_the_best_that_beats_its_holder(series):
    made = series(plan()).run(3)
    question = ask_ranking(made, 900, 6, 7, 8, 9)
    rank(made, question, "cbad", cycle=4)
    made.run(5)
    assert made.holder(1) == 8
    assert [p for p in made.placements(8) if p[3] == "human"] == [(4, "won", 6, "human")]
    assert not [p for p in made.placements(7) if p[3] == "human"], "7 beats 6, and 8 beats 7"
    said = {(d.left, d.right) if d.outcome == "left" else (d.right, d.left) for r in made.records for d in r.duels
            if d.judge == "human:anna"}  # fmt: skip
    assert said == {(8, 7), (8, 6), (8, 9), (7, 6), (7, 9), (6, 9)}
    assert made.live.preference.sure(7, 6) == "left" and made.live.preference.sure(9, 7) == "right"
    assert same_after_a_restart(made)


def test_a_ranking_changed_or_undone_is_withdrawn_pair_by_pair(series):
    made = series(plan()).run(3)
    question = ask_ranking(made, 900, 6, 7, 8, 9)
    rank(made, question, "bacd", cycle=4)
    rank(made, question, "abcd", cycle=5)
    made.run(5)
    assert [len([t for t in told(made) if t[0] == c and t[-1] == p]) for c, p in
            [(4, "round"), (5, "withdrawn"), (5, "round")]] == [6, 6, 6]  # fmt: skip
    assert made.live.preference.sure(7, 6) == "right"
    assert made.holder(1) == 6 and made.placements(6)[-1] == (5, "won", 7, "human")
    (event,) = [e for e in made.record(5).events if e.kind == "withdrawn"]
    assert event.payload == {"question": question, "rater": "anna", "was": "b > a > c > d", "is": "a > b > c > d"}
    for cycle in (6, 7):
        undo(made, question, cycle=cycle)
    made.run(7)
    assert made.live.preference.sure(7, 6) is None and made.live.preference.sure(9, 6) is None
    assert same_after_a_restart(made)


@pytest.mark.parametrize(
    ("orders", "pair", "holder"),
    [
        (["bacd", "abcd"], None, 6),
        (["bacd", "bdac", "abcd"], None, 7),
        (["bacd"], "left", 6),
        (["bacd", "bacd"], "left", 7),
    ],
)
def test_raters_of_rankings_and_pairs_are_counted_together(series, orders, pair, holder):
    made = series(plan()).run(3)
    question, other = ask_ranking(made, 900, 6, 7, 8, 9), made.ask_pair(901, 6, 7)
    for number, order in enumerate(orders):
        rank(made, question, order, rater=f"rater {number}", cycle=4)
    if pair:
        made.answer(other, pair, rater="di", cycle=4)
    made.run(5)
    assert made.holder(1) == holder


def test_a_triplet_is_kept_and_changes_nothing(series):
    digests = set()
    for answered in (True, False):
        made = series(plan()).run(3)
        images = {"reference": 6, "a": 7, "b": 8}
        question = Question(id="r900-1", kind="triplet", ask="similarity", prompt="", images=images)
        made.store.add_round(Round(id="r900", cycle=3, reason="request", questions=(question,)))
        if answered:
            made.answer("r900-1", "b", cycle=4)
        made.run(6)
        assert told(made) == []
        digests.add(made.state.digest())
    assert len(digests) == 1
    assert [a.answer for a in series(plan()).store.answers().standing] == []


def test_a_pair_asked_again_is_no_evidence(series):
    made = series(plan()).run(3)
    first = made.ask_pair(900, 6, 8)
    made.answer(first, "right", cycle=4)
    made.run(4)
    assert made.holder(1) == 8
    before = made.live.preference.best(), made.live.preference.held_out()
    again = Question(id="r901-1", kind="pair", ask="quality", prompt="", images={"left": 8, "right": 6}, attention=True)
    made.store.add_round(Round(id="r901", cycle=4, reason="request", questions=(again,)))
    made.answer("r901-1", "right", cycle=5)
    made.run(5)
    assert told(made)[-1] == (5, 8, 6, "right", "anna", "round") and made.record(5).duels[0].attention
    assert made.holder(1) == 8 and made.live.preference.sure(8, 6) == "left"
    assert (made.live.preference.best(), made.live.preference.held_out()) == before
    assert same_after_a_restart(made)


# ---- what check-ins ask ------------------------------------------------------------------------------------------


def raw_traits(number):
    """As `traits`, and every third image of later cycles is turned away by the quality gate."""
    return Traits(x=edges(number) if number <= 4 else 0.5, quality=0.1 if number > 4 and number % 3 == 0 else 0.5)


def test_check_ins_show_what_a_gate_turned_away_and_it_is_noted(series):
    plan = world_crew(
        raw_traits, gates=QUALITY, critic=RankCritic(lambda n: 0, immediate=True), rhythm={"checkin_every": 5}
    )
    made = series(plan).run(15)
    shown = []
    for cycle in (5, 10, 15):
        asked = made.record(cycle).round
        raw = [q for q in asked.questions if q.stream == "raw"]
        assert 1 <= len(raw) <= 2 and all((q.kind, q.ask) == ("keep", "keep") for q in raw)
        assert all(made.status(q.images["only"]) == ("rejected", "quality") for q in raw)
        shown += [q.images["only"] for q in raw]
    assert len(set(shown)) == len(shown)
    assert made.state.turned_away.keys() == replay(made.store.history()).turned_away.keys()
    question = next(q for q in made.record(10).round.questions if q.stream == "raw")
    made.answer(question.id, "keep", cycle=16)
    made.run(16)
    (said,) = judged(made.store, held=made.state.archive.ever_held(1))
    assert (said.candidate, said.stream, said.good) == (question.images["only"], "raw", True)


def test_keep_is_asked_of_images_that_passed_the_gates_and_hold_no_cell_too(series):
    made = series(plan()).run(12)
    elites = {e.candidate for e in made.state.archive}
    lately = [c for c in made.state.accepted if c not in elites][-len(elites) :]
    shown = {}
    for _ in range(6):
        shown |= {q.images["only"]: q.stream for q in cli_rounds.request_round(made.store, "keep", seed=7).questions}
    survivors = {c for c, stream in shown.items() if stream == "survivor"}
    assert survivors and survivors <= set(lately), "as many as there are elites, the newest"
    assert {c for c, stream in shown.items() if stream == "elite"} == elites, "by chance, those asked least first"
    question = next(q for asked in made.store.rounds() for q in asked.questions if q.stream == "survivor")
    made.answer(question.id, "keep")
    made.run(13)
    (said,) = judged(made.store, held=made.state.archive.ever_held(1))
    assert (said.candidate, said.stream) == (question.images["only"], "survivor")


def test_how_an_image_was_shown_is_taken_from_the_question_not_guessed(series):
    made = series(plan()).run(3)
    for number, stream in enumerate(("survivor", "elite", ""), start=900):
        question = Question(
            id=f"r{number}-1", kind="keep", ask="keep", prompt="", images={"only": 6 + number - 900}, stream=stream
        )
        made.store.add_round(Round(id=f"r{number}", cycle=3, reason="request", questions=(question,)))
        made.answer(question.id, "keep", cycle=4)
    said = {j.candidate: j.stream for j in judged(made.store, held=[6])}
    assert said == {6: "survivor", 7: "elite", 8: "survivor"}


def test_a_discarded_review_image_is_not_shown_as_a_raw_one(series):
    made = series(plan()).run(3)
    made.answer(made.ask_review(900, 5), "discard", cycle=4)
    made.run(4)
    assert made.status(5) == ("rejected", "quality") and 5 not in made.state.turned_away


@pytest.mark.parametrize("screens", ["pairs", "rank4"])
def test_a_kill_between_an_answer_and_its_effect_changes_no_later_round(series, screens):
    rounds = []
    for stops in ((), (6, 7, 11)):
        beat = rhythm(checkin_every=5, dims=(4, 4), cells=16, checkin_screens=screens)
        made = series(crew(rhythm=beat, critic=RankCritic(immediate=True))).run(5)
        for question in made.record(5).round.questions:
            if question.kind == "rank4":
                rank(made, question.id, "bdca", cycle=7)
            else:
                made.answer(question.id, "left" if question.kind == "pair" else "keep", cycle=7)
        for stop in (*stops, 20):
            made.run(stop).reopen()
        rounds.append(made.store.rounds())
    assert rounds[0] == rounds[1] and len(rounds[0]) == 4
    baselines = {c for q in rounds[0][1].questions if q.stream == "baseline" for c in q.images.values()}
    assert len(baselines & set(rounds[0][0].baseline)) == 1
    assert rounds[0][1].baseline == ()
    assert ("rank4" in {q.kind for q in rounds[0][1].questions}) == (screens == "rank4")
