from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from survive_tools import STAND_INS, House, Zygote, environment

ROOT = Path(__file__).resolve().parents[2]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.name == "nt":
        here = Path(__file__).parent
        for item in items:
            if here in item.path.parents:
                item.add_marker(pytest.mark.skip(reason="kills and forks of POSIX"))


@pytest.fixture(scope="session")
def distribution(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """What stands on `PYTHONPATH`: the stand-ins, and a distribution that offers a generator by its entry point."""
    folder = tmp_path_factory.mktemp("distribution")
    info = folder / "troubled-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: troubled\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text("[gen_emerge.generators]\ntroubled = troubled:Troubled\n", encoding="utf-8")
    return [STAND_INS, folder, ROOT]


@pytest.fixture(scope="session")
def zygote(distribution: list[Path]) -> Iterator[Zygote]:
    made = Zygote(environment(distribution))
    yield made
    made.close()


@pytest.fixture(scope="session")
def build(zygote: Zygote, distribution: list[Path]) -> Callable[[Path], House]:
    """Makes a house in a folder."""

    def made(root: Path) -> House:
        shutil.copytree(ROOT / "prompts", root / "prompts")
        (root / "experiments" / "series").mkdir(parents=True)
        (root / "archive").mkdir()
        return House(root, environment(distribution), zygote)

    return made


@pytest.fixture
def house(build: Callable[[Path], House], tmp_path: Path) -> House:
    """A studio folder of this test's own."""
    return build(tmp_path / "studio")


@pytest.fixture
def night(judged: House, house: House) -> House:
    """A copy of the series that a module's `judged` has made, in a studio folder of this test's own."""
    shutil.copytree(judged.folder("night"), house.folder("night"))
    file = Path("experiments", "series", "night.toml")
    shutil.copyfile(judged.root / file, house.root / file)
    return house


@pytest.fixture(scope="session")
def reference(build: Callable[[Path], House], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """One uninterrupted run of the small series: what every run that is disturbed must come to."""
    house = build(tmp_path_factory.mktemp("reference") / "studio")
    house.series("calm")
    status = house.call("run", "calm")
    assert status["state"] == "done" and status["cycle"] == 14
    house.healthy("calm")
    return {"digest": status["digest"], "history": house.history("calm"), "status": status, "house": house}
