"""A database that cannot be opened: what is wrong with it is told apart, each with what to do."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import pytest
from store_records import record

from gen_emerge.errors import BadInput, Damaged, GenEmergeError, NotASeries
from gen_emerge.store import Store
from gen_emerge.store.sqlite_errors import ours, translated

posix = pytest.mark.skipif(os.name == "nt" or not hasattr(os, "geteuid"), reason="permissions of POSIX")

CHILD = """
    import json, os, sys
    from pathlib import Path
    import store_records
    from gen_emerge.errors import GenEmergeError
    from gen_emerge.store import Store
    folder, how, modes = Path(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3])
    store = Store.create(folder, {})
    store.commit(store_records.record(1))
    Store.open(folder, readonly=True).close()  # what is imported late is imported now
    log, index = folder / "series.db-wal", folder / "series.db-shm"
    kept = log.read_bytes()
    store.close()
    if "series.db-wal" in modes:
        log.write_bytes(kept)
    for name, mode in modes.items():
        (folder / name).chmod(int(mode, 8))
    if os.geteuid() == 0:
        os.setuid(65534)
    try:
        with Store.open(folder, readonly=how == "read") as opened:
            print(json.dumps({"cycles": opened.committed()}))
    except GenEmergeError as error:
        print(json.dumps({"code": error.code, "message": error.message, "hint": error.hint}))
"""


def opened(how: str, **modes: str) -> dict[str, str]:
    """Open a series as somebody who owns nothing; octal modes by file name, `folder` for the series' folder."""
    names = {"db": "series.db", "wal": "series.db-wal", "folder": "."}
    with tempfile.TemporaryDirectory() as made:
        Path(made).chmod(0o755)
        paths = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parents[2])])
        wanted = json.dumps({names[key]: mode for key, mode in modes.items()})
        folder = Path(made) / "night"
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", textwrap.dedent(CHILD), str(folder), how, wanted],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": paths},
        )
        folder.chmod(0o755)
        assert done.stderr == ""
        return json.loads(done.stdout.replace(str(folder), "FOLDER"))


@posix
@pytest.mark.parametrize("how", ["read", "write"])
def test_a_database_that_may_not_be_read_is_not_called_read_only(how: str) -> None:
    said = opened(how, db="000", folder="555")
    assert said["code"] == "bad-input"
    assert said["message"] == "FOLDER/series.db may not be read: you have no permission."
    assert "chmod u+r" in said["hint"]


@posix
def test_a_log_that_may_not_be_read_is_named() -> None:
    said = opened("read", db="444", wal="000", folder="555")
    assert said["message"] == "FOLDER/series.db-wal may not be read: you have no permission."


@posix
def test_a_read_only_series_is_read_and_not_written_and_says_which_place_is_read_only() -> None:
    assert opened("read", db="444", folder="555") == {"cycles": 1}
    said = opened("write", db="444", folder="555")
    assert said["message"] == "FOLDER/series.db cannot be written: the file is read-only for you."
    assert said["hint"] == "Make it writable: chmod u+w FOLDER/series.db"
    said = opened("write", db="666", folder="555")
    assert said["message"] == "FOLDER/series.db cannot be written: its folder is read-only for you."
    assert said["hint"] == "Make it writable: chmod u+w FOLDER"


@posix
def test_a_read_only_series_whose_newest_cycles_are_in_its_log_says_so() -> None:
    said = opened("read", db="444", wal="444", folder="555")
    assert said["code"] == "bad-input"
    assert "its newest cycles are in series.db-wal" in said["message"]
    assert "copy that folder" in said["hint"]


@posix
def test_read_only_media_are_told_apart_from_permissions(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    real, path = os.statvfs(store.folder), store.folder / "series.db"

    class Media:
        f_flag = real.f_flag | os.ST_RDONLY

    monkeypatch.setattr(os, "access", lambda place, mode: mode != os.W_OK)  # as it says there
    monkeypatch.setattr(os, "statvfs", lambda place: Media)
    with pytest.raises(BadInput, match="a file system that is read-only") as caught:
        Store.open(store.folder)
    assert str(path) in caught.value.message
    assert caught.value.hint is not None and "--archive DIR" in caught.value.hint
    Store.open(store.folder, readonly=True).close()


def test_a_reader_that_means_to_write_is_told_how_it_was_opened(store: Store) -> None:
    with Store.open(store.folder, readonly=True) as reader, pytest.raises(BadInput, match="was opened read-only"):
        reader.add_input("request", {})


def test_what_is_no_series_says_what_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "night"
    folder.mkdir()
    path = folder / "series.db"
    with sqlite3.connect(tmp_path / "songs.db") as connection:
        connection.execute("CREATE TABLE songs (name)")
    connection.close()
    foreign = (tmp_path / "songs.db").read_bytes()
    for content, says in ((b"", "it is empty"), (b"words " * 900, "no SQLite database"), (foreign, "another program")):
        path.write_bytes(content)
        with pytest.raises(NotASeries, match=says) as caught:
            Store.open(folder, readonly=True)
        assert caught.value.exit_code == 2 and caught.value.hint
    path.unlink()
    path.mkdir()
    with pytest.raises(NotASeries, match="it is a folder"):
        Store.open(folder)


def test_a_damaged_series_names_verify(store: Store) -> None:
    for cycle in range(1, 12):
        store.commit(record(cycle))
    store.close()
    path = store.folder / "series.db"
    path.write_bytes(path.read_bytes()[: 5 * 4096])
    with pytest.raises(Damaged, match="is damaged") as caught:
        Store.open(store.folder, readonly=True)
    assert caught.value.hint is not None
    assert "gen-emerge verify night" in caught.value.hint and "Restore series.db" in caught.value.hint


def test_a_disk_that_gives_nothing_back_is_no_bug_of_ours(tmp_path: Path) -> None:
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = 10 | 1 << 8  # SQLITE_IOERR_READ, as sqlite3 would set it
    with pytest.raises(Damaged, match="does not give back what was written") as caught, translated(tmp_path / "a"):
        raise error
    assert caught.value.hint is not None and "another disk" in caught.value.hint


def test_a_process_out_of_files_is_told_so(store: Store) -> None:
    error = sqlite3.OperationalError("unable to open database file")
    error.sqlite_errorcode = 14
    said = ours(error, store.folder / "series.db")
    assert type(said) is GenEmergeError and "too many files open" in str(said)
