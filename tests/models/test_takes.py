"""Takes of one genome with real libraries: a diffusion series whose selector is a learned reward, all at tiny size."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("diffusers")
pytest.importorskip("transformers")

from gen_emerge.audit import verify
from gen_emerge.config.implementations import DISTANCES
from gen_emerge.errors import MissingModel
from gen_emerge.scorers import extras
from gen_emerge.series import Studio
from gen_emerge.store import Store
from tests.models import tiny_extras, tiny_pipelines

pytestmark = [pytest.mark.models, pytest.mark.slow]
EMBEDDED = {gate: {"use": "embedded"} for gate in ("quality", "prompt", "novelty", "style")}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    tiny_pipelines.sd(folder / "pipeline")
    tiny_extras.pickscore_folder(folder / "pickscore")
    return folder


def house(root: Path, models: Path, **changes: Any) -> Studio:
    shutil.copytree(Path(__file__).resolve().parents[2] / "prompts", root / "prompts")
    (root / "experiments" / "series").mkdir(parents=True)
    made = Studio(root)
    tables: dict[str, Any] = {
        "profile": "diffusion",
        "loop": {"batch": 3, "best_of": 2, "warmup_cycles": 2, "cycles": 3, "checkin_every": 0},
        "image": {"width": 64, "height": 64},
        "generator": {"model": str(models / "pipeline"), "steps": 1, "device": "cpu"},
        "scorers": {**EMBEDDED, "extra": {"use": ["pickscore"], "pickscore": {"model": str(models / "pickscore")}}},
        "detectors": {"use": ["seams"]},
        "selector": {"use": "signal", "signals": ["pickscore"]},
    }
    made.new("night", **{**tables, **changes})
    return made


def test_a_diffusion_series_lets_the_take_of_the_higher_reward_go_on(tmp_path: Path, models: Path) -> None:
    calm, cut = house(tmp_path / "calm", models), house(tmp_path / "cut", models)
    status = calm.run("night")
    assert (status["cycle"], status["candidates"], status["failed"]) == (3, 18, 0)
    assert verify(calm.root, calm.archive, "night")["problems"] == []
    with Store.open(calm.archive / "night", readonly=True) as store:
        candidates, signals = store.candidates(), store.signals(None)
        (settings,) = store.inputs_of("config")
    assert {"pickscore", "seams"} <= set(settings.payload["versions"])
    chosen = 0
    for first in range(0, 18, 2):
        one, other = candidates[first : first + 2]
        assert one.genome.recipe() | {"seed": 0} == other.genome.recipe() | {"seed": 0}
        assert one.image and other.image and one.image.pixels != other.image.pixels
        open_ones = [take for take in (one, other) if take.cause != "seams"]
        if len(open_ones) == 2:
            values = [signals[take.id]["pickscore"].value for take in open_ones]
            best = open_ones[0] if values[0] >= values[1] else open_ones[1]
            (lost,) = (take for take in open_ones if take is not best)
            assert (lost.status, lost.cause) == ("rejected", "selector") and best.cause != "selector"
            assert "quality" not in signals[lost.id] and "quality" in signals[best.id]
            chosen += 1
    assert chosen > 5
    for cycles in (1, 2, 3):
        again = cut.run("night", cycles=cycles)
    assert again["digest"] == status["digest"]


def test_a_selector_whose_weights_are_not_here_stops_the_series_before_it_begins(tmp_path: Path, models: Path) -> None:
    extra = {"use": ["hps"], "hps": {"weights": "none.safetensors"}}
    made = house(
        tmp_path / "studio",
        models,
        scorers={**EMBEDDED, "extra": extra},
        selector={"use": "signal", "signals": ["hps"]},
    )
    with pytest.raises(MissingModel, match=r"scorers\.extra\.hps\.weights"):
        made.run("night")
    assert not (made.archive / "night").exists()


def test_of_which_comparisons_less_is_better_is_what_they_say_themselves() -> None:
    alike = {name: getattr(loader, "alike", "small") for name, loader in extras.DISTANCES.items()}
    assert {name for name, word in alike.items() if word == "small"} == set(DISTANCES)
