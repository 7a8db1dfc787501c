"""Roll-over with the real scorers on tiny random checkpoints: NIMA A to NIMA B, CLIP A to CLIP B, and back.

What is shown is that versions tell the files apart, that numbers are measured once, and that a switch replays; no
number means something to a person.
"""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path
from typing import Any

import pytest

LIBRARIES = ("torch", "open_clip", "h5py")
if missing := [name for name in LIBRARIES if importlib.util.find_spec(name) is None]:
    pytest.skip(f"needs {', '.join(missing)}", allow_module_level=True)
pytestmark = [pytest.mark.models, pytest.mark.slow, pytest.mark.timeout(900)]

SERIES = """schema = 1
name = "night"
seed = 11
[loop]
batch = 4
warmup_cycles = 2
cycles = 4
checkin_every = 0
[image]
width = 64
height = 64
[scorers.quality]
use = "nima"
weights = "models/nima-a.hdf5"
[scorers.prompt]
use = "clip"
model = "tiny-clip"
weights = "models/clip-a/tiny-clip.safetensors"
[scorers.style]
use = "clip-zero-shot"
[archive]
dims = [4, 4]
"""
CLIP_B = {"weights": "models/clip-b/tiny-clip.safetensors"}


@pytest.fixture
def studio_of_two(tmp_path: Path) -> Path:
    """A studio folder with two of each model, and the series after four cycles."""
    import tiny_scorers

    from gen_emerge.series import Studio

    root = tmp_path / "studio"
    shutil.copytree(Path(__file__).resolve().parents[2] / "prompts", root / "prompts")
    (root / "experiments" / "series").mkdir(parents=True)
    (root / "models").mkdir()
    for seed, name in ((1, "a"), (2, "b")):
        tiny_scorers.nima_file(root / "models" / f"nima-{name}.hdf5", seed=seed)
        tiny_scorers.clip_files(root / "models" / f"clip-{name}", seed=seed)
    (root / "experiments" / "series" / "night.toml").write_text(SERIES, encoding="utf-8")
    assert Studio(root).run("night")["cycle"] == 4
    return root


def test_nima_and_clip_roll_over_and_back(studio_of_two: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from gen_emerge import rescore
    from gen_emerge.models.checkpoints import digest
    from gen_emerge.series import Studio
    from gen_emerge.store import Store

    root, archive = studio_of_two, studio_of_two / "archive"
    studio = Studio(root)
    before = studio.status("night")["digest"]
    nima = rescore.try_scorer(root, archive, "night", "quality", given={"use": "nima", "weights": "models/nima-b.hdf5"})
    clip = rescore.try_scorer(root, archive, "night", "prompt", given=CLIP_B)
    assert studio.status("night")["digest"] == before
    assert (list(nima["changed"]), list(clip["changed"])) == (["quality"], ["prompt", "style"])
    versions = {gate: side["is"] for said in (nima, clip) for gate, side in said["changed"].items()}
    assert digest(root / "models" / "nima-b.hdf5")[:12] in versions["quality"]
    weights = digest(root / "models" / "clip-b" / "tiny-clip.safetensors")[:12]
    assert weights in versions["prompt"] and weights in versions["style"]
    for said in (nima, clip):
        assert said["measured"] == said["pictures"] > 8 and said["left_out"] == []

    for gate in ("quality", "prompt"):
        rescore.switch(root, archive, "night", gate)
    assert studio.run("night", cycles=5)["cycle"] == 5
    calibrations = told(archive)
    assert {gate: calibrations[1].evidence[gate]["version"] for gate in versions} == versions
    for said in (nima, clip):
        for gate, side in said["changed"].items():
            assert dict(calibrations[1].evidence[gate]) == side["evidence"]

    for gate in ("quality", "prompt"):
        rescore.switch(root, archive, "night", gate, back=True)
    assert studio.run("night", cycles=6)["cycle"] == 6
    calibrations = told(archive)
    assert calibrations[2].bounds == calibrations[0].bounds
    with Store.open(archive / "night", readonly=True) as store:
        known = store.numbers("quality", nima["changed"]["quality"]["was"])
        assert {c.cycle for c in store.candidates(list(known))} == {1, 2, 3, 4, 6}
    from gen_emerge.audit import verify

    assert verify(root, archive, "night")["problems"] == []


def told(archive: Path) -> list[Any]:
    from gen_emerge.store import Store

    with Store.open(archive / "night", readonly=True) as store:
        return store.calibrations()
