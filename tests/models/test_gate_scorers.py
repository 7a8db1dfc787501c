"""What every scorer must do, asked of the real gates' scorers on small checkpoints; one failure stays alone.

The same suite as `tests/loop/test_contracts_generator_scorer.py`, whose scorers need no model libraries.
"""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("open_clip")
pytest.importorskip("dreamsim")

from tiny_scorers import classifier_folder, gate_tables, pictures

from gen_emerge import measuring
from gen_emerge.scorers import loading

pytestmark = pytest.mark.models

REFERENCES = ("marbled in ember colours", "tiles in jade colours")
PROMPTS = ("tree", "a red tree in fog", "", "word " * 1000, "🐙🌊✨", "مرحبا بالعالم", "x", "two herons")


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gates")
    made = gate_tables(folder)
    made["classifier"] = {"use": "classifier", "model": str(classifier_folder(folder / "classifier"))}
    return made


def open_one(tables, name):
    chosen = dict(tables)
    gate = "style" if name == "classifier" else name
    chosen["style"] = chosen.pop("classifier") if name == "classifier" else tables["style"]
    chosen.pop("classifier", None)
    wanted = {g: t for g, t in chosen.items() if g == gate or (gate == "style" and g == "prompt")}
    split = {g: (t["use"], {k: v for k, v in t.items() if k != "use"}) for g, t in wanted.items()}
    return next(s for s in loading.load(split, REFERENCES, device="cpu") if gate in s.roles)


@pytest.fixture(scope="module", params=["quality", "prompt", "novelty", "style", "classifier"])
def name(request):
    return request.param


@pytest.fixture(scope="module")
def scorer(name, tables):
    return open_one(tables, name)


@pytest.fixture(scope="module")
def images():
    return pictures(8)


@pytest.fixture(scope="module")
def readings(scorer, images):
    return scorer.score(images, PROMPTS)


def values(reading):
    return {signal.scorer: signal.value for signal in reading.signals}


def close(one, other):
    assert values(one) == pytest.approx(values(other), abs=1e-5)
    assert (one.embedding is None) == (other.embedding is None)
    if one.embedding is not None:
        assert one.embedding.space == other.embedding.space
        assert np.abs(one.embedding.vector - other.embedding.vector).max() < 1e-5


def test_it_fills_one_gate(scorer, name):
    assert scorer.roles == {"style" if name == "classifier" else name}


def test_every_signal_has_the_version_that_was_announced(scorer, readings):
    for reading in readings:
        assert {s.scorer: s.scorer_version for s in reading.signals} == {
            key: version for key, version in scorer.versions.items() if key != "novelty"
        }
    assert all(scorer.versions.values())


def test_it_gives_the_signal_of_its_gate_and_finite_values(scorer, readings):
    for reading in readings:
        assert set(values(reading)) >= scorer.roles - {"novelty"}
        assert all(np.isfinite(value) for value in values(reading).values())
        assert (reading.embedding is not None) == ("novelty" in scorer.roles)


def test_an_embedding_is_a_unit_vector_in_the_space_that_was_announced(scorer, readings):
    if "novelty" not in scorer.roles:
        pytest.skip("gives no embedding")
    for reading in readings:
        vector = reading.embedding.vector
        assert vector.dtype == np.float32 and vector.ndim == 1 and not vector.flags.writeable
        assert np.linalg.norm(vector.astype(np.float64)) == pytest.approx(1.0, abs=1e-5)
        assert reading.embedding.space == scorer.versions["novelty"]


def test_readings_come_in_the_order_of_the_pictures(scorer, images, readings):
    assert len(readings) == len(images)
    for reading, again in zip(readings[::-1], scorer.score(images[::-1], PROMPTS[::-1]), strict=True):
        close(reading, again)


def test_pictures_measure_differently(readings):
    seen = [tuple(values(one).values()) or tuple(one.embedding.vector) for one in readings]
    assert len(set(seen)) == len(readings)


def test_a_picture_alone_and_in_a_batch_measures_the_same(tables, name, images, readings):
    fresh = open_one(tables, name)
    for image, prompt, reading in zip(images, PROMPTS, readings, strict=True):
        copy = image.copy()  # another array, so that nothing remembered of the batch helps
        close(reading, fresh.score([copy], [prompt])[0])


def test_another_instance_measures_exactly_the_same(tables, name, images, readings):
    again = open_one(tables, name).score([image.copy() for image in images], PROMPTS)
    assert [values(one) for one in again] == [values(one) for one in readings]
    for one, other in zip(again, readings, strict=True):
        assert one.embedding is None or np.array_equal(one.embedding.vector, other.embedding.vector)


def test_another_instance_has_the_same_versions(tables, name, scorer):
    assert open_one(tables, name).versions == scorer.versions


def test_it_changes_neither_pictures_nor_prompts(scorer, images):
    arrays, prompts = [array.copy() for array in images], list(PROMPTS)
    scorer.score(arrays, prompts)
    assert all(np.array_equal(array, before) for array, before in zip(arrays, images, strict=True))
    assert prompts == list(PROMPTS)


def test_no_pictures_give_no_readings(scorer):
    assert list(scorer.score([], [])) == []


def test_one_picture_that_cannot_be_measured_fails_alone_in_the_loop(tables, name, images, monkeypatch):
    """A network that gives NaN for one picture: the loop keeps the other readings, and says why that one has none."""
    import torch
    from torch import nn

    scorer = open_one(tables, name)
    bad = np.zeros((64, 64, 3), np.uint8)
    bad.setflags(write=False)
    plain = nn.Module.__call__

    # A black picture is the only one of a single value in every channel, whatever a network makes of black.
    def poisoned(self, *inputs, **options):
        found = plain(self, *inputs, **options)
        if isinstance(self, nn.Conv2d) and self.in_channels == 3:
            inner = inputs[0][:, :, 4:-4, 4:-4].flatten(2)  # without what was padded
            black = (inner.amax(dim=2) == inner.amin(dim=2)).all(dim=1)
            found = torch.where(black[:, None, None, None], torch.nan, found)
        return found

    monkeypatch.setattr(nn.Module, "__call__", poisoned)
    mixed = [images[0], bad, images[1]]
    one, failed, other = measuring.score(scorer, mixed, ["a", "b", "c"], attempts=1)
    assert isinstance(failed, str) and "not finite for picture 1 (64 x 64) of 1" in failed
    monkeypatch.undo()
    close(one, open_one(tables, name).score([images[0].copy()], ["a"])[0])
    close(other, open_one(tables, name).score([images[1].copy()], ["c"])[0])
