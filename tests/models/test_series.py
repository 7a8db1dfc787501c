"""A whole series of the diffusion profile through the command line, all four real gates at work, and killed on the way.

The checkpoints are tiny and random: what is shown is that everything loads, measures, gates, stores and replays, not
that any number means something to a person.
"""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from gen_emerge.store import Store

LIBRARIES = ("torch", "diffusers", "open_clip", "dreamsim", "h5py", "transformers")
# Looked for, not imported: half a minute of imports is left to the processes that need them.
if missing := [name for name in LIBRARIES if importlib.util.find_spec(name) is None]:
    pytest.skip(f"needs {', '.join(missing)}", allow_module_level=True)
pytestmark = [pytest.mark.models, pytest.mark.slow, pytest.mark.timeout(1500)]

CYCLES, BATCH = 10, 4
GATES = ("quality", "prompt", "novelty", "style")
PATIENCE = 600.0
SERIES = """
name = "night"
profile = "diffusion"
seed = 11
[loop]
batch = {batch}
warmup_cycles = 3
cycles = {cycles}
checkin_every = 0
[image]
width = 64
height = 64
[generator]
model = "models/pipeline"
steps = 2
guidance = 5.0
device = "cpu"
[scorers.quality]
weights = "models/nima.hdf5"
[scorers.prompt]
model = "tiny-clip"
weights = "models/clip/tiny-clip.safetensors"
[scorers.novelty]
type = "dino_vitb16"
weights = "models/dreamsim"
allow_hub_code = true
sha256 = {pins}
[archive]
dims = [4, 4]
"""


@pytest.fixture(scope="session")
def small_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pipeline and the three models of the four gates, as their libraries write them."""
    import tiny_pipelines
    import tiny_scorers

    folder = tmp_path_factory.mktemp("night") / "models"
    folder.mkdir()
    tiny_pipelines.sd(folder / "pipeline")
    tiny_scorers.nima_file(folder / "nima.hdf5")
    tiny_scorers.clip_files(folder / "clip")
    tiny_scorers.dreamsim_folder(folder / "dreamsim", "dino_vitb16")
    return folder


@pytest.fixture(scope="session")
def build(small_models: Path) -> Callable[[Path], Path]:
    """Makes a studio folder with the series `night` in it; its models lie in the folder, named by relative paths."""
    import shutil

    import tiny_scorers

    def made(root: Path) -> Path:
        shutil.copytree(Path(__file__).resolve().parents[2] / "prompts", root / "prompts")
        (root / "experiments" / "series").mkdir(parents=True)
        (root / "models").symlink_to(small_models)
        pins = tiny_scorers.pins(small_models / "dreamsim")
        inline = "{" + ", ".join(f"{json.dumps(name)} = {json.dumps(value)}" for name, value in pins.items()) + "}"
        text = SERIES.format(batch=BATCH, cycles=CYCLES, pins=inline)
        (root / "experiments" / "series" / "night.toml").write_text(text, encoding="utf-8")
        return root

    return made


def start(root: Path, *arguments: str) -> subprocess.Popen[str]:
    code = "import sys; from gen_emerge.cli.main import main; sys.exit(main())"
    out, err = (root / f"said.{end}" for end in ("out", "err"))
    # Nothing may be fetched, whatever is in the caches of this machine.
    env = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "GEN_EMERGE_MODELS": str(root / "none")}
    command = [sys.executable, "-c", code, "--root", str(root), "--json", *arguments]
    with out.open("w") as stdout, err.open("w") as stderr:
        return subprocess.Popen(command, stdout=stdout, stderr=stderr, text=True, env=env)


def call(root: Path, *arguments: str, code: int = 0) -> dict[str, Any]:
    ended = start(root, *arguments).wait(PATIENCE)
    said = (root / "said.out").read_text() + (root / "said.err").read_text()
    assert ended == code, f"gen-emerge {arguments}: exit {ended}, not {code}\n{said}"
    return json.loads((root / "said.out").read_text())


def committed(root: Path) -> int:
    path = root / "archive" / "night" / "series.db"
    if not path.exists():
        return 0
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)) as connection:
        try:
            return int(connection.execute("SELECT coalesce(max(cycle), 0) FROM cycles").fetchone()[0])
        except sqlite3.OperationalError:
            return 0


@pytest.fixture(scope="session")
def calm(build: Callable[[Path], Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """One uninterrupted run."""
    root = build(tmp_path_factory.mktemp("calm") / "studio")
    return root, call(root, "run", "night")


def test_ten_cycles_pass_all_four_real_gates(calm: tuple[Path, dict[str, Any]]) -> None:
    root, status = calm
    assert (status["state"], status["cycle"], status["candidates"]) == ("done", CYCLES, CYCLES * BATCH)
    assert status["failed"] == 0 and status["accepted"] > 0 and status["cells_filled"] > 1
    fired = status["rejected"]["gates"]
    # By chance of random networks each gate fires a few times; that several do shows that real numbers reach them.
    assert set(fired) <= set(GATES) and len(fired) >= 3
    in_all = status["passed"] + status["review"] + status["pending"] + status["rejected"]["total"]
    assert in_all == status["candidates"]
    found = call(root, "verify", "night")
    assert found == {"series": "night", "ok": True, "uncommitted": 0, "problems": []}


def test_every_signal_names_the_library_and_the_checkpoint_it_came_from(calm: tuple[Path, dict[str, Any]]) -> None:
    from gen_emerge.models.checkpoints import digest

    root, _ = calm
    with Store.open(root / "archive" / "night", readonly=True) as store:
        (settings,) = store.inputs_of("config")
        candidates = store.candidates(current=True)
    versions = settings.payload["versions"]
    assert digest(root / "models" / "nima.hdf5")[:12] in versions["quality"]
    assert digest(root / "models" / "clip" / "tiny-clip.safetensors")[:12] in versions["prompt"]
    assert "open_clip" in versions["prompt"] and "dreamsim" in versions["novelty"] and "diffus" in versions["generator"]
    # The file's paths are stored as they were written: the studio folder can be moved.
    assert settings.payload["settings"]["generator"]["model"] == "models/pipeline"
    operators = {candidate.genome.operator for candidate in candidates}
    assert operators & {"slerp", "perturb", "image"}, operators


def test_kills_change_nothing(build: Callable[[Path], Path], calm: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    root, (_, wanted) = build(tmp_path / "studio"), calm
    for goal, pause in ((0, 4.0), (2, 0.15), (6, 0.05)):  # while it loads, in the warm-up, among the gates
        running = start(root, "run", "night")
        deadline = time.monotonic() + PATIENCE
        while committed(root) < goal and running.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        time.sleep(pause)
        running.send_signal(signal.SIGKILL)
        assert running.wait(60) == -signal.SIGKILL, (root / "said.err").read_text()
        assert goal <= committed(root) < CYCLES
    status = call(root, "run", "night")
    assert (status["state"], status["digest"]) == ("done", wanted["digest"])
    assert call(root, "verify", "night")["ok"]


def test_pictures_made_elsewhere_pass_the_four_real_gates_and_are_begun_from(
    calm: tuple[Path, dict[str, Any]], build: Callable[[Path], Path], tmp_path: Path
) -> None:
    import shutil

    from pictures_elsewhere import many, wave
    from PIL import Image

    root = build(tmp_path / "studio")
    shutil.copytree(calm[0] / "archive", root / "archive")
    pictures = many(tmp_path / "pictures", 6)
    for number, size in enumerate([(200, 80), (40, 300)]):
        Image.fromarray(wave(300 + number, *size)).save(pictures / f"shape-{number}.png")
    said = call(root, "import", "night", str(pictures), "--prompt", "waves of colour")
    assert (said["imported"], said["cycles_run"]) == (8, said["cycle"] - CYCLES) and "queued" not in said["counts"]
    call(root, "run", "night", "--cycles", str(said["cycle"] + 8))
    with Store.open(root / "archive" / "night", readonly=True) as store:
        everybody = store.candidates(current=True)
        mine = {c.genome.hash: c for c in everybody if c.genome.imported}
        signals = store.signals([c.id for c in mine.values()])
    assert len(mine) == 8 and not [c for c in everybody if c.status == "failed"]
    assert all({"quality", "prompt", "style"} <= set(found) for found in signals.values())
    assert {(c.image.width, c.image.height) for c in mine.values() if c.image} == {(60, 44), (200, 80), (40, 300)}
    children = [c for c in everybody if set(c.genome.parents) & set(mine)]
    assert {c.genome.operator for c in children} <= {"image"}
    assert call(root, "verify", "night")["ok"]
