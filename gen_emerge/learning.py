"""What is learned at a cycle's boundary: what each judge counts for; and, where the series allows it, thresholds.

Takes the draft of a cycle. Thresholds move by an input: written where a round's last answer came in at this boundary,
with the first cycle that nothing has been begun of yet, and before the cycle is committed: a process that is killed in
between derives the same cycle again, and finds it written.
"""

from __future__ import annotations

from collections import Counter

from gen_emerge.cycle import Draft
from gen_emerge.preference.answers import is_complete
from gen_emerge.preference.judges import weight_of
from gen_emerge.recalibrate import KIND
from gen_emerge.types import HUMAN, JUDGES, SINGLE, Event
from gen_emerge.weighing import evidence_to_come, in_words, together, weigh


def learn(draft: Draft) -> None:
    """Say what each judge's duels count for, where that changed; move thresholds by what a round said."""
    _judges(draft)
    _thresholds(draft)


def _judges(draft: Draft) -> None:
    """As of the last commit. It is recorded so that a round can be opened without going through all predictions."""
    before, now = draft.live.state.weights, dict(draft.live.preference.weights)
    if now == before:
        return
    changed = [judge for judge in sorted({*before, *now}) if now.get(judge) != before.get(judge)]
    said = ", ".join(f"{_word_of(judge)} {weight_of(judge, now):.2g}" for judge in changed)
    message = f"Where one person's verdict counts as 1, these count as: {said}."
    draft.events.append(Event(kind=JUDGES, message=message, payload={"weights": now}))


def _word_of(judge: str) -> str:
    return f"{judge.removeprefix(HUMAN)}'s verdict" if judge.startswith(HUMAN) else f"a duel of the critic {judge}"


def _thresholds(draft: Draft) -> None:
    """At most `cap` a round; never where too many images would have to wait."""
    live, learning = draft.live, draft.live.crew.learning
    if not learning.auto or draft.calibration is None or live.state.archive is None or not _round_answered(draft):
        return
    held = live.state.archive.held_ever()
    weighed = weigh(
        live.store,
        draft.calibration,
        live.crew.gates,
        learning,
        held=held,
        shifts=live.state.shifts if live.crew.alarms.drift else None,
        last=draft.cycle,
        cap=learning.cap,
    )
    if all(each.after == each.before for each in weighed.values()):
        return
    _, _, new = together(weighed)
    share = Counter(new.tolist())[1] / max(len(new), 1)
    if share > learning.most_review:
        message = (
            f"Thresholds stay: {share:.0%} of past images would wait for you, more than most_review = "
            f"{learning.most_review:.0%} allows. The signals say too little of what you keep."
        )
        draft.events.append(Event(kind="calibration", message=message, payload={"review": share}))
        return
    if any(i.payload["did"] == "auto" and i.payload["at"] == draft.cycle for i in live.store.inputs_of(KIND)):
        return
    live.store.add_input(
        KIND,
        {
            "did": "auto",
            "at": draft.cycle,
            "parent": draft.calibration.version,
            "evidence": evidence_to_come(weighed),
            "reason": in_words(weighed),
        },
        # The cycles up to there may have been begun by now.
        first_cycle=draft.cycle + live.crew.rhythm.pipeline_depth + 1,
    )


def _round_answered(draft: Draft) -> bool:
    """Whether a round with single images became complete by what arrived at this boundary."""
    if not draft.answers:
        return False
    store = draft.live.store
    before, now = ({a.question: a for a in store.answers(last).standing} for last in (draft.cycle - 1, draft.cycle))
    return any(
        is_complete(asked, now) and not is_complete(asked, before)
        for asked in store.rounds()
        if any(question.kind in SINGLE for question in asked.questions)
    )
