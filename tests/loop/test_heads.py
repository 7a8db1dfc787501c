"""A head in the loop: the duels it settles, those it leaves alone, and that kills change nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from loop_crew import QUESTIONS, RankCritic, Series, Traits, own_direction, world_crew

from gen_emerge import choices
from gen_emerge.audit import verify_history
from gen_emerge.config import parse
from gen_emerge.heads import KIND, PERSONAL, Heads, Known, Version, told
from gen_emerge.preference.head import Basis, Head, head_hash
from gen_emerge.preference.ranking import DuelPreference
from gen_emerge.preference.takes import Selector
from gen_emerge.roles import RewardSetting
from gen_emerge.state import replay
from gen_emerge.types import Critique, Duel, Input

WIDE = 256


def traits(number: int) -> Traits:
    return Traits(x=0.0 if number <= 2 else 1.0)


def head_of(utility: Callable[[int], float], *, own_sd: float = 0.0) -> Head:
    """A head that gives the n-th rendered picture a utility of its own."""
    axis = np.array([[utility(number)] for number in range(WIDE)], dtype=np.float32)
    basis = Basis(centre=np.zeros(WIDE, dtype=np.float32), axes=axis, questions=(), shares=np.zeros(0), scale=1.0)
    return Head(basis=basis, mean=np.ones(1), covariance=np.full((1, 1), 1e-9), own_sd=own_sd, silence=0.0)


OLDER = head_of(lambda number: -3.0 * number)
NEWER = head_of(lambda number: 3.0 * number)


def payload(head: Head | None, number: int = 1, **changes: Any) -> dict[str, Any]:
    plain = head.as_plain() if head is not None else {}
    return {
        "did": "applied",
        "version": number,
        "hash": head_hash(plain) if head is not None else "",
        "active": True,
        "reason": f"version {number} acts",
        "rater": None,
        "space": "world-1",
        "critic": "",
        "bank_hash": "",
        "answers": {"comparisons": 60},
        "held_out": None,
        "deeds": None,
        **({"head": plain} if head is not None else {}),
        **changes,
    }


def begin(folder: Path, *, immediate: bool = True, cycles: int = 2, **changes: Any) -> Series:
    critic = RankCritic(lambda candidate: candidate % 3, immediate=immediate)
    one = Series(folder, world_crew(traits, critic=critic, **changes))
    one.store.add_input("config", {"settings": {}, "banks": {}, "versions": one.crew.versions}, first_cycle=1)
    return one.run(cycles)


def challenges(series: Series, since: int) -> list[tuple[str, str]]:
    """(who decided, outcome) of every contested place."""
    return [
        (p.reason, p.outcome)
        for record in series.records
        if record.cycle >= since
        for p in record.placements
        if p.outcome != "new"
    ]


def cell_duels(series: Series, since: int) -> list[Duel]:
    found = [duel for record in series.records if record.cycle >= since for duel in record.duels]
    return [duel for duel in found if duel.purpose == "cell"]


@pytest.mark.parametrize("immediate", [True, False])
def test_a_head_that_is_sure_settles_duels_and_the_critic_is_not_asked(tmp_path: Path, immediate: bool) -> None:
    one = begin(tmp_path / "a", immediate=immediate)
    asked = one.store.add_input(KIND, payload(NEWER))
    assert asked.first_cycle == 3
    critic: Any = one.crew.critic
    before = len(critic.dueled)
    one.run(8)
    met = [p for record in one.records[2:] for p in record.placements if p.outcome != "new"]
    assert len(met) > 15
    # With a critic that takes its time, who waited since before the head may be older than the holder.
    assert {p.reason for p in met} == {"reward"}
    assert all((p.outcome == "won") == (p.candidate > (p.incumbent or 0)) for p in met)
    duels = cell_duels(one, 3)
    assert {duel.judge for duel in duels} == {f"reward:1:{head_hash(NEWER.as_plain())[:12]}"}
    assert all(duel.by_head and not duel.by_human for duel in duels)
    # What the critic was asked since ties the cells' comparisons together, one duel a cycle.
    assert len({*critic.dueled[before:]} & {(d.left, d.right) for d in duels}) == 0
    assert verify_history(one.store) == []
    events = [event.message for _, event in one.store.events() if event.kind == KIND]
    assert events == ["Head version 1 acts."]
    other = begin(tmp_path / "b", immediate=immediate)
    other.store.add_input(KIND, payload(OLDER))
    assert set(challenges(other.run(8), 3)) == {("reward", "lost")}


@pytest.mark.parametrize(
    "changes", [{"active": False}, {"space": "world-2"}, {"setting": False}, {"unsure": True}, {"later": True}]
)
def test_else_the_critic_is_asked_as_ever(tmp_path: Path, changes: dict[str, Any]) -> None:
    crew = {"reward": RewardSetting(use=False)} if changes.pop("setting", None) is False else {}
    head = head_of(lambda number: number / 100) if changes.pop("unsure", False) else NEWER
    plain, one = begin(tmp_path / "plain").run(8), begin(tmp_path / "one", **crew)
    later = changes.pop("later", False)
    one.store.add_input(KIND, payload(head, **changes), first_cycle=30 if later else None)
    one.run(8)
    assert one.state.digest() == plain.state.digest()
    assert challenges(one, 3) == challenges(plain, 3)
    assert {reason for reason, _ in challenges(one, 3)} == {"critic"}


@pytest.mark.parametrize("immediate", [True, False])
def test_what_humans_said_of_two_images_stands_above_a_head(tmp_path: Path, immediate: bool) -> None:
    one = begin(tmp_path / "a", immediate=immediate)
    one.store.add_input(KIND, payload(NEWER))
    one.run(4)
    holder = one.holder(2)
    assert holder is not None
    beaten = holder - 1
    one.answer(one.ask_pair(1, beaten, holder), "left")
    one.run(5)
    assert (5, "won", holder, "human") in one.placements(beaten)


def test_what_a_head_settles_is_no_evidence_for_the_preference_model() -> None:
    model = DuelPreference()
    duel = Duel(left=1, right=2, question="quality", outcome="left", judge="reward:1:abc")
    for _ in range(50):
        model.add(duel)
    assert model.best() is None
    model.add(replace(duel, judge="critic"))
    assert model.best() == 1


@pytest.mark.parametrize("depth", [0, 2])
@pytest.mark.parametrize("immediate", [True, False])
def test_kills_between_training_and_its_effect_change_nothing(tmp_path: Path, depth: int, immediate: bool) -> None:
    beat = {"pipeline_depth": depth}
    whole = begin(tmp_path / "whole", immediate=immediate, rhythm=beat)
    whole.store.add_input(KIND, payload(NEWER), first_cycle=5)
    whole.store.add_input(KIND, payload(OLDER, 2), first_cycle=9)
    whole.run(14)
    killed = begin(tmp_path / "killed", immediate=immediate, rhythm=beat)
    killed.store.add_input(KIND, payload(NEWER), first_cycle=5)
    for cycle in (3, 4, 5, 7, 8):
        killed.reopen().run(cycle)
    killed.store.add_input(KIND, payload(OLDER, 2), first_cycle=9)
    for cycle in (9, 10, 14):
        killed.reopen().run(cycle)
    assert killed.state.digest() == whole.state.digest()
    assert list(killed.store.history()) == list(whole.store.history())
    assert replay(killed.store.history()).digest() == whole.state.digest()
    assert verify_history(killed.store) == []


def test_a_rollback_after_later_rounds_brings_the_earlier_head_back(tmp_path: Path) -> None:
    one = begin(tmp_path / "a")
    for head, number, cycle in ((NEWER, 1, 3), (OLDER, 2, 6)):
        one.store.add_input(KIND, payload(head, number), first_cycle=cycle)
    back = {**payload(None, 3), "did": "back", "of": 1, "hash": head_hash(NEWER.as_plain())}
    one.store.add_input(KIND, back, first_cycle=9)
    one.store.add_input(KIND, {**payload(None, 4, active=False), "did": "back"}, first_cycle=12)
    one.run(14)
    who = {r.cycle: {d.judge.split(":")[1] for d in r.duels if d.by_head} for r in one.records}
    assert [who[cycle] for cycle in (3, 6, 9, 12)] == [{"1"}, {"2"}, {"3"}, set()]
    outcomes = {r.cycle: {p.outcome for p in r.placements if p.outcome != "new"} for r in one.records}
    assert (outcomes[3], outcomes[6], outcomes[9]) == ({"won"}, {"lost"}, {"won"})
    assert verify_history(one.store) == []
    said = told(one.store, one.state.duels, one.state.cycle, use=True)
    assert said is not None
    assert (said["version"], said["active"], said["acting"], said["to_come"]) == (4, False, False, False)
    assert said["settled"] == sum(duel.by_head for duel in one.state.duels) > 0


def test_verify_finds_a_duel_that_its_head_never_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = begin(tmp_path / "a")
    one.store.add_input(KIND, payload(NEWER))
    real = Version.duel

    def turned(self: Version, *images: Any, sure: float) -> Duel | None:
        found = real(self, *images, sure=sure)
        return found and replace(found, outcome="right")

    one.run(3)
    monkeypatch.setattr(Version, "duel", turned)
    one.run(4)
    monkeypatch.undo()
    one.run(5)
    found = verify_history(one.store)
    assert found
    assert {problem.path.split(":")[0] for problem in found} == {"cycle 4"}
    assert all("does not say right" in problem.path for problem in found)


def test_answers_to_another_bank_or_by_another_critic_mean_nothing_to_a_head() -> None:
    held = payload(NEWER, critic="c-1", bank_hash=QUESTIONS.hash)
    (version,) = Heads([Input(id=1, kind="reward", first_cycle=1, payload=held)])
    own = Critique(critic="c-1", bank="b", bank_hash=QUESTIONS.hash, answers={"q1": "yes"}, summary="", weaknesses=())
    vector = own_direction(1)
    shown = [own, replace(own, critic="c-2"), replace(own, bank_hash="other"), None]
    looks = version.looks(Known(vector=vector, critique=each) for each in shown)
    assert looks.answers == [{"q1": "yes"}, {}, {}, {}]


# ---- takes of one genome ----------------------------------------------------------------------------------------


def of_takes(folder: Path, cycles: int = 2) -> Series:
    selector = Selector(rule="best", signals=(PERSONAL,))
    return begin(folder, cycles=cycles, rhythm={"best_of": 4, "batch": 2}, selector=selector)


def test_a_personal_selector_goes_by_the_prompt_until_a_head_is_in_force(tmp_path: Path) -> None:
    one = of_takes(tmp_path / "a")
    one.store.add_input(KIND, payload(NEWER))
    one.run(4)
    verdicts = one.store.verdicts()
    for record in one.records:
        for first in range(0, 8, 4):
            takes = record.candidates[first : first + 4]
            chosen = [n for n, take in enumerate(takes) if take.cause != "selector"]
            assert chosen == [0 if record.cycle <= 2 else 3]  # of equal prompts the first; the head prefers the newest
            reasons = [v.reason for take in takes for v in verdicts[take.id] if v.gate == "selector"]
            assert all(("personal" if record.cycle > 2 else "prompt") in reason for reason in reasons)
    measured = one.store.signals([c.id for c in one.records[-1].candidates])
    assert {each[PERSONAL].scorer_version.split(":")[1] for each in measured.values()} == {"1"}
    assert all(PERSONAL not in each for each in one.store.signals([c.id for c in one.records[0].candidates]).values())


def test_how_well_a_personal_selector_chooses_is_counted_from_its_head_on(tmp_path: Path) -> None:
    one = of_takes(tmp_path / "a")
    config = parse(
        {"name": "a", "loop": {"best_of": 4}, "selector": {"use": "personal"}, "generator": {"use": "painter"}}
    )
    before = choices.selector(config, one.store)
    one.store.add_input(KIND, payload(NEWER), first_cycle=4)
    one.run(5)
    after = choices.selector(config, one.store)
    assert before is not None
    assert after is not None
    assert (before["since"], after["since"]) == (1, 4)


def test_a_head_never_decides_who_gets_in_or_which_cell(tmp_path: Path) -> None:
    plain, one = begin(tmp_path / "plain", cycles=8), begin(tmp_path / "one")
    one.store.add_input(KIND, payload(NEWER))
    one.run(8)
    for ours, theirs in zip(one.records[:4], plain.records[:4], strict=True):
        assert [(c.status, c.cause) for c in ours.candidates] == [(c.status, c.cause) for c in theirs.candidates]
        assert [(p.candidate, p.cell) for p in ours.placements] == [(p.candidate, p.cell) for p in theirs.placements]
