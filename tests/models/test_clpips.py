"""CLPIPS: agreement against published figures, fitting on simulated rankers, and a fitted distance from its file."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest
from scipy import stats

pytestmark = pytest.mark.models
torch = pytest.importorskip("torch")
pytest.importorskip("lpips")

from gen_emerge.errors import BadInput, MissingModel  # noqa: E402
from gen_emerge.scorers.agreement import agreement, gain, icc_2k, ranks, spearman  # noqa: E402
from gen_emerge.scorers.clpips import load_clpips, save_clpips  # noqa: E402
from gen_emerge.scorers.perceptual_networks import load_lpips, open_lpips  # noqa: E402
from gen_emerge.scorers.training_clpips import (  # noqa: E402
    Differences,
    RankedSet,
    Settings,
    differences,
    save,
    train,
)

NET = {"net": "squeeze", "random_trunk": True}


# ---- agreement ---------------------------------------------------------------------------------------------------


def test_icc_2k_is_the_published_figure():
    """Shrout & Fleiss 1979, their table: six targets, four judges."""
    ratings = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], float)
    assert icc_2k(ratings) == pytest.approx(0.6201, abs=5e-5)


def test_icc_2k_asks_for_absolute_agreement():
    column = np.arange(8.0)
    assert icc_2k(np.stack([column, column], 1)) == pytest.approx(1.0)
    assert icc_2k(np.stack([column, column + 3], 1)) < 0.8
    with pytest.raises(BadInput, match="two of each"):
        icc_2k(np.ones((1, 2)))


def test_spearman_and_ranks_are_scipys_ties_included():
    rng = np.random.default_rng(0)
    for _ in range(20):
        a, b = rng.integers(0, 6, 15).astype(float), rng.normal(size=15)
        assert spearman(a, b) == pytest.approx(stats.spearmanr(a, b).statistic)
        assert np.array_equal(ranks(a), stats.rankdata(a))
    assert np.isnan(spearman(np.ones(4), np.arange(4.0)))


def test_the_paired_interval_is_narrower_than_two_separate_ones_and_holds_the_gain():
    rng = np.random.default_rng(1)
    human = [ranks(rng.normal(size=10)) for _ in range(30)]
    common = [one + rng.normal(0, 4, 10) for one in human]
    better = [0.8 * one + 0.2 * other for one, other in zip(common, human, strict=True)]
    found = gain(human, common, better, rng=np.random.default_rng(2), resamples=500)
    assert found.spearman_interval[0] < found.spearman < found.spearman_interval[1]
    assert found.spearman_interval[0] > 0 and found.icc_2k_interval[0] > 0
    alone = [agreement([human[i] for i in d], [common[i] for i in d]).spearman for d in rng.integers(0, 30, (500, 30))]
    assert np.ptp(found.spearman_interval) < np.ptp(np.quantile(alone, [0.025, 0.975]))
    same = gain(human, common, common, rng=np.random.default_rng(2), resamples=50)
    assert (same.spearman, same.icc_2k, same.spearman_interval) == (0.0, 0.0, (0.0, 0.0))
    with pytest.raises(BadInput, match="two at least"):
        gain(human[:1], common[:1], better[:1], rng=rng)


# ---- fitting -----------------------------------------------------------------------------------------------------

CHANNELS, LAYERS = 60, 3


def ranked(count, own, *, noise, seed):
    """Sets whose ranker has these weights; three layers that vary apart from one another."""
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        strengths = rng.gamma(1.5, size=(10, LAYERS)).repeat(CHANNELS // LAYERS, 1)
        features = (strengths * rng.uniform(0.5, 1.5, (10, CHANNELS))).astype(np.float32) * 0.01
        distance = features @ own
        made.append(Differences(features=features, ranks=ranks(distance + rng.normal(0, noise * distance.std(), 10))))
    return made


def test_a_ranker_who_weighs_the_layers_anew_is_learned():
    start, own = np.ones(CHANNELS, np.float32), np.ones(CHANNELS)
    own[: CHANNELS // LAYERS] *= 0.02
    own[-CHANNELS // LAYERS :] *= 5
    found = train(start, ranked(40, own, noise=0.5, seed=0), Settings(resamples=300))
    assert found.gain.spearman >= 0.09 and found.gain.icc_2k >= 0.08
    assert found.gain.spearman_interval[0] > 0 and found.gain.icc_2k_interval[0] > 0
    assert found.gain.sets == 12 and found.weights.min() >= 0
    first, *_, last = np.split(found.weights, LAYERS)
    assert last.mean() > 2 * first.mean()


def test_a_ranker_who_weighs_as_lpips_does_gains_nothing_and_loses_little():
    start = np.ones(CHANNELS, np.float32)
    found = train(start, ranked(40, start, noise=0.5, seed=1), Settings(resamples=100))
    assert abs(found.gain.spearman) < 0.04


def test_weights_are_clamped_at_nought():
    start, own = np.ones(CHANNELS, np.float32), np.ones(CHANNELS)
    own[:20] = -1.5  # nobody should rank so; a fit without the clamp follows them below 0
    found = train(start, ranked(40, own, noise=0.1, seed=2), Settings(resamples=20))
    assert found.weights.min() == 0.0 and found.epochs > 0


def test_the_same_seed_gives_the_same_weights_and_sets_stay_whole():
    start = np.ones(CHANNELS, np.float32)
    own = np.linspace(0, 3, CHANNELS)
    sets = ranked(20, own, noise=0.4, seed=3)
    one, again = (train(start, sets, Settings(seed=4, resamples=20)) for _ in range(2))
    assert np.array_equal(one.weights, again.weights) and one.gain == again.gain
    # 20 sets: 6 held out, 2 to stop by, 12 to learn from; 45 pairs each, none tied.
    assert (one.gain.sets, one.training_sets, one.pairs) == (6, 12, 12 * 45)


def test_what_cannot_be_learned_from_is_refused():
    start = np.ones(CHANNELS, np.float32)
    with pytest.raises(BadInput, match="5 ranked sets, wanted 6"):
        train(start, ranked(5, start, noise=0.1, seed=0))
    tied = [Differences(features=one.features, ranks=np.ones(10)) for one in ranked(8, start, noise=0.1, seed=0)]
    with pytest.raises(BadInput, match="nothing to learn"):
        train(start, tied)


# ---- from pictures to a file and back ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def base():
    return load_lpips(NET, device="cpu")


def pictures(count, seed=5):
    rng = np.random.default_rng(seed)
    return [np.kron(rng.integers(0, 256, (8, 8, 3)), np.ones((6, 6, 1))).astype(np.uint8) for _ in range(count)]


def test_lpips_is_linear_in_the_differences(base):
    target, *others = pictures(4)
    (found,) = differences(base, [RankedSet(target=target, images=tuple(others), ranks=(2, 1, 2))])
    wanted = [base.distance(target, other) for other in others]
    assert found.features @ base.weights == pytest.approx(wanted, rel=1e-4)
    assert found.ranks.tolist() == [2.5, 1.0, 2.5]
    assert found.features.shape == (3, sum(base.channels)) and (base.weights >= 0).all()


def test_a_fitted_distance_is_saved_and_opened_again(base, tmp_path):
    rng = np.random.default_rng(6)
    sets = []
    for number in range(6):
        target, *others = pictures(5, seed=number)
        sets.append(RankedSet(target=target, images=tuple(others), ranks=tuple(rng.permutation(4) + 1)))
    settings = Settings(epochs=3, resamples=20)
    found = differences(base, sets)
    fitted = train(base.weights, found, settings)
    _, trunk = open_lpips("squeeze", NET)
    path = save(tmp_path, base, fitted, net="squeeze", trunk=trunk, settings=settings)
    opened = load_clpips({"fitted": str(path), "random_trunk": True}, device="cpu")
    wanted = found[0].features[0] @ fitted.weights
    assert opened.distance(sets[0].target, sets[0].images[0]) == pytest.approx(float(wanted), rel=1e-4)
    content = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    assert path.name == f"clpips-{content}.safetensors" and f":fitted-{content}:" in opened.version
    card = json.loads(path.with_suffix(".json").read_text())
    assert card["held_out"]["sets"] == 2 and card["settings"]["batch"] == 256 and card["pairs"] == fitted.pairs
    assert not list(tmp_path.glob(".*"))


def test_other_weights_are_another_version(base, tmp_path):
    _, trunk = open_lpips("squeeze", NET)
    card = {"net": "squeeze", "trunk": trunk, "side": 0}
    versions = set()
    for factor in (1.0, 2.0):
        path = save_clpips(tmp_path, base.channels, base.weights * np.float32(factor), card)
        opened = load_clpips({"fitted": str(path), "random_trunk": True}, device="cpu")
        versions.add(opened.version)
        a, b = pictures(2)
        assert opened.distance(a, b) == pytest.approx(factor * base.distance(a, b), rel=1e-5)
    assert len(versions) == 2


def test_a_fitted_distance_that_does_not_belong_is_refused(base, tmp_path):
    _, trunk = open_lpips("squeeze", NET)
    card = {"net": "squeeze", "trunk": trunk, "side": 0}
    given = {"random_trunk": True}
    other = save_clpips(tmp_path / "a", base.channels, base.weights, {**card, "trunk": "0" * 12})
    with pytest.raises(BadInput, match=r"fitted on the trunk 000000000000; weights is the trunk random-trunk-"):
        load_clpips({"fitted": str(other), **given}, device="cpu")
    negative = save_clpips(tmp_path / "b", base.channels, base.weights - 1, card)
    with pytest.raises(BadInput, match=r"holds a weight of -"):
        load_clpips({"fitted": str(negative), **given}, device="cpu")
    short = save_clpips(tmp_path / "c", base.channels[:-1], base.weights[: -base.channels[-1]], card)
    with pytest.raises(BadInput, match=r"missing: 6\.model\.1\.weight"):
        load_clpips({"fitted": str(short), **given}, device="cpu")
    short.with_suffix(".json").unlink()
    with pytest.raises(MissingModel, match=r"\.json.*train clpips"):
        load_clpips({"fitted": str(short), **given}, device="cpu")


def test_sets_that_are_not_well_formed_are_refused(base):
    target, one, two = pictures(3)
    for images, given, words in [
        ((one,), (1,), "2 or more"),
        ((one, two), (1,), "1 ranks"),
        ((one, two[:40]), (1, 2), "another size than its target"),
    ]:
        with pytest.raises(BadInput, match=words):
            differences(base, [RankedSet(target=target, images=images, ranks=given)])
