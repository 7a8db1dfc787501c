"""What the tests of real models share: no network, one thread, and only the noise of other libraries is let through."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

# Before anything imports the hub's client: what is not on this disk is not there.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

HERE = Path(__file__).resolve().parent

# Warnings of other libraries that no user of theirs can act on; each line says whose.
OTHERS = (
    "ignore:.*timm.models.layers.*:FutureWarning",  # dreamsim
    "ignore:.*SwigPy.*:DeprecationWarning",  # sentencepiece
    "ignore:.*pkg_resources.*:UserWarning",  # clip
    "ignore:.*pkg_resources.*:DeprecationWarning",
    "ignore:__array__ implementation doesn.t accept a copy keyword:DeprecationWarning",  # diffusers, old schedulers
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            for line in OTHERS:
                item.add_marker(pytest.mark.filterwarnings(line))


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Makes a tiny text-to-image pipeline ("sd", "sdxl", "sd3" or "flux") in the real format, each once a session."""
    made: dict[str, Path] = {}

    def make(kind: str) -> Path:
        from tiny_pipelines import MAKERS

        if kind not in made:
            made[kind] = MAKERS[kind](tmp_path_factory.mktemp("tiny") / kind)
        return made[kind]

    return make
