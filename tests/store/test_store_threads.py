"""Many threads at one store: a slow critic's conversations read and write it all at once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gen_emerge.store import Store
from gen_emerge.store.database import KEPT_OPEN

THREADS = 64


def test_so_many_threads_may_read_at_the_same_time(tmp_path: Path) -> None:
    """All are in the middle of a read at once: none waits until another has gone, as a small pool would have it."""
    with Store.create(tmp_path / "s", {}) as store, ThreadPoolExecutor(THREADS) as pool:
        for number in range(5):
            store.add_input("request", {"candidate": number}, first_cycle=1)
        together = threading.Barrier(THREADS)

        def read(_: int) -> tuple[int, int]:
            with store._reading() as connection:
                together.wait(timeout=10)
                inside = connection.exec_driver_sql("SELECT count(*) FROM inputs").scalar_one()
                together.wait(timeout=10)
            return inside, len(store.inputs_of("request"))

        assert list(pool.map(read, range(THREADS))) == [(5, 5)] * THREADS
        # What a crowd needed is given back: a series that rests holds no more files than one that never had it.
        assert store._engine.pool.checkedin() <= KEPT_OPEN


@pytest.mark.parametrize("readers", [0, THREADS // 2])
def test_so_many_threads_may_write_and_each_reads_its_own(tmp_path: Path, readers: int) -> None:
    with Store.create(tmp_path / "s", {}) as store, ThreadPoolExecutor(THREADS) as pool:
        start = threading.Barrier(THREADS)

        def talk(number: int) -> list[int]:
            start.wait(timeout=10)
            if number < readers:
                return [len(store.inputs(1, 1)) for _ in range(20)]
            written = [store.add_input("request", {"candidate": number}, first_cycle=1).id for _ in range(3)]
            mine = [item.id for item in store.inputs_of("request") if item.payload["candidate"] == number]
            assert mine == written
            return written

        found = list(pool.map(talk, range(THREADS)))
        ids = [number for each in found[readers:] for number in each]
        assert len(set(ids)) == len(ids) == 3 * (THREADS - readers)
        assert all(seen == sorted(seen) for seen in found[:readers])
