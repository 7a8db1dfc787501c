"""A database that was damaged: `verify` names it and goes on as far as it can, and nothing else takes it for whole.

A series of the real loop (a fake generator and fake scorers) is damaged page by page and value by value.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gen_emerge import crew, standing
from gen_emerge.audit import verify
from gen_emerge.cli import main as door
from gen_emerge.errors import Damaged, GenEmergeError
from gen_emerge.fakes import FakeGenerator, FakeScorer
from gen_emerge.series import Studio
from gen_emerge.store import Store
from gen_emerge.store.tables import Base
from gen_emerge.types import Reading, Signal, Trial

ROOT = Path(__file__).resolve().parent.parent
KINDS = {"missing", "hash", "orphan", "replay"}
TABLES = {*Base.metadata.tables, "alembic_version"}
PAGE = 4096


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A studio folder with the series `night`; never changed."""
    root = tmp_path_factory.mktemp("damaged") / "studio"
    shutil.copytree(ROOT / "prompts", root / "prompts")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(crew, "load_generator", lambda config: FakeGenerator())
        patch.setattr(crew, "load_scorers", lambda config, references: (FakeScorer(),))
        (root / "experiments" / "series").mkdir(parents=True)
        house = Studio(root)
        small = {"image": {"width": 48, "height": 48}, "archive": {"dims": [4, 4]}}
        for name, seed in (("night", 3), ("other", 4)):
            house.new(name, seed=seed, loop={"batch": 8, "warmup_cycles": 2, "cycles": 6, "checkin_every": 3}, **small)
        assert house.run("night")["open_rounds"] == 2
    with Store.open(root / "archive" / "night") as store:  # a row that spreads over many pages
        signals = {n: Reading(signals=(Signal(scorer="quality", scorer_version="2", value=n / 7),)) for n in range(300)}
        store.add_trial(Trial(gate="quality", version="2", table={"use": "other"}, readings=signals), after=0)
    assert verify(root, root / "archive", "night") == {"series": "night", "ok": True, "uncommitted": 0, "problems": []}
    return root


@pytest.fixture
def studio(made: Path, tmp_path: Path) -> Path:
    """A copy, to be damaged."""
    return Path(shutil.copytree(made, tmp_path / "studio"))


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Calls the command line in this process: (exit code, stdout, stderr)."""

    def run(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = door.main([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def database(root: Path) -> Path:
    return root / "archive" / "night" / "series.db"


def found(root: Path) -> list[dict[str, str]]:
    """What `verify` says of a series that is not whole."""
    said = verify(root, root / "archive", "night")
    json.dumps(said)
    assert said["ok"] is False and said["problems"]
    assert {problem["kind"] for problem in said["problems"]} <= KINDS
    assert all(problem["path"] for problem in said["problems"])
    return said["problems"]


def destroyed(root: Path, fill: Callable[[int], bytes]) -> Iterator[int]:
    """Every page in turn, while it is overwritten."""
    path = database(root)
    whole = path.read_bytes()
    for page in range(1, len(whole) // PAGE + 1):
        path.write_bytes(whole[: (page - 1) * PAGE] + fill(page) + whole[page * PAGE :])
        yield page
    path.write_bytes(whole)


def tamper(root: Path, *statements: str) -> None:
    """Change rows behind the triggers' and the foreign keys' backs."""
    with closing(sqlite3.connect(database(root))) as connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f'DROP TRIGGER "{name}"')
        for statement in statements:
            assert connection.execute(statement).rowcount == 1
        connection.commit()


# ---- pages -------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("fill", [lambda _: bytes(PAGE), lambda page: random.Random(page).randbytes(PAGE)])
def test_no_destroyed_page_passes(studio: Path, fill: Callable[[int], bytes]) -> None:
    with closing(sqlite3.connect(database(studio))) as connection:
        assert connection.execute("PRAGMA freelist_count").fetchone() == (0,)  # what lies on such a page is nobody's
        assert connection.execute("PRAGMA page_size").fetchone() == (PAGE,)
    named: set[str] = set()
    for page in destroyed(studio, fill):
        problems = found(studio)
        of_database = [p for p in problems if (p["kind"], p["path"]) == ("hash", "series.db")]
        assert of_database and all(p["detail"] for p in of_database), page
        named |= {p["table"] for p in of_database if "table" in p}
        assert not [p for p in problems if p["kind"] in ("missing", "orphan")], page
        try:  # what only looks is refused in words, or does not need that page
            standing.status(studio, studio / "archive", "night")
        except GenEmergeError as error:
            assert error.code in ("damaged", "bad-input") and error.hint
    assert named == TABLES


def test_a_destroyed_page_is_named_with_its_table_and_what_to_do(
    studio: Path, call: Callable[..., tuple[int, str, str]]
) -> None:
    with closing(sqlite3.connect(database(studio))) as connection:
        (root_page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'critiques'").fetchone()
    with database(studio).open("r+b") as file:
        file.seek((root_page - 1) * PAGE)
        file.write(bytes(PAGE))
    code, out, err = call("--root", studio, "--json", "verify", "night")
    said = json.loads(out)
    assert (code, said["ok"], said["uncommitted"], err) == (1, False, 0, "")
    (problem,) = said["problems"]
    assert (problem["kind"], problem["path"], problem["table"]) == ("hash", "series.db", "critiques")
    assert f"age {root_page}" in problem["detail"]
    code, out, _ = call("--root", studio, "verify", "night")
    assert code == 1
    assert "1 problem\n" in out and "series.db, table critiques: " in out
    assert "put series.db back from an older copy" in out


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (lambda whole: b"", "it is empty"),
        (lambda whole: b"no database " * 400, "not a database"),
        (lambda whole: bytes(PAGE) + whole[PAGE:], "not a database"),
        (lambda whole: whole[: len(whole) // 2], "malformed"),
        (lambda whole: whole[:100] + bytes(PAGE - 100) + whole[PAGE:], "malformed"),
    ],
)
def test_a_database_that_cannot_be_opened_is_a_problem_too(
    studio: Path, call: Callable[..., tuple[int, str, str]], content: Callable[[bytes], bytes], says: str
) -> None:
    database(studio).write_bytes(content(database(studio).read_bytes()))
    code, out, _ = call("--root", studio, "--json", "verify", "night")
    said = json.loads(out)
    assert (code, said["ok"], said["uncommitted"]) == (1, False, None)
    first, last = said["problems"][0], said["problems"][-1]
    assert (first["kind"], first["path"]) == ("hash", "series.db") and says in first["detail"]
    assert last["kind"] == "replay" and "no picture was compared" in last["detail"]


def test_a_folder_in_the_database_s_place_is_a_problem_too(studio: Path) -> None:
    database(studio).unlink()
    database(studio).mkdir()
    assert "it is a folder" in found(studio)[0]["detail"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
def test_a_pipe_in_the_database_s_place_is_a_problem_too(
    studio: Path, call: Callable[..., tuple[int, str, str]]
) -> None:
    database(studio).unlink()
    os.mkfifo(database(studio))
    assert "a pipe" in found(studio)[0]["detail"]
    code, out, _ = call("--root", studio, "--json", "status", "night")
    assert code == 2 and "a pipe" in json.loads(out)["error"]["message"]


def test_what_can_be_read_of_a_damaged_database_is_still_checked(studio: Path) -> None:
    folder = studio / "archive" / "night"
    with Store.open(folder, readonly=True) as store:
        paths = {candidate: image.path for candidate, image in store.images()}
    with closing(sqlite3.connect(database(studio))) as connection:
        (root_page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'images'").fetchone()
    # Rows lie in order: the first leaf, which an interior page names first, holds the first candidates.
    content = bytearray(database(studio).read_bytes())
    inside = content[(root_page - 1) * PAGE : root_page * PAGE]
    assert inside[0] == 0x05
    first_cell = int.from_bytes(inside[12:14], "big")
    leaf = int.from_bytes(inside[first_cell : first_cell + 4], "big")
    content[(leaf - 1) * PAGE : leaf * PAGE] = bytes(PAGE)
    database(studio).write_bytes(content)
    (folder / paths[max(paths)]).unlink()
    (folder / "images" / "holiday.jpg").write_bytes(b"nobody's")
    problems = found(studio)
    assert [p["path"] for p in problems if p["kind"] == "missing"] == [paths[max(paths)]]
    (unlisted,) = (p["detail"] for p in problems if "were not checked" in p.get("detail", ""))
    assert unlisted.startswith("the files of candidates 1 to 20 were not checked")
    assert not any(p["kind"] == "orphan" for p in problems)
    assert {"kind": "replay", "path": "cycle 1 and later"}.items() <= problems[-2].items()


# ---- values ------------------------------------------------------------------------------------------------------

VALUES = {
    "a recipe of another genome": (
        "genomes",
        "UPDATE genomes SET recipe = (SELECT recipe FROM genomes WHERE id = 2) WHERE id = 1",
        "id 1: recipe has another hash",
    ),
    "a recipe that is none": ("genomes", "UPDATE genomes SET recipe = '{}' WHERE id = 1", "id 1: recipe: A stored"),
    "a vector of zeros": (
        "embeddings",
        "UPDATE embeddings SET vector = zeroblob(length(vector)) WHERE id = 3",
        "id 3: vector has the length 0, not 1",
    ),
    "half a vector": (
        "embeddings",
        "UPDATE embeddings SET vector = substr(vector, 1, 7) WHERE id = 3",
        "id 3: vector has 7 bytes",
    ),
    "JSON that is cut off": (
        "critiques",
        "UPDATE critiques SET answers = substr(answers, 1, 9) WHERE id = 2",
        "id 2: answers is no JSON",
    ),
    "zeros in a text": (
        "critiques",
        "UPDATE critiques SET summary = CAST(zeroblob(9) AS TEXT) WHERE id = 2",
        "id 2: summary holds zeros",
    ),
    "bytes that are no text": (
        "critiques",
        "UPDATE critiques SET summary = CAST(x'ff41' AS TEXT) WHERE id = 2",
        "Could not decode to UTF-8",
    ),
    "a text where a number is wanted": (
        "cycles",
        "UPDATE cycles SET render_seconds = 'long' WHERE cycle = 2",
        "cycle 2: render_seconds is of type str",
    ),
    "a payload that is no object": (
        "inputs",
        "UPDATE inputs SET payload = '[]' WHERE id = 1",
        "id 1: of the kind config holds no object",
    ),
    "a payload without what its kind has": (
        "inputs",
        "UPDATE inputs SET payload = '{\"settings\": {}}' WHERE id = 1",
        "id 1: of the kind config lacks banks",
    ),
    "an input of a kind nobody writes": (
        "inputs",
        "UPDATE inputs SET kind = 'confog' WHERE id = 1",
        'id 1: is of the kind "confog"',
    ),
    "an attempt at no cycle": (
        "attempts",
        "UPDATE attempts SET cycle = 'x' WHERE id = 1",
        "id 1: cycle is of type str",
    ),
}


@pytest.mark.parametrize("what", VALUES)
def test_a_value_that_nobody_wrote_is_named_with_its_row(studio: Path, what: str) -> None:
    table, statement, says = VALUES[what]
    tamper(studio, statement)
    of_table = [problem for problem in found(studio) if problem.get("table") == table]
    assert [(p["kind"], p["path"]) for p in of_table] == [("hash", "series.db")]
    assert says in of_table[0]["detail"]


def test_how_many_rows_of_a_table_are_wrong_is_counted(studio: Path) -> None:
    tamper(studio, *(f"UPDATE critiques SET weaknesses = '[' WHERE id = {number}" for number in (1, 2, 3)))
    (problem,) = found(studio)
    assert problem["detail"].startswith("id 1: weaknesses is no JSON")
    assert problem["detail"].endswith(", and 2 more")


def test_a_zeroed_page_in_the_middle_of_a_long_value_is_noticed(studio: Path) -> None:
    """SQLite follows the chain of such pages, but takes what stands on the last of them as it is."""
    content = database(studio).read_bytes()
    ends = [
        at
        for at in range(0, len(content), PAGE)
        if content[at : at + 4] == bytes(4) and b'"quality"' in content[at + 4 : at + PAGE]
    ]
    assert len(ends) == 1  # the end of the trial: nothing follows it
    database(studio).write_bytes(content[: ends[0]] + bytes(PAGE) + content[ends[0] + PAGE :])
    with closing(sqlite3.connect(database(studio))) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    (problem,) = found(studio)
    assert problem["table"] == "inputs" and "payload is no JSON" in problem["detail"]


def test_rows_that_name_rows_that_are_not_there_are_counted(studio: Path) -> None:
    tamper(
        studio,
        "UPDATE duels SET left = 7001 WHERE id = 1",
        "UPDATE duels SET right = 7002 WHERE id = 2",
        "UPDATE proposals SET genome = 'gone' WHERE (cycle, slot) = (2, 1)",
    )
    told = {(p["kind"], p["path"]) for p in found(studio) if "table" in p}
    assert ("replay", "duels: 2 rows name candidates that are not there") in told
    assert ("replay", "proposals: 1 rows name genomes that are not there") in told


# ---- whoever reads it --------------------------------------------------------------------------------------------

UNREADABLE: dict[str, Callable[[Store], object]] = {
    "UPDATE cycles SET measures = '{' WHERE cycle = 1": lambda store: store.measures(),
    "UPDATE inputs SET payload = '{' WHERE id = 1": lambda store: store.inputs_of("config"),
    "UPDATE inputs SET payload = '[]' WHERE id = 1": lambda store: store.inputs_of("config"),
    "UPDATE inputs SET payload = '{}' WHERE id = 1": lambda store: store.inputs(0, 99),
    "UPDATE inputs SET payload = json_remove(payload, '$.failed') WHERE kind = 'tried'": lambda store: store.last_tried(
        "quality"
    ),
    "UPDATE inputs SET kind = 'confog' WHERE id = 1": lambda store: store.check_kinds(),
    "UPDATE critiques SET answers = '{' WHERE id = 1": lambda store: store.critiques(None),
    "UPDATE calibrations SET bounds = '{' WHERE version = 1": lambda store: store.calibrations(),
    "UPDATE genomes SET recipe = '[]' WHERE id = 1": lambda store: store.candidates(),
}


@pytest.mark.parametrize("statement", UNREADABLE)
def test_what_cannot_be_read_is_called_damaged(studio: Path, statement: str) -> None:
    tamper(studio, statement)
    with Store.open(studio / "archive" / "night", readonly=True) as store, pytest.raises(Damaged) as caught:
        UNREADABLE[statement](store)
    assert "Restore" in str(caught.value)


def test_facts_that_cannot_be_read_are_called_damaged(studio: Path) -> None:
    tamper(studio, "UPDATE series SET facts = '{'")
    with pytest.raises(Damaged, match="no JSON"):
        Store.open(studio / "archive" / "night", readonly=True)
    assert found(studio)[0]["path"] == "series.db"


def test_a_history_that_cannot_be_replayed_is_called_damaged_with_its_cycle(
    studio: Path, call: Callable[..., tuple[int, str, str]]
) -> None:
    tamper(studio, "UPDATE images SET pixels = 'nothing of the kind' WHERE candidate = 20")
    code, out, _ = call("--root", studio, "--json", "status", "night")
    error = json.loads(out)["error"]
    assert (code, error["code"]) == (1, "damaged")
    assert error["message"].startswith("Cycle 3 cannot be replayed")
    assert "gen-emerge verify" in error["hint"]


@pytest.mark.parametrize("change", ["payload = '[]'", "payload = '7'", "payload = '{}'", "kind = 'confog'"])
def test_a_series_with_an_input_nobody_wrote_does_not_run(
    studio: Path, call: Callable[..., tuple[int, str, str]], change: str
) -> None:
    tamper(studio, f"UPDATE inputs SET {change} WHERE id = 1")
    before = database(studio).read_bytes()
    code, out, _ = call("--root", studio, "--json", "run", "night")
    error = json.loads(out)["error"]
    assert (code, error["code"]) == (1, "damaged"), error
    assert error["message"].startswith("Input 1 ") and "Restore" in error["hint"]
    assert database(studio).read_bytes() == before


def test_one_damaged_series_does_not_hide_the_others(studio: Path, call: Callable[..., tuple[int, str, str]]) -> None:
    database(studio).write_bytes(database(studio).read_bytes()[: 6 * PAGE])
    code, out, _ = call("--root", studio, "--json", "status")
    rows = {row["series"]: row for row in json.loads(out)["series"]}
    assert code == 0
    assert rows["night"]["error"]["code"] == "damaged"
    assert "is damaged" in rows["night"]["error"]["message"] and "verify night" in rows["night"]["error"]["hint"]
    assert rows["other"]["state"] == "new"
    code, out, _ = call("--root", studio, "status")
    assert code == 0 and "night  cannot be read: " in out


def test_an_older_series_is_sent_to_upgrade_unless_it_is_damaged(
    studio: Path, call: Callable[..., tuple[int, str, str]]
) -> None:
    old = (ROOT / "tests" / "assets" / "series-0001.db").read_bytes()
    database(studio).write_bytes(old)
    code, out, _ = call("--root", studio, "--json", "verify", "night")
    assert (code, json.loads(out)["error"]["code"]) == (2, "wrong-schema")
    database(studio).write_bytes(old[: len(old) // 2 // PAGE * PAGE])
    assert found(studio)[0]["path"] == "series.db"
