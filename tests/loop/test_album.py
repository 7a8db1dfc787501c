"""Stored pictures that are looked at again: read once while they are kept, painted again where their file is lost."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from loop_crew import RankCritic, Series, Traits, edges, world_crew

from gen_emerge.album import Album
from gen_emerge.engines.local import LocalEngine
from gen_emerge.errors import Damaged
from gen_emerge.fakes import FakeGenerator

CYCLES = 8
NOBODY = SimpleNamespace(name="nobody", version="0")


def traits(number: int) -> Traits:
    return Traits(x=edges(number) if number <= 4 else (0.0, 0.5, 1.0)[number % 3])


def slow_critic_s() -> Any:
    """A crew whose critic is asked in conversations; every later image wins its duel."""
    return world_crew(traits, rhythm={"pipeline_depth": 3}, critic=RankCritic(lambda number: min(number // 4, 12)))


def candidate(name: str, by: Any = NOBODY) -> Any:
    genome = SimpleNamespace(generator=by.name, generator_version=by.version, hash=name, imported=False)
    return SimpleNamespace(image=SimpleNamespace(path=name), genome=genome)


# ---- in a series ---------------------------------------------------------------------------------------------------


def test_a_holder_s_picture_is_read_once_for_many_conversations(series):
    made: Series = series(slow_critic_s()).run(CYCLES)
    shown = made.crew.critic.dueled
    assert len(shown) > len(made.loads) > 0 and len(set(made.loads)) == len(made.loads)


class Watched:
    """A generator that notes who calls it, and whether two do at once."""

    def __init__(self, generator: Any) -> None:
        self._generator = generator
        self._busy = threading.Lock()
        self.threads: set[int] = set()
        self.calls: list[int] = []
        self.crowded = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._generator, name)

    def render(self, genomes: Any) -> Any:
        self.threads.add(threading.get_ident())
        self.calls.append(len(genomes))
        alone = self._busy.acquire(blocking=False)
        self.crowded |= not alone
        time.sleep(0.01)
        if alone:
            self._busy.release()
        return self._generator.render(genomes)


def test_a_lost_picture_is_painted_again_by_the_thread_that_paints_all(series, monkeypatch):
    whole = series(slow_critic_s()).run(CYCLES)

    def lost(self: Series, image: Any) -> Any:
        raise Damaged(f"{image.path} is lost")

    monkeypatch.setattr(Series, "_load", lost)
    crew = slow_critic_s()
    watched = Watched(crew.generator)
    made = series(replace(crew, generator=watched)).run(CYCLES)
    assert watched.calls.count(1) > 3 and watched.calls.count(4) >= CYCLES
    assert len(watched.threads) == 1 and threading.get_ident() not in watched.threads and not watched.crowded
    assert made.state.digest() == whole.state.digest()


# ---- the album itself ----------------------------------------------------------------------------------------------


def test_the_newest_pictures_are_kept_and_no_more_than_there_is_room_for():
    loads: list[str] = []

    def load(image: Any) -> Any:
        loads.append(image.path)
        return np.zeros((10, 10, 3), np.uint8)

    album = Album(load, pytest.fail, NOBODY, kept_bytes=700)
    for name in "abaca":
        album.picture(candidate(name))
    assert loads == ["a", "b", "c"]
    for name in "ab":
        album.picture(candidate(name))
    assert loads == ["a", "b", "c", "b"]  # b made room for c; a had been looked at since
    large = Album(load, pytest.fail, NOBODY, kept_bytes=100)
    assert large.picture(candidate("d")).shape == (10, 10, 3) and not large._kept


def test_many_threads_may_look_at_once():
    def load(image: Any) -> Any:
        return np.full((10, 10, 3), int(image.path), np.uint8)

    album = Album(load, pytest.fail, NOBODY, kept_bytes=3000)
    with ThreadPoolExecutor(32) as pool:
        found = list(pool.map(lambda n: int(album.picture(candidate(str(n % 20)))[0, 0, 0]), range(2000)))
    assert found == [n % 20 for n in range(2000)]
    assert sum(pixels.nbytes for pixels in album._kept.values()) + album._room == 3000 and album._room >= 0


def test_what_another_generator_made_is_not_painted_again():
    def lost(image: Any) -> Any:
        raise Damaged("lost")

    album = Album(lost, lambda genome: np.zeros((1, 1, 3), np.uint8), FakeGenerator())
    with pytest.raises(Damaged):
        album.picture(candidate("a"))
    assert album.picture(candidate("b", by=FakeGenerator)).shape == (1, 1, 3)


def test_a_picture_beside_the_cycles_waits_its_turn_and_its_failure_is_whoever_s_asked():
    class Broken(FakeGenerator):
        def render(self, genomes: Any) -> Any:
            raise RuntimeError("a broken genome")

    engine = LocalEngine(Broken(), lambda items: [], max_attempts=1)
    try:
        with pytest.raises(RuntimeError, match="broken"):
            engine.paint(SimpleNamespace(width=4, height=4, imported=False))  # pyright: ignore[reportArgumentType]
    finally:
        engine.close()
