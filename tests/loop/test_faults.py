"""What goes wrong around a cycle stays small: scores, critics, banks and versions that change or fail."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from loop_crew import QUESTIONS, RankCritic, Series, Traits, crew, edges, own_direction, rhythm, world_crew

from gen_emerge.asking import Sitting
from gen_emerge.errors import DiskFull
from gen_emerge.fakes import FakeScorer
from gen_emerge.fates import WARMUP
from gen_emerge.types import Embedding, Exhibit, QuestionBank, Reading, Usage


class Troubled(FakeScorer):
    """Measures as the fake does, but what `trouble` says of a picture's first byte goes wrong."""

    def __init__(self, trouble: Mapping[int, str]) -> None:
        self.trouble = trouble
        self.calls = 0

    def score(self, images, prompts):
        self.calls += 1
        readings = super().score(images, prompts)
        for place, image in enumerate(images):
            what = self.trouble.get(int(image[0, 0, 0]) % 5)
            if what == "raises":
                raise RuntimeError("out of luck")
            if what == "nan":
                signals = tuple(
                    replace(s, value=math.nan) if s.scorer == "quality" else s for s in readings[place].signals
                )
                readings[place] = replace(readings[place], signals=signals)
            if what == "no embedding":
                readings[place] = replace(readings[place], embedding=None)
            if what == "silent":
                readings[place] = Reading(signals=readings[place].signals[1:], embedding=readings[place].embedding)
        return readings


@pytest.mark.parametrize("what", ["raises", "nan", "no embedding", "silent"])
def test_one_image_that_cannot_be_scored_fails_alone(tmp_path: Path, what: str) -> None:
    series = Series(tmp_path / "a", crew(scorers=(Troubled({2: what}),), rhythm=rhythm(warmup_cycles=3))).run(10)
    failed = [c for record in series.records for c in record.candidates if c.status == "failed"]
    bad = {h for h, p in series.pictures.items() if int(p[0, 0, 0]) % 5 == 2}
    assert failed
    assert {c.genome.hash for c in failed} <= bad
    assert all(c.image is not None and c.cause for c in failed)
    assert series.state.cycle == 10
    assert len(series.state.accepted) > 5
    digest = series.state.digest()
    assert series.reopen().state.digest() == digest


class Scatterbrain(RankCritic):
    """Raises something of its own instead of answering about some candidates."""

    def review(self, exhibit, *, brief, bank):
        if exhibit.candidate % 4 == 1:
            raise ValueError("nonsense reply")
        return super().review(exhibit, brief=brief, bank=bank)


@pytest.mark.parametrize("immediate", [True, False])
def test_a_critic_talking_nonsense_leaves_candidates_pending_and_says_so(tmp_path: Path, immediate: bool) -> None:
    series = Series(tmp_path / "a", crew(critic=Scatterbrain(immediate=immediate))).run(8)
    assert series.state.cycle == 8
    waiting = {c for c, (status, _) in series.state.waiting.items() if status == "pending"}
    assert waiting
    assert all(c % 4 == 1 for c in waiting)
    events = [event for record in series.records for event in record.events if event.kind == "critic"]
    assert any("nonsense reply" in event.message for event in events)


def test_that_a_critic_was_down_is_an_input_like_any_other(tmp_path: Path) -> None:
    def down_in_cycle_three(folder: Path) -> Series:
        series = Series(folder, crew(critic=RankCritic(mute=["all"]))).run(2)
        return series

    whole = down_in_cycle_three(tmp_path / "a")
    whole.run(3)
    whole.crew.critic.mute.clear()
    whole.run(7)

    killed = down_in_cycle_three(tmp_path / "b")
    commit = killed.store.commit

    def no_room(record):
        raise DiskFull("the process ends here")

    killed.store.commit = no_room
    with pytest.raises(DiskFull):
        killed.run(3)
    killed.store.commit = commit
    # Begun again, cycle 3 finds the critic back; but it was down when cycle 3 asked.
    killed.reopen(critic=RankCritic()).run(7)
    assert killed.state.digest() == whole.state.digest()


def test_elites_are_asked_again_before_they_are_compared_under_another_bank(tmp_path: Path) -> None:
    strength = lambda candidate: candidate % 9  # noqa: E731
    series = Series(tmp_path / "a", crew(critic=RankCritic(strength, immediate=True))).run(15)
    other = replace(
        QUESTIONS,
        id="test-2",
        hash="2" * 64,
        questions=tuple(replace(q, id=f"new-{q.id}") for q in QUESTIONS.questions),
    )

    class NewWords(RankCritic):
        def review(self, exhibit, *, brief, bank):
            critique = super().review(exhibit, brief=brief, bank=QUESTIONS)
            answers = {f"new-{name}": answer for name, answer in critique.answers.items()}
            return replace(critique, bank=bank.id, bank_hash=bank.hash, answers=answers)

    series.reopen(questions=other, critic=NewWords(strength, immediate=True)).run(40)
    later = [duel for record in series.records if record.cycle > 15 for duel in record.duels]
    assert any(duel.outcome != "tie" for duel in later)
    met = {side for duel in later for side in (duel.left, duel.right)}
    stored = series.store.critiques(sorted(met))
    assert {critique.bank_hash for critique in stored.values()} == {"2" * 64}


def test_elites_are_asked_again_before_they_are_compared_by_another_critic(tmp_path: Path) -> None:
    strength = lambda candidate: candidate % 9  # noqa: E731
    series = Series(tmp_path / "a", crew(critic=RankCritic(strength, immediate=True))).run(15)
    elites = {elite.candidate for elite in series.state.archive or ()}

    class Successor(RankCritic):
        name = "successor-1"

    critic = Successor(strength, immediate=True)
    series.reopen(critic=critic).run(40)
    later = [duel for record in series.records if record.cycle > 15 for duel in record.duels]
    assert any(duel.outcome != "tie" for duel in later)
    met = {side for duel in later for side in (duel.left, duel.right)}
    assert met & elites
    assert met & elites <= set(critic.reviewed)
    stored = series.store.critiques(sorted(met))
    assert {critique.critic for critique in stored.values()} == {"successor-1"}


def test_a_slow_critics_replies_to_another_bank_are_not_todays(tmp_path: Path) -> None:
    series = Series(tmp_path / "a", crew(critic=RankCritic()))
    exhibits = [Exhibit(candidate=n, prompt="p", pixels=None, signals={}) for n in (1, 2)]

    def ask(critic: RankCritic, bank: QuestionBank) -> tuple[list[int], list[tuple[int, int]], set[str]]:
        sitting = Sitting(critic, bank=bank, brief="b", store=series.store)
        found = sitting.review(exhibits, cycle=3)
        sitting.duel([(exhibits[0], exhibits[1])], purpose="cell", cycle=3)
        sitting.close()
        return sorted(critic.reviewed), critic.dueled, {critique.bank_hash for critique in found.values()}

    class Successor(RankCritic):
        name = "successor-1"

    everything = ([1, 2], [(1, 2)])
    other = replace(QUESTIONS, id="test-2", hash="2" * 64)
    assert ask(RankCritic(), QUESTIONS) == (*everything, {QUESTIONS.hash})
    assert ask(RankCritic(), QUESTIONS) == ([], [], {QUESTIONS.hash}), "what was paid for is not asked again"
    assert ask(RankCritic(), other) == (*everything, {other.hash})
    assert ask(Successor(), other) == (*everything, {other.hash})
    series.stop()


class NextScorer(FakeScorer):
    versions: Mapping[str, str] = dict.fromkeys(("quality", "prompt", "novelty", "style"), "fake-2")

    def score(self, images, prompts):
        found = []
        for reading in super().score(images, prompts):
            signals = tuple(replace(s, scorer_version="fake-2", value=s.value + 100) for s in reading.signals)
            vector = np.ascontiguousarray(reading.embedding.vector[::-1])
            found.append(Reading(signals=signals, embedding=Embedding(space="fake-2", vector=vector)))
        return found


def test_a_scorer_that_changes_during_the_warm_up_measures_it_all_again(tmp_path: Path) -> None:
    series = Series(tmp_path / "a", crew(rhythm=rhythm(warmup_cycles=4))).run(2)
    series.reopen(scorers=(NextScorer(),)).run(6)
    calibration = series.state.calibration
    assert calibration is not None
    assert calibration.bounds["quality"].lower > 50
    early = series.store.signals(range(1, 9))
    assert {signals["quality"].scorer_version for signals in early.values()} == {"fake-2"}
    digest = series.state.digest()
    assert series.reopen().state.digest() == digest


def test_emitters_are_credited_for_the_warm_up_and_for_late_wins(tmp_path: Path) -> None:
    series = Series(tmp_path / "a", crew(rhythm=rhythm(warmup_cycles=3))).run(3)
    opened = sum(p.outcome == "new" for r in series.records for p in r.placements)
    won = sum(p.outcome == "won" for r in series.records for p in r.placements)
    fresh = series.state.bandit.credits["fresh"]
    assert opened > 3
    assert (fresh.total_opened, fresh.total_won, fresh.total_tries) == (opened, won, 12)

    slow = Series(tmp_path / "b", crew(critic=RankCritic(lambda c: c % 9), rhythm=rhythm(warmup_cycles=3))).run(25)
    credits = slow.state.bandit.credits.values()
    placed = [p.outcome for r in slow.records for p in r.placements]
    assert sum(c.total_won for c in credits) == placed.count("won")
    assert sum(c.total_opened for c in credits) == placed.count("new")
    assert all(cause != WARMUP for _, cause in slow.state.waiting.values())


def test_where_nobody_is_accepted_no_distance_is_made_up(tmp_path: Path) -> None:
    series = Series(tmp_path / "a", world_crew(lambda n: Traits(x=edges(n), vector=own_direction(n)))).run(2)
    first = series.records[0]
    numbers = [s.value for signals in first.signals.values() for s in signals if s.scorer == "novelty"]
    # The first image met nobody, the second only one of its own cell: whom it may challenge.
    assert numbers == pytest.approx([1.0, 1.0])
    verdicts = [v for v in first.verdicts[1] if v.gate == "novelty"]
    assert [(v.outcome, v.value) for v in verdicts] == [("pass", None)]


def test_what_a_duel_cost_is_stored_with_its_reply(tmp_path: Path) -> None:
    class Dear(RankCritic):
        def duel(self, left, right, *, brief, bank):
            reply = super().duel(left, right, brief=brief, bank=bank)
            return replace(reply, usage=Usage(input_tokens=900, output_tokens=12, cost_usd=0.0014))

    series = Series(tmp_path / "a", crew(critic=Dear(lambda candidate: candidate % 9))).run(8)
    replies = [item.payload for item in series.store.inputs_of("critic") if item.payload["ask"] == "duel"]
    assert replies
    assert {reply["usage"]["cost_usd"] for reply in replies} == {0.0014}
    assert len(replies) == len(series.live.sitting.critic.dueled)
