"""Old, newer and foreign databases; the shape of the tables."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from store_records import fill, record, refuses_to_forget

import gen_emerge.store
from gen_emerge.errors import BadInput, HeldByAnother, NotFound, WrongSchema
from gen_emerge.store import Store, hold, upgrade
from gen_emerge.store.database import engine, writing
from gen_emerge.store.tables import SCHEMA, Base
from gen_emerge.types import Bounds, CycleOutcome, Verdict

ASSETS = Path(__file__).parents[1] / "assets"
OLD = ASSETS / "series-0001.db"
OLDER = ASSETS / "series-0002.db"
LAST = ASSETS / "series-0003.db"
PINNED = ASSETS / "schema-0004.sql"


def old_series(tmp_path: Path, file: Path = OLD) -> Path:
    folder = tmp_path / "elder"
    folder.mkdir()
    shutil.copy(file, folder / "series.db")
    return folder


def outcome(cycle: int) -> CycleOutcome:
    """What an old series has of a cycle: nobody noted how images came to be shown, there were no baseline images."""
    whole = record(cycle)
    assert whole.round is not None
    questions = tuple(replace(question, stream="") for question in whole.round.questions)
    return replace(whole, round=replace(whole.round, questions=questions, baseline=())).outcome


def schema_of(path: Path) -> str:
    """CREATE statements, sorted, one a line."""
    connection = sqlite3.connect(path)
    rows = connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    connection.close()
    return "\n".join(sorted(re.sub(r"\s+", " ", row[0]) + ";" for row in rows)) + "\n"


def parts_of(path: Path) -> list[list[str]]:
    """The same with the clauses of each statement in any order: migrations name constraints in another one."""
    text = schema_of(path).replace(" )", "").replace(")", "").replace(";", "")
    return [sorted(re.split(r", |\( ?", line)) for line in text.splitlines()]


def migrations() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(gen_emerge.store.__file__).parent / "migrations"))
    return config


def migrated(path: Path, schema: str) -> None:
    """Make a database with the migrations alone, from nothing."""
    source, config = engine(path), migrations()
    with writing(source, path) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, schema)
    source.dispose()


def test_the_schema_is_the_pinned_one(store: Store) -> None:
    assert schema_of(store.folder / "series.db") == PINNED.read_text()


def test_the_newest_migration_is_the_schema_of_this_program() -> None:
    assert ScriptDirectory.from_config(migrations()).get_current_head() == SCHEMA


def test_an_old_series_is_refused_with_the_command_that_upgrades_it(tmp_path: Path) -> None:
    folder = old_series(tmp_path)
    before = OLD.read_bytes()
    for readonly in (False, True):
        with pytest.raises(WrongSchema, match="older schema 0001") as caught:
            Store.open(folder, readonly=readonly)
        assert caught.value.hint == "gen-emerge upgrade elder"
        assert caught.value.exit_code == 2
    assert (folder / "series.db").read_bytes() == before == OLD.read_bytes()


def test_an_upgraded_series_is_read_and_continued(tmp_path: Path) -> None:
    folder = old_series(tmp_path)
    assert upgrade(folder) == ("0001", SCHEMA)
    assert upgrade(folder) == (SCHEMA, SCHEMA)
    with Store.open(folder) as store:
        assert dict(store.facts) == {"seed": 7}
        assert list(store.history()) == [outcome(1), outcome(2)]
        assert store.candidates(cycle=1) == list(record(1).candidates)
        assert store.pending_proposals(2)[3] == record(1).proposals
        assert [i.kind for i in store.inputs(0, 9)] == ["request"]
        assert store.events() == []
        assert store.measures() == [(1, {}), (2, {})]
        store.commit(record(3))
        assert list(store.history(2)) == [record(3).outcome]
        assert store.measures()[-1] == (3, dict(record(3).measures))


def test_thresholds_of_the_schema_before_are_read_and_those_with_two_bands_stand_beside_them(tmp_path: Path) -> None:
    folder = old_series(tmp_path, LAST)
    assert upgrade(folder) == ("0003", SCHEMA)
    both = Bounds(lower=0.25, upper=0.75, review=0.125, review_upper=0.5)
    new = record(3)
    assert new.calibration is not None
    verdict = Verdict(gate="style", kind="gate", outcome="review", value=0.5, bounds=both, calibration=3, reason="near")
    new = replace(
        new,
        verdicts={number: (*each, verdict) for number, each in new.verdicts.items()},
        calibration=replace(new.calibration, bounds={**new.calibration.bounds, "style": both}),
    )
    with Store.open(folder) as store:
        assert list(store.history()) == [record(1).outcome, record(2).outcome]
        assert store.calibrations()[0].hash == record(1).calibration.hash  # type: ignore[union-attr]
        store.commit(new)
        assert store.verdicts(None) == {**record(1).verdicts, **record(2).verdicts, **new.verdicts}
        assert [each.bounds for each in store.calibrations()] == [
            c.bounds for c in (record(1).calibration, record(2).calibration, new.calibration) if c is not None
        ]


def test_rounds_of_older_schemas_are_read_and_new_ones_stand_beside_them(tmp_path: Path) -> None:
    folder = old_series(tmp_path, OLDER)
    assert upgrade(folder) == ("0002", SCHEMA)
    with Store.open(folder) as store:
        assert list(store.history()) == [outcome(1), outcome(2)]
        asked = [(each.id, each.baseline, [q.stream for q in each.questions]) for each in store.rounds()]
        assert sorted(asked) == [("r1", (), ["", ""]), ("r2", (), ["", ""]), ("r2a", (), [""])]
        store.commit(record(3))
        assert store.rounds()[-1] == record(3).round


def test_upgraded_and_new_series_have_the_same_tables(tmp_path: Path, store: Store) -> None:
    folder = old_series(tmp_path)
    upgrade(folder)
    with Store.open(folder) as old, old._engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
    assert parts_of(folder / "series.db") == parts_of(store.folder / "series.db")


def test_the_migrations_alone_give_the_tables_of_their_time(tmp_path: Path, store: Store) -> None:
    migrated(tmp_path / "old.db", "0001")
    assert parts_of(tmp_path / "old.db") == parts_of(OLD)
    migrated(tmp_path / "new.db", SCHEMA)
    assert parts_of(tmp_path / "new.db") == parts_of(store.folder / "series.db")


def test_tables_that_the_migrations_made_refuse_to_forget_too(tmp_path: Path) -> None:
    folder = tmp_path / "elder"
    folder.mkdir()
    migrated(folder / "series.db", SCHEMA)
    connection = sqlite3.connect(folder / "series.db")
    connection.execute("INSERT INTO series VALUES (1, 0.0, '{}')")
    connection.commit()
    connection.close()
    with Store.open(folder) as store:
        fill(store)
        assert refuses_to_forget(store) == 24


def test_a_series_that_runs_is_not_upgraded(tmp_path: Path) -> None:
    folder = old_series(tmp_path)
    with hold(folder), pytest.raises(HeldByAnother):
        upgrade(folder)


def test_an_upgrade_is_all_or_nothing(tmp_path: Path) -> None:
    folder = old_series(tmp_path)
    connection = sqlite3.connect(folder / "series.db")
    connection.execute("CREATE TABLE events (in_the_way TEXT)")
    connection.commit()
    connection.close()
    with pytest.raises(Exception, match="events"):
        upgrade(folder)
    connection = sqlite3.connect(folder / "series.db")
    assert connection.execute("SELECT version_num FROM alembic_version").fetchone() == ("0001",)
    assert "measures" not in [row[1] for row in connection.execute("PRAGMA table_info(cycles)")]
    connection.close()


def test_a_newer_series_is_refused(store: Store) -> None:
    store.close()
    connection = sqlite3.connect(store.folder / "series.db")
    connection.execute("UPDATE alembic_version SET version_num = '9000'")
    connection.commit()
    connection.close()
    with pytest.raises(WrongSchema, match="newer") as caught:
        Store.open(store.folder)
    assert caught.value.hint == "Upgrade gen-emerge."
    with pytest.raises(WrongSchema, match="newer"):
        upgrade(store.folder)


def test_what_is_no_series_is_refused_and_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "night"
    folder.mkdir()
    path = folder / "series.db"
    foreign = tmp_path / "foreign.db"
    connection = sqlite3.connect(foreign)
    connection.execute("CREATE TABLE songs (title TEXT)")
    connection.commit()
    songs = foreign.read_bytes()
    # Another program that keeps its schema with Alembic, and happens to be at the same number.
    connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
    connection.execute("INSERT INTO alembic_version VALUES (?)", (SCHEMA,))
    connection.commit()
    connection.close()
    for content in (b"", b"not a database " * 500, songs, foreign.read_bytes()):
        path.write_bytes(content)
        with pytest.raises(BadInput, match="is not a gen-emerge series"):
            Store.open(folder)
        assert path.read_bytes() == content


def test_a_series_that_is_not_there_names_the_nearest(store: Store) -> None:
    with pytest.raises(NotFound, match='Did you mean "night"'):
        Store.open(store.folder.with_name("nigth"))
    with pytest.raises(NotFound):
        Store.open(store.folder / "no" / "where", readonly=True)
    with pytest.raises(NotFound):
        upgrade(store.folder.with_name("nigth"))
    with pytest.raises(BadInput, match="exists already"):
        Store.create(store.folder, {})


def test_a_reader_beside_a_writer_sees_what_is_committed(store: Store) -> None:
    store.commit(record(1))
    with Store.open(store.folder, readonly=True) as reader:
        assert reader.committed() == 1
        walk = reader.history()
        store.commit(record(2))
        assert reader.committed() == 2
        assert [o.cycle for o in walk] == [1, 2]
        with pytest.raises(BadInput, match="read-only"):
            reader.add_input("request", {})


@pytest.mark.skipif(os.name == "nt" or not hasattr(os, "geteuid"), reason="permissions of POSIX")
def test_a_read_only_folder_can_be_read() -> None:
    code = """
        import os, sys
        from pathlib import Path
        import store_records
        from gen_emerge.errors import BadInput
        from gen_emerge.store import Store, holder
        folder = Path(sys.argv[1])
        with Store.create(folder, {}) as store:
            store.commit(store_records.record(1))
        if os.geteuid() == 0:
            Store.open(folder, readonly=True).close()  # what is imported late is imported now
            Store.open(folder).close()
            for base, _, _ in os.walk(folder):
                os.chmod(base, 0o755)
            os.setuid(65534)
        else:
            for base, _, names in os.walk(folder):
                os.chmod(base, 0o555)
            os.chmod(folder / "series.db", 0o444)
        # With a log beside it the database could be read as any other.
        assert list(folder.glob("series.db-*")) == []
        with Store.open(folder, readonly=True) as store:
            assert [o.cycle for o in store.history()] == [1]
            assert holder(folder) is None
        try:
            Store.open(folder)
        except BadInput as error:
            print("refused:", error)
    """
    with tempfile.TemporaryDirectory() as made:
        Path(made).chmod(0o755)
        paths = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parents[2])])
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", textwrap.dedent(code), str(Path(made) / "night")],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": paths},
        )
        for base, _, _ in os.walk(made):
            Path(base).chmod(0o755)
    assert done.stderr == ""
    assert done.stdout.startswith("refused:")
    assert "read-only" in done.stdout


def test_opening_needs_no_alembic(store: Store) -> None:
    code = "import sys; from pathlib import Path; from gen_emerge.store import Store; Store.open(Path(sys.argv[1]))"
    code += "; assert 'alembic' not in sys.modules and 'torch' not in sys.modules and 'ribs' not in sys.modules"
    subprocess.run([sys.executable, "-c", code, str(store.folder)], check=True, cwd=Path(__file__).parents[2])
