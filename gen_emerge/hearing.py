"""What came from outside, at a cycle's boundary: human answers, changed settings, places still open.

Takes the `inputs` whose first cycle this is; changes the draft of the cycle. An answer written before the cycle began
counts in it, whenever the process was killed in between; nothing here asks anybody. What decides who is accepted is
heard when the cycle begins (`hear`); who holds a cell, when its places are given (`overrule`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from itertools import islice
from typing import Any, Literal

import numpy as np

from gen_emerge.calibration.first import resolve
from gen_emerge.chance import draw
from gen_emerge.cycle import Draft, NewAnswer
from gen_emerge.fates import SELECTOR
from gen_emerge.heads import KIND as REWARD
from gen_emerge.imported import KIND
from gen_emerge.placing import holder, put, taken
from gen_emerge.preference.rounds import Material, Screens, open_round
from gen_emerge.preference.verdicts import as_duels, decisions, withdrawal
from gen_emerge.protocols import RoundKind
from gen_emerge.recalibrate import recalibrate
from gen_emerge.recall import recall
from gen_emerge.relaying import come_into_force
from gen_emerge.remeasure import remeasured, replaced_scorers
from gen_emerge.state import State
from gen_emerge.store import Store
from gen_emerge.types import Event, HumanAnswer, Input, Question, Round
from gen_emerge.vocabulary import KIND as FORBIDDEN

RETURNING = 4
"""So many batches of those who wait for the critic are asked about again in one cycle."""


def hear(draft: Draft, inputs: Sequence[Input]) -> None:
    """Bring in what arrived, and whoever waits for a place."""
    settings = [item for item in inputs if item.kind == "config"]
    # The first settings are those the series began with: no change.
    if settings and settings[-1].id != draft.live.store.inputs_of("config")[0].id:
        _settings_changed(draft)
    recalibrate(draft, inputs)
    come_into_force(draft, inputs)
    for item in inputs:
        if item.kind == "quarantine":
            message = f"Genome {item.payload['genome'][:12]} is quarantined: {item.payload['error']}"
            draft.events.append(Event(kind="quarantine", message=message, payload=dict(item.payload)))
    if arrived := [item for item in inputs if item.kind == KIND]:
        draft.live.imports.arrive(arrived)
        many = "1 picture was" if len(arrived) == 1 else f"{len(arrived)} pictures were"
        message = f"{many} imported; slots of cycles to come are theirs."
        draft.events.append(Event(kind="import", message=message))
    for item in inputs:
        if item.kind == FORBIDDEN:
            message = f'"{item.payload["word"]}" {"never again" if item.payload["never"] else "is allowed again"}.'
            draft.events.append(Event(kind=FORBIDDEN, message=message, payload=dict(item.payload)))
    _hear_heads(draft, inputs)
    _return_pending(draft)
    if any(item.kind in ("answer", "undo") for item in inputs):
        draft.answers = _new_answers(draft)
    for question, words, decided in draft.answers:
        for was, says in words:
            _retell(draft, question, was, says)
        for word in decided.values() if question.kind == "review" else ():
            _decide_review(draft, question.images["only"], keep=word == "keep")


def _hear_heads(draft: Draft, inputs: Sequence[Input]) -> None:
    """Which head acts in this cycle, and what of that is new."""
    live = draft.live
    live.heads.arrive(inputs)
    draft.head = live.heads.acting(draft.cycle, live.space)
    if not any(item.kind in (REWARD, "config") for item in inputs):
        return
    now = live.heads.as_of(draft.cycle)
    for item in inputs:
        if item.kind == REWARD:
            told = {key: item.payload[key] for key in ("version", "did", "active", "hash")}
            draft.events.append(Event(kind=REWARD, message=f"Head {item.payload['reason']}.", payload=told))
    if now is not None and now.active and draft.head is None:
        message = (
            f"Head version {now.number} does not act: {now.space} embedded what it learned from, not {live.space}."
        )
        draft.events.append(Event(kind=REWARD, message=message, payload={"version": now.number, "space": live.space}))


def _settings_changed(draft: Draft) -> None:
    """Other gate settings make a new calibration version, prospectively; "auto" stays what the warm-up said."""
    draft.events.append(Event(kind="config", message="The series file changed; it is in force from this cycle."))
    old = draft.calibration
    if old is None:
        return
    replaced = replaced_scorers(draft.live, old.evidence)
    evidence, trouble = remeasured(draft.live, old.evidence)
    if trouble:
        draft.events.append(Event(kind="alarm", message=trouble))
    reason = "the series file changed"
    for gate in replaced if not trouble else ():
        _tell_scorer(draft, gate, old.evidence[gate], evidence[gate])
        reason += f"; {gate} has another scorer"
    new = resolve(draft.live.crew.gates, evidence, version=old.version + 1, parent=old.version, reason=reason)
    if new.hash != old.hash or evidence is not old.evidence:
        draft.calibration = new
        draft.events.append(Event(kind="calibration", message=f"Calibration version {new.version} is in force."))


def _tell_scorer(draft: Draft, gate: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    was, now = old.get("version", ""), new["version"]
    message = (
        f"{gate} is measured by {now} from this cycle, no longer by {was}; its thresholds rest on {new['images']} "
    )
    payload = {"gate": gate, "was": was, "is": now, "images": new["images"]}
    draft.events.append(Event(kind="scorer", message=f"{message}pictures of the warm-up.", payload=payload))


def _return_pending(draft: Draft) -> None:
    """Whoever was left waiting for the critic by the commit this cycle's proposals were made from is asked about again.

    A few batches of them at most, by chance: a critic that is down all night costs no more a cycle at its end than at
    its beginning, and nobody it will not speak of stands before the others for ever.
    """
    live, rhythm = draft.live, draft.live.crew.rhythm
    begun = {s.id for number, other in live.ahead.items() if number < draft.cycle for s in other.returning}
    due = sorted(c for c, last in live.state.asked.items() if last <= draft.since and c not in begun)
    if len(due) > (most := RETURNING * rhythm.batch):
        drawn = draw(rhythm.seed, draft.cycle, 0, "pending").permutation(len(due))
        due = sorted(due[int(place)] for place in drawn[:most])
    for subject in draft.recall(due) if draft.archive is not None else ():
        subject.returning = True
        draft.locate(subject)


def _new_answers(draft: Draft) -> list[NewAnswer]:
    """What stands since this boundary, against what stood before it; question by question, in the order of rounds.

    What was decided at an earlier boundary happened: an answer taken back takes its evidence along, no image.
    """
    store = draft.live.store
    before = {(a.question, a.rater): a for a in store.answers(draft.cycle - 1).standing}
    standing = store.answers(draft.cycle).standing
    now = {(a.question, a.rater): a for a in standing}
    changed: dict[str, list[str]] = defaultdict(list)
    for question, rater in {**before, **now}:
        was, says = before.get((question, rater)), now.get((question, rater))
        if was is None or says is None or was.words != says.words:
            changed[question].append(rater)
    questions = {q.id: q for asked in store.rounds() for q in asked.questions}
    return [
        (
            question,
            [(before.get((question.id, rater)), now.get((question.id, rater))) for rater in changed[question.id]],
            decisions(question, standing, questions),
        )
        for question in questions.values()
        if question.id in changed
    ]


def overrule(draft: Draft) -> None:
    """Human verdicts between images count as duels; one between a cell's holder and another image of it decides it."""
    draft.duels.extend(draft.told)
    for question, _, decided in draft.answers:
        if question.ask != "quality":
            continue
        beaten: dict[int, set[int]] = defaultdict(set)
        for pair, winner in decided.items():
            if isinstance(winner, int):
                beaten[winner] |= pair - {winner}
        # Who beat most of a ranking comes first: of several that beat one holder, the best takes its cell.
        for winner in sorted(beaten, key=lambda candidate: (-len(beaten[candidate]), candidate)):
            _override(draft, winner, beaten[winner])


def _retell(draft: Draft, question: Question, was: HumanAnswer | None, says: HumanAnswer | None) -> None:
    """One rater's word on one question, as duels: what was said before is withdrawn."""
    if was is not None:
        told = f'{was.rater} took back "{was.words}" on question {question.id}'
        message = f'{told} and says "{says.words}".' if says else f"{told}."
        payload = {"question": question.id, "rater": was.rater, "was": was.words, "is": says and says.words}
        draft.events.append(Event(kind="withdrawn", message=message, payload=payload))
    takes = _between_takes(draft.live.store, question)
    draft.told += [withdrawal(duel) for duel in as_duels(question, was, takes=takes)] if was else []
    draft.told += as_duels(question, says, takes=takes) if says else []


def _between_takes(store: Store, question: Question) -> bool:
    """Whether the selector passed over one of a pair: it did so for ever, in a cycle committed before it was asked."""
    if question.kind != "pair":
        return False
    asked = store.candidates(sorted(question.images.values()), current=True)
    return any((candidate.status, candidate.cause) == ("rejected", SELECTOR) for candidate in asked)


def _decide_review(draft: Draft, candidate: int, *, keep: bool) -> None:
    """Humans let an image in from the review band, or turn it away. Only then is it a neighbour to others."""
    status, cause = draft.live.status_before(candidate, draft.cycle)
    if status != "review" or draft.archive is None or any(r.candidate == candidate for r in draft.resolutions):
        return  # decided before, perhaps by another question at this very boundary
    (subject,) = draft.recall([candidate])
    if keep:
        draft.locate(subject)
        draft.settle(subject, "passed", "human")
        draft.live.accept(draft.cycle, subject)
    else:
        draft.settle(subject, "rejected", cause)


def _override(draft: Draft, winner: int, losers: Collection[int]) -> None:
    """A human verdict between the holder of a cell and another image of the same cell decides it."""
    if draft.archive is None or winner not in draft.live.state.accepted:
        return
    # Recalled for its place alone: a winner of another cell, or one that lost its own since, challenges nobody again.
    (subject,) = recall(draft.live, [winner])
    draft.locate(subject)
    incumbent = holder(draft, subject.cell)
    if incumbent in losers:
        put(draft, subject, "won", incumbent, "human")


def check_in(draft: Draft) -> None:
    """Open a round every `checkin_every` cycles, once there is something to ask."""
    live = draft.live
    rhythm = live.crew.rhythm
    if not rhythm.checkin_every or draft.cycle % rhythm.checkin_every or live.state.archive is None:
        return
    draft.round = open_one(draft, "checkin", "scheduled")


def open_one(draft: Draft, kind: RoundKind | Literal["checkin"], reason: Literal["scheduled", "alarm"]) -> Round | None:
    """The round that a cycle opens, of which it has one at most; None when there is nothing to ask."""
    live, rhythm = draft.live, draft.live.crew.rhythm
    decided = {resolution.candidate for resolution in draft.resolutions}
    displaced = {placement.incumbent for placement in draft.placements if placement.outcome == "won"}
    if draft.relaid and live.state.archive is not None:
        # Every cell that is filled now was taken in this cycle.
        displaced |= {elite.candidate for elite in live.state.archive} - set(taken(draft).values())
    return ask(
        kind,
        live.state,
        live.store,
        number=draft.cycle,
        cycle=draft.cycle,
        reason=reason,
        rng=draw(rhythm.seed, draft.cycle, 0, "round" if reason == "scheduled" else "alarm"),
        earlier=known_rounds(draft),
        answers=live.store.answers(draft.cycle).standing,
        settled=decided | displaced,
        ranked=rhythm.checkin_screens,
    )


class _Prompts(dict[int, str]):
    """Candidate id -> its prompt, looked up when it is asked for: only a few of all elites are."""

    def __init__(self, store: Store) -> None:
        super().__init__()
        self._store = store

    def __missing__(self, candidate: int) -> str:
        (found,) = self._store.candidates([candidate])
        return self.setdefault(candidate, found.genome.prompt)


def ask(
    kind: RoundKind | Literal["checkin"],
    state: State,
    store: Store,
    *,
    number: int,
    cycle: int,
    reason: Literal["scheduled", "request", "alarm"],
    rng: np.random.Generator,
    earlier: Sequence[Round],
    answers: Sequence[HumanAnswer],
    settled: Collection[int | None] = (),
    ranked: Screens = "pairs",
) -> Round | None:
    """A round about what a state holds; None when there is nothing to ask.

    Args:
        kind: see `open_round`, as of the other arguments.
        state: who holds what, who waits.
        store: knows the prompts.
        number: the round's.
        cycle: the cycle it opens in.
        reason: why.
        rng: a generator of this round alone.
        earlier: every earlier round.
        answers: every answer that stands.
        settled: candidates decided since: no longer in the review band, or no longer holding their cells.
        ranked: whether a check-in ranks four elites at a time.
    """
    review = [c for c, (status, _) in state.waiting.items() if status == "review" and c not in settled]
    contests = [contest for contest in state.contests if contest.holder not in settled]
    elites = _places(state)
    # As many as there are elites: who holds a cell won duels for it, and says little of where a gate should stand.
    recent = islice((c for c in reversed(state.accepted) if c not in elites and c not in settled), len(elites))
    material = Material(
        elites=elites,
        prompts=_Prompts(store),
        review=review,
        raw=list(state.turned_away),
        recent=list(recent),
        contests=contests,
        takes=state.choices,
        duels=state.duels,
        weights=state.weights,
        answers=answers,
        earlier=earlier,
    )
    return open_round(kind, material, number=number, cycle=cycle, reason=reason, rng=rng, ranked=ranked)


def _places(state: State) -> dict[int, list[float]]:
    """Elite -> where it lies on the map, in units of the axes' ranges."""
    if state.archive is None:
        return {}
    axes = state.archive.axes
    spread = [max(high - low, 1e-12) for low, high in zip(axes.low, axes.high, strict=True)]
    return {e.candidate: [v / s for v, s in zip(e.descriptor, spread, strict=True)] for e in state.archive}


def known_rounds(draft: Draft) -> list[Round]:
    """Every round this cycle may know of: requested ones count from their first cycle, whenever they arrived."""
    requested = {i.payload["id"]: i.first_cycle for i in draft.live.store.inputs_of("round")}
    return [asked for asked in draft.live.store.rounds() if requested.get(asked.id, 0) <= draft.cycle]
