"""What the tests of real models share: no network, one thread, and only the noise of other libraries is let through.

A module whose library is missing is passed over, except where the libraries have to be there: in `.venv-models`, and
wherever `GEN_EMERGE_LIBRARIES=required` says so (`make test-models` does). There it fails, and names the library.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

# Before anything imports the hub's client: what is not on this disk is not there.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

HERE = Path(__file__).resolve().parent
REQUIRED = os.environ.get("GEN_EMERGE_LIBRARIES") == "required" or Path(sys.prefix).name == ".venv-models"
MISSING = "could not import"
"""How `pytest.importorskip` begins what it says."""

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


def _refuse_to_pass_over(report: pytest.CollectReport | pytest.TestReport) -> None:
    """What was passed over because a library is missing has failed."""
    said = report.longrepr[-1] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    if REQUIRED and report.skipped and MISSING in said:
        report.outcome = "failed"
        report.longrepr = f"{said.removeprefix('Skipped: ')}\nThis environment has to have it: make setup-models"


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _refuse_to_pass_over(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _refuse_to_pass_over(report)
    return report


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
