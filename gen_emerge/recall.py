"""Candidates of earlier cycles, brought back into the one being derived.

Takes the live series and candidate ids; gives subjects with what was stored of them. Answers to another bank, or
another critic's, are left behind: they cannot be compared with today's. Pictures are loaded only to be measured.
"""

from __future__ import annotations

from collections.abc import Sequence

from gen_emerge.live import Live
from gen_emerge.measuring import score
from gen_emerge.protocols import Scorer
from gen_emerge.subject import Subject
from gen_emerge.tried import tried
from gen_emerge.types import GATES, Reading


def recall(live: Live, ids: Sequence[int]) -> list[Subject]:
    """Subjects in the order of `ids`: signals, embedding and critique as stored, pixels not loaded."""
    if not ids:
        return []
    found = {candidate.id: candidate for candidate in live.store.candidates(ids, current=True)}
    signals = live.store.signals(ids)
    critiques = {n: c for n, c in live.store.critiques(ids).items() if live.sitting.current(c)}
    known, rows = live.store.embeddings(ids, live.space)
    vectors = {int(number): row for number, row in zip(known, rows, strict=True)}
    return [
        Subject.of_earlier(
            found[number],
            signals=signals.get(number, {}),
            vector=vectors.get(number),
            space=live.space,
            critique=critiques.get(number),
        )
        for number in ids
    ]


def embed_again(live: Live, subject: Subject) -> None:
    """Its embedding in the space of today's scorer, which is recorded with this cycle unless it is to be anyway.

    What can no longer be embedded stays without: whoever needs the embedding says so.
    """
    carried = live.carried.get(subject.id)
    subject.embedding = carried or live.embed_again([subject.id]).get(subject.id)
    subject.newly_embedded = carried is None and subject.embedding is not None


def measure_again(live: Live, subjects: Sequence[Subject]) -> dict[int, str]:
    """Measure what another version of a scorer measured, so that no two versions' numbers are put together.

    Returns:
        Candidate id -> why today's scorers could not measure it.
    """
    versions, failed = live.crew.versions, dict[int, str]()
    for scorer in (live.crew.measures, *live.crew.scorers):
        own = {name: versions[name] for name in scorer.versions if name != "novelty"}
        _read_tried(live, scorer, subjects)
        for subject in subjects:
            stored = {name: signal.scorer_version for name, signal in subject.signals.items() if name in own}
            stale = stored != own or ("novelty" in scorer.roles and subject.embedding is None)
            if not stale or subject.image is None or subject.id in failed:
                continue
            prompt, attempts = subject.genome.prompt, live.crew.rhythm.max_attempts
            (reading,) = score(scorer, [live.picture(subject)], [prompt], attempts=attempts)
            if isinstance(reading, Reading):
                subject.read_again(reading)
            else:
                failed[subject.id] = reading
    return failed


def _read_tried(live: Live, scorer: Scorer, subjects: Sequence[Subject]) -> None:
    """What was tried of today's scorer need not be measured again."""
    ids = frozenset(subject.id for subject in subjects)
    for gate in sorted(scorer.roles & set(GATES)):
        readings = tried(live.store, gate, live.crew.versions[gate], ids=ids).readings
        for subject in subjects:
            if subject.id in readings:
                subject.read_again(readings[subject.id])
