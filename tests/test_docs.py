"""What the documents promise: the program runs, links lead somewhere, no page knows somebody's machine."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SKIPPED = {
    ".venv",
    ".venv-models",
    ".uv",
    ".git",
    "archive",
    "node_modules",
    "build",
    "dist",
    ".pytest_cache",
    ".ruff_cache",
}
PAGES = sorted(path for path in ROOT.rglob("*.md") if SKIPPED.isdisjoint(path.relative_to(ROOT).parts[:-1]))
LINK = re.compile(r"!?\[[^\]\[]*\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
# A folder of one machine: /home/ann/..., /Users/ann/..., C:\Users\ann, and roots only a build machine has.
MACHINE = re.compile(r"(?<![\w.:/-])(?:/(?:home|Users|root|work|workspace|tmp|mnt|opt)/[\w.-]+|[A-Z]:\\Users\\\w+)")


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def anchors(text: str) -> set[str]:
    """Heading anchors as GitHub makes them."""
    found = re.findall(r"^#{1,6}\s+(.+?)\s*$", FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in found}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_relative_links_lead_somewhere(page: Path) -> None:
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    broken: list[str] = []
    for target in LINK.findall(text):
        if re.match(r"[a-z][a-z0-9+.-]*:", target):
            continue
        file, _, fragment = target.partition("#")
        path = (page.parent / file) if file else page
        if not path.exists() or (
            fragment and path.suffix == ".md" and fragment not in anchors(path.read_text(encoding="utf-8"))
        ):
            broken.append(target)
    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_no_page_holds_a_path_of_one_machine(page: Path) -> None:
    assert MACHINE.findall(page.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("see /home/ann/pictures", True),
        ("`/tmp/x1`", True),
        (r"C:\Users\ann", True),
        ("https://example.org/home/ann", False),
        ("archive/NAME/tmp/x", False),
        ("/path/to/python3.12", False),
        ("./work/x", False),
    ],
)
def test_the_search_for_machine_paths_finds_what_it_should(text: str, found: bool) -> None:
    assert bool(MACHINE.search(text)) is found


def test_the_changelog_has_this_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(rf"^## \[{re.escape(version)}\]", changelog, re.MULTILINE)


def test_the_package_knows_the_version_it_is_installed_as() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    from importlib.metadata import version as installed

    assert installed("gen-emerge") == version


def programs() -> list[str]:
    """The README's ```python blocks."""
    return re.findall(
        r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )


@pytest.mark.slow
def test_the_program_in_the_readme_runs(studio: Path) -> None:
    found = programs()
    assert found
    for program in found:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", program], cwd=studio, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
