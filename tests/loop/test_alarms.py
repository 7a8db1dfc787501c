"""What moves slowly is said once, with its figures; what follows can be switched off; live, killed and replayed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pytest
from loop_crew import NO_GATES, Series, Traits, World, bring, near, own_direction, world_crew

from gen_emerge.agreeing import LEAST_PAIRS, agreements, taste
from gen_emerge.agreement import agreement
from gen_emerge.audit import verify_history
from gen_emerge.calibration.alarms import ALARMS
from gen_emerge.calibration.first import GateSetting
from gen_emerge.emitters import EXPLORERS
from gen_emerge.fates import SELECTOR
from gen_emerge.state import replay
from gen_emerge.store import round_payload
from gen_emerge.types import Question, Reading, Round, Signal

BATCH = 8
QUIET = replace(ALARMS, narrowing=False, review_queue=0)
MOVES = 321
"""The number of the first picture whose quality is another: of cycle 41."""


@cache
def quality(number: int) -> float:
    return float(np.random.default_rng((3, number)).normal(6.0, 1.6))


def steady(number: int) -> Traits:
    return Traits(x=(number % 3) / 2, quality=quality(number))


def moving(number: int) -> Traits:
    return Traits(x=(number % 3) / 2, quality=quality(number) - (2.4 if number >= MOVES else 0.0))


def begin(series, traits, name: str = "", *, alarms=QUIET, **changes) -> Series:
    beat = {"batch": BATCH, "warmup_cycles": 2, **changes.pop("rhythm", {})}
    return series(world_crew(traits, rhythm=beat, alarms=alarms, **changes), name)


def told(made: Series, *kinds: str) -> list[tuple[int, str, dict]]:
    """(cycle, kind, payload) of alarms, and of what followed from them."""
    wanted = kinds or ("alarm", "response")
    return [(cycle, e.kind, dict(e.payload)) for cycle, e in made.store.events() if e.kind in wanted]


def alarms(made: Series) -> list[tuple[int, str, str]]:
    return [(cycle, payload["alarm"], payload["state"]) for cycle, _, payload in told(made, "alarm")]


# ---- a signal that moves -----------------------------------------------------------------------------------------


def test_a_signal_that_moves_is_said_once_with_its_figures_and_when_it_is_usual_again(series):
    made = begin(series, moving).run(90)
    (raised, name, _), (ended, _, end) = alarms(made)
    assert (name, end) == ("drift:quality", "ended")
    assert 41 <= raised <= 41 + 100 // BATCH
    assert raised + 200 // BATCH <= ended <= raised + 200 // BATCH + 1
    event = next(e for cycle, e in made.store.events() if e.kind == "alarm")
    figures = event.payload
    assert abs(figures["since"] - 41) <= 2 and figures["what"] == "level" and figures["signal"] == "quality"
    assert figures["by"] == pytest.approx(-2.4, abs=0.8) and figures["sds"] == pytest.approx(-1.5, abs=0.5)
    assert event.message.startswith("quality went down by ") and f"since cycle {figures['since']}" in event.message
    assert verify_history(made.store) == []


def test_the_round_it_opens_says_so_and_the_series_does_not_wait_for_it(series):
    made = begin(series, moving, rhythm={"wait_at_checkin": True}).run(60)
    (raised, _, _), *_ = alarms(made)
    (asked,) = made.store.rounds()
    assert made.state.cycle == 60 and (asked.id, asked.reason, asked.cycle) == (f"r{raised}", "alarm", raised)
    responses = [payload for _, kind, payload in told(made) if kind == "response"]
    assert responses == [{"alarm": "drift:quality", "did": "round", "round": asked.id, "opened": True}]
    assert made.state.alarms["drift:quality"].payload["responses"] == [
        {"did": "round", "round": asked.id, "opened": True}
    ]


def test_a_steady_series_raises_nothing_and_novelty_which_falls_by_design_is_not_looked_at(series):
    made = begin(series, steady).run(90)
    assert told(made) == [] and sorted(made.live.watches.signals) == ["prompt", "quality", "style"]


@pytest.mark.parametrize("off", ["drift", "rounds"])
def test_an_alarm_and_what_it_does_can_be_switched_off(series, off):
    made = begin(series, moving, alarms=replace(QUIET, **{off: False})).run(60)
    assert made.store.rounds() == []
    assert len(alarms(made)) == (0 if off == "drift" else 1)


def test_an_alarm_that_stands_when_it_is_switched_off_ends(series):
    made = begin(series, moving).run(60)
    assert [a.name for a in made.state.standing] == ["drift:quality"]
    made.reopen(alarms=replace(QUIET, drift=False)).run(62)
    assert made.state.standing == [] and alarms(made)[-1] == (61, "drift:quality", "ended")


def everything(made: Series) -> list:
    """All that was derived, and the genomes that were drawn."""
    outcomes = list(made.store.history())
    drawn = [made.genomes_of(outcome.cycle) for outcome in outcomes]
    waiting = {c: [p.genome.hash for p in each] for c, each in made.store.pending_proposals(made.state.cycle).items()}
    return [outcomes, drawn, waiting, [(c, e.kind, e.message, dict(e.payload)) for c, e in made.store.events()]]


def test_kills_decide_nothing(series, monkeypatch):
    alone = begin(series, moving, "alone").run(60)
    (raised, _, _), *_ = alarms(alone)
    made = begin(series, moving, "killed")
    for until in (20, 33, raised - 2):
        made.run(until).reopen()
    made.run(raised - 1)
    with monkeypatch.context() as patched:  # killed when the alarm is raised and its cycle not committed yet
        patched.setattr(made.store, "commit", lambda record: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            made.run(raised)
    made.reopen().run(raised)
    made.reopen().run(raised + 1)
    made.reopen().run(60)
    assert everything(made) == everything(alone)
    assert made.state.alarms == alone.state.alarms == replay(made.store.history()).alarms


def test_the_depth_of_the_pipeline_moves_no_alarm(series):
    found = []
    for depth in (0, 3):
        made = begin(series, moving, f"depth-{depth}", rhythm={"pipeline_depth": depth}).run(55)
        found.append([(c, e.message) for c, e in made.store.events() if e.kind == "alarm"])
    assert found[0] == found[1] and len(found[0]) == 1


@dataclass(slots=True)
class Rescaled(World):
    """Another scorer of quality, on another scale."""

    @property
    def versions(self):
        return {**dict.fromkeys(("prompt", "style"), "world-1"), "quality": "world-2", "novelty": self.space}

    def score(self, images, prompts):
        readings = []
        for reading in World.score(self, images, prompts):
            signals = tuple(
                Signal(scorer="quality", scorer_version="world-2", value=100 + s.value) if s.scorer == "quality" else s
                for s in reading.signals
            )
            readings.append(Reading(signals=signals, embedding=reading.embedding))
        return readings


def change_the_scorer(made: Series) -> None:
    world = made.crew.generator
    other = Rescaled(world.traits, world.numbers)
    crew = replace(made.crew, scorers=(other,))
    made.store.add_input(
        "config", {"settings": 2, "banks": {}, "versions": crew.versions}, first_cycle=made.state.cycle + 1
    )
    made.reopen(scorers=(other,))


def test_another_scorer_is_no_drift_and_what_it_measures_is_compared_with_itself_alone(series):
    made = begin(series, moving)
    made.store.add_input("config", {"settings": 1, "banks": {}, "versions": made.crew.versions}, first_cycle=1)
    made.run(37)
    change_the_scorer(made)
    made.run(50).reopen()
    made.run(64)
    # It was moved in cycle 41, when the new scorer had measured but three cycles: nothing to compare with.
    assert alarms(made) == []
    numbers = made.live.watches.signals["quality"]
    assert numbers.count == (64 - 37) * BATCH


def test_an_alarm_about_a_scorer_that_was_replaced_ends(series):
    made = begin(series, moving)
    made.store.add_input("config", {"settings": 1, "banks": {}, "versions": made.crew.versions}, first_cycle=1)
    made.run(60)
    change_the_scorer(made)
    made.run(62)
    assert alarms(made)[1:] == [(61, "drift:quality", "ended")]


# ---- a series that narrows ---------------------------------------------------------------------------------------

NARROWS, WIDENS = 401, 601
"""Numbers of the first pictures that are alike, and of the first that are not again: cycles 101 and 151, by four."""


@cache
def narrowing_traits(number: int) -> Traits:
    rng = np.random.default_rng((9, number))
    if number <= 8:
        return Traits(x=number % 2)
    if NARROWS <= number < WIDENS:
        return Traits(x=0.5, vector=near(300 % 256, 0.2, number % 200))
    return Traits(x=float(rng.random()), vector=own_direction(int(rng.integers(200))))


def narrow(series, name: str, explore: float = 0.5) -> Series:
    settings = replace(ALARMS, drift=False, review_queue=0, explore_on_narrowing=explore)
    beat = {"batch": 4, "warmup_cycles": 2, "dims": (600,), "cells": 600}
    return series(world_crew(narrowing_traits, rhythm=beat, alarms=settings), name)


def explorers(made: Series, first: int, last: int) -> float:
    drawn = [fate.operator for o in made.store.history() if first <= o.cycle <= last for fate in o.fates]
    return sum(operator in EXPLORERS for operator in drawn) / len(drawn)


def test_a_series_that_narrows_explores_more_until_it_ends(series):
    made = narrow(series, "alone").run(185)
    (raised, name, _), (ended, _, state) = alarms(made)
    assert (name, state) == ("narrowing", "ended") and 101 < raised <= 130 and 151 < ended < 180
    payload = next(p for _, kind, p in told(made) if kind == "alarm")
    assert payload["signs"] == ["self-similarity is up", "fewer new cells"]
    assert payload["distance"]["by"] < -0.4 and payload["new_cells"]["by"] < -0.5
    assert abs(payload["since"] - 101) <= 3
    assert [p["did"] for _, kind, p in told(made) if kind == "response"] == ["round", "explore"]

    plain = narrow(series, "plain", explore=0.0).run(135)
    later = raised + 1 + made.crew.rhythm.pipeline_depth
    assert [p["from_cycle"] for _, _, p in told(made) if p.get("did") == "explore"] == [later]
    drawn = [[one.genomes_of(c) for c in range(1, later + 3)] for one in (made, plain)]
    assert drawn[0][: later - 1] == drawn[1][: later - 1], "nothing that was drawn before is another"
    assert drawn[0][later - 1 :] != drawn[1][later - 1 :]
    assert explorers(made, later, 135) > explorers(plain, later, 135) + 0.2
    assert [p["did"] for _, kind, p in told(plain) if kind == "response"] == ["round"]


def test_kills_amid_a_narrowing_decide_nothing(series):
    alone, made = narrow(series, "alone").run(165), narrow(series, "killed")
    for until in (90, 112, 118, 125, 140, 165):
        made.run(until).reopen()
    assert everything(made) == everything(alone)


# ---- pictures made elsewhere -------------------------------------------------------------------------------------

ELSEWHERE = 60_000
"""Numbers of pictures from here on are imported ones: alike, and beyond the map's axes; the last two lie on the map."""


def varied_or_imported(number: int) -> Traits:
    if number >= ELSEWHERE:
        x = {ELSEWHERE + 108: 0.0825, ELSEWHERE + 109: 0.1008}.get(number, 9.0)  # in cells that stay empty otherwise
        return Traits(x=x, vector=near(255, 0.007, number % 200))
    rng = np.random.default_rng((9, number))
    return Traits(x=number % 2 if number <= 8 else float(rng.random()), vector=own_direction(int(rng.integers(200))))


def test_many_like_pictures_from_elsewhere_are_no_narrowing_and_no_reason_for_other_axes(series):
    settings = replace(ALARMS, drift=False, review_queue=0)
    beat = {"batch": 4, "warmup_cycles": 2, "dims": (600,), "cells": 600}
    made = series(world_crew(varied_or_imported, rhythm=beat, alarms=settings)).run(80)
    bring(made, range(ELSEWHERE, ELSEWHERE + 110))
    made.run(115)
    foreign = {c.id: c.cycle for c in made.store.candidates() if c.genome.imported}
    assert len(foreign) == 110 and alarms(made) == [] and not any(made.state.clipped)

    figures = made.live.watches.figures
    outcomes = {outcome.cycle: outcome for outcome in made.store.history()}
    own = {cycle: 4 - sum(at == cycle for at in foreign.values()) for cycle in outcomes if cycle > 2}
    assert sorted(set(own.values())) == [0, 2, 4]
    opened = {
        cycle: sum(p.outcome == "new" and p.candidate not in foreign for p in outcomes[cycle].placements)
        for cycle in own
    }
    assert figures.new_cells == [opened[cycle] * 4 / count for cycle, count in own.items() if count]
    shared = next(cycle for cycle, count in own.items() if count == 2)
    places = [p for p in outcomes[shared].placements if p.outcome == "new" and p.candidate in foreign]
    assert len(places) == 2, "imported pictures opened cells beside the series' own"
    assert figures.distances[[c for c, count in own.items() if count].index(shared)] == pytest.approx(1.0)
    again = made.reopen().live.watches.figures
    assert (again.new_cells, again.distances, again.vendi) == (figures.new_cells, figures.distances, figures.vendi)


# ---- images that wait --------------------------------------------------------------------------------------------

REVIEWS = {**NO_GATES, "quality": GateSetting(lower=0.3, review=0.2)}


def waiting_traits(number: int) -> Traits:
    return Traits(x=(number % 3) / 2, quality=0.3 if number % 8 == 5 else 0.5)


def test_a_queue_over_its_limit_opens_reviews_one_round_after_another_until_it_is_below(series):
    settings = replace(QUIET, drift=False, review_queue=8)
    made = begin(series, waiting_traits, alarms=settings, gates=REVIEWS).run(12)
    assert alarms(made) == [(8, "review-queue", "raised")]
    (asked,) = made.store.rounds()
    assert (asked.id, asked.reason) == ("r8", "alarm")
    assert [q.kind for q in asked.questions] == ["review"] * 5
    for question in asked.questions[:-1]:
        made.answer(question.id, "keep")
    made.run(15)
    assert len(made.store.rounds()) == 1, "it is not answered yet"
    made.answer(asked.questions[-1].id, "discard")
    made.reopen().run(18)
    second = made.store.rounds()[1:]
    assert [(r.reason, [q.kind for q in r.questions]) for r in second] == [("alarm", ["review"] * 5)]
    review = [c for c, (status, _) in made.state.waiting.items() if status == "review"]
    for number, candidate in enumerate(sorted(review)):
        made.answer(made.ask_review(900 + number, candidate), "discard")
    made.run(21)
    assert alarms(made)[1:] == [(19, "review-queue", "ended")] or alarms(made)[1][1:] == ("review-queue", "ended")


def more_to_review(number: int) -> Traits:
    rng = np.random.default_rng((5, number))
    return Traits(x=(number % 3) / 2, quality=0.3 if rng.random() < (0.05 if number < MOVES else 0.5) else 0.5)


def test_a_review_rate_that_rises_is_said_and_other_thresholds_end_it(series):
    settings = replace(QUIET, drift=False)
    made = begin(series, more_to_review, alarms=settings, gates=REVIEWS)
    made.store.add_input("config", {"settings": 1, "banks": {}, "versions": made.crew.versions}, first_cycle=1)
    made.run(50)
    (raised, name, _), *_ = alarms(made)
    assert name == "review-rate" and 41 <= raised <= 46 and len(alarms(made)) == 1
    figures = made.state.alarms["review-rate"].payload
    assert figures["before"] < 0.12 and figures["after"] > 0.3 and figures["since"] <= raised
    made.store.add_input("config", {"settings": 2, "banks": {}, "versions": made.crew.versions}, first_cycle=51)
    gates = {**REVIEWS, "quality": GateSetting(lower=0.31, review=0.2)}
    made.reopen(gates=gates).run(52)
    assert alarms(made)[1:] == [(51, "review-rate", "ended")]
    count = made.live.watches.reviews.count
    assert count == 2 * BATCH and made.reopen().live.watches.reviews.count == count


def test_images_beyond_the_axes_are_an_alarm_that_is_said_once(series):
    def beyond(number: int) -> Traits:
        return Traits(
            x=(number % 3) / 2 if number <= 16 or number % 4 or number > 560 else 9.0, quality=quality(number)
        )

    made = begin(series, beyond, alarms=replace(QUIET, drift=False)).run(125)
    assert alarms(made) == [(25, "clipping", "raised")]
    (told,) = [event.message for _, event in made.store.events() if event.kind == "alarm"]
    assert "placements lay beyond the ends of the map's axes" in told
    assert "nothing is lost: do nothing" in told


# ---- what people say ---------------------------------------------------------------------------------------------


def asked(made: Series, kind: str, number: int, images: list[dict[str, int]], **more) -> list[str]:
    """Questions put into a requested round; gives their ids."""
    told = {"kind": kind, "ask": "quality" if kind == "pair" else "keep", "prompt": "p", **more}
    questions = tuple(Question(id=f"r{number}-{n}", images=each, **told) for n, each in enumerate(images, start=1))
    made.store.add_input(
        "round", round_payload(Round(id=f"r{number}", cycle=made.state.cycle, reason="request", questions=questions))
    )
    return [question.id for question in questions]


def graded(number: int) -> Traits:
    """Every other picture of good quality, the others turned away."""
    return Traits(x=(number % 3) / 2, quality=0.2 + 0.6 * (number % 2))


def test_answers_that_no_longer_agree_with_the_gates_are_said(series):
    gates = {**NO_GATES, "quality": GateSetting(lower=0.5, review=0.0)}
    made = begin(series, graded, alarms=replace(QUIET, drift=False), gates=gates).run(8)
    ids = [c.id for c in made.store.candidates()][16:]
    first, second = (
        asked(made, "keep", 900, [{"only": n} for n in ids]),
        asked(made, "keep", 901, [{"only": n} for n in ids]),
    )
    for number, question in zip(ids, first, strict=True):
        made.answer(question, "keep" if number % 2 else "discard")
    made.run(12)
    assert alarms(made) == []
    for number, question in zip(ids[:20], second, strict=False):
        made.answer(question, "discard" if number % 2 else "keep", rater="ben")
    made.reopen().run(15)
    ((raised, name, state),) = alarms(made)
    figures = made.state.alarms["agreement"].payload
    assert (name, state, raised) == ("agreement", "raised", figures["since"]) and figures["by"] == -1.0
    assert [r.reason for r in made.store.rounds() if r.cycle == raised and r.id == f"r{raised}"] == ["alarm"]
    made.reopen(alarms=replace(QUIET, drift=False, agreement=False)).run(16)
    assert alarms(made)[-1] == (16, "agreement", "ended")


def test_of_images_that_waited_for_the_first_thresholds_the_word_is_what_these_said(series):
    """Half of them were turned away when the warm-up ended: of none of those is it said that a gate had let it in."""
    gates = {**NO_GATES, "quality": GateSetting(lower=0.5, review=0.0)}
    made = begin(series, graded, alarms=replace(QUIET, drift=False), gates=gates).run(8)
    ids = [c.id for c in made.store.candidates()]
    shown = [*ids[:4], *ids[16:20]]
    for number, question in zip(shown, asked(made, "keep", 900, [{"only": n} for n in shown]), strict=True):
        made.answer(question, "keep" if number % 2 else "discard")
    made.run(10)
    assert agreements(made.store, made.state.duels, 10) == [(9, True)] * 8
    kept = agreement(made.store, seed=1)["keep"]
    assert (kept["words"], kept["kept_passed"], kept["discarded_rejected"]) == (8, 4, 4), "`agreement` says the same"


def test_taste_that_turns_round_is_said_once(series):
    made = begin(series, steady, alarms=replace(QUIET, drift=False)).run(8)
    ids = [c.id for c in made.store.candidates()][16:22]
    pairs = [{"left": a, "right": b} for a in ids for b in ids if a != b]
    for number, better in ((900, max), (901, min)):
        for question, images in zip(asked(made, "pair", number, pairs), pairs, strict=True):
            answer = "left" if images["left"] == better(images.values()) else "right"
            made.answer(question, answer)
        made.run(made.state.cycle + 3)
    assert [(name, state) for _, name, state in alarms(made)] == [("taste", "raised")]
    figures = made.state.alarms["taste"].payload
    assert figures["p"] < 1e-3 and figures["moved"][0][0] in (ids[0], ids[-1]) and figures["rater"] == "anna"


def answered(made: Series, number: int, pairs: list[dict[str, int]], better, rater: str = "anna", **more) -> None:
    for question, images in zip(asked(made, "pair", number, pairs, **more), pairs, strict=True):
        made.answer(question, "left" if images["left"] == better(images.values()) else "right", rater=rater)


def test_the_alarm_of_taste_ends_by_a_looser_bound_than_raised_it(series):
    made = begin(series, steady, alarms=replace(QUIET, drift=False)).run(8)
    ids = [c.id for c in made.store.candidates()][16:22]
    pairs = [{"left": a, "right": b} for a in ids for b in ids if a != b]
    answered(made, 900, pairs, max)
    answered(made, 901, pairs, min)
    made.run(10)
    answered(made, 902, pairs[::3], min)
    made.run(12)
    found = taste(made.store, 12)
    assert found is not None and 0.001 < found.p < 0.05
    assert [(name, state) for _, name, state in alarms(made)] == [("taste", "raised")]
    for number in range(903, 913):
        answered(made, number, pairs[number % 2 :: 2], min)
    made.run(14)
    assert [(name, state) for _, name, state in alarms(made)] == [("taste", "raised"), ("taste", "ended")]


def test_two_raters_who_differ_have_not_changed_their_taste(series):
    made = begin(series, steady, alarms=replace(QUIET, drift=False)).run(8)
    ids = [c.id for c in made.store.candidates()][16:24]
    pairs = [{"left": a, "right": b} for a in ids for b in ids if a != b]
    for number, rater, better in ((900, "anna", max), (901, "ben", min)):
        answered(made, number, pairs, better, rater)
        made.run(made.state.cycle + 3)
    assert alarms(made) == []
    found = taste(made.store, made.state.cycle)
    assert found is not None and (found.raters, found.p > 0.5) == (2, True)
    answered(made, 902, pairs, max, "ben")
    made.run(made.state.cycle + 3)
    ((_, name, state),) = alarms(made)
    assert (name, state, made.state.alarms["taste"].payload["rater"]) == ("taste", "raised", "ben")
    (said,) = [e.message for _, e in made.store.events() if e.kind == "alarm"]
    assert said.startswith("What ben prefers since cycle ") and said.endswith("is not what ben preferred before.")


def test_repeated_easy_pairs_and_pairs_of_takes_say_nothing_of_taste_or_agreement(series):
    made = begin(series, steady, alarms=replace(QUIET, drift=False), rhythm={"best_of": 2}).run(8)
    candidates = made.store.candidates()
    own = [c.id for c in candidates if c.cause != SELECTOR][8:16]
    takes = [{"left": c.id, "right": own[0]} for c in candidates if c.cause == SELECTOR][:10]
    met = sorted({(d.left, d.right) for d in made.state.duels if d.question == "quality" and d.outcome != "tie"})[:5]
    pairs = [{"left": a, "right": b} for a in own for b in own if a != b][: LEAST_PAIRS - 1]
    answered(made, 900, pairs, max)
    answered(made, 901, takes, max)
    made.run(9)
    before = len(agreements(made.store, made.state.duels, 9))
    answered(made, 902, [{"left": a, "right": b} for a, b in met], max, attention=True)
    answered(made, 903, [{"left": a, "right": b} for a, b in met], max, ask="adherence")
    made.run(10)
    assert len(takes) == 10 and len(met) == 5
    assert taste(made.store, 10) is None, "one is wanting"
    assert len(agreements(made.store, made.state.duels, 10)) == before
    answered(made, 904, [{"left": a, "right": b} for a, b in met], max)
    made.run(11)
    assert taste(made.store, 11) is not None
    assert len(agreements(made.store, made.state.duels, 11)) == before + 5


def test_a_steady_rater_raises_nothing(series):
    made = begin(series, steady, alarms=replace(QUIET, drift=False)).run(8)
    ids = [c.id for c in made.store.candidates()][16:22]
    pairs = [{"left": a, "right": b} for a in ids for b in ids if a != b]
    for number in (900, 901, 902):
        for question, images in zip(asked(made, "pair", number, pairs), pairs, strict=True):
            made.answer(question, "left" if images["left"] == max(images.values()) else "right")
        made.run(made.state.cycle + 3)
    assert alarms(made) == []
