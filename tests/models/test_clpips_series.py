"""A distance fitted to a series' triplets: figures on simulated answers, and the command from answers to a file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.models
torch = pytest.importorskip("torch")
pytest.importorskip("lpips")

from gen_emerge import crew as crews  # noqa: E402
from gen_emerge.cli import main as door  # noqa: E402
from gen_emerge.errors import BadInput  # noqa: E402
from gen_emerge.fakes import FakeGenerator, FakeScorer  # noqa: E402
from gen_emerge.scorers.agreement import choices  # noqa: E402
from gen_emerge.scorers.clpips import load_clpips  # noqa: E402
from gen_emerge.scorers.training_clpips import Differences, Settings, train_choices  # noqa: E402
from gen_emerge.series import Studio  # noqa: E402
from gen_emerge.store import Store  # noqa: E402
from gen_emerge.types import Question, Round  # noqa: E402

CHANNELS, LAYERS = 60, 3


def decided(count, own, *, lapses, seed, references=None):
    """Triplets whose person has these weights and slips now and then; three layers that vary apart from one another."""
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        strengths = rng.gamma(1.5, size=(2, LAYERS)).repeat(CHANNELS // LAYERS, 1)
        features = (strengths * rng.uniform(0.5, 1.5, (2, CHANNELS))).astype(np.float32) * 0.01
        nearer = int(np.argmin(features @ own)) ^ int(rng.random() < lapses)
        made.append(Differences(features=features[[nearer, 1 - nearer]], ranks=np.array([1.0, 2.0])))
    return made, list(range(count)) if references is None else [k % references for k in range(count)]


def own_weights():
    own = np.ones(CHANNELS)
    own[: CHANNELS // LAYERS] *= 0.02
    own[-CHANNELS // LAYERS :] *= 5
    return own


def test_a_person_who_weighs_the_layers_anew_is_learned_from_triplets():
    start = np.ones(CHANNELS, np.float32)
    found = train_choices(start, *decided(400, own_weights(), lapses=0.05, seed=0), Settings(resamples=300))
    held = found.gain
    assert held.after > held.before + 0.05 and held.gain_interval[0] > 0
    assert held.after_interval[0] < held.after < held.after_interval[1]
    assert (held.triplets, held.references, found.training_sets, found.pairs) == (120, 120, 238, 238)
    assert found.weights.min() >= 0


def test_triplets_of_one_reference_stay_together():
    start = np.ones(CHANNELS, np.float32)
    sets, references = decided(100, own_weights(), lapses=0.1, seed=1, references=10)
    found = train_choices(start, sets, references, Settings(resamples=50))
    assert (found.gain.references, found.gain.triplets, found.training_sets) == (3, 30, 60)
    with pytest.raises(BadInput, match="5 different references, wanted 6"):
        train_choices(start, sets, [k % 5 for k in references])
    with pytest.raises(BadInput, match="59 triplets were decided, wanted 60"):
        train_choices(start, sets[:59], references[:59])


def test_shares_are_of_triplets_and_intervals_over_references():
    before, after = np.array([1.0, -1, 0, 2, -2, -3]), np.array([1.0, 1, 1, -1, 2, 3])
    found = choices(before, after, [1, 1, 1, 2, 3, 3], rng=np.random.default_rng(0))
    assert (found.before, found.after) == (pytest.approx(2.5 / 6), pytest.approx(5 / 6))
    assert found.gain_interval[0] == pytest.approx(-1.0) and found.gain_interval[1] == pytest.approx(1.0)
    same = choices(before, before, [1, 1, 1, 2, 3, 3], rng=np.random.default_rng(0))
    assert (same.gain, same.gain_interval) == (0.0, (0.0, 0.0)), "the same references are drawn for both"
    with pytest.raises(BadInput, match="wants two"):
        choices(before, after, [1] * 6, rng=np.random.default_rng(0))


@pytest.mark.timeout(600)
def test_a_series_teaches_a_distance_that_lies_in_its_models(
    studio: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import torchvision
    from safetensors.torch import save_file

    monkeypatch.setattr(crews, "load_generator", lambda config: FakeGenerator())
    monkeypatch.setattr(crews, "load_scorers", lambda config, references: (FakeScorer(),))
    house, rng = Studio(studio), np.random.default_rng(3)
    house.new("night", image={"width": 64, "height": 64}, loop={"batch": 8, "warmup_cycles": 2, "cycles": 3})
    house.run("night")
    with Store.open(house.archive / "night") as store:
        for number in range(12):
            questions = []
            for k in range(1, 6):
                images = dict(zip(("reference", "a", "b"), map(int, rng.permutation(24)[:3] + 1), strict=True))
                questions.append(
                    Question(id=f"r{900 + number}-{k}", kind="triplet", ask="similarity", prompt="", images=images)
                )
            asked = Round(id=f"r{900 + number}", cycle=3, reason="request", questions=tuple(questions))
            assert store.add_round(asked)
            for question in questions:
                payload = {"question": question.id, "answer": "ab"[rng.integers(2)], "rater": "anna"}
                store.add_input("answer", {**payload, "confidence": "sure"})
    torch.manual_seed(0)
    trunk = tmp_path / "alexnet.safetensors"
    save_file(torchvision.models.alexnet(weights=None).state_dict(), trunk)
    words = ["--root", str(studio), "train", "clpips", "night", "--weights", str(trunk)]
    capsys.readouterr()
    assert door.main(["--json", *words]) == 0
    result = json.loads(capsys.readouterr().out)
    fitted, held = Path(result["fitted"]), result["held_out"]
    assert fitted.parent == house.archive / "night" / "models" and fitted.is_file()
    assert (result["series"], result["triplets"], result["raters"], result["left_out"]) == ("night", 60, ["anna"], 0)
    assert 0 <= held["before"] <= 1 and held["gain_interval"][0] <= held["gain"] <= held["gain_interval"][1]
    assert json.loads(fitted.with_suffix(".json").read_text())["held_out"] == held
    black = np.zeros((64, 64, 3), np.uint8)
    opened = load_clpips({"fitted": str(fitted), "weights": str(trunk)}, device="cpu")
    assert opened.distance(black, black) == pytest.approx(0.0, abs=1e-6)
    assert door.main([*words, "--into", str(tmp_path / "mine")]) == 0
    text = capsys.readouterr().out
    assert "60 triplets that anna decided" in text and "LPIPS names the same picture in" in text
    assert ("not shown to see more" in text) == (held["gain_interval"][0] <= 0)
    assert (tmp_path / "mine" / fitted.name).is_file(), "the same answers, the same distance"
