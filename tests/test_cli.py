"""The door of the command line: help, errors, exit codes, JSON; and the commands that only need folders."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

from gen_emerge import __version__
from gen_emerge.cli import group
from gen_emerge.cli import main as door
from gen_emerge.cli.main import cli as commands
from gen_emerge.config import load, parse, write_series
from gen_emerge.errors import (
    BadInput,
    Damaged,
    DiskFull,
    HeldByAnother,
    MissingExtra,
    OutOfBudget,
    WaitingForHuman,
    WrongSchema,
)

Outcome = tuple[int, str, str]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Calls the command line in this process: (exit code, stdout, stderr)."""

    def run(*arguments: object) -> Outcome:
        capsys.readouterr()
        code = door.main([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def files_of(folder: Path) -> dict[str, str]:
    """Every file below a folder and its content's hash."""
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in paths}


def error_of(out: str) -> dict[str, Any]:
    """The one error object on stdout."""
    found = json.loads(out)
    assert set(found) == {"error"}
    assert set(found["error"]) == {"code", "message", "hint"}
    return found["error"]


def test_help_is_quick_and_imports_nothing_heavy(tmp_path: Path) -> None:
    heavy = ["numpy", "pydantic", "sqlalchemy", "PIL", "numba", "onnxruntime", "ribs", "scipy", "torch", "alembic"]
    script = (
        "import sys\nfrom gen_emerge.cli.main import main\ncode = main(['--help'])\n"
        f"print([name for name in {heavy!r} if name in sys.modules], file=sys.stderr)\nsys.exit(code)"
    )
    took: list[float] = []
    for _ in range(3):
        began = os.times()
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path, check=True)
        ended = os.times()
        # Processor time: on a machine that is busy with other tests the clock on the wall says nothing.
        spent = ended.children_user + ended.children_system - began.children_user - began.children_system
        took.append(spent)
        assert done.stderr.strip() == "[]"
    assert min(took) < 0.5
    for name in group.SHORT_HELP:
        assert re.search(rf"^  {name} ", done.stdout, flags=re.M)


def test_every_command_teaches_with_an_example(call: Callable[..., Outcome]) -> None:
    for name in group.SHORT_HELP:
        context = click.Context(commands)
        command = commands.get_command(context, name)
        assert command is not None and command.name == name
        below = command.commands if isinstance(command, click.Group) else {}
        for words in ([name], *([name, inner] for inner in below)):
            code, out, _ = call(*words, "--help")
            spelt = " ".join(words)
            assert code == 0
            assert f"gen-emerge {spelt}" in out or f"gen-emerge --json {spelt}" in out, spelt
            assert "Example:\n      gen-emerge" in out, spelt
            if len(words) == 1:
                assert "--json" in out, spelt


def test_the_page_of_the_docs_is_what_help_says(repository: Path) -> None:
    from gen_emerge.cli.docs import page

    written = (repository / "docs" / "cli.md").read_text(encoding="utf-8")
    assert written == page(), "run: python -m gen_emerge.cli.docs"


def test_no_arguments_show_the_help(call: Callable[..., Outcome]) -> None:
    code, out, _ = call()
    assert code == 0
    assert "Usage: gen-emerge" in out


@pytest.mark.parametrize("group", [(), ("models",), ("train",)])
def test_without_a_command_json_is_one_object_too(call: Callable[..., Outcome], group: tuple[str, ...]) -> None:
    assert call(*group)[:1] == (0,)
    code, out, err = call("--json", *group)
    error = json.loads(out)["error"]
    assert (code, error["code"], error["message"], err) == (2, "usage", "Missing command.", "")
    assert error["hint"] == f"See: {' '.join(('gen-emerge', *group))} --help"


def test_the_version_is_told(call: Callable[..., Outcome]) -> None:
    assert call("--version") == (0, f"gen-emerge {__version__}\n", "")
    code, out, _ = call("--json", "--version")
    assert (code, json.loads(out)) == (0, {"version": __version__})


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (["rnu", "x"], 'no command "rnu"', 'Did you mean "run"?'),
        (["new", "x", "--profil", "embedded"], "no option --profil", 'Did you mean "--profile"?'),
        (["new"], "Missing argument 'NAME'", "gen-emerge new --help"),
        (["judge", "x", "--top", "3"], "no option --top", "gen-emerge judge --help"),
        (["run", "x", "--cycles", "0"], "0: wanted a whole number from 1 to 10000000.", "gen-emerge run --help"),
        (["run", "x", "--cycles", "10000001"], "whole number from 1 to 10000000.", "gen-emerge run --help"),
        (["new", "x", "--seed", "-1"], "-1: wanted a whole number from 0 up.", "gen-emerge new --help"),
        (["new", "x", "--seed", str(2**63)], f"wanted a whole number, {2**63 - 1} at most.", "gen-emerge new --help"),
        (["run", "x", "--cycles", "many"], "--cycles", "gen-emerge run --help"),
        (["run", "x", "y"], "unexpected extra argument", "gen-emerge run --help"),
        (["rounds", "x", "--open", "pears"], 'wanted one of "pairs"', "gen-emerge rounds --help"),
        (["rounds", "x", "--open", "pears"], 'Did you mean "pairs"?', "gen-emerge rounds --help"),
        (
            ["rounds", "x", "--open", "3"],
            'wanted one of "pairs", "rank4", "ranking", "triplets", "keep", "review".',
            "gen-emerge rounds --help",
        ),
        (
            ["train", "clpips", "x", "--into", "y", "--net", "vg"],
            'Did you mean "vgg"?',
            "gen-emerge train clpips --help",
        ),
        (["export", "x", "y", "--top", "3", "--all-elites"], "not both", "gen-emerge export --help"),
        (["paint", "x", "--seed", "-1"], "--seed", "gen-emerge paint --help"),
        (["--rot", "x", "status"], "no option --rot", "--root"),
    ],
)
def test_a_wrong_call_is_told_what_would_be_right(
    call: Callable[..., Outcome], arguments: list[str], message: str, hint: str
) -> None:
    code, out, err = call(*arguments)
    assert (code, out) == (2, "")
    assert message in err and hint in err
    for position in ([*arguments, "--json"], ["--json", *arguments]):
        code, out, err = call(*position)
        assert (code, err) == (2, "")
        error = error_of(out)
        assert error["code"] == "usage"
        assert message in error["message"] and hint in error["hint"]


@pytest.mark.parametrize(
    ("error", "code", "word"),
    [
        (HeldByAnother("held by process 7", hint="wait"), 3, "held"),
        (WaitingForHuman("a round is open"), 4, "waiting"),
        (OutOfBudget("spent"), 5, "budget"),
        (DiskFull("full"), 5, "disk-full"),
        (OSError(28, "No space left on device"), 5, "disk-full"),
        (PermissionError(13, "Permission denied", "x"), 2, "bad-input"),
        (MissingExtra("no torch"), 2, "missing-extra"),
        (WrongSchema("older", hint="gen-emerge upgrade x"), 2, "wrong-schema"),
        (Damaged("torn"), 1, "damaged"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_every_error_has_its_exit_code(
    call: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, word: str
) -> None:
    def fail(*_: object) -> Any:
        raise error

    monkeypatch.setattr(group.LazyGroup, "get_command", fail)
    found, out, err = call("--json", "doctor")
    assert (found, err.strip()) == (code, "")
    assert error_of(out)["code"] == word
    found, out, err = call("doctor")
    assert (found, out) == (code, "")
    # Whoever presses Ctrl-C did nothing wrong.
    assert err.lstrip().startswith("Interrupted. Everything committed is kept" if word == "interrupted" else "Error: ")


def test_a_bug_says_where_its_traceback_is(
    call: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(*_: object) -> Any:
        raise RuntimeError("a surprise")

    monkeypatch.setattr(group.LazyGroup, "get_command", fail)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    code, out, err = call("--json", "doctor")
    error = error_of(out)
    assert (code, err, error["code"], error["message"]) == (1, "", "unexpected", "RuntimeError: a surprise")
    (written,) = tmp_path.glob("gen-emerge-*.txt")
    assert str(written) in error["hint"]
    assert "in fail" in written.read_text()
    code, _, err = call("--debug", "doctor")
    assert code == 1
    assert "Traceback (most recent call last)" in err


def test_a_closed_pipe_is_quiet() -> None:
    script = "from gen_emerge.cli.main import main; import sys; sys.exit(main(['--help']))"
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait() == 0


# ---- init --------------------------------------------------------------------------------------------------------


def test_init_makes_a_studio_folder(call: Callable[..., Outcome], tmp_path: Path, repository: Path) -> None:
    code, out, _ = call("--json", "init", tmp_path / "studio")
    made = json.loads(out)
    assert code == 0
    assert made["root"] == str(tmp_path / "studio")
    assert "prompts/painter-1.toml" in made["made"]
    assert "first-light" in made["series"]
    assert (tmp_path / "studio" / "archive").is_dir()
    first = (tmp_path / "studio" / "experiments" / "series" / "first-light.toml").read_bytes()
    assert first == (repository / "experiments" / "series" / "first-light.toml").read_bytes()
    before = files_of(tmp_path)
    code, out, _ = call("init", tmp_path / "studio", "--json")
    assert (code, json.loads(out)["made"]) == (0, [])
    assert files_of(tmp_path) == before


def test_init_takes_the_working_directory_and_says_what_is_next(
    call: Callable[..., Outcome], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, _ = call("init")
    assert code == 0
    assert "gen-emerge run first-light" in out
    assert (tmp_path / "prompts").is_dir()


def test_init_refuses_a_file(call: Callable[..., Outcome], tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("mine")
    code, out, _ = call("--json", "init", tmp_path / "taken")
    assert code == 2
    assert "taken" in error_of(out)["message"]
    assert files_of(tmp_path) == {"taken": hashlib.sha256(b"mine").hexdigest()}


# ---- new ---------------------------------------------------------------------------------------------------------


def test_new_writes_a_series_file(call: Callable[..., Outcome], studio: Path) -> None:
    code, out, _ = call("--root", studio, "new", "night", "--brief", 'Two lines\nand "quotes"', "--json")
    path = studio / "experiments" / "series" / "night.toml"
    made = {"series": "night", "path": str(path), "brief": 'Two lines\nand "quotes"', "seed": 7, "same_seed": []}
    assert (code, json.loads(out)) == (0, made)
    config = load(path)
    assert (config.name, config.brief, config.profile) == ("night", 'Two lines\nand "quotes"', "embedded")
    assert path.read_text(encoding="utf-8") == write_series(parse({"name": "night", "brief": config.brief}))
    code, out, _ = call("--root", studio, "new", "gpu", "--profile", "diffusion")
    assert code == 0
    assert load(studio / "experiments" / "series" / "gpu.toml").generator.use == "diffusion"


def test_a_series_can_be_given_a_seed_of_its_own(call: Callable[..., Outcome], studio: Path) -> None:
    assert call("--root", studio, "new", "night", "--seed", "41")[0] == 0
    assert load(studio / "experiments" / "series" / "night.toml").seed == 41
    code, _, err = call("--root", studio, "new", "noon", "--seed", "-1")
    assert code == 2
    assert "-1" in err
    assert not (studio / "experiments" / "series" / "noon.toml").exists()


def test_new_says_which_brief_and_seed_it_took_and_whose_seed_that_is(
    call: Callable[..., Outcome], studio: Path
) -> None:
    code, out, _ = call("--root", studio, "new", "night")
    config = load(studio / "experiments" / "series" / "night.toml")
    told = " ".join(out.split())
    assert code == 0 and config.brief in told and f"seed {config.seed} (the default" in told
    assert "same seed" not in out and out.endswith("Next: gen-emerge run night\n")
    told = " ".join(call("--root", studio, "new", "noon", "--brief", "Blue.")[1].split())
    assert (
        "brief Blue. seed 7 (the default" in told
        and "night has the same seed" in told
        and "pictures will repeat" in told
    )
    told = " ".join(call("--root", studio, "new", "dawn", "--seed", "41", "--brief", "Red.")[1].split())
    assert "brief Red. seed 41 Next:" in told
    for name in ("a", "b"):
        (studio / "experiments" / "series" / f"{name}.toml").write_text("seed = 41\n" if name == "a" else "seed =")
    made = json.loads(call("--root", studio, "--json", "new", "dusk", "--seed", "41")[1])
    assert made["same_seed"] == ["a", "dawn"]


def test_the_help_of_new_shows_the_brief_and_the_seed_it_takes(call: Callable[..., Outcome]) -> None:
    plain = parse({"name": "night"})
    told = " ".join(call("new", "--help")[1].split())
    assert f'[default: "{plain.brief}"]' in told and f"[default: {plain.seed}]" in told


def test_series_that_differ_only_in_name_differ_only_in_name(call: Callable[..., Outcome], studio: Path) -> None:
    for name in ("aa", "bb"):
        assert call("--root", studio, "new", name)[0] == 0
    folder = studio / "experiments" / "series"
    assert (folder / "aa.toml").read_text().replace("aa", "bb") == (folder / "bb.toml").read_text()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["Night Owl"], ['"Night Owl"', "night-owl"]),
        (["../night"], ["lower-case letters", "night"]),
        (["night\n"], ["lower-case letters"]),
        (["-night"], ["-"]),
        (["a" * 65], ["64 at most"]),
        (["night", "--profile", "embeded"], ['profile = "embeded"', 'Did you mean "embedded"?']),
        (["night", "--brief", ""], ["brief", "not empty"]),
        (["taken"], ['already a series "taken"', "gen-emerge run taken"]),
    ],
)
def test_new_refuses_and_changes_nothing(
    call: Callable[..., Outcome], studio: Path, arguments: list[str], said: list[str]
) -> None:
    assert call("--root", studio, "new", "taken")[0] == 0
    before = files_of(studio)
    code, out, _ = call("--root", studio, "--json", "new", *arguments)
    error = error_of(out)
    assert code == 2
    for part in said:
        assert part in error["message"] + " " + (error["hint"] or "")
    assert files_of(studio) == before


@pytest.mark.parametrize("name", ["new", "status", "run", "inspect", "verify", "rounds", "judge", "upgrade"])
def test_a_folder_that_is_no_studio_folder_is_refused(call: Callable[..., Outcome], tmp_path: Path, name: str) -> None:
    code, out, _ = call("--json", "--root", tmp_path, name, "x", *(["--answers", "-"] if name == "judge" else []))
    error = error_of(out)
    assert (code, error["code"]) == (2, "not-found")
    assert "is no studio folder" in error["message"]
    assert "gen-emerge init" in error["hint"]
    assert files_of(tmp_path) == {}


@pytest.mark.parametrize("name", ["paint", "score", "distance", "doctor"])
def test_commands_without_a_studio_folder_still_check_one_that_is_named(
    call: Callable[..., Outcome], tmp_path: Path, name: str
) -> None:
    more = {"paint": ["x"], "score": ["x.png"], "distance": ["x.png", "y.png"], "doctor": []}[name]
    code, out, _ = call("--json", "--root", tmp_path, name, *more)
    assert code == 2
    assert "is no studio folder" in error_of(out)["message"]


@pytest.mark.parametrize("name", ["status", "run", "inspect", "verify", "rounds", "upgrade", "export"])
def test_a_series_that_does_not_exist_names_the_nearest(call: Callable[..., Outcome], studio: Path, name: str) -> None:
    assert call("--root", studio, "new", "night")[0] == 0
    before = files_of(studio)
    more = [str(studio / "out")] if name == "export" else []
    code, out, _ = call("--root", studio, "--json", name, "nihgt", *more)
    error = error_of(out)
    assert (code, error["code"]) == (2, "not-found")
    assert 'no series "nihgt"' in error["message"]
    assert error["hint"] == 'Did you mean "night"?'
    assert files_of(studio) == before


@pytest.mark.parametrize("name", ["rounds", "upgrade", "export", "judge"])
def test_a_series_that_was_never_run_says_so(call: Callable[..., Outcome], studio: Path, name: str) -> None:
    assert call("--root", studio, "new", "night")[0] == 0
    more = {"export": [str(studio / "out")], "judge": ["--answers", str(studio / "a.jsonl")]}.get(name, [])
    (studio / "a.jsonl").write_text("")
    code, out, _ = call("--root", studio, "--json", name, "night", *more)
    error = error_of(out)
    assert code == 2
    assert "has not been run yet" in error["message"]
    assert error["hint"] == "gen-emerge run night"
    assert not (studio / "out").exists()


def test_an_archive_that_is_a_file_is_refused(call: Callable[..., Outcome], studio: Path) -> None:
    assert call("--root", studio, "new", "night")[0] == 0
    (studio / "taken").write_text("")
    code, out, _ = call("--root", studio, "--archive", studio / "taken", "--json", "run", "night")
    assert code == 2
    assert "taken" in error_of(out)["message"]


@pytest.mark.parametrize("until", ["7", "25:00", "07:60", "soon", "7:5"])
def test_a_time_that_is_none_is_refused(call: Callable[..., Outcome], studio: Path, until: str) -> None:
    from datetime import datetime

    from gen_emerge.cli.commands.run import next_time

    with pytest.raises(BadInput, match="is no time of day"):  # before a whole series is run
        next_time(until, datetime(2026, 11, 20))
    assert call("--root", studio, "new", "night")[0] == 0
    code, out, _ = call("--root", studio, "--json", "run", "night", "--until", until)
    assert code == 2
    assert f'"{until}" is no time of day' in error_of(out)["message"]
    assert not list((studio / "archive").iterdir())


def test_a_time_is_the_next_one_on_the_clock() -> None:
    from datetime import datetime

    from gen_emerge.cli.commands.run import next_time

    now = datetime(2026, 11, 20, 23, 30)
    assert next_time("07:15", now) == datetime(2026, 11, 21, 7, 15)
    assert next_time("23:45", now) == datetime(2026, 11, 20, 23, 45)
    assert next_time("23:30", now) == datetime(2026, 11, 21, 23, 30)


# ---- the real entry, in a process of its own ---------------------------------------------------------------------


def test_the_installed_command_works_from_inside_a_studio_folder(cli: Callable[..., Any], studio: Path) -> None:
    inside = studio / "experiments" / "series"
    assert cli("new", "night", cwd=inside, as_json=True).json["series"] == "night"
    said = cli("new", "night", cwd=inside, as_json=True, code=2)
    assert said.err == ""
    assert said.json["error"]["code"] == "bad-input"
    said = cli("new", "night", cwd=inside, code=2)
    assert said.out == ""
    assert "already a series" in said.err


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_text_that_the_terminal_cannot_show_ends_nothing(
    cli: Callable[..., Any], studio: Path, tmp_path: Path, encoding: str
) -> None:
    narrow = {"PYTHONIOENCODING": encoding, "LC_ALL": "C"}
    said = cli("new", "\u591c", root=studio, code=2, env=narrow)
    assert "cannot name a series" in said.err
    shutil.copytree(studio, tmp_path / "\u591c")
    said = cli("new", "night", root=tmp_path / "\u591c", env=narrow)
    assert "night.toml" in said.out
