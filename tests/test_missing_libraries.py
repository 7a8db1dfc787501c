"""A library that the tests of models need: passed over where it may be missing, a failure where it has to be there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

AT_ONCE = 'import pytest\npytest.importorskip("a_library_nobody_has")\ndef test_it(): pass\n'
LATER = 'import pytest\ndef test_it(): pytest.importorskip("a_library_nobody_has")\n'
OTHERWISE = 'import pytest\npytest.skip("no GPU here", allow_module_level=True)\n'


def passed(folder: Path, repository: Path, code: str, says: str) -> tuple[int, str]:
    """pytest's exit code on one module beside the tests of models, and what it prints."""
    (folder / "models").mkdir(exist_ok=True)
    shutil.copy(repository / "tests" / "models" / "conftest.py", folder / "models")
    (folder / "models" / "test_some.py").write_text(code)
    (folder / "pytest.ini").write_text("[pytest]\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", str(folder)],
        env={**os.environ, "GEN_EMERGE_LIBRARIES": says},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout


@pytest.mark.parametrize("code", [AT_ONCE, LATER])
def test_a_missing_library_fails_where_it_has_to_be_there(tmp_path: Path, repository: Path, code: str) -> None:
    ended, said = passed(tmp_path, repository, code, "required")
    assert ended in (1, 2) and "could not import 'a_library_nobody_has'" in said
    assert "This environment has to have it: make setup-models" in said and "skipped" not in said


@pytest.mark.skipif(Path(sys.prefix).name == ".venv-models", reason="there it has to be there whatever is said")
@pytest.mark.parametrize("code", [AT_ONCE, LATER])
def test_a_missing_library_is_passed_over_elsewhere(tmp_path: Path, repository: Path, code: str) -> None:
    ended, said = passed(tmp_path, repository, code, "")
    assert ended in (0, 5) and "1 skipped" in said


def test_what_is_passed_over_for_another_reason_stays_so(tmp_path: Path, repository: Path) -> None:
    ended, said = passed(tmp_path, repository, OTHERWISE, "required")
    assert ended == 5 and "no GPU here" in said


def test_the_makefile_says_that_the_libraries_have_to_be_there(repository: Path) -> None:
    (line,) = [line for line in (repository / "Makefile").read_text().splitlines() if "-m pytest -m models" in line]
    assert "GEN_EMERGE_LIBRARIES=required $(MODELS)/python" in line
