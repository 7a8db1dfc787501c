"""A studio of a test's own, and real processes of `gen-emerge` that run, are killed and run again in it."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from gen_emerge.store import Store, round_payload
from gen_emerge.types import Candidate, Question, Round

STAND_INS = Path(__file__).parent / "stand_ins"
PATIENCE = 180.0
"""Seconds after which a process that should have ended is a failure: generous, for busy machines."""
EMBEDDED = Path(__file__).parents[2] / "gen_emerge" / "scorers" / "embedded"


def networks_are_there() -> bool:
    """Whether the embedded networks are shipped in this tree."""
    return all((EMBEDDED / f"{name}.onnx").is_file() for name in ("trunk", "quality"))


class Zygote:
    """The test's end of `stand_ins/zygote.py`."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(STAND_INS / "zygote.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=dict(environment),
        )
        assert self._line() == {"ready": True}

    def ask(self, question: Mapping[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        return self._line()

    def close(self) -> None:
        self._process.communicate()

    def _line(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"the zygote ended: {self._process.poll()}"
        return json.loads(line)


@dataclass(slots=True)
class Running:
    """One process of `gen-emerge`."""

    pid: int
    out: Path
    err: Path
    look: Callable[[], int | None]
    code: int | None = None

    def ended(self) -> bool:
        if self.code is None:
            self.code = self.look()
        return self.code is not None

    def wait(self) -> int:
        """Its exit code, negative for a signal."""
        limit = time.monotonic() + PATIENCE
        while not self.ended():
            if time.monotonic() > limit:
                self.kill()
                raise AssertionError(f"did not end within {PATIENCE:.0f} s: {self.err.read_text()[-2000:]}")
            time.sleep(0.005)
        assert self.code is not None
        return self.code

    def kill(self) -> bool:
        """`kill -9`; whether it was that which ended it."""
        if not self.ended():
            os.kill(self.pid, signal.SIGKILL)
            self.wait()
        return self.code == -signal.SIGKILL

    @property
    def said(self) -> dict[str, Any]:
        """The one object on standard output."""
        return json.loads(self.out.read_text(encoding="utf-8"))


@dataclass(slots=True)
class House:
    """A studio folder with one archive."""

    root: Path
    environment: Mapping[str, str]
    zygote: Zygote
    archive: Path = field(init=False)
    calls: int = 0

    def __post_init__(self) -> None:
        self.archive = self.root / "archive"

    # ---- series files --------------------------------------------------------------------------------------------

    def series(self, name: str, **tables: Mapping[str, Any]) -> Path:
        """Write a small, quick series file; tables given here are laid over it key by key."""
        settings: dict[str, dict[str, Any]] = {
            "loop": {"batch": 4, "warmup_cycles": 3, "cycles": 14, "checkin_every": 0},
            "image": {"width": 48, "height": 40},
            "generator": {"use": "troubled"},
            "archive": {"dims": [4, 4]},
        }
        for table, values in tables.items():
            settings.setdefault(table.replace("__", "."), {}).update(values)
        lines = ["schema = 1", f'name = "{name}"', "seed = 11"]
        for table, values in settings.items():
            lines += ["", f"[{table}]", *(f"{key} = {json.dumps(value)}" for key, value in values.items())]
        path = self.root / "experiments" / "series" / f"{name}.toml"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    # ---- processes -----------------------------------------------------------------------------------------------

    def start(
        self, *arguments: str | Path, env: Mapping[str, str] | None = None, cold: bool = False, json_: bool = True
    ) -> Running:
        """Start `gen-emerge` in a process of its own.

        Args:
            arguments: the command and what follows it.
            env: variables beside the usual ones.
            cold: the installed command itself, every import included; else a fork of a process that has the libraries.
            json_: with `--json`.
        """
        self.calls += 1
        out, err = (self.root / f"said-{self.calls}.{end}" for end in ("out", "err"))
        argv = ["--root", str(self.root), "--archive", str(self.archive), *(["--json"] if json_ else [])]
        argv += [str(argument) for argument in arguments]
        variables = {**self.environment, **(env or {})}
        if not cold:
            pid = self.zygote.ask({"argv": argv, "env": variables, "out": str(out), "err": str(err)})["pid"]
            return Running(pid, out, err, lambda: self.zygote.ask({"wait": pid})["status"])
        command = Path(sys.executable).with_name("gen-emerge")
        with out.open("w") as stdout, err.open("w") as stderr:
            process = subprocess.Popen([str(command), *argv], stdout=stdout, stderr=stderr, env=variables)
        return Running(process.pid, out, err, process.poll)

    def call(
        self, *arguments: str | Path, code: int = 0, env: Mapping[str, str] | None = None, cold: bool = False
    ) -> dict[str, Any]:
        """Run a command to its end; gives its object, after checking its exit code."""
        running = self.start(*arguments, env=env, cold=cold)
        ended = running.wait()
        told = running.out.read_text() + running.err.read_text()
        assert ended == code, f"gen-emerge {arguments}: exit {ended}, not {code}\n{told}"
        return running.said

    # ---- what is there -------------------------------------------------------------------------------------------

    def folder(self, name: str) -> Path:
        return self.archive / name

    def store(self, name: str) -> Store:
        return Store.open(self.folder(name), readonly=True)

    def committed(self, name: str) -> int:
        """Cycles committed, looked at beside a running process; 0 before there is a database."""
        path = self.folder(name) / "series.db"
        if not path.exists():
            return 0
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)) as connection:
            try:
                return int(connection.execute("SELECT coalesce(max(cycle), 0) FROM cycles").fetchone()[0])
            except sqlite3.OperationalError:
                return 0

    def until(self, running: Running, happened: Callable[[], bool]) -> None:
        """Wait for something, or for the process to end."""
        limit = time.monotonic() + PATIENCE
        while not running.ended() and not happened():
            assert time.monotonic() < limit
            time.sleep(0.004)

    def history(self, name: str) -> list[tuple[Any, ...]]:
        """All candidates as they stand: cycle, slot, genome, pixels, status, cause."""
        with self.store(name) as store:
            return [told(candidate) for candidate in store.candidates(current=True)]

    def quarantined(self, name: str) -> dict[str, str]:
        """Genome -> error."""
        with self.store(name) as store:
            return {i.payload["genome"]: i.payload["error"] for i in store.inputs_of("quarantine")}

    def events(self, name: str) -> list[tuple[int, str, str]]:
        with self.store(name) as store:
            return [(cycle, event.kind, event.message) for cycle, event in store.events()]

    def healthy(self, name: str) -> None:
        """`verify` finds nothing, and no file lies about that no candidate knows."""
        found = self.call("verify", name)
        assert found == {"series": name, "ok": True, "uncommitted": 0, "problems": []}

    def contents(self, name: str) -> dict[str, Any]:
        """Everything that is stored, row by row, and every image's bytes: to see that nothing changed."""
        path = self.folder(name) / "series.db"
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            rows = {table: connection.execute(f"SELECT * FROM {table}").fetchall() for table in names}
        files = {str(p): p.read_bytes() for p in sorted((self.folder(name) / "images").rglob("*")) if p.is_file()}
        return {"rows": rows, "files": files}


def ask_pairs(store: Store, ids: Sequence[int], count: int, rng: np.random.Generator) -> list[Question]:
    """One round of pairs by quality, drawn by chance from these images."""
    questions: list[Question] = []
    for number in range(count):
        left, right = (int(c) for c in rng.choice(ids, 2, replace=False))
        images = {"left": left, "right": right}
        questions.append(Question(id=f"r900-{number}", kind="pair", ask="quality", prompt="p", images=images))
    asked = Round(id="r900", cycle=store.committed(), reason="request", questions=tuple(questions))
    store.add_input("round", round_payload(asked))
    return questions


def told(candidate: Candidate) -> tuple[Any, ...]:
    image = candidate.image
    pixels = image.pixels if image else None
    return (candidate.cycle, candidate.slot, candidate.genome.hash, pixels, candidate.status, candidate.cause)


def environment(path: Sequence[Path]) -> dict[str, str]:
    """Variables of every process: one thread, the stand-ins in front."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
    return {
        **os.environ,
        **threads,
        "PYTHONPATH": os.pathsep.join(str(folder) for folder in path),
        "PYTHONDONTWRITEBYTECODE": "1",
        "STAND_IN_SCORERS": "1",
    }
