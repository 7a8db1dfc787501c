"""What every detector must do: one suite, the fake passes what the real ones pass."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from loop_crew import Series, crew

from gen_emerge.fakes import FakeDetector
from gen_emerge.measuring import find
from gen_emerge.protocols import Detector
from gen_emerge.scorers.defects.seams import Seams
from gen_emerge.types import Defect, Pixels

OPEN: dict[str, Callable[[], Detector]] = {"fake": FakeDetector, "seams": lambda: Seams({})}


@pytest.fixture(params=sorted(OPEN))
def detector(request: pytest.FixtureRequest) -> Detector:
    return OPEN[request.param]()


@pytest.fixture(scope="module")
def pictures() -> list[Pixels]:
    """Pictures of several sizes, read-only; some are broken, some are not."""
    rng = np.random.default_rng(8)
    smooth = np.rint(128 + 20 * np.sin(np.mgrid[0:96, 0:80][1] / 9))[..., None].repeat(3, 2)
    pasted = smooth + rng.normal(0, 1, smooth.shape)
    pasted[:, 37:] += 60
    arrays = [smooth, pasted, rng.integers(100, 156, (50, 70, 3)), np.full((33, 47, 3), 9), pasted[::-1, ::-1]]
    made = [np.clip(array, 0, 255).astype(np.uint8) for array in arrays]
    for array in made:
        array.setflags(write=False)
    return made


def test_it_has_a_name_and_a_version(detector: Detector) -> None:
    assert detector.name and detector.version and isinstance(detector.name + detector.version, str)
    again = next(opened() for opened in OPEN.values() if opened().name == detector.name)
    assert (again.name, again.version) == (detector.name, detector.version)


def test_defects_of_every_picture_in_the_same_order_each_with_a_place_and_a_reason(
    detector: Detector, pictures: list[Pixels]
) -> None:
    found = [list(each) for each in detector.find(pictures)]
    assert len(found) == len(pictures)
    assert any(found) and not all(found), "the suite has pictures of both kinds for every detector"
    for defect in (one for each in found for one in each):
        assert isinstance(defect, Defect) and defect.kind and defect.reason.endswith(".")
        left, top, right, bottom = defect.box
        assert 0.0 <= left < right <= 1.0 and 0.0 <= top < bottom <= 1.0
    # The loop's own check finds nothing to say against any of them.
    assert find(detector, pictures, attempts=1) == [tuple(each) for each in found]


def test_alone_in_a_batch_in_another_order_and_by_another_instance_the_same(
    detector: Detector, pictures: list[Pixels]
) -> None:
    found = [tuple(each) for each in detector.find(pictures)]
    assert [tuple(detector.find([picture])[0]) for picture in pictures] == found
    assert [tuple(each) for each in detector.find(pictures[::-1])] == found[::-1]
    other = next(opened() for opened in OPEN.values() if opened().name == detector.name)
    assert [tuple(each) for each in other.find(pictures)] == found


def test_no_pictures_have_no_defects_and_none_is_changed(detector: Detector, pictures: list[Pixels]) -> None:
    before = [picture.copy() for picture in pictures]
    detector.find(pictures)
    assert list(detector.find([])) == []
    assert all((picture == was).all() for picture, was in zip(pictures, before, strict=True))


def test_the_fake_runs_in_the_loop(tmp_path: Path) -> None:
    series = Series(tmp_path / "a", crew(detectors=(FakeDetector(),))).run(4)
    assert 0 < series.state.rejections["fake"] < series.state.candidates
