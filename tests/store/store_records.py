"""Cycle records that use every field, for the store's tests."""

from __future__ import annotations

import numpy as np
import pytest
from sqlalchemy.exc import IntegrityError

from gen_emerge.store import Store
from gen_emerge.types import (
    Axes,
    Bounds,
    Calibration,
    Candidate,
    Critique,
    CycleRecord,
    Duel,
    Embedding,
    Event,
    Genome,
    Image,
    Placement,
    Proposal,
    Question,
    Resolution,
    Round,
    Signal,
    Usage,
    Verdict,
    candidate_id,
)

BATCH = 4
SPACE = "novelty@1"


def genome(cycle: int, slot: int) -> Genome:
    """A genome whose slots and parameters are in no alphabetical order, with text of many scripts."""
    return Genome(
        slots={"subject": "звёзды", "art": "ink — 水墨", "motion": "drift"},
        prompt="звёзды, ink — 水墨 🌊, drifting",
        negative="blur",
        seed=cycle * 100 + slot,
        generator="painter",
        generator_version="1",
        parameters={"zoom": 0.1 + 0.2, "alpha": 1 / 3 + slot},
        width=64,
        height=48,
        parents=("ab" * 32, "cd" * 32) if slot else (),
        operator="mutate" if slot else "fresh",
    )


def image(of: Genome) -> Image:
    return Image(
        pixels=of.hash,
        file=of.hash[::-1],
        path=f"images/{of.hash[:2]}/{of.hash}.png",
        thumbnail=f"images/{of.hash[:2]}/{of.hash}.webp",
        width=64,
        height=48,
        size=1234,
    )


def record(cycle: int, *, batch: int = BATCH, signals: int = 3, dimensions: int = 8) -> CycleRecord:
    """A cycle with one failed candidate (the last), and everything else that a cycle can have."""
    rng = np.random.default_rng(cycle)
    ids = [candidate_id(cycle, slot, batch) for slot in range(batch)]
    statuses = ["failed" if slot == batch - 1 else ("review", "passed")[slot % 2] for slot in range(batch)]
    genomes = [genome(cycle, slot) for slot in range(batch)]
    candidates = tuple(
        Candidate(
            id=ids[slot],
            cycle=cycle,
            slot=slot,
            genome=genomes[slot],
            image=None if statuses[slot] == "failed" else image(genomes[slot]),
            status=statuses[slot],
            cause="it raised" if statuses[slot] == "failed" else "",
        )
        for slot in range(batch)
    )
    seen = ids[:-1]
    return CycleRecord(
        cycle=cycle,
        candidates=candidates,
        signals={
            i: tuple(Signal(scorer=f"s{k}", scorer_version="v1", value=float(rng.normal())) for k in range(signals))
            for i in seen
        },
        embeddings={i: Embedding(space=SPACE, vector=rng.random(dimensions, dtype=np.float32)) for i in seen},
        verdicts={
            i: (
                Verdict(gate="blank", kind="filter", outcome="pass", value=None),
                Verdict(
                    gate="quality",
                    kind="gate",
                    outcome="review",
                    value=0.1 + 0.2,
                    bounds=Bounds(lower=1 / 3, review=0.01),
                    calibration=1,
                    reason="near the bound",
                ),
                Verdict(
                    gate="novelty", kind="gate", outcome="pass", value=float(rng.random()), bounds=Bounds(duplicate=0.1)
                ),
            )
            for i in seen
        },
        critiques={
            i: Critique(
                critic="measured-1",
                bank="default",
                bank_hash="e" * 64,
                answers={"q2": "yes", "q1": "unsure", "q3": "unanswered"},
                summary="Тихо. Вода.",
                weaknesses=("flat", "dark"),
                usage=Usage(input_tokens=3, output_tokens=4, cost_usd=0.1 + 0.2, seconds=1.5),
            )
            for i in seen[:2]
        },
        duels=(
            Duel(left=ids[0], right=ids[1], question="quality", outcome="tie", judge="measured-1"),
            Duel(
                left=ids[1],
                right=1,
                question="adherence",
                outcome="left",
                judge="human:a",
                order="single",
                purpose="round",
                seconds=2.5,
                attention=True,
            ),
        ),
        resolutions=(
            Resolution(candidate=1, status="passed"),
            Resolution(candidate=ids[0], status="rejected", cause="x"),
        ),
        placements=(
            Placement(
                candidate=ids[1],
                cell=3,
                descriptor=(0.1 + 0.2, 1 / 3),
                descriptor_version=1,
                outcome="new",
                clipped=True,
            ),
            Placement(
                candidate=ids[0],
                cell=3,
                descriptor=(0.5, 0.25),
                descriptor_version=1,
                outcome="lost",
                incumbent=1,
                reason="critic",
            ),
        ),
        calibration=Calibration(
            version=cycle,
            parent=cycle - 1 or None,
            bounds={"quality": Bounds(lower=0.1 + 0.2, review=0.05), "novelty": Bounds(upper=0.5, duplicate=0.01)},
            evidence={"warm-up": 32, "of": [1.5, None]},
            reason="first",
        ),
        axes=Axes(
            version=cycle,
            kind="cvt",
            names=("warmth", "edges"),
            low=(0.1 + 0.2, 0.0),
            high=(1.0, 2.0),
            centroids=((0.5, 0.25), (1 / 3, 1.0)),
        ),
        round=Round(
            id=f"r{cycle}",
            cycle=cycle,
            reason="scheduled",
            questions=(
                Question(
                    id=f"r{cycle}-1",
                    kind="pair",
                    ask="adherence",
                    prompt="звёзды",
                    images={"right": ids[1], "left": ids[0]},
                    attention=True,
                ),
                Question(id=f"r{cycle}-2", kind="keep", ask="keep", prompt="", images={"only": ids[0]}, stream="raw"),
            ),
            baseline=(ids[1], ids[0]),
        ),
        proposals=tuple(Proposal(cycle=cycle + 2, slot=slot, genome=genome(cycle + 2, slot)) for slot in range(batch)),
        events=(Event(kind="alarm", message="узко", payload={"b": 1, "a": [0.1]}), Event(kind="notice", message="x")),
        best=ids[1],
        measures={"self_similarity": 0.1 + 0.2, "a": 2.0},
        render_seconds=1.25,
        cycle_seconds=2.5,
    )


def fill(store: Store) -> None:
    """At least one row in every table."""
    store.begin(1, 0.0)
    store.commit(record(1))
    store.add_input("request", {})


def refuses_to_forget(store: Store) -> int:
    """Try to change and to delete rows of every table; how many tables there are."""
    with store._engine.connect() as connection:
        tables = [
            row[0]
            for row in connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table'")
            if row[0] != "alembic_version"
        ]
        for table in tables:
            assert connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one(), f"{table} is empty"
            column = connection.exec_driver_sql(f"SELECT * FROM {table}").keys()
            for statement in (f"DELETE FROM {table}", f'UPDATE {table} SET "{next(iter(column))}" = 1'):
                with pytest.raises(IntegrityError, match=f"{table} is append-only"):
                    connection.exec_driver_sql(statement)
    return len(tables)
