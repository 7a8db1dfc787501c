"""What came from outside, at a cycle's boundary: human answers, changed settings, places still open.

Takes the `inputs` whose first cycle this is; changes the draft of the cycle. An answer written before the cycle began
counts in it, whenever the process was killed in between; nothing here asks anybody.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gen_emerge.calibration.first import resolve
from gen_emerge.chance import draw
from gen_emerge.cycle import Draft
from gen_emerge.preference.answers import as_duel
from gen_emerge.preference.rounds import open_round
from gen_emerge.recall import recall
from gen_emerge.remeasure import remeasured
from gen_emerge.store.answers import answers_from
from gen_emerge.types import Duel, Event, HumanAnswer, Input, Question, Round


def hear(draft: Draft, inputs: Sequence[Input]) -> None:
    """Bring in what arrived, and whoever waits for a place."""
    settings = [item for item in inputs if item.kind == "config"]
    # The first settings are those the series began with: no change.
    if settings and settings[-1].id != draft.live.store.inputs_of("config")[0].id:
        _settings_changed(draft)
    for item in inputs:
        if item.kind == "quarantine":
            message = f"Genome {item.payload['genome'][:12]} is quarantined: {item.payload['error']}"
            draft.events.append(Event(kind="quarantine", message=message, payload=dict(item.payload)))
    _return_pending(draft)
    answers = answers_from(inputs).standing
    if answers:
        questions = {q.id: q for asked in draft.live.store.rounds() for q in asked.questions}
        _take_answers(draft, [(questions[a.question], a) for a in answers if a.question in questions])


def _settings_changed(draft: Draft) -> None:
    """Other gate settings make a new calibration version, prospectively; "auto" stays what the warm-up said."""
    draft.events.append(Event(kind="config", message="The series file changed; it is in force from this cycle."))
    old = draft.calibration
    if old is None:
        return
    evidence, trouble = remeasured(draft.live, old.evidence)
    if trouble:
        draft.events.append(Event(kind="alarm", message=trouble))
    new = resolve(
        draft.live.crew.gates, evidence, version=old.version + 1, parent=old.version, reason="the series file changed"
    )
    if new.hash != old.hash or evidence is not old.evidence:
        draft.calibration = new
        draft.events.append(Event(kind="calibration", message=f"Calibration version {new.version} is in force."))


def _return_pending(draft: Draft) -> None:
    """Candidates whose critique or duel is still missing are asked about again."""
    if draft.archive is None:
        return
    state, depth = draft.live.state, draft.live.crew.rhythm.pipeline_depth
    due = [
        candidate for candidate, (status, cause) in state.waiting.items() if (status, cause) == ("pending", "critic")
    ]
    contested = {
        candidate: placement
        for candidate, (placement, made) in state.contested.items()
        if draft.cycle >= made + 1 + depth
    }
    for subject in draft.recall(sorted({*due, *contested})):
        subject.returning = True
        draft.locate(subject)
        if subject.id in contested:
            subject.contested_with = contested[subject.id].incumbent


def _take_answers(draft: Draft, answers: Iterable[tuple[Question, HumanAnswer]]) -> None:
    for question, answer in answers:
        duel = as_duel(question, answer)
        if duel is not None:
            draft.duels.append(duel)
            _override(draft, duel)
        elif question.kind == "review" and answer.answer in ("keep", "discard"):
            _decide_review(draft, question.images["only"], keep=answer.answer == "keep")


def _decide_review(draft: Draft, candidate: int, *, keep: bool) -> None:
    """A human lets an image in from the review band, or turns it away. Only then is it a neighbour to others."""
    status, cause = draft.live.state.waiting.get(candidate, ("", ""))
    if status != "review" or draft.archive is None or any(r.candidate == candidate for r in draft.resolutions):
        return  # decided before, perhaps by another rater's answer at this very boundary
    (subject,) = draft.recall([candidate])
    if keep:
        draft.locate(subject)
        draft.settle(subject, "passed", "human")
    else:
        draft.settle(subject, "rejected", cause)


def _override(draft: Draft, duel: Duel) -> None:
    """A human verdict between the holder of a cell and another image of the same cell decides it."""
    if duel.question != "quality" or duel.outcome == "tie" or draft.archive is None:
        return
    winner, loser = (duel.left, duel.right) if duel.outcome == "left" else (duel.right, duel.left)
    if winner not in draft.live.state.accepted:
        return
    # Recalled for its place alone: a winner of another cell, or one that lost its own since, challenges nobody again.
    (subject,) = recall(draft.live, [winner])
    draft.locate(subject)
    if draft.holder(subject.cell) == loser:
        draft.put(subject, "won", loser, "human")


def check_in(draft: Draft) -> None:
    """Open a round every `checkin_every` cycles, once there is something to ask."""
    live = draft.live
    rhythm = live.crew.rhythm
    if not rhythm.checkin_every or draft.cycle % rhythm.checkin_every or live.state.archive is None:
        return
    axes = live.state.archive.axes
    spread = [max(high - low, 1e-12) for low, high in zip(axes.low, axes.high, strict=True)]
    elites = {
        elite.candidate: [value / width for value, width in zip(elite.descriptor, spread, strict=True)]
        for elite in live.state.archive
    }
    decided = {resolution.candidate for resolution in draft.resolutions}
    review = [c for c, (status, _) in live.state.waiting.items() if status == "review" and c not in decided]
    prompts = {c.id: c.genome.prompt for c in live.store.candidates([*elites, *review])}
    draft.round = open_round(
        "checkin",
        number=draft.cycle,
        cycle=draft.cycle,
        reason="scheduled",
        elites=elites,
        review=review,
        duels=live.state.duels,
        prompts=prompts,
        rng=draw(rhythm.seed, draft.cycle, 0, "round"),
        earlier=_known_rounds(draft),
    )


def _known_rounds(draft: Draft) -> list[Round]:
    """Every round this cycle may know of: requested ones count from their first cycle, whenever they arrived."""
    requested = {i.payload["id"]: i.first_cycle for i in draft.live.store.inputs_of("round")}
    return [asked for asked in draft.live.store.rounds() if requested.get(asked.id, 0) <= draft.cycle]
