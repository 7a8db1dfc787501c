"""What every generator and every scorer must do: one suite each, the fakes pass what the real ones pass."""

from __future__ import annotations

import numpy as np
import pytest

from gen_emerge.banks import load_prompts
from gen_emerge.chance import draw
from gen_emerge.emitters.operators import Fresh
from gen_emerge.engines.local import to_pixels
from gen_emerge.fakes import FakeGenerator, FakeScorer
from gen_emerge.generators.painter.generator import Painter
from gen_emerge.scorers import embedded
from gen_emerge.scorers.measures import LIMITS, PixelMeasures
from gen_emerge.types import Genome, Sources

ROLES = {"quality", "prompt", "novelty", "style", "measures"}


@pytest.fixture(scope="module")
def bank(repository):
    return load_prompts(repository / "prompts" / "painter-1.toml")


def genomes(generator, bank, count=4, size=(48, 40)):
    made = []
    for slot in range(count):
        sketch = Fresh().propose(Sources(bank=bank, parameters=generator.parameters), draw(5, 1, slot, "contract"))
        made.append(
            Genome(
                slots=sketch.slots,
                prompt=bank.prompt(sketch.slots),
                seed=sketch.seed,
                generator=generator.name,
                generator_version=generator.version,
                parameters=sketch.parameters,
                width=size[0],
                height=size[1],
            )
        )
    return made


# ---- generators --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=[FakeGenerator, Painter], ids=["fake", "painter"])
def generator(request):
    return request.param()


@pytest.fixture(scope="module")
def rendered(generator, bank):
    return generator.render(genomes(generator, bank))


def test_a_generator_has_a_name_a_version_and_parameters_with_ranges(generator):
    assert generator.name and generator.version and isinstance(generator.name + generator.version, str)
    assert generator.parameters
    assert all(low < high for low, high in generator.parameters.values())


def test_one_picture_a_genome_of_the_size_asked_for(generator, bank, rendered):
    assert len(rendered) == 4
    for array in rendered:
        assert array.shape == (40, 48, 3)
        assert array.dtype == np.uint8 or np.issubdtype(array.dtype, np.floating)
        assert to_pixels(array)[1]
    assert generator.render(genomes(generator, bank, 1, size=(33, 71)))[0].shape == (71, 33, 3)


def test_the_same_genome_gives_the_same_picture_alone_in_a_batch_and_in_another_order(generator, bank, rendered):
    many = genomes(generator, bank)
    for place, one in enumerate(many):
        assert np.array_equal(generator.render([one])[0], rendered[place])
    for array, again in zip(reversed(rendered), generator.render(many[::-1]), strict=True):
        assert np.array_equal(array, again)


def test_another_instance_gives_the_same_picture(generator, bank, rendered):
    assert np.array_equal(type(generator)().render(genomes(generator, bank, 1))[0], rendered[0])


def test_different_genomes_give_different_pictures(generator, bank, rendered):
    assert len({array.tobytes() for array in rendered}) == 4
    (one,) = genomes(generator, bank, 1)
    other = Genome(**{**one.recipe(), "seed": one.seed + 1})
    assert not np.array_equal(generator.render([other])[0], rendered[0])


def test_a_generator_changes_no_genome(generator, bank):
    many = genomes(generator, bank)
    before = [genome.recipe() for genome in many]
    generator.render(many)
    assert [genome.recipe() for genome in many] == before and many == genomes(generator, bank)


def test_no_genomes_give_no_pictures(generator):
    assert list(generator.render([])) == []


# ---- scorers -----------------------------------------------------------------------------------------------------

REFERENCES = ("marbled in ember colours", "tiles in jade colours")


def open_scorer(name):
    if name == "fake":
        return FakeScorer()
    if name == "measures":
        return PixelMeasures()
    found = embedded.load(embedded.ROLES, REFERENCES)
    return next(s for s in found if ("quality" in s.roles) == (name == "embedded-quality"))


@pytest.fixture(scope="module", params=["fake", "measures", "embedded-trunk", "embedded-quality"])
def scorer(request):
    return open_scorer(request.param)


@pytest.fixture(scope="module")
def pictures(bank):
    """Pictures of several sizes and kinds, read-only, and their prompts."""
    painter = Painter()
    wanted = [*genomes(painter, bank, 3, size=(96, 80)), *genomes(painter, bank, 2, size=(64, 128))]
    arrays = [*painter.render(wanted), FakeGenerator().render(wanted[:1])[0]]
    rng = np.random.default_rng(3)
    arrays += [rng.integers(0, 256, (50, 70, 3), dtype=np.uint8), np.full((40, 40, 3), 9, np.uint8)]
    for array in arrays:
        array.setflags(write=False)
    prompts = [genome.prompt for genome in wanted] + ["two colours", "nothing but noise", ""]
    return arrays, prompts


@pytest.fixture(scope="module")
def readings(scorer, pictures):
    return scorer.score(*pictures)


def values(reading):
    return {signal.scorer: signal.value for signal in reading.signals}


def close(one, other):
    assert set(values(one)) == set(values(other))
    for name, value in values(one).items():
        assert values(other)[name] == pytest.approx(value, abs=1e-5), name
    assert (one.embedding is None) == (other.embedding is None)
    if one.embedding is not None:
        assert one.embedding.space == other.embedding.space
        assert np.abs(one.embedding.vector - other.embedding.vector).max() < 1e-5


def test_a_scorer_fills_known_roles(scorer):
    assert scorer.roles and set(scorer.roles) <= ROLES


def test_every_signal_has_the_version_that_was_announced(scorer, readings):
    for reading in readings:
        assert {signal.scorer: signal.scorer_version for signal in reading.signals} == {
            name: version for name, version in scorer.versions.items() if name != "novelty"
        }
    assert all(scorer.versions.values())


def test_a_scorer_gives_the_signals_of_its_roles(scorer, readings):
    for reading in readings:
        wanted = (set(scorer.roles) - {"novelty", "measures"}) | (set(LIMITS) if "measures" in scorer.roles else set())
        assert set(values(reading)) >= wanted
        assert (reading.embedding is not None) == ("novelty" in scorer.roles)


def test_every_value_is_finite_whatever_the_picture(readings):
    for reading in readings:
        assert all(np.isfinite(value) for value in values(reading).values())


def test_an_embedding_is_a_unit_vector_in_the_space_that_was_announced(scorer, readings):
    if "novelty" not in scorer.roles:
        pytest.skip("gives no embedding")
    for reading in readings:
        vector = reading.embedding.vector
        assert vector.dtype == np.float32 and vector.ndim == 1 and not vector.flags.writeable
        assert np.linalg.norm(vector.astype(np.float64)) == pytest.approx(1.0, abs=1e-5)
    assert {(r.embedding.space, r.embedding.vector.shape) for r in readings} == {
        (scorer.versions["novelty"], readings[0].embedding.vector.shape)
    }


def test_readings_come_in_the_order_of_the_pictures(scorer, pictures, readings):
    arrays, prompts = pictures
    assert len(readings) == len(arrays)
    for reading, again in zip(readings[::-1], scorer.score(arrays[::-1], prompts[::-1]), strict=True):
        close(reading, again)
    assert len({tuple(values(reading).values()) for reading in readings}) > 4


def test_a_picture_alone_and_in_a_batch_measures_the_same(scorer, pictures, readings):
    for array, prompt, reading in zip(*pictures, readings, strict=True):
        close(reading, scorer.score([array], [prompt])[0])


def test_the_same_picture_measures_exactly_the_same_every_time(scorer, pictures, readings):
    again = scorer.score(*pictures)
    assert [values(one) for one in again] == [values(one) for one in readings]
    for one, other in zip(again, readings, strict=True):
        assert one.embedding is None or np.array_equal(one.embedding.vector, other.embedding.vector)


def test_a_scorer_changes_neither_pictures_nor_prompts(scorer, pictures):
    arrays, prompts = [array.copy() for array in pictures[0]], list(pictures[1])
    scorer.score(arrays, prompts)
    assert all(np.array_equal(array, before) for array, before in zip(arrays, pictures[0], strict=True))
    assert prompts == pictures[1]


def test_no_pictures_give_no_readings(scorer):
    assert list(scorer.score([], [])) == []
