"""Kills, locks, full disks: what was committed is there, what was not is not."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from store_records import BATCH, fill, record, refuses_to_forget

from gen_emerge.errors import Damaged, DiskFull, HeldByAnother
from gen_emerge.store import Store, hold, holder

posix = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")


CHILDREN: list[subprocess.Popen[str]] = []


@pytest.fixture(autouse=True)
def nobody_is_left() -> Iterator[None]:
    """Whoever still runs when a test has failed would spoil the next one."""
    yield
    while CHILDREN:
        process = CHILDREN.pop()
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def child(code: str, *arguments: str) -> subprocess.Popen[str]:
    """A Python process that says when it has come to the interesting point."""
    paths = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parents[2])])
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
    )
    CHILDREN.append(process)
    return process


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def killed(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


@posix
@pytest.mark.parametrize("table", ["cycles", "candidates", "placements", "events"])
def test_a_kill_in_the_middle_of_a_commit_leaves_the_cycle_before(tmp_path: Path, table: str) -> None:
    code = """
        import sys, time
        from pathlib import Path
        from sqlalchemy import event
        from gen_emerge.store import Store
        from store_records import record
        store = Store.create(Path(sys.argv[1]), {})
        store.commit(record(1))
        store.begin(2, 0.0)
        def stop(connection, cursor, statement, parameters, context, many):
            if statement.startswith("INSERT INTO " + sys.argv[2]):
                print("inside", flush=True)
                time.sleep(60)
        event.listen(store._engine, "after_cursor_execute", stop)
        store.commit(record(2))
    """
    process = child(code, str(tmp_path / "night"), table)
    assert said(process) == "inside"
    with Store.open(tmp_path / "night", readonly=True) as beside:
        assert beside.committed() == 1
    killed(process)
    with Store.open(tmp_path / "night") as store:
        assert store.committed() == 1
        assert len(store.candidates()) == BATCH
        assert list(store.history()) == [record(1).outcome]
        assert store.begin(2, 0.0) == 2
        store.commit(record(2))
        assert list(store.history(1)) == [record(2).outcome]


@posix
def test_what_was_said_to_be_committed_survives_a_kill_at_any_moment(tmp_path: Path) -> None:
    code = """
        import sys
        from pathlib import Path
        from gen_emerge.store import Store
        from store_records import record
        store = Store.create(Path(sys.argv[1]), {})
        for cycle in range(1, 1000):
            store.begin(cycle, 0.0)
            store.commit(record(cycle))
            print(cycle, flush=True)
    """
    process = child(code, str(tmp_path / "night"))
    last = ""
    for _ in range(12):
        last = said(process)
    killed(process)
    with Store.open(tmp_path / "night") as store:
        committed = store.committed()
        assert committed >= int(last)
        assert [o.cycle for o in store.history()] == list(range(1, committed + 1))
        assert len(store.candidates()) == committed * BATCH
        store.commit(record(committed + 1))


@posix
def test_creation_cut_off_half_way_is_started_again(tmp_path: Path) -> None:
    code = """
        import sys, time
        from pathlib import Path
        import gen_emerge.store.store as module
        module.t.Base.metadata.create_all = lambda c: (print("inside", flush=True), time.sleep(60))
        module.Store.create(Path(sys.argv[1]), {})
    """
    process = child(code, str(tmp_path / "night"))
    assert said(process) == "inside"
    killed(process)
    assert not (tmp_path / "night" / "series.db").exists()
    with Store.create(tmp_path / "night", {"seed": 1}) as store:
        assert store.facts["seed"] == 1
    assert sorted(p.name for p in (tmp_path / "night").iterdir()) == ["images", "models", "series.db"]


def test_every_connection_is_set_up_for_the_worst(store: Store) -> None:
    wanted = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 30_000}
    with store._engine.connect() as one, store._engine.connect() as other:
        for connection in (one, other):
            found = {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in wanted}
            assert found == wanted


def test_nothing_is_ever_updated_or_deleted(store: Store) -> None:
    statements: list[str] = []

    def note(_c: Any, _k: Any, statement: str, _p: Any, _x: Any, _m: Any) -> None:
        statements.append(statement)

    event.listen(store._engine, "before_cursor_execute", note)
    for cycle in (1, 2):
        store.begin(cycle, 0.0)
        store.add_input("request", {})
        store.commit(record(cycle))
    list(store.history())
    verbs = {statement.split()[0].upper() for statement in statements}
    assert verbs == {"BEGIN", "INSERT", "SELECT"}
    # Replacing deletes what was there, and no trigger sees it.
    assert not [statement for statement in statements if "OR REPLACE" in statement or "DO UPDATE" in statement]


def test_the_database_itself_refuses_to_forget(store: Store) -> None:
    fill(store)
    assert refuses_to_forget(store) == 24


def test_a_database_locked_for_three_seconds_is_waited_for(store: Store) -> None:
    store.commit(record(1))
    other = sqlite3.connect(store.folder / "series.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    release = threading.Timer(3.0, lambda: other.execute("ROLLBACK"))
    release.start()
    began = time.monotonic()
    assert store.committed() == 1  # readers do not wait
    assert time.monotonic() - began < 1.0
    store.commit(record(2))
    assert time.monotonic() - began > 2.5
    release.join()
    other.close()
    assert store.committed() == 2


def test_writers_in_several_threads_take_turns(store: Store) -> None:
    threads = [
        threading.Thread(target=lambda: [store.add_input("request", {"n": n}) for n in range(10)]) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for cycle in (1, 2, 3):
        store.commit(record(cycle))
    for thread in threads:
        thread.join()
    assert len(store.inputs_of("request")) == 40
    assert store.committed() == 3


def test_a_full_disk_stops_cleanly_and_keeps_what_was_committed(store: Store) -> None:
    store.commit(record(1))
    with store._engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages + 2}")
    with pytest.raises(DiskFull) as caught:
        for cycle in range(2, 200):
            store.commit(record(cycle))
    assert caught.value.exit_code == 5
    committed = store.committed()
    assert [o.cycle for o in store.history()] == list(range(1, committed + 1))
    with store._engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count=1000000")
    store.commit(record(committed + 1))


@posix
def test_a_file_that_may_not_grow_counts_as_a_full_disk(tmp_path: Path) -> None:
    code = """
        import resource, sys
        from pathlib import Path
        from gen_emerge.errors import DiskFull
        from gen_emerge.store import Store
        from store_records import record
        store = Store.create(Path(sys.argv[1]), {})
        store.commit(record(1))
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
        try:
            for cycle in range(2, 1000):
                store.commit(record(cycle, dimensions=4000))
        except DiskFull:
            print(cycle, store.committed(), flush=True)
    """
    process = child(code, str(tmp_path / "night"))
    failed, committed = (int(word) for word in said(process).split())
    process.communicate()
    assert process.returncode == 0
    assert committed == failed - 1
    with Store.open(tmp_path / "night") as store:
        assert store.committed() == committed
        store.commit(record(failed))


def test_a_second_process_is_told_who_holds_the_series(tmp_path: Path) -> None:
    code = """
        import sys, time
        from pathlib import Path
        from gen_emerge.store import hold
        with hold(Path(sys.argv[1])) as held:
            held.beat()
            print("held", flush=True)
            time.sleep(60)
    """
    folder = tmp_path / "night"
    process = child(code, str(folder))
    assert said(process) == "held"
    with pytest.raises(HeldByAnother, match=f"process {process.pid} on .* since 20") as caught, hold(folder):
        pass
    assert caught.value.exit_code == 3
    owner = holder(folder)
    assert owner is not None
    assert owner.pid == process.pid
    killed(process)
    began = time.monotonic()
    with hold(folder):
        assert time.monotonic() - began < 0.05
        assert holder(folder) is not None
    assert holder(folder) is None


@posix
def test_a_forked_child_does_not_keep_the_lock_of_its_dead_parent(tmp_path: Path) -> None:
    code = """
        import os, sys, time
        from pathlib import Path
        from gen_emerge.store import hold
        with hold(Path(sys.argv[1])):
            child = os.fork()
            if child == 0:
                time.sleep(60)
            time.sleep(0.2)
            print(child, flush=True)
            time.sleep(60)
    """
    process = child(code, str(tmp_path / "night"))
    orphan = int(said(process))
    try:
        with pytest.raises(HeldByAnother), hold(tmp_path / "night"):
            pass
        process.kill()
        process.wait()
        with hold(tmp_path / "night"):
            pass
    finally:
        os.kill(orphan, signal.SIGKILL)
        process.communicate()


def test_somebody_looking_does_not_get_in_the_way(tmp_path: Path) -> None:
    folder, stop = tmp_path / "night", threading.Event()

    def look() -> None:
        while not stop.is_set():
            holder(folder)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        for _ in range(20):
            with hold(folder):
                pass
            assert holder(folder) is None  # between two holds too, which the thread seldom meets
    finally:
        stop.set()
        thread.join()


@posix
def test_a_lock_that_is_looked_at_for_a_moment_is_waited_for(tmp_path: Path) -> None:
    import fcntl

    with hold(tmp_path):
        pass
    handle = os.open(tmp_path / ".lock", os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_SH)
    gone = threading.Timer(0.02, lambda: os.close(handle))
    gone.start()
    with hold(tmp_path):
        assert holder(tmp_path) is not None
    gone.join()
    assert holder(tmp_path) is None


def test_a_damaged_database_is_named(store: Store, tmp_path: Path) -> None:
    for cycle in range(1, 20):
        store.commit(record(cycle))
    store.close()
    path = store.folder / "series.db"
    content = bytearray(path.read_bytes())
    content[8192 : len(content) - 4096] = b"\xff" * (len(content) - 12288)
    path.write_bytes(content)
    names: Sequence[str] = ()
    with pytest.raises(Damaged, match=r"series\.db"), Store.open(tmp_path / "night") as broken:
        names = [c.cause for c in broken.candidates()]
        list(broken.history())
    assert names == ()
