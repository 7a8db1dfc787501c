"""Importing the package costs little and needs no optional library."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

OPTIONAL = (
    "ImageReward",
    "accelerate",
    "anthropic",
    "diffusers",
    "dreamsim",
    "fastapi",
    "h5py",
    "huggingface_hub",
    "lpips",
    "matplotlib",
    "open_clip",
    "peft",
    "ray",
    "safetensors",
    "timm",
    "torch",
    "torchmetrics",
    "torchvision",
    "transformers",
    "uvicorn",
)
"""Never part of the core."""

HEAVY = (
    "alembic",
    "jinja2",
    "llvmlite",
    "numba",
    "onnxruntime",
    "pandas",
    "ribs",
    "scipy",
    "sklearn",
    "sqlalchemy",
    "usearch",
)
"""Part of the core, imported when used."""


def loaded(code: str) -> set[str]:
    """Top-level modules in a fresh interpreter after some code."""
    report = "\nimport json, sys; print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    done = subprocess.run([sys.executable, "-c", code + report], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize(
    "module",
    ["gen_emerge", "gen_emerge.types", "gen_emerge.protocols", "gen_emerge.config", "gen_emerge.cli.main"],
)
def test_nothing_heavy_is_imported_before_it_is_used(module: str) -> None:
    assert loaded(f"import {module}") & {*OPTIONAL, *HEAVY} == set()


def test_importing_the_package_itself_imports_no_other_library() -> None:
    assert loaded("import gen_emerge") & {*OPTIONAL, *HEAVY, "numpy", "PIL", "pydantic", "click"} == set()


IMPORT_ALL_WITHOUT = """
import importlib, pkgutil, sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {absent!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}} (made absent by the test)", name=name)

sys.meta_path.insert(0, Absent())
import gen_emerge
count = 0
for module in pkgutil.walk_packages(gen_emerge.__path__, "gen_emerge."):
    if ".migrations" not in module.name and not module.name.endswith(".__main__"):
        importlib.import_module(module.name)
        count += 1
assert count > 10, count
"""


def test_every_module_imports_where_no_optional_library_is_installed() -> None:
    assert loaded(IMPORT_ALL_WITHOUT.format(absent=set(OPTIONAL))) & set(OPTIONAL) == set()
