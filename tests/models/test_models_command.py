"""`gen-emerge models` in processes of its own: against a mirror and a hub on loopback, through the real clients."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("huggingface_hub")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from hub import Hub, hub
from loopback import FileServer, serving

from gen_emerge.models.catalogue import catalogue

pytestmark = pytest.mark.models

CONTENT = np.random.default_rng(8).bytes(90_000)
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def mirror() -> Iterator[FileServer]:
    with serving() as server:
        for entry in catalogue().values():
            for original in entry.files:
                server.files["/" + original.url.removeprefix("https://")] = CONTENT
        yield server


@pytest.fixture
def small_hub() -> Iterator[Hub]:
    with hub() as server:
        server.repositories["laion/CLIP-ViT-B-32-laion2B-s34B-b79K"] = {
            COMMIT: {
                "open_clip_model.safetensors": CONTENT,
                "open_clip_config.json": b"{}",
                "README.md": b"#",
                "a.bin": b"x",
            }
        }
        server.repositories["owner/name"] = {
            "f" * 40: {"model_index.json": b"{}", "unet/a.safetensors": b"old", "unet/a.bin": b"p"},
            COMMIT: {"model_index.json": b"{}", "unet/a.safetensors": CONTENT, "unet/a.bin": b"p"},
        }
        yield server


@pytest.fixture
def call(cli: Callable[..., Any], mirror: FileServer, small_hub: Hub, tmp_path: Path) -> Callable[..., Any]:
    env = {
        "GEN_EMERGE_MODELS": str(tmp_path / "models"),
        "GEN_EMERGE_MIRROR": mirror.url,
        "HF_HOME": str(tmp_path / "hf"),
        "HF_ENDPOINT": small_hub.url,
        "HF_HUB_OFFLINE": "0",
        "TRANSFORMERS_OFFLINE": "0",
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }

    def calling(*arguments: str, code: int = 0, **more: Any) -> Any:
        said = cli("models", *arguments, as_json=True, code=code, env={**env, **more.pop("env", {})}, **more)
        return said.json

    return calling


def test_a_model_without_a_published_hash_is_trusted_once_and_compared_ever_after(
    call: Callable[..., Any], mirror: FileServer, tmp_path: Path
) -> None:
    (row,) = call("pull", "laion-v1-vit-b-32")["models"]
    assert row["fetched"] and row["trusted"] == "first use" and Path(row["path"]).read_bytes() == CONTENT
    (again,) = call("pull", "laion_v1")["models"]
    assert not again["fetched"] and len(mirror.asked) == 1
    assert call("where", "laion_v1")["path"] == row["path"]
    listed = {one["name"]: one for one in call("list")["models"]}
    assert listed["laion-v1-vit-b-32"]["present"] and not listed["laion-v2"]["present"]
    assert call("verify")["ok"]
    Path(row["path"]).write_bytes(CONTENT[:-1] + b"?")
    found = call("verify", code=1)
    assert not found["ok"] and "was changed" in found["models"][0]["problems"][0]


def test_other_bytes_than_the_published_ones_are_refused(call: Callable[..., Any], tmp_path: Path) -> None:
    said = call("pull", "nima", code=2)["error"]
    assert "gave another file" in said["message"] and "003fb321" in said["message"]
    assert not list((tmp_path / "models").rglob("*.hdf5"))
    assert call("where", "nima-aesthetic", code=2)["error"]["code"] == "missing-model"


def test_a_file_that_is_gone_from_its_place_is_said(call: Callable[..., Any], mirror: FileServer) -> None:
    mirror.files.clear()
    said = call("pull", "laion-v2", code=1)["error"]
    assert said["code"] == "unreachable" and "HTTP 404" in said["message"]


def test_a_cut_connection_goes_on(call: Callable[..., Any], mirror: FileServer) -> None:
    mirror.cuts = [30_000]
    call("pull", "laion-v2")
    assert [asked for _, asked in mirror.asked] == [None, "bytes=30000-"]


def test_offline_says_what_is_not_here(call: Callable[..., Any], mirror: FileServer) -> None:
    for arguments, env in ((("--offline",), {}), ((), {"GEN_EMERGE_OFFLINE": "1"}), ((), {"HF_HUB_OFFLINE": "1"})):
        said = call("pull", "laion-v2", "nima", *arguments, code=2, env=env)["error"]
        assert said["code"] == "missing-model" and "laion-v2, nima-aesthetic" in said["message"]
    assert mirror.asked == []
    call("pull", "laion-v2")
    call("pull", "laion-v2", "--offline")


def test_names_or_a_series_are_wanted(call: Callable[..., Any]) -> None:
    assert "--series" in call("pull", code=2)["error"]["message"]
    assert "nima-aesthetic" in call("pull", "nima-astetic", code=2)["error"]["hint"]


def test_a_hubs_repository_comes_by_the_hubs_own_client_and_keeps_its_commit(
    call: Callable[..., Any], small_hub: Hub
) -> None:
    (row,) = call("pull", "clip-vit-b-32")["models"]
    path = Path(row["path"])
    assert path.read_bytes() == CONTENT and row["revision"] == COMMIT and row["trusted"] == "first use"
    assert {file.name for file in path.parent.iterdir()} == {"open_clip_model.safetensors", "open_clip_config.json"}
    before = len(small_hub.asked)
    assert call("pull", "clip")["models"][0]["path"] == row["path"]
    assert len(small_hub.asked) == before and call("verify")["ok"]


def test_a_hub_without_the_repository_is_said(call: Callable[..., Any], small_hub: Hub) -> None:
    small_hub.repositories.clear()
    said = call("pull", "clip-vit-b-32", code=1)["error"]
    assert said["code"] == "unreachable" and "laion/CLIP" in said["message"]


def test_an_unreachable_hub_is_said(call: Callable[..., Any]) -> None:
    said = call("pull", "clip-vit-b-32", code=1, env={"HF_ENDPOINT": "http://127.0.0.1:9"})["error"]
    assert said["code"] == "unreachable" and "run the command again" in said["hint"].lower()


SERIES = """
name = "night"
profile = "diffusion"
[generator]
model = "owner/name"
revision = "{revision}"
[scorers.quality]
use = "embedded"
[scorers.prompt]
use = "embedded"
[scorers.novelty]
use = "embedded"
[scorers.style]
use = "{style}"
"""


def series(studio: Path, *, revision: str = "f" * 40, style: str = "embedded") -> None:
    text = SERIES.format(revision=revision, style=style)
    (studio / "experiments" / "series" / "night.toml").write_text(text, encoding="utf-8")


def test_a_series_pulls_its_checkpoint_at_the_pinned_commit(call: Callable[..., Any], studio: Path) -> None:
    series(studio, style="clip-zero-shot")
    rows = call("list", "night", root=studio)["models"]
    assert [(row["role"], row["name"], row["present"]) for row in rows] == [
        ("generator.model", "owner/name", False),
        ("scorers.style.weights", "clip-vit-b-32", False),
    ]
    checkpoint, _ = call("pull", "--series", "night", root=studio)["models"]
    folder = Path(checkpoint["path"])
    assert (folder / "unet" / "a.safetensors").read_bytes() == b"old" and not (folder / "unet" / "a.bin").exists()
    assert all(row["present"] for row in call("list", "night", root=studio)["models"])
    assert {row["name"] for row in call("verify")["models"]} == {"owner/name", "clip-vit-b-32"}
    call("pull", "--series", "night", "--offline", root=studio, env={"HF_HUB_OFFLINE": "1"})


def test_a_series_without_a_revision_is_told_the_commit_to_write(call: Callable[..., Any], studio: Path) -> None:
    series(studio, revision="")
    (row,) = call("pull", "--series", "night", root=studio)["models"]
    assert row["revision"] == COMMIT


def test_a_series_does_not_begin_without_its_models(
    call: Callable[..., Any], cli: Callable[..., Any], studio: Path, tmp_path: Path
) -> None:
    pytest.importorskip("torch")
    env = {"GEN_EMERGE_MODELS": str(tmp_path / "models"), "HF_HOME": str(tmp_path / "hf")}
    series(studio)
    said = cli("run", "night", root=studio, as_json=True, code=2, env=env).json["error"]
    assert said["code"] == "missing-model" and "owner/name" in said["message"]
    assert said["hint"] == "gen-emerge models pull --series night"
    assert not (studio / "archive" / "night").exists()
    series(studio, revision="")
    said = cli("run", "night", root=studio, as_json=True, code=2, env=env).json["error"]
    assert said["code"] == "bad-config" and "revision" in said["message"]
