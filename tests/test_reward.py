"""`train reward SERIES` through the door: what is refused, shown, stored, taken back; and what people did."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gen_emerge import crew as crews
from gen_emerge import reward
from gen_emerge.audit import verify_history
from gen_emerge.cli import main as door
from gen_emerge.config import load
from gen_emerge.errors import BadInput
from gen_emerge.fakes import FakeGenerator, FakeScorer
from gen_emerge.heads import KIND
from gen_emerge.preference.head import head_hash
from gen_emerge.preference.head_fit import fit_head
from gen_emerge.preference.held_out import joined, log_losses
from gen_emerge.series import Studio
from gen_emerge.state import replay
from gen_emerge.store import Store
from gen_emerge.taste import EXPORT, OPENED, evidence
from gen_emerge.types import Question, Round


@pytest.fixture
def night(studio: Path, monkeypatch: pytest.MonkeyPatch) -> Studio:
    monkeypatch.setattr(crews, "load_generator", lambda config: FakeGenerator())
    monkeypatch.setattr(crews, "load_scorers", lambda config, references: (FakeScorer(),))
    house = Studio(studio)
    gates = {gate: {"lower": "off", "upper": "off"} for gate in ("quality", "prompt", "novelty", "style")}
    gates["novelty"]["duplicate"] = "off"
    tables: dict[str, Any] = {"image": {"width": 48, "height": 48}, "gates": gates, "archive": {"dims": [8, 8]}}
    house.new("night", loop={"batch": 16, "warmup_cycles": 2, "cycles": 8, "checkin_every": 0}, **tables)
    house.run("night", cycles=5)
    return house


def opened(house: Studio) -> Store:
    return Store.open(house.archive / "night")


def vectors(store: Store) -> dict[int, np.ndarray]:
    (space,) = store.spaces()
    numbers, found = store.embeddings(None, space)
    return {int(number): vector for number, vector in zip(numbers, found, strict=True)}


def tastes(store: Store, seed: int = 0) -> dict[int, float]:
    """A direction of the embedding, sd 3 in log-odds."""
    known = vectors(store)
    table = np.array(list(known.values()))
    values = table @ np.random.default_rng(seed).normal(size=table.shape[1])
    return dict(zip(known, (3.0 * (values - values.mean()) / values.std()).tolist(), strict=True))


def judge(
    house: Studio, count: int, *, number: int = 900, rater: str = "anna", say: Callable[[float], str] | None = None
) -> None:
    """Pairs drawn by chance; by default answered by a taste for a direction of the embedding."""
    rng = np.random.default_rng(number)

    def by_taste(odds: float) -> str:
        return "left" if rng.random() < 1 / (1 + np.exp(-odds)) else "right"

    with opened(house) as store:
        taste = tastes(store)
        questions: list[Question] = []
        for k in range(count):
            left, right = (int(c) for c in rng.choice(sorted(taste), 2, replace=False))
            images = {"left": left, "right": right}
            questions.append(Question(id=f"r{number}-{k}", kind="pair", ask="quality", prompt="", images=images))
        asked = Round(id=f"r{number}", cycle=store.committed(), reason="request", questions=tuple(questions))
        assert store.add_round(asked)
        told = []
        for question in questions:
            word = (say or by_taste)(taste[question.images["left"]] - taste[question.images["right"]])
            told.append(("answer", {"question": question.id, "answer": word, "rater": rater, "confidence": "sure"}))
        store.add_inputs(told)


@pytest.fixture
def train(night: Studio, capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    def call(*arguments: object, code: int = 0, json_: bool = True, command: str = "train reward") -> Any:
        capsys.readouterr()
        words = [*command.split(), "night", *map(str, arguments)]
        assert door.main(["--root", str(night.root), *(["--json"] if json_ else []), *words]) == code
        out, err = capsys.readouterr()
        return (json.loads(out) if json_ else out) if out else err

    return call


def refusal(train: Callable[..., Any], *arguments: object) -> str:
    error = train(*arguments, code=2)["error"]
    return f"{error['message']} {error['hint'] or ''}"


def coin(seed: int) -> Callable[[float], str]:
    rng = np.random.default_rng(seed)
    return lambda odds: ("left", "right")[int(rng.integers(2))]


def test_none_one_and_only_ties_are_refused_with_what_to_ask(night: Studio, train: Callable[..., Any]) -> None:
    assert "0 comparisons that somebody decided" in refusal(train)
    judge(night, 1)
    assert "1 comparisons" in refusal(train)
    judge(night, 80, number=901, say=lambda odds: "tie")
    said = refusal(train, "--apply")
    assert "80 ties say nothing here" in said
    assert "gen-emerge rounds night --open rank4" in said
    assert '"bob" has compared no images' in refusal(train, "--rater", "bob")
    with opened(night) as store:
        assert store.inputs_of(KIND) == []


def test_a_preview_changes_nothing_and_says_what_was_foretold(night: Studio, train: Callable[..., Any]) -> None:
    judge(night, 200)
    with opened(night) as store:
        before = store.inputs(0, 10_000)
    said = train()
    assert (said["did"], said["active"], said["answers"]["comparisons"]) == ("previewed", True, 200)
    held = said["held_out"]
    assert set(held["gains"]) == {"coin", "prompt", "quality", "style"}
    assert all(gain["low"] > 0 for gain in held["gains"].values())
    assert held["log_loss"]["head"] < held["log_loss"][held["best_signal"]]
    assert held["foretold"] == 200
    with opened(night) as store:
        assert store.inputs(0, 10_000) == before
    text = train(json_=False)
    assert "It may act: it foretells 200 held-out answers" in text
    assert "gen-emerge train reward night --apply" in text


def test_somebody_who_answers_at_random_gets_a_head_that_does_not_act(night: Studio, train: Callable[..., Any]) -> None:
    judge(night, 150, say=coin(1))
    said = train("--apply")
    assert (said["active"], said["version"]) == (False, 1)
    assert "not shown to beat" in said["why"]
    night.run("night", cycles=8)
    with opened(night) as store:
        assert not any(duel.by_head for outcome in store.history() for duel in outcome.duels)
        (event,) = [event for _, event in store.events() if event.kind == KIND]
    assert event.message.startswith("Head version 1 does not act: on 150 held-out answers")
    assert train(command="status")["reward"]["acting"] is False
    assert "version 1 does not act" in train(command="status", json_=False)


def test_a_version_counts_from_a_cycle_on_and_is_taken_back(night: Studio, train: Callable[..., Any]) -> None:
    judge(night, 250)
    assert "has no head version 1" in refusal(train, "--rollback", 1)
    first = train("--apply")
    assert (first["version"], first["from_cycle"], first["stands"]) == (1, 6, None)
    assert "Nobody said anything new" in refusal(train, "--apply")
    assert train(command="status")["reward"]["to_come"] is True
    night.run("night", cycles=8)
    with opened(night) as store:
        cycles = {outcome.cycle for outcome in store.history() for duel in outcome.duels if duel.by_head}
        assert cycles
        assert min(cycles) == 6
        assert verify_history(store) == []
        state = replay(store.history())
    stands = train(command="inspect")["reward"]
    assert (stands["version"], stands["acting"], stands["hash"]) == (1, True, first["hash"])
    assert stands["settled"] == sum(duel.by_head for duel in state.duels)
    assert stands["held_out"]["log_loss"] == first["held_out"]["log_loss"]
    judge(night, 60, number=901)
    second = train("--apply")
    assert (second["version"], second["hash"] == first["hash"]) == (2, False)
    back = train("--rollback", 1)
    assert (back["did"], back["version"], back["to"], back["hash"]) == ("back", 3, 1, first["hash"])
    assert "stands already" in refusal(train, "--rollback", 1)
    none = train("--rollback", 0)
    assert (none["version"], none["active"]) == (4, False)
    assert "stands already" in refusal(train, "--rollback", 0)
    assert train("--rollback", 2)["active"] is True
    assert "There are 0 (none), 1, 2, 3, 4, 5." in refusal(train, "--rollback", 9)


def test_one_of_two_raters_may_have_a_head_of_their_own(night: Studio, train: Callable[..., Any]) -> None:
    judge(night, 150)
    judge(night, 150, number=901, rater="bob", say=coin(2))
    anna, bob = train("--rater", "anna"), train("--rater", "bob")
    assert (anna["active"], bob["active"]) == (True, False)
    assert anna["held_out"]["foretold"] == 150
    assert anna["answers"]["raters"] == {"anna": 150, "bob": 150}
    assert "the taste of anna" in train("--rater", "anna", json_=False)


def test_rankings_count_by_their_pairs_and_adherence_and_repeats_do_not(night: Studio) -> None:
    with opened(night) as store:
        ids = sorted(vectors(store))
        kinds: list[dict[str, Any]] = [
            {"kind": "rank4", "ask": "quality", "images": dict(zip("abcd", ids, strict=False))},
            {"kind": "pair", "ask": "adherence", "images": {"left": ids[0], "right": ids[5]}},
            {"kind": "pair", "ask": "quality", "images": {"left": ids[0], "right": ids[6]}, "attention": True},
            {"kind": "pair", "ask": "quality", "images": {"left": ids[0], "right": ids[7]}},
        ]
        questions = tuple(Question(id=f"r9-{k}", prompt="", **about) for k, about in enumerate(kinds))
        store.add_round(Round(id="r9", cycle=5, reason="request", questions=questions))
        answers: list[dict[str, Any]] = [{"answer": "ranked", "order": ["b", "a", "d", "c"]}, *[{"answer": "left"}] * 3]
        for question, answer in zip(questions, answers, strict=True):
            told = {"question": question.id, "rater": "anna", "confidence": "unsure", **answer}
            store.add_input("answer", told)
        found = collected(night, store)
    assert len(found.said) == 7
    assert sorted(np.bincount(found.said.screen)[np.unique(found.said.screen)].tolist()) == [1, 6]
    assert set(found.said.weight.tolist()) == {0.5}
    places = [found.ids[place] for place in found.said.left] + [found.ids[place] for place in found.said.right]
    assert ids[5] not in places
    assert ids[6] not in places


def collected(house: Studio, store: Store) -> Any:
    config = load(house.root / "experiments" / "series" / "night.toml", known=None)
    (space,) = store.spaces()
    return evidence(store, replay(store.history()), seed=config.seed, space=space, beside=frozenset())


# ---- what people did --------------------------------------------------------------------------------------------


def test_openings_exports_and_favourites_become_comparisons_with_an_elite_of_their_moment(
    night: Studio, train: Callable[..., Any], tmp_path: Path
) -> None:
    with opened(night) as store:
        state = replay(store.history())
        assert state.archive is not None
        elites = [elite.candidate for elite in state.archive]
    train("--candidate", elites[0], command="inspect", json_=False)
    train("--candidate", elites[0], command="inspect", json_=False)  # the first time counts
    train("--candidate", elites[1], command="inspect")  # a program looked
    train(tmp_path / "chosen", "--top", 3, command="export")
    with opened(night) as store:
        store.add_input("favourite", {"candidate": elites[2], "level": "interesting", "rater": "anna"})
        store.add_input("favourite", {"candidate": elites[3], "level": "interesting", "rater": "anna"})
        store.add_input("favourite", {"candidate": elites[3], "level": None, "rater": "anna"})
        assert [item.payload["candidate"] for item in store.inputs_of(OPENED)] == [elites[0]] * 2
        (exported,) = store.inputs_of(EXPORT)
        assert len(exported.payload["candidates"]) == 3
        found, again = collected(night, store).did, collected(night, store).did
        ids = collected(night, store).ids
    kinds = found.rater.tolist()
    assert sorted(kinds) == ["implicit:export"] * 3 + ["implicit:favourite", "implicit:opened"]
    assert np.array_equal(found.right, again.right), "chance is counted"
    winners = [ids[le if won == 1 else ri] for le, ri, won in zip(found.left, found.right, found.outcome, strict=True)]
    losers = [ids[ri if won == 1 else le] for le, ri, won in zip(found.left, found.right, found.outcome, strict=True)]
    assert set(winners) == {elites[0], elites[2], *exported.payload["candidates"]}
    assert all(loser in elites for loser in losers)
    for kind, loser in zip(kinds, losers, strict=True):
        assert loser not in [w for k, w in zip(kinds, winners, strict=True) if k == kind]


@pytest.mark.parametrize("helps", [True, False])
def test_deeds_are_used_only_where_they_are_shown_to_help(
    night: Studio, train: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, helps: bool
) -> None:
    judge(night, 80)
    with opened(night) as store:
        taste = tastes(store)
        unloved = sorted(taste, key=lambda c: taste[c])[:40]
        store.add_inputs([(OPENED, {"candidate": candidate}) for candidate in unloved])
    real = reward.foretell

    def knowing_nothing_without_deeds(*given: Any, **options: Any) -> Any:
        told = real(*given, **options)
        return told if "beside" in options else replace(told, head=np.full(len(told.head), 0.5))

    if helps:
        monkeypatch.setattr(reward, "foretell", knowing_nothing_without_deeds)
    said = train("--apply")
    deeds = said["deeds"]
    assert (deeds["comparisons"], deeds["kinds"]) == (40, {"opened": 40})
    assert deeds["used"] is (deeds["gain"]["low"] > 0) is helps
    with opened(night) as store:
        (item,) = store.inputs_of(KIND)
        assert item.payload["deeds"] == deeds
        found = collected(night, store)
    learned = joined(found.said, found.did) if helps else found.said
    assert head_hash(fit_head(found.looks, learned).as_plain()) == said["hash"]
    told = real(found.looks, found.said, found.signals, **({"beside": found.did} if helps else {}))
    loss = log_losses(told.head, found.said.outcome == 1).mean()
    assert said["held_out"]["log_loss"]["head"] == pytest.approx(loss)


def test_a_series_that_cannot_be_written_is_opened_and_exported_all_the_same(
    night: Studio, train: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: Any, **options: Any) -> Any:
        raise BadInput("night is on a disk that cannot be written.")

    monkeypatch.setattr(Store, "add_input", refuse)
    assert "candidate 1" in train("--candidate", 1, command="inspect", json_=False).lower()
    assert len(train(tmp_path / "chosen", "--top", 2, command="export")["files"]) == 2
    monkeypatch.undo()
    with opened(night) as store:
        assert store.inputs_of(OPENED) == store.inputs_of(EXPORT) == []


def test_of_several_actions_one_is_asked_for(night: Studio, train: Callable[..., Any]) -> None:
    judge(night, 1)
    assert "One of --preview, --apply and --rollback" in str(train("--apply", "--rollback", 1, code=2))
    assert "leave out --rater" in str(train("--rollback", 1, "--rater", "anna", code=2))
