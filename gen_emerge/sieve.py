"""Between the hard filters and the gates: what is measured of whom, and which take of a genome goes on.

Takes the crew and one cycle's candidates; ends those that a rule, a detector or the selector turns away, or that cannot
be measured, and fills in the signals of the others. What many may fail comes first, so that what is slow looks at few:
pixel statistics, rules, detectors, the selector's own scorers, the choice among takes, then every other scorer.
"""

from __future__ import annotations

from collections.abc import Sequence

from gen_emerge import filters
from gen_emerge.fates import SELECTOR, grouped
from gen_emerge.heads import PERSONAL, Known, Version
from gen_emerge.measuring import find, score
from gen_emerge.preference.takes import BY_PROMPT, Selector
from gen_emerge.protocols import Detector, Scorer
from gen_emerge.roles import Crew
from gen_emerge.subject import Subject
from gen_emerge.types import Defect, Event, Reading, Signal, Verdict


def measure(crew: Crew, batch: Sequence[Subject], head: Version | None = None) -> list[Event]:
    """Measure one cycle's candidates, in slot order.

    Args:
        crew: who measures, looks and chooses.
        batch: those still open have pixels; takes of one genome side by side.
        head: in force, None where none is: then a "personal" selector goes by the prompt.

    Returns:
        Failures, to be told.
    """
    events: list[Event] = []
    _score(crew, [crew.measures], batch, events)
    _apply_rules(crew, batch)
    for detector in crew.detectors:
        _look(crew, detector, batch, events)
    selector = BY_PROMPT if head is None and PERSONAL in crew.selector.signals else crew.selector
    first = _selecting(crew, selector)
    if crew.rhythm.best_of > 1:
        _score(crew, first, batch, events)
        _apply_rules(crew, batch)
        if head is not None and PERSONAL in selector.signals:
            _ask_head(head, batch)
        for takes in grouped(batch, crew.rhythm.best_of, alone=sum(subject.genome.imported for subject in batch)):
            _choose(selector, takes, events)
    _score(crew, [scorer for scorer in crew.scorers if scorer not in first], batch, events)
    _apply_rules(crew, batch)
    return events


def _selecting(crew: Crew, selector: Selector) -> list[Scorer]:
    """The scorers of the signals that the selector reads, pixel statistics left out: those are known by then.

    A head reads the embedding.
    """
    if crew.rhythm.best_of == 1:
        return []
    wanted = {"novelty" if name == PERSONAL else name for name in selector.signals}
    return [scorer for scorer in crew.scorers if not wanted.isdisjoint(scorer.versions)]


def _ask_head(head: Version, batch: Sequence[Subject]) -> None:
    """What the head expects of every take; the critic has not looked at any of them yet."""
    for subject in batch:
        if subject.open and subject.embedding is not None and subject.embedding.space == head.space:
            looks = head.looks([Known(vector=subject.embedding.vector, critique=None)])
            value = float(head.head.utilities(looks)[0])
            signal = Signal(scorer=PERSONAL, scorer_version=head.judge, value=value)
            subject.read(Reading(signals=(signal,)))


def _score(crew: Crew, scorers: Sequence[Scorer], batch: Sequence[Subject], events: list[Event]) -> None:
    for scorer in scorers:
        subjects = [s for s in batch if s.open and s.pixels is not None]
        if not subjects:
            return
        images, prompts = [s.shown for s in subjects], [s.genome.prompt for s in subjects]
        readings = score(scorer, images, prompts, attempts=crew.rhythm.max_attempts)
        for subject, reading in zip(subjects, readings, strict=True):
            if isinstance(reading, Reading):
                subject.read(reading)
            else:
                events.append(_failed(subject, reading))


def _failed(subject: Subject, trouble: str) -> Event:
    subject.end("failed", trouble)
    return Event(kind="failed", message=f"Candidate {subject.id}: {trouble}")


def _apply_rules(crew: Crew, batch: Sequence[Subject]) -> None:
    """The user's rules, as soon as their signals are known."""
    for subject in batch:
        if subject.open:
            subject.reject(filters.apply_rules(crew.rules, subject.values))


def _look(crew: Crew, detector: Detector, batch: Sequence[Subject], events: list[Event]) -> None:
    """One detector: who has a defect is turned away. How many there are is kept as a signal, none included."""
    subjects = [s for s in batch if s.open and s.pixels is not None]
    if not subjects:
        return
    found = find(detector, [s.shown for s in subjects], attempts=crew.rhythm.max_attempts)
    for subject, defects in zip(subjects, found, strict=True):
        if isinstance(defects, str):
            events.append(_failed(subject, f"{detector.name}: {defects}"))
            continue
        count = Signal(scorer=detector.name, scorer_version=detector.version, value=float(len(defects)))
        subject.read(Reading(signals=(count,)))
        subject.reject(_defective(detector.name, defects) if defects else None)


def _defective(name: str, defects: Sequence[Defect]) -> Verdict:
    more = f" And {len(defects) - 1} more." if len(defects) > 1 else ""
    reason = f"{defects[0].kind}: {defects[0].reason}{more}"
    return Verdict(gate=name, kind="filter", outcome="fail", value=float(len(defects)), reason=reason)


def _choose(selector: Selector, takes: Sequence[Subject], events: list[Event]) -> None:
    """One of the takes still open goes on; the others were good enough, and keep their pictures on disk alone."""
    for subject in takes:
        missing = [name for name in selector.signals if name not in subject.signals]
        if subject.open and missing:
            events.append(_failed(subject, f"no {missing[0]} was measured"))
    able = [subject for subject in takes if subject.open]
    if len(able) < 2:
        return
    chosen = able[selector.choose([subject.values for subject in able])]
    for subject in able:
        if subject is not chosen:
            subject.reject(_passed_over(selector, subject, chosen))
            subject.pixels = None


def _passed_over(selector: Selector, subject: Subject, chosen: Subject) -> Verdict:
    signals = selector.signals
    told = ", ".join(f"{name} {subject.values[name]:.4g} against {chosen.values[name]:.4g}" for name in signals)
    value = subject.values[signals[0]] if len(signals) == 1 else None
    reason = f"candidate {chosen.id}, another take of this genome, goes on: {told}"
    return Verdict(gate=SELECTOR, kind="filter", outcome="fail", value=value, reason=reason)
