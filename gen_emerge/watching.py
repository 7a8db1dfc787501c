"""What moved slowly, at a cycle's boundary: numbers and figures -> alarms, and what follows from them.

Takes the draft of a cycle whose places are given; adds its events, and opens a round where an alarm asks for one. An
alarm is said once, when it is raised, and once more when it ends. It reads what this cycle measured and what earlier
ones committed, nothing else: no clock, nobody is asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from gen_emerge.agreeing import agreements, taste
from gen_emerge.calibration.alarms import TASTE_ALPHA, TASTE_ENDS
from gen_emerge.calibration.drift import LEAST_REFERENCE, Shift
from gen_emerge.calibration.rates import RateShift, RateWatch
from gen_emerge.cycle import Draft
from gen_emerge.fates import ends_at_the_gates
from gen_emerge.hearing import known_rounds, open_one
from gen_emerge.preference.answers import is_complete
from gen_emerge.state import Alarm
from gen_emerge.telling import CLIPPED_ALARM, clipped
from gen_emerge.types import Event, Round
from gen_emerge.types.genomes import IMPORT
from gen_emerge.watches import AGREEMENT, CLIPPING, NARROWING, REVIEW_QUEUE, REVIEW_RATE, TASTE, Since, drift_of

ENOUGH = 5
"""Fewer images than the limit by so many, a round's worth, and the review queue is no longer too long."""
LEAST_ANSWERS = 40
"""Answers without which agreement is not watched."""
RESPONSE = "response"
"""The kind of an event that says what an alarm did by itself."""

Asks = Literal["checkin", "review"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Raised:
    """An alarm to be raised.

    Args:
        name: see `watches`.
        message: one sentence, for people.
        figures: what moved, by how much, since which cycle ("since"); plain JSON.
        asks: the kind of round that it opens, None for none.
        explores: whether more is to be drawn without any elite.
    """

    name: str
    message: str
    figures: Mapping[str, Any] = field(default_factory=dict[str, Any])
    asks: Asks | None = None
    explores: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """An alarm that ends, and why, in a sentence."""

    name: str
    message: str


def watch(draft: Draft) -> None:
    """Take in what this cycle measured; raise alarms, end them, and do what they ask for."""
    if draft.live.state.archive is None:
        return  # the warm-up, or the cycle that ends it
    news = [*_drift(draft), *_review_rate(draft), *_narrowing(draft), *_clipping(draft), *_review_queue(draft)]
    if draft.answers:
        news += [*_agreement(draft), *_taste(draft)]
    told = {each.name for each in news}
    news += [each for each in _switched_off(draft) if each.name not in told]
    for each in news:
        if isinstance(each, Ended):
            payload = {"alarm": each.name, "state": "ended"}
            draft.events.append(Event(kind="alarm", message=each.message, payload=payload))
        else:
            _raise(draft, each)
    _ask_again(draft)


# ---- what moved --------------------------------------------------------------------------------------------------


def _drift(draft: Draft) -> Iterator[Raised | Ended]:
    """Every signal's numbers of this cycle, by the version in force; imported pictures say nothing of the series."""
    live = draft.live
    versions = live.crew.versions
    own = [subject for subject in draft.batch if not subject.genome.imported]
    for name, followed in live.watches.signals.items():
        signals = [(subject.id, subject.signals[name]) for subject in own if name in subject.signals]
        found = followed.extend([(n, s.value) for n, s in signals if s.scorer_version == versions[name]])
        standing = live.state.alarm(drift_of(name))
        for since in found[-1:]:  # should one cycle tell of two, the second has the first in its reference
            yield _moved(draft, name, versions[name], since)
        if standing is None or found:
            continue
        if standing.payload["version"] != versions[name]:
            message = f"{name} is measured by another scorer now: what is usual begins anew."
            yield Ended(name=standing.name, message=message)
        elif followed.count - standing.payload["images"] >= LEAST_REFERENCE:
            message = f"{name} has stayed where it is for {LEAST_REFERENCE} images: from now on that is what is usual."
            yield Ended(name=standing.name, message=message)


def _moved(draft: Draft, name: str, version: str, since: Since) -> Raised:
    shift, cycle = since.shift, draft.live.watches.cycle_of(since.candidate)
    figures: dict[str, Any] = {
        "signal": name,
        "version": version,
        "since": cycle,
        "candidate": since.candidate,
        "images": shift.named - shift.since,
        "score": shift.score,
    }
    if isinstance(shift, RateShift):
        figures |= {"what": "share", **_share(shift)}
        told = (
            f"{name} finds something in {shift.after:.0%} of the images since cycle {cycle}, {shift.before:.0%} before."
        )
    else:
        figures |= _of_shift(shift)
        told = _said(name, shift, figures, cycle)
    return Raised(name=drift_of(name), message=told, figures=figures, asks="checkin")


def _of_shift(shift: Shift) -> dict[str, Any]:
    (old, old_sd), (new, new_sd) = shift.before, shift.after
    by = new - old if shift.what == "level" else new_sd - old_sd
    return {
        "what": shift.what,
        "by": by,
        "sds": by / old_sd if old_sd > 0 else None,
        "before": [old, old_sd],
        "after": [new, new_sd],
    }


def _said(name: str, shift: Shift, figures: Mapping[str, Any], cycle: int) -> str:
    way = "up" if shift.score > 0 else "down"
    sds = "" if figures["sds"] is None else f" ({abs(figures['sds']):.1f} sd)"
    place = 0 if shift.what == "level" else 1
    old, new = figures["before"][place], figures["after"][place]
    what = name if shift.what == "level" else f"the spread of {name}"
    return f"{what} went {way} by {abs(figures['by']):.3g}{sds} since cycle {cycle}, from {old:.4g} to {new:.4g}."


def _share(shift: RateShift) -> dict[str, Any]:
    by, sd = shift.after - shift.before, (shift.before * (1 - shift.before)) ** 0.5
    return {"by": by, "sds": by / sd if sd > 0 else None, "before": shift.before, "after": shift.after}


def _review_rate(draft: Draft) -> Iterator[Raised | Ended]:
    """The share of images that the gates leave to a human, since these thresholds are in force."""
    live = draft.live
    watches, standing = live.watches, live.state.alarm(REVIEW_RATE)
    if watches.reviews is None:
        return
    if draft.calibration is not live.state.calibration:
        watches.other_thresholds()
        if standing is not None:
            yield Ended(name=REVIEW_RATE, message="Other thresholds are in force: what is usual begins anew.")
            standing = None
    own = [s for s in draft.batch if not s.genome.imported and ends_at_the_gates(s.status, s.cause)]
    found = watches.reviews.extend([(s.id, float(s.status == "review")) for s in own])
    for shift, candidate in found[-1:]:
        assert isinstance(shift, RateShift)
        cycle = watches.cycle_of(candidate)
        yield Raised(
            name=REVIEW_RATE,
            message=f"{shift.after:.0%} of the images wait for you since cycle {cycle}, {shift.before:.0%} before.",
            figures={
                "since": cycle,
                "candidate": candidate,
                "images": shift.named - shift.since,
                "score": shift.score,
                **_share(shift),
            },
            asks="review" if shift.score > 0 else None,
        )
    if standing is not None and not found and watches.reviews.count - standing.payload["images"] >= LEAST_REFERENCE:
        message = f"As many images wait for {LEAST_REFERENCE} images now: from now on that is what is usual."
        yield Ended(name=REVIEW_RATE, message=message)


def _narrowing(draft: Draft) -> Iterator[Raised | Ended]:
    live = draft.live
    if not live.crew.alarms.narrowing:
        return
    if draft.relaid:
        live.watches.other_axes()
    else:
        live.watches.figures.add(draft.cycle, draft.figures, live.watches.opened_a_cycle(*_own(draft)))
    figures, standing = live.watches.figures, live.state.alarm(NARROWING)
    if standing is not None:
        signs = figures.narrow_still(int(standing.payload["since"]))
        if len(signs) < min(2, len(standing.payload["signs"])):
            yield Ended(name=NARROWING, message=_widened(standing, signs))
        return
    found = figures.narrowing()
    if found is None:
        return
    narrow, since = found
    told: dict[str, Any] = {"since": since, "signs": list(narrow.signs)}
    for name, before, after, sd in figures.means(since):
        told[name] = {
            "before": before,
            "after": after,
            "by": after - before,
            "sds": (after - before) / sd if sd else None,
        }
    if figures.vendi:
        told["vendi"] = {"best": max(score for _, score in figures.vendi), "now": figures.vendi[-1][1]}
    message = f"The series narrows since cycle {since}: {' and '.join(narrow.signs)}."
    yield Raised(name=NARROWING, message=message, figures=told, asks="checkin", explores=True)


def _own(draft: Draft) -> tuple[int, int]:
    """How many of the cycle's candidates are no imported pictures, and how many cells such ones opened in it."""
    operators = draft.live.state.operators
    foreign = {subject.id for subject in draft.batch if subject.genome.imported}
    opened = [placement.candidate for placement in draft.placements if placement.outcome == "new"]
    own = [number for number in opened if number not in foreign and operators.get(number) != IMPORT]
    return len(draft.batch) - len(foreign), len(own)


def _widened(standing: Alarm, signs: Sequence[str]) -> str:
    gone = [sign for sign in standing.payload["signs"] if sign not in signs]
    return f"The series no longer narrows: no longer true is that {' and '.join(gone)}."


def _clipping(draft: Draft) -> Iterator[Raised | Ended]:
    live = draft.live
    share = clipped(live.state, draft.cycle) if live.crew.alarms.clipping else None
    if share is None:
        return
    standing, of = live.state.alarm(CLIPPING), len(live.state.clipped)
    if share > CLIPPED_ALARM and standing is None:
        message = (
            f"{share:.0%} of the last {of} placements lay beyond the ends of the map's axes. They stand in its "
            "outermost cells, nothing is lost: do nothing, or give a new series a longer warm-up, which sets the ends."
        )
        yield Raised(name=CLIPPING, message=message, figures={"since": draft.cycle, "clipped": share, "placements": of})
    elif share <= CLIPPED_ALARM and standing is not None:
        yield Ended(name=CLIPPING, message=f"{share:.0%} of the last {of} placements lie beyond the axes' ends.")


def _review_queue(draft: Draft) -> Iterator[Raised | Ended]:
    limit, standing = draft.live.crew.alarms.review_queue, draft.live.state.alarm(REVIEW_QUEUE)
    if not limit:
        return
    count = _waiting(draft)
    if count >= limit and standing is None:
        message = f"{count} images wait for you, {limit} or more are too many (review_queue)."
        figures = {"since": draft.cycle, "images": count, "limit": limit}
        yield Raised(name=REVIEW_QUEUE, message=message, figures=figures, asks="review")
    elif standing is not None and count < max(limit - ENOUGH, 1):
        yield Ended(name=REVIEW_QUEUE, message=f"{count} images wait for you, which is below {limit} again.")


def _agreement(draft: Draft) -> Iterator[Raised | Ended]:
    """How often the answers of a boundary are what the machine said, against the first that were given."""
    live = draft.live
    if not live.crew.alarms.agreement:
        return
    last, standing = live.state.alarms.get(AGREEMENT), live.state.alarm(AGREEMENT)
    since = int(last.payload["since"]) if last is not None else 0
    heard = [each for each in agreements(live.store, live.state.duels, draft.cycle) if each[0] >= since]
    known = np.array([agreed for cycle, agreed in heard if cycle < draft.cycle], dtype=np.bool_)
    watch = RateWatch(known, least=LEAST_ANSWERS, every=1)
    found = watch.extend(np.array([agreed for cycle, agreed in heard if cycle >= draft.cycle], dtype=np.bool_))
    for shift in found[-1:]:
        cycle = heard[shift.since][0]
        yield Raised(
            name=AGREEMENT,
            message=f"You and the machine agree in {shift.after:.0%} of your answers since cycle {cycle}, "
            f"{shift.before:.0%} before.",
            figures={"since": cycle, "answers": shift.named - shift.since, "score": shift.score, **_share(shift)},
            asks="checkin" if shift.score < 0 else None,
        )
    if standing is not None and not found and len(heard) - standing.payload["answers"] >= LEAST_ANSWERS:
        message = f"You agreed as often in {LEAST_ANSWERS} answers since: from now on that is what is usual."
        yield Ended(name=AGREEMENT, message=message)


def _taste(draft: Draft) -> Iterator[Raised | Ended]:
    live = draft.live
    if not live.crew.alarms.taste:
        return
    found, standing = taste(live.store, draft.cycle), live.state.alarm(TASTE)
    if standing is None and found is not None and found.p < TASTE_ALPHA:
        who, now = ("you", "prefer") if found.raters == 1 else (found.rater, "prefers")
        message = f"What {who} {now} since cycle {found.since} is not what {who} preferred before."
        moved = [list(each) for each in found.moved]
        figures = {"since": found.since, "p": found.p, "moved": moved, "by": moved[0][1], "images": found.images}
        yield Raised(name=TASTE, message=message, figures={**figures, "rater": found.rater}, asks="checkin")
    elif standing is not None and (found is None or found.p >= TASTE_ENDS):
        yield Ended(name=TASTE, message="The earlier and the later half of your answers agree again.")


def _waiting(draft: Draft) -> int:
    """Images in the review band once this cycle is committed."""
    state = draft.live.state
    count = state.statuses["review"] + sum(subject.status == "review" for subject in draft.batch)
    for resolution in draft.resolutions:
        before, _ = state.waiting.get(resolution.candidate, ("passed", ""))
        count += (resolution.status == "review") - (before == "review")
    return count


def _switched_off(draft: Draft) -> Iterator[Ended]:
    alarms, watched = draft.live.crew.alarms, draft.live.watches
    on = {
        NARROWING: alarms.narrowing,
        REVIEW_RATE: alarms.review_rate,
        AGREEMENT: alarms.agreement,
        TASTE: alarms.taste,
        CLIPPING: alarms.clipping,
        REVIEW_QUEUE: alarms.review_queue > 0,
        **{drift_of(name): True for name in watched.signals},
    }
    for standing in draft.live.state.standing:
        if not on.get(standing.name, False):
            yield Ended(name=standing.name, message=f"{standing.name} is no longer watched.")


# ---- what follows ------------------------------------------------------------------------------------------------


def _raise(draft: Draft, raised: Raised) -> None:
    """The alarm, with what it did, and an event for each thing it did."""
    done: list[dict[str, Any]] = []
    if raised.asks is not None and draft.live.crew.alarms.rounds:
        asked = _round_for(draft, raised.asks)
        if asked is not None:
            done.append({"did": "round", "round": asked.id, "opened": asked.cycle == draft.cycle})
    share = draft.live.crew.alarms.explore_on_narrowing
    if raised.explores and share > 0:
        rhythm = draft.live.crew.rhythm
        done.append({"did": "explore", "share": share, "from_cycle": draft.cycle + 1 + rhythm.pipeline_depth})
    payload = {"alarm": raised.name, "state": "raised", **raised.figures, "responses": done}
    draft.events.append(Event(kind="alarm", message=raised.message, payload=payload))
    for response in done:
        _tell(draft, raised.name, response)


def _tell(draft: Draft, alarm: str, response: Mapping[str, Any]) -> None:
    payload = {"alarm": alarm, **response}
    draft.events.append(Event(kind=RESPONSE, message=f"{alarm}: {in_words(response)}.", payload=payload))


def in_words(response: Mapping[str, Any]) -> str:
    """What an alarm did, for people."""
    if response["did"] == "round":
        opened = response["opened"]
        return f"round {response['round']} was opened" if opened else f"round {response['round']} still waits for you"
    share, cycle = response["share"], response["from_cycle"]
    return (
        f"from cycle {cycle} on {share:.0%} of the genomes are drawn without a parent until it ends, the rest as usual"
    )


def _round_for(draft: Draft, kind: Asks) -> Round | None:
    """The round that asks because of an alarm: this cycle's, one that still waits, or a new one; None without any.

    A person's minute is dear: a second round because of another alarm is not opened before the first is answered.
    """
    if draft.round is not None:
        return draft.round
    waiting = _waiting_round(draft, kind)
    if waiting is not None:
        return waiting
    draft.round = open_one(draft, kind, "alarm")
    return draft.round


def _waiting_round(draft: Draft, kind: Asks) -> Round | None:
    rounds = [asked for asked in known_rounds(draft) if asked.reason == "alarm" and _kind_of(asked) == kind]
    answered = {answer.question: answer for answer in draft.live.store.answers(draft.cycle).standing} if rounds else {}
    return next((asked for asked in reversed(rounds) if not is_complete(asked, answered)), None)


def _kind_of(asked: Round) -> Asks:
    return "review" if all(question.kind == "review" for question in asked.questions) else "checkin"


def _ask_again(draft: Draft) -> None:
    """While the review queue is too long, the next round of reviews follows when the last one is answered."""
    live = draft.live
    standing = live.state.alarm(REVIEW_QUEUE)
    ends = any(e.stands_or_ends and e.payload["alarm"] == REVIEW_QUEUE for e in draft.events)
    if standing is None or ends or not draft.answers or not live.crew.alarms.rounds or draft.round is not None:
        return
    if _waiting_round(draft, "review") is None:
        draft.round = open_one(draft, "review", "alarm")
        if draft.round is not None:
            _tell(draft, REVIEW_QUEUE, {"did": "round", "round": draft.round.id, "opened": True})
