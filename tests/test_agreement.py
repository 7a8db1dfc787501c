"""`gen-emerge agreement`: what people say against what the machine says, in small series that were really run."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from gen_emerge import crew as crews
from gen_emerge.agreement import LEAST_KEPT, LEAST_SCREENS, agreement, pooled
from gen_emerge.cli import main as door
from gen_emerge.cli.agreeing import agreement_text
from gen_emerge.concordance import icc_2k, rank_interval
from gen_emerge.errors import BadInput
from gen_emerge.fakes import FakeGenerator, FakeScorer
from gen_emerge.preference.fitted import Fitted
from gen_emerge.preference.ranking import DuelPreference
from gen_emerge.ranked import Ranking, rankings, replayed
from gen_emerge.series import Studio
from gen_emerge.store import Store
from gen_emerge.types import Duel, Question, Round


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Path:
    """A series of five cycles, run once."""
    studio = tmp_path_factory.mktemp("agreement") / "studio"
    shutil.copytree(repository / "prompts", studio / "prompts")
    (studio / "experiments" / "series").mkdir(parents=True)
    (studio / "archive").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        faked(patch)
        loop = {"batch": 8, "warmup_cycles": 2, "cycles": 5, "checkin_every": 0}
        Studio(studio).new("night", image={"width": 48, "height": 48}, loop=loop, archive={"dims": [5, 5]})
        Studio(studio).run("night")
    return studio


@pytest.fixture
def night(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Studio:
    faked(monkeypatch)
    return Studio(shutil.copytree(made, tmp_path / "own"))


def faked(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(crews, "load_generator", lambda config: FakeGenerator())
    patch.setattr(crews, "load_scorers", lambda config, references: (FakeScorer(),))


def opened(house: Studio) -> Store:
    return Store.open(house.archive / "night")


def ask(store: Store, *questions: Question, number: int = 900) -> None:
    asked = Round(id=f"r{number}", cycle=store.committed(), reason="request", questions=questions)
    assert store.add_round(asked)


def ranking(number: int, candidates: Sequence[int]) -> Question:
    images = dict(zip("abcdefghij", candidates, strict=False))
    return Question(id=f"r{number}-1", kind="ranking", ask="quality", prompt="", images=images)


def rank(store: Store, question: Question, best_first: Sequence[int], rater: str = "anna") -> None:
    names = {candidate: name for name, candidate in question.images.items()}
    order = [names[candidate] for candidate in best_first]
    say(store, question.id, "ranked", rater, order=order)


def say(store: Store, question: str, answer: str, rater: str = "anna", **more: Any) -> None:
    store.add_input("answer", {"question": question, "answer": answer, "rater": rater, "confidence": "sure", **more})


def qualities(store: Store) -> dict[int, float]:
    return {c: own["quality"].value for c, own in store.signals(None).items()}


def told(store: Store) -> dict[str, Any]:
    return agreement(store, seed=7)


def swapped(best_first: Sequence[int], *places: int) -> list[int]:
    """The same with some neighbours changed about."""
    found = list(best_first)
    for k in places:
        found[k], found[k + 1] = found[k + 1], found[k]
    return found


# ---- rankings ----------------------------------------------------------------------------------------------------


def test_a_ranking_is_held_against_the_signals_with_intervals_for_small_samples(night: Studio) -> None:
    with opened(night) as store:
        quality = qualities(store)
        shown = sorted(quality)[:10]
        by_quality = sorted(shown, key=lambda c: -quality[c])
        said = swapped(by_quality, 0, 3, 4, 7)
        question = ranking(900, shown)
        ask(store, question)
        rank(store, question, said)
        found = told(store)["rankings"]
    human, machine = [-said.index(c) for c in shown], [quality[c] for c in shown]
    rho, tau = stats.spearmanr(human, machine).statistic, stats.kendalltau(human, machine).statistic
    (each,) = found["each"]
    figures = each["orders"]["quality"]
    assert (each["rater"], each["images"], figures["images"]) == ("anna", 10, 10)
    for key, value, of in (("spearman", rho, "spearman"), ("kendall", tau, "kendall")):
        wanted = rank_interval(value, 10, of=of)  # pyright: ignore[reportArgumentType]
        assert figures[key] == pytest.approx({"value": wanted.value, "low": wanted.low, "high": wanted.high})
    both = np.stack([stats.rankdata(human), stats.rankdata(machine)], axis=1)
    assert figures["icc_2k"]["value"] == pytest.approx(icc_2k(both))
    assert figures["icc_2k"]["low"] < figures["icc_2k"]["value"] < figures["icc_2k"]["high"] < 1
    together = found["pooled"]["quality"]
    assert together["spearman"] == pytest.approx(figures["spearman"]) and together["interval"] == "formula"
    assert together["icc_2k"] == pytest.approx(figures["icc_2k"])


def test_the_model_that_learned_from_a_ranking_is_not_held_against_it(night: Studio) -> None:
    with opened(night) as store:
        shown = sorted(qualities(store))[:10]
        first, second = ranking(900, shown), ranking(901, shown)
        ask(store, first)
        rank(store, first, shown)
        before = told(store)["rankings"]["each"][0]["orders"]
    night.run("night", cycles=7)
    with opened(night) as store:
        assert told(store)["rankings"]["each"][0]["orders"] == before
        rank(store, first, shown[::-1])
        ask(store, second, number=901)
        rank(store, second, shown)
    night.run("night", cycles=8)
    with opened(night) as store:
        state, duels = replayed(store)
        one, other = rankings(store, state, duels, store.answers().standing)
        assert one.before == 6, "an answer changed later is held against the model of before the first one"
        assert one.orders.get("preference") != other.orders["preference"]
        late = told(store)["rankings"]["each"][1]["orders"]["preference"]
    assert (late["images"], late["spearman"]["value"]) == (10, pytest.approx(1.0)), "it had learned the first by then"


def test_images_that_nothing_links_are_in_no_order() -> None:
    model = DuelPreference()
    for left, right in ((1, 2), (2, 3), (7, 8)):
        model.add(Duel(left=left, right=right, question="quality", outcome="left", judge="critic"))
    assert sorted(model.linked([1, 3, 7, 8, 2, 9])) == [1, 2, 3]
    assert sorted(model.linked([1, 7, 8])) == [7, 8], "the largest group of those asked about"
    assert model.linked([9]) == {}


def test_a_critic_orders_by_its_own_duels_alone(night: Studio) -> None:
    with opened(night) as store:
        state, duels = replayed(store)
        own = {c for each in duels.values() for duel in each for c in (duel.left, duel.right)}
        shown = sorted(own)[:10]
        assert len(shown) >= 6
        question = ranking(900, shown)
        ask(store, question)
        rank(store, question, shown)
        (before,) = rankings(store, state, duels, store.answers().standing)
    night.run("night", cycles=7)
    with opened(night) as store:
        again = ranking(901, shown)
        ask(store, again, number=901)
        rank(store, again, shown)
        state, duels = replayed(store)
        _, after = rankings(store, state, duels, store.answers().standing)
    assert before.orders["preference"] == pytest.approx(before.orders["critic"]), "nobody else had spoken"
    rho = {
        n: stats.spearmanr([-shown.index(c) for c in o], list(o.values())).statistic for n, o in after.orders.items()
    }
    assert rho["preference"] > 0.9 > 0.7 > rho["critic"], "the model had heard the person by then, the critic has not"


def test_from_eight_screens_on_whole_screens_are_drawn_again(night: Studio) -> None:
    with opened(night) as store:
        quality = qualities(store)
        ids = sorted(quality)
        rng = np.random.default_rng(3)
        for number in range(LEAST_SCREENS):
            shown = [int(c) for c in rng.choice(ids, 10 if number else 4, replace=False)]
            by_quality = sorted(shown, key=lambda c: -quality[c])
            question = ranking(900 + number, shown)
            ask(store, question, number=900 + number)
            rank(store, question, by_quality if number else by_quality[::-1])
            if number == LEAST_SCREENS - 2:
                few = told(store)["rankings"]
        whole = told(store)
        many = whole["rankings"]
        assert told(store)["rankings"] == many, "what is drawn again is the same every time"
    assert few["pooled"]["quality"]["interval"] == "formula"
    found = many["pooled"]["quality"]
    assert (found["interval"], found["screens"], found["images"]) == ("bootstrap", 8, 74)
    assert "  5 earlier rankings: gen-emerge --json agreement night" in agreement_text({"series": "night", **whole})
    four = {"series": "night", **whole, "rankings": {**many, "rankings": 4}}
    assert "  1 earlier ranking: gen-emerge --json agreement night" in agreement_text(four)
    for key in ("spearman", "icc_2k"):
        assert found[key]["low"] < found[key]["value"] < found[key]["high"] == pytest.approx(1.0)
    assert found["spearman"]["value"] == pytest.approx((7 * 9 - 3) / (7 * 9 + 3)), "weighted by images less one"
    assert (many["sizes"], many["to_tell"]["needed"], many["to_tell"]["more"]) == ({"4": 1, "10": 7}, 8, 1)


def test_two_rankings_of_one_screen_are_no_two_screens(night: Studio) -> None:
    with opened(night) as store:
        shown = sorted(qualities(store))[:10]
        question = ranking(900, shown)
        ask(store, question)
        for rater in ("anna", "ben", "carla"):
            rank(store, question, shown, rater)
        found = told(store)["rankings"]
    together, alone = found["pooled"]["quality"], found["each"][0]["orders"]["quality"]
    assert (found["rankings"], found["screens"], found["raters"]) == (3, 1, 3)
    for key in ("spearman", "kendall", "icc_2k"):
        assert together[key] == pytest.approx(alone[key]), "no narrower for being said three times"
    assert found["to_tell"]["more"] == 7


@pytest.mark.parametrize(("screens", "raters", "images"), [(1, 1, 4), (5, 1, 4), (2, 3, 10), (1, 5, 10)])
def test_an_interval_holds_the_truth_however_many_ranked_the_same_images(
    screens: int, raters: int, images: int
) -> None:
    """People who know half of what orders the images, and an order that knows as much (Gaussian, 0.6)."""
    rng, runs, wide = np.random.default_rng(8), 300, 0.0
    # Moran 1948, "Rank correlation and product-moment correlation": what n of a Gaussian sample are expected to show.
    spearman = 6 / np.pi * (np.arcsin(0.6) + (images - 2) * np.arcsin(0.3)) / (images + 1)
    truth = {"spearman": spearman, "kendall": 2 / np.pi * np.arcsin(0.6), "icc_2k": 2 * spearman / (1 + spearman)}
    held = dict.fromkeys(truth, 0)
    for _ in range(runs):
        found = _agreed(rng, screens, raters, images)
        for key, value in truth.items():
            held[key] += (found[key]["low"] or -np.inf) <= value <= (found[key]["high"] or np.inf)
        wide += found["spearman"]["high"] - found["spearman"]["low"]
    assert min(held.values()) / runs >= 0.92
    assert images < 10 or wide / runs < 1.1, "and not by being as wide as can be"


def _agreed(rng: np.random.Generator, screens: int, raters: int, images: int) -> dict[str, Any]:
    ranked: list[Ranking] = []
    for screen in range(screens):
        common = rng.normal(size=images)
        order, *people = np.sqrt(0.6) * common + np.sqrt(0.4) * rng.normal(size=(1 + raters, images))
        ranked += [
            Ranking(
                question=f"r{screen}-1",
                rater=f"rater {k}",
                before=1,
                human=dict(enumerate(np.argsort(np.argsort(own)).tolist())),
                orders={"quality": dict(enumerate(order.tolist()))},
            )
            for k, own in enumerate(people)
        ]
    found = pooled("quality", ranked, rng)
    assert found is not None and (found["screens"], found["rankings"]) == (screens, screens * raters)
    return found


def test_what_cannot_be_told_apart_is_refused(night: Studio) -> None:
    with opened(night) as store, pytest.raises(BadInput, match=r"falls from 0\.3 to 0\.6"):
        agreement(store, seed=7, was=0.3, now=0.6)


# ---- single images -----------------------------------------------------------------------------------------------


def test_keep_and_discard_are_held_against_what_the_gates_said(night: Studio) -> None:
    with opened(night) as store:
        fates = {c.id: c for c in store.candidates(current=True)}
        passed = [c for c, each in fates.items() if each.status == "passed"]
        gone = [c for c, each in fates.items() if each.status == "rejected" and each.cause == "quality"]
        waits = [c for c, each in fates.items() if each.status == "review"]
        assert gone and waits and min(gone) <= 16, "some of the warm-up, which was gated at its end"
        shown = [*passed[: LEAST_KEPT - len(gone)], *gone]
        questions = [
            Question(id=f"r900-{k}", kind="keep", ask="keep", prompt="", images={"only": c})
            for k, c in enumerate([*shown, waits[0]], start=1)
        ]
        ask(store, *questions)
        for question in questions[:-2]:
            say(store, question.id, "keep" if question.images["only"] in passed else "discard")
        say(store, questions[-1].id, "keep")
        short = told(store)["keep"]
        assert (short["words"], short["kappa"], short["undecided"]) == (LEAST_KEPT - 1, None, 1)
        say(store, questions[-2].id, "discard")
        alike = told(store)["keep"]
        say(store, questions[-2].id, "keep")
        apart = told(store)["keep"]
    assert (alike["kept_passed"], alike["discarded_rejected"]) == (LEAST_KEPT - len(gone), len(gone))
    assert alike["kappa"]["value"] == pytest.approx(1.0)
    assert apart["kept_rejected"] == 1 and apart["kappa"]["low"] <= apart["kappa"]["value"] < 1.0


# ---- among people ------------------------------------------------------------------------------------------------


def test_people_are_held_against_each_other_and_the_one_who_clicks_at_random_shows(night: Studio) -> None:
    with opened(night) as store:
        ids = sorted(qualities(store))
        rng = np.random.default_rng(5)
        pairs = [
            Question(
                id=f"r900-{k}",
                kind="pair",
                ask="quality",
                prompt="",
                images={"left": ids[k], "right": ids[(5 * k) % 7 + 30]},
            )
            for k in range(1, 25)
        ]
        ask(store, *pairs)
        for question in pairs:
            truth = "left" if rng.random() < 0.5 else "right"
            for rater in ("anna", "ben"):
                say(store, question.id, truth, rater)
            say(store, question.id, "left" if rng.random() < 0.5 else "right", "zoe")
        found = told(store)["raters"]
    kappas = {tuple(each["raters"]): each["value"] for each in found["pairs"]["kappa"]}
    assert found["names"] == ["anna", "ben", "zoe"] and found["pairs"]["items"] == 24
    assert kappas["anna", "ben"] == pytest.approx(1.0) and abs(kappas["anna", "zoe"]) < 0.45
    alpha = found["pairs"]["alpha"]
    assert 0.1 < alpha["value"] < 0.7 and alpha["low"] < alpha["value"] < alpha["high"]
    assert found["keep"] == {"items": 0, "alpha": None, "kappa": []}


def test_places_in_a_ranking_are_compared_as_an_order(night: Studio) -> None:
    with opened(night) as store:
        shown = sorted(qualities(store))[:10]
        question = ranking(900, shown)
        ask(store, question)
        rank(store, question, shown)
        rank(store, question, swapped(shown, 0, 2, 4, 6, 8), "ben")
        found = told(store)["raters"]["rankings"]
    assert found["items"] == 10 and found["alpha"]["value"] > 0.9, "neighbours changed about are hardly apart"
    assert found["alpha"]["low"] is None, "one screen has no interval"


def test_an_easy_pair_asked_twice_is_counted_for_its_rater(night: Studio, capsys: pytest.CaptureFixture[str]) -> None:
    with opened(night) as store:
        one, other = sorted(qualities(store))[:2]
        first = Question(id="r900-1", kind="pair", ask="quality", prompt="", images={"left": one, "right": other})
        again = Question(
            id="r901-1", kind="pair", ask="quality", prompt="", images={"left": other, "right": one}, attention=True
        )
        ask(store, first)
        ask(store, again, number=901)
        for rater, second in (("anna", "right"), ("zoe", "left")):
            say(store, first.id, "left", rater)
            say(store, again.id, second, rater)
    night.run("night", cycles=6)
    with opened(night) as store:
        found, (state, _) = told(store)["raters"], replayed(store)
    expected = Fitted((), state.duels).alike(one, other)
    assert expected is not None and 0.5 < expected < 1.0
    assert found["consistency"] == [
        {"rater": "anna", "repeats": 1, "same": 1, "expected": expected},
        {"rater": "zoe", "repeats": 1, "same": 0, "expected": expected},
    ]
    assert found["pairs"]["items"] == 1, "and never counts a second time"
    text = " ".join(call(night, capsys, "agreement", "night").split())
    assert f"answered 1 the same; of anybody who looks {expected:.1f} are to be expected, of one who clicks" in text


# ---- the command -------------------------------------------------------------------------------------------------


def call(house: Studio, capsys: pytest.CaptureFixture[str], *arguments: str, as_json: bool = False) -> str:
    capsys.readouterr()
    options = ["--root", str(house.root), *(["--json"] if as_json else [])]
    assert door.main([*options, *arguments]) == 0
    return capsys.readouterr().out


def test_a_series_nobody_judged_says_what_asks_for_more(
    night: Studio, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    text = call(night, capsys, "agreement", "night")
    plain = " ".join(text.split())
    assert "Nobody has ranked anything yet." in plain
    assert "Nothing acts on how far a single ranking agrees" in plain
    assert "It takes 8 to see it 86% of the time: 8 more gen-emerge rounds night --open ranking" in plain
    assert (
        "0 answers so far, 20 wanted for a figure. To be asked for some: gen-emerge rounds night --open keep" in plain
    )
    assert "Nobody has answered anything yet: gen-emerge judge night" in plain
    found = json.loads(call(night, capsys, "agreement", "night", as_json=True))
    assert (found["series"], found["rankings"]["rankings"], found["acted_on"]) == ("night", 0, False)
    assert set(found["rankings"]["pooled"].values()) == {None}


def test_answers_through_the_doors_are_told_in_eighty_columns_and_beside_a_run(
    night: Studio, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    asked = json.loads(call(night, capsys, "rounds", "night", "--open", "ranking", as_json=True))["questions"][0]
    letters = list(asked["images"])
    for rater, order in (("anna", letters), ("ben", letters[::-1])):
        file = tmp_path / f"{rater}.jsonl"
        file.write_text(json.dumps({"question": asked["id"], "order": order}), encoding="utf-8")
        call(night, capsys, "judge", "night", "--answers", str(file), "--rater", rater)
    seen: list[str] = []
    night.run("night", cycles=7, progress=lambda _: seen.append(call(night, capsys, "agreement", "night")))
    text = call(night, capsys, "agreement", "night")
    assert len(seen) == 2 and "2 rankings by 2 people: 1 of 10 images" in seen[0]
    assert max(map(len, text.splitlines())) <= 80
    assert f"{asked['id']} by ben, 10 images" in text
    (quality,) = [line.split() for line in text.splitlines() if line.startswith("  quality")][:1]
    assert quality[:2] == ["quality", "2"] and quality[2] == "0.00", "who says the contrary takes it back"
    found = json.loads(call(night, capsys, "agreement", "night", "--from", "0.6", "--to", "0.5", as_json=True))
    assert found["rankings"]["to_tell"]["needed"] == 58
