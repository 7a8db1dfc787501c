"""Several takes of one genome: which goes on, what becomes of the others, and that nothing else is touched by it."""

from __future__ import annotations

import hashlib

from loop_crew import RankCritic, Traits, rhythm, world_crew

BEFORE = "01a71f23d59b2d80de1251fa9352f64dc6da37ca3dcdf1f1ba00012979ee4afd"
"""Everything 24 cycles came to before a genome could have several takes: digest, genomes, fates, proposals."""


def told(made) -> str:
    """What a series came to, in one word."""
    rows = [made.state.digest()]
    for record in made.records:
        rows += [f"{c.id} {c.genome.hash} {c.status} {c.cause}" for c in record.candidates]
        rows += [f"{p.cycle} {p.slot} {p.genome.hash}" for p in record.proposals]
        rows += [f"{p.candidate} {p.cell} {p.outcome}" for p in record.placements]
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()


def test_one_take_a_genome_is_what_a_series_was_before_there_could_be_more(series):
    traits = lambda n: Traits(x=(n * 7 % 5) / 4, quality=(n * 13 % 17) / 17, broken=n % 19 == 0)  # noqa: E731
    made = series(world_crew(traits, critic=RankCritic(lambda n: n * 5 % 11, immediate=True)))
    assert told(made.run(24)) == BEFORE
