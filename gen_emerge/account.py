"""What became of a candidate, and why: what is recorded of it -> one sentence, and the objects that say it in full.

Takes a store and candidate ids; reads their verdicts, critiques, placements and changes of status, and asks nobody. The
sentence says which value stood against which bound, or whom it met for its cell. Changes nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from gen_emerge.asking import as_plain
from gen_emerge.errors import BadInput, NotFound
from gen_emerge.fates import SELECTOR, WARMUP
from gen_emerge.favourites import KIND as FAVOURITE
from gen_emerge.favourites import favourites
from gen_emerge.filters import NAMES
from gen_emerge.identify import candidate_meant
from gen_emerge.imported import KIND, genome_of
from gen_emerge.spoken import spoken
from gen_emerge.standing import Asked, reviews
from gen_emerge.state import State
from gen_emerge.store import DATABASE, Store
from gen_emerge.studio_folder import series_file
from gen_emerge.types import RELAID, Candidate, Placement, Resolution, Verdict

_End = Literal["lower", "upper"]
_WORD_OF = {
    "critic": "the critic's word",
    "preference": "the preference model",
    "reward": "the head",
    "human": "a human's word",
}
"""Who decided a place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One candidate.

    Args:
        candidate: with its present status.
        verdicts: all of them, in the order in which they were given.
        placements: (cycle, placement), in order.
        changes: (cycle, change of its status), in order.
        holder: who holds its cell now; None when it was never placed.
        lost: (cycle, who won its cell from it); None where nobody did.
        asked: of one in a review band, the question about it that is open or about to be heard; None where none is.
        relaid: the cycle in which the map got other axes last; None where it has its first ones.
    """

    candidate: Candidate
    verdicts: tuple[Verdict, ...] = ()
    placements: tuple[tuple[int, Placement], ...] = ()
    changes: tuple[tuple[int, Resolution], ...] = ()
    holder: int | None = None
    lost: tuple[int, int] | None = None
    asked: Asked | None = None
    relaid: int | None = None

    @property
    def cell(self) -> int | None:
        """Where it lies; None when it was never placed, or not on the map as it is laid now."""
        if not self.placements or self.placements[-1][0] < (self.relaid or 0):
            return None
        return self.placements[-1][1].cell

    @property
    def outcome(self) -> str:
        """Its status; of one that passed, whether it holds its cell: "placed" or "accepted"."""
        if self.candidate.status != "passed":
            return self.candidate.status
        return "placed" if self.holder == self.candidate.id else "accepted"

    @property
    def deciding(self) -> Verdict | None:
        """The verdict behind its status; None where no verdict is: it was accepted, it failed, or it waits."""
        if self.candidate.status not in ("rejected", "review"):
            return None
        found = [v for v in self.verdicts if v.gate == self.candidate.cause and v.outcome != "pass"]
        return found[-1] if found else None

    @property
    def why(self) -> str:
        """Why it is on the map, or why it is not: one sentence."""
        tell = {
            "failed": lambda: f"It failed: {self.candidate.cause}",
            "rejected": self._why_rejected,
            "review": self._why_review,
            "pending": self._why_pending,
            "passed": self._why_there if self.outcome == "placed" else self._why_not_there,
        }
        sentence = tell[self.candidate.status]().rstrip(".")
        return f"{sentence}."

    def _why_rejected(self) -> str:
        verdict, cause = self.deciding, self.candidate.cause
        if verdict is None:
            return f"It was turned away by {cause}"
        if cause == SELECTOR:
            return f"It was passed over: {verdict.reason}"
        if verdict.outcome == "review":
            return f"A human turned it away, who was asked because {verdict.reason}"
        kind = "gate" if verdict.kind == "gate" else "hard filter" if cause in NAMES else "detector"
        by = f"your {cause.replace(':', '', 1)}" if cause.startswith("rule: ") else f"the {kind} {cause}"
        return f"It was turned away by {by}: {verdict.reason}"

    def _why_review(self) -> str:
        verdict = self.deciding
        if verdict is None or verdict.bounds is None:
            return f"It waits for a human's word on its {self.candidate.cause}"
        width = verdict.bounds.band(_end_of(verdict) or "lower")
        band = f"the review band reaches {spoken(width / 2, 2)} to each side"
        return f"It waits for a human's word: {verdict.reason}, and {band}"

    def _why_pending(self) -> str:
        if self.candidate.cause == WARMUP:
            return "It waits for the end of the warm-up: there are no thresholds yet"
        if self.placements:
            _, placement = self.placements[-1]
            met = f"its duel with candidate {placement.incumbent} for cell {placement.cell}"
            return f"It passed the gates, and {met} has still to come"
        return "It passed the gates and waits for the critic, which could not be asked yet"

    def _why_there(self) -> str:
        cycle, placement = self._last("new", "won")
        if placement.reason == RELAID:
            return f"It holds cell {placement.cell} since the map was re-laid in cycle {cycle}{self._let_in}"
        if placement.outcome == "new":
            return f"It holds cell {placement.cell}, which was empty when it came in cycle {cycle}{self._let_in}"
        won = f"It holds cell {placement.cell}, which it won from candidate {placement.incumbent}"
        return f"{won} in cycle {cycle} by {_WORD_OF.get(placement.reason, placement.reason)}{self._let_in}"

    def _why_not_there(self) -> str:
        if not self.placements:
            return f"It was accepted, and has no place on the map yet{self._let_in}"
        if self.lost is not None and self.lost[0] >= self.placements[-1][0]:
            cycle, winner = self.lost
            since, placement = self._last("new", "won")
            held = f"It held cell {placement.cell} from cycle {since}"
            return f"{held}, until candidate {winner} won it in cycle {cycle}{self._let_in}"
        cycle, placement = self.placements[-1]
        if self.relaid is not None and self.relaid > cycle:
            return f"It was accepted, and has no place on the map since that was re-laid in cycle {self.relaid}"
        if placement.reason == RELAID:
            met = f"When the map was re-laid in cycle {cycle}, it met candidate {placement.incumbent}"
            why = "is the better one by what is on record" if placement.outcome == "lost" else "held a cell for longer"
            return f"{met} in cell {placement.cell}, which {why}{self._let_in}"
        by = _WORD_OF.get(placement.reason, placement.reason)
        met = f"It passed, and met candidate {placement.incumbent} in cell {placement.cell} in cycle {cycle}"
        if placement.outcome == "tie":
            return f"{met}: a tie by {by}, and a tie leaves the holder{self._let_in}"
        return f"{met}, which is the better one by {by}{self._let_in}"

    def _last(self, *outcomes: str) -> tuple[int, Placement]:
        return next(each for each in reversed(self.placements) if each[1].outcome in outcomes)

    @property
    def _let_in(self) -> str:
        return "; a human had let it in" if self.candidate.cause == "human" else ""

    def row(self) -> dict[str, Any]:
        """What a list says of it: outcome, candidate, cycle, `said`, and what there is of the rest.

        `cell` and `holder` of one that passed; else `why` (the gate, the hard filter, the error, what it waits for) and
        where a verdict decided its `reason`, `value` and `bound`; in a review band `question`, its id and whether it is
        `open`, None where nobody asks. `said` is the sentence.
        """
        row: dict[str, Any] = {"outcome": self.outcome, "candidate": self.candidate.id, "cycle": self.candidate.cycle}
        if self.candidate.status == "passed":
            row |= {"cell": self.cell} | ({"holder": self.holder} if self.outcome == "accepted" else {})
        else:
            row["why"] = self.candidate.cause
        if self.candidate.status == "review":
            row["question"] = None if self.asked is None else asdict(self.asked)
        if (verdict := self.deciding) is not None:
            row |= {"reason": verdict.reason, "value": verdict.value, "bound": bound_of(verdict)}
        return {**row, "said": self.why}


def bound_of(verdict: Verdict) -> float | None:
    """The bound that a verdict rests on: the one its value is beyond, or near to; None when there is none."""
    value, bounds = verdict.value, verdict.bounds
    if value is None or bounds is None:
        return None
    if bounds.duplicate is not None and verdict.outcome == "fail" and value < bounds.duplicate:
        return bounds.duplicate
    end = _end_of(verdict)
    return None if end is None else getattr(bounds, end)


def _end_of(verdict: Verdict) -> _End | None:
    """At which of its ends; in a review band, at the one whose band it is: the two may differ in width."""
    value, bounds = verdict.value, verdict.bounds
    if value is None or bounds is None:
        return None
    away: dict[_End, float | None] = {"upper": bounds.upper, "lower": bounds.lower}
    ends: dict[_End, float] = {end: abs(value - bound) for end, bound in away.items() if bound is not None}
    if verdict.outcome == "review":
        ends = {end: far for end, far in ends.items() if far <= bounds.band(end) / 2} or ends
        return next(iter(ends), None)
    return min(ends, key=lambda end: ends[end], default=None)


def accounts(store: Store, ids: Iterable[int]) -> tuple[State, dict[int, Account]]:
    """The state of the series, and what became of some candidates, in the order of the ids; unknown ones left out.

    Args:
        store: the series; its history is gone through once.
        ids: candidates.
    """
    wanted = frozenset(ids)
    placements: dict[int, list[tuple[int, Placement]]] = defaultdict(list)
    changes: dict[int, list[tuple[int, Resolution]]] = defaultdict(list)
    lost: dict[int, tuple[int, int]] = {}
    state = State()
    for outcome in store.history():
        state.apply(outcome)
        for resolution in outcome.resolutions:
            if resolution.candidate in wanted:
                changes[resolution.candidate].append((outcome.cycle, resolution))
        for placement in outcome.placements:
            if placement.candidate in wanted:
                placements[placement.candidate].append((outcome.cycle, placement))
            if placement.outcome == "won" and placement.incumbent in wanted:
                lost[placement.incumbent] = (outcome.cycle, placement.candidate)
    verdicts, asked = store.verdicts(sorted(wanted)), reviews(store, state)
    found = {
        candidate.id: Account(
            candidate=candidate,
            verdicts=verdicts.get(candidate.id, ()),
            placements=tuple(placements[candidate.id]),
            changes=tuple(changes[candidate.id]),
            holder=_holder(state, placements[candidate.id]),
            lost=lost.get(candidate.id),
            asked=asked.get(candidate.id),
            relaid=state.archive.since if state.archive is not None and state.archive.axes.learned else None,
        )
        for candidate in store.candidates(sorted(wanted), current=True)
    }
    return state, {number: found[number] for number in ids if number in found}


def _holder(state: State, placements: list[tuple[int, Placement]]) -> int | None:
    if state.archive is None or not placements:
        return None
    last = placements[-1][1]
    if last.descriptor_version != state.archive.axes.version:
        return None  # its cell is one of a map that was re-laid since, and it has no place on the new one
    elite = state.archive.holder(last.cell)
    return elite.candidate if elite is not None else None


def inspect_candidate(root: Path, archive: Path, name: str, given: int | str | Path) -> dict[str, Any]:
    """All that is known of one candidate, whether it is on the map or not.

    Args:
        root: the studio folder.
        archive: the folder of all series.
        name: the series.
        given: the candidate: its id, the beginning of a hash, or a picture's file (see `candidate_meant`).

    Returns:
        The object that `gen-emerge --json inspect NAME --candidate ID` prints.

    Raises:
        NotFound: there is no such series, or no such candidate in it.
        BadInput: it has not been run yet, or several are meant.
    """
    series_file(root, name)
    if not (archive / name / DATABASE).is_file():
        raise BadInput(f'The series "{name}" has not been run yet: it has no pictures.', hint=f"gen-emerge run {name}")
    with closing(Store.open(archive / name, readonly=True)) as store:
        number = candidate_meant(store, given)
        state, found = accounts(store, [number])
        if number not in found:
            raise NotFound(
                f'The series "{name}" has no candidate {number}: there are {state.candidates} in {state.cycle} cycles.',
                hint=f"gen-emerge inspect {name} shows the map; gen-emerge import {name} --list the imported ones.",
            )
        return {"series": name, **in_full(store, found[number])}


def in_full(store: Store, account: Account) -> dict[str, Any]:
    """Everything recorded of one candidate, as plain JSON."""
    candidate = account.candidate
    genome, image = candidate.genome, candidate.image
    signals = store.signals([candidate.id]).get(candidate.id, {})
    critique = store.critiques([candidate.id]).get(candidate.id)
    parents = store.candidates_of(genome.parents)
    mark = favourites(store.inputs_of(FAVOURITE)).get(candidate.id)
    return {
        **dict.fromkeys(("cell", "holder", "reason", "value", "bound")),
        **account.row(),
        "slot": candidate.slot,
        "status": candidate.status,
        "cause": candidate.cause,
        "on_map": account.outcome == "placed",
        "favourite": mark.level if mark else None,
        "genome": genome.hash,
        "prompt": genome.prompt,
        "negative": genome.negative,
        "recipe": genome.recipe(),
        "operator": genome.operator,
        "parents": [{"genome": parent, "candidate": parents.get(parent)} for parent in genome.parents],
        "image": image.path if image is not None else None,
        "thumbnail": image.thumbnail if image is not None else None,
        "signals": {name: {"value": s.value, "version": s.scorer_version} for name, s in sorted(signals.items())},
        "verdicts": [_verdict(verdict) for verdict in account.verdicts],
        "critique": None if critique is None else as_plain(critique),
        "imported": _imported(store, candidate) if genome.imported else None,
        "changes": [{"cycle": cycle, "status": c.status, "cause": c.cause} for cycle, c in account.changes],
        "placements": [_placement(cycle, placement) for cycle, placement in account.placements],
    }


def _imported(store: Store, candidate: Candidate) -> dict[str, Any] | None:
    """Where a picture made elsewhere came from, and what its file said of how it was made."""
    payloads = (item.payload for item in store.inputs_of(KIND))
    mine = next((payload for payload in payloads if genome_of(payload).hash == candidate.genome.hash), None)
    if mine is None:
        return None
    return {
        "file": mine.get("source"),
        **{key: mine.get(key) for key in ("original", "prompt_from", "recipe", "notes")},
    }


def _verdict(verdict: Verdict) -> dict[str, Any]:
    bounds: Mapping[str, Any] = asdict(verdict.bounds) if verdict.bounds is not None else {}
    ends = {key: bounds.get(key) for key in ("lower", "upper", "review", "duplicate", "review_upper")}
    about = {"gate": verdict.gate, "kind": verdict.kind, "outcome": verdict.outcome, "value": verdict.value}
    return {**about, **ends, "calibration": verdict.calibration, "reason": verdict.reason}


def _placement(cycle: int, placement: Placement) -> dict[str, Any]:
    about = {key: value for key, value in asdict(placement).items() if key not in ("candidate", "descriptor_version")}
    return {"cycle": cycle, **about, "descriptor": list(placement.descriptor)}
