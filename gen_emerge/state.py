"""The state of a series: a fold over its history, and nothing else.

Takes `CycleOutcome`s in order (`apply`, when replaying) or their parts one by one (`add_fate`, `resolve`, `place`, ...,
while a cycle is being derived); both run the same lines, so replaying the history gives exactly the live state. Holds
no images and no signals; asks nobody; reads no file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from gen_emerge.archive import Archive
from gen_emerge.emitters import FRESH
from gen_emerge.emitters.bandit import Bandit
from gen_emerge.errors import Damaged
from gen_emerge.fates import SELECTOR, WARMUP, gone_on, reached_the_gates, takes_of
from gen_emerge.preference.pairs import Contest
from gen_emerge.types import (
    GATES,
    RELAID,
    Axes,
    Calibration,
    CycleOutcome,
    Duel,
    Event,
    Fate,
    Placement,
    Resolution,
    Status,
    content_hash,
)
from gen_emerge.types.genomes import IMPORT

CONTRADICTIONS = (LookupError, ValueError, TypeError, AttributeError, AssertionError, ArithmeticError)
"""What rows that nobody can have written lead to when they are taken for what they should be."""


class State:
    """Everything the next cycle is a function of. `cycle` is the last one folded in, 0 for a new series.

    `asked`: whoever waits for the critic -> the cycle in which it was asked about last. `weights`: judge -> what one of
    its duels counts for, where that was learned.
    """

    def __init__(self) -> None:
        self.cycle = 0
        self.archive: Archive | None = None
        self.calibration: Calibration | None = None
        self.bandit = Bandit()
        self.duels: list[Duel] = []
        self.statuses: Counter[Status] = Counter()
        self.rejections: Counter[str] = Counter()
        self.accepted: dict[int, str] = {}
        self.waiting: dict[int, tuple[Status, str]] = {}
        self.genomes: dict[int, str] = {}
        self.operators: dict[int, str] = {}
        self.known: set[bytes] = set()
        self.pixels: set[bytes] = set()
        self.tries: Counter[str] = Counter()
        self.clipped: list[bool] = []
        self.contested: dict[int, tuple[Placement, int]] = {}
        self.challengers: dict[int, dict[int, tuple[bool, int]]] = {}
        self.bests: dict[int, int | None] = {}
        self.choices: dict[int, tuple[int, ...]] = {}
        self.asked: dict[int, int] = {}
        self.turned_away: dict[int, None] = {}
        self.lately: dict[int, Lately] = {}
        self.alarms: dict[str, Alarm] = {}
        self.weights: Mapping[str, float] = {}
        self.shifts: list[LevelShift] = []
        self._now = Lately()

    # ---- the parts of a cycle ------------------------------------------------------------------------------------

    def add_fate(self, fate: Fate) -> None:
        """A candidate of the cycle now being folded in."""
        self.known.add(bytes.fromhex(fate.genome))
        if fate.pixels:
            self.pixels.add(bytes.fromhex(fate.pixels))
        self.genomes[fate.id] = fate.genome
        self.operators[fate.id] = fate.operator
        self._enter(fate.id, fate.status, fate.cause)

    def resolve(self, resolution: Resolution) -> None:
        """A candidate's status changes: after the warm-up, by a human, or when a late duel came back."""
        status, cause = self.waiting.pop(resolution.candidate, ("passed", ""))
        self.asked.pop(resolution.candidate, None)
        self.statuses[status] -= 1
        if status == "rejected":
            self.rejections[cause] -= 1
        self._enter(resolution.candidate, resolution.status, resolution.cause)
        if status == "review":
            self.turned_away.pop(resolution.candidate, None)  # a human did that, who has seen it

    def fix(self, calibration: Calibration | None, axes: Axes | None) -> None:
        """New thresholds or axes come into force."""
        if calibration is not None:
            self.calibration = calibration
        if axes is not None:
            self.archive = Archive(axes, since=self.cycle + 1, before=self.archive)
            self.challengers = {}
            self.clipped.clear()  # how many lie outside other ranges says nothing of these

    def place(self, placement: Placement, cycle: int) -> None:
        """One outcome in the archive. A contested place waits in `contested` until its duel is back."""
        assert self.archive is not None
        self.archive.apply(placement, cycle)
        again = self.contested.pop(placement.candidate, None) is not None
        if placement.outcome == "pending":
            self.contested[placement.candidate] = (placement, cycle)
            self.asked[placement.candidate] = cycle
        self._note_challenger(placement, cycle)
        own = self.operators.get(placement.candidate) != IMPORT
        if placement.reason not in ("human", RELAID) and not again and own:
            self.clipped.append(placement.clipped)
            del self.clipped[:-1000]

    def close(self, outcome: CycleOutcome) -> None:
        """The cycle is complete: duels, credits and the cycle's number."""
        for takes in takes_of(outcome):
            self.tries.update(takes[0].parents)
            self._note_choice(takes)
        self.duels.extend(outcome.duels)
        # A cycle of imported pictures alone teaches nothing, so nothing fades either.
        own = any(fate.operator != IMPORT for fate in outcome.fates)
        self.bandit.learn(*self._results(outcome), fade=own or not outcome.fates)
        self.bests[outcome.cycle] = outcome.best
        for event in outcome.alarms:
            self._hear(event, outcome.cycle)
        if outcome.weights is not None:
            self.weights = outcome.weights
        self._now.duels = len(outcome.duels)
        self.lately[outcome.cycle], self._now = self._now, Lately()
        for kept in (self.bests, self.lately):
            kept.pop(outcome.cycle - MAX_DEPTH - 2, None)
        self.cycle = outcome.cycle

    def _results(self, outcome: CycleOutcome) -> tuple[list[tuple[str, str | None]], list[tuple[str, str]]]:
        """What each emitter tried in this cycle and what came of it; and what came of earlier tries only now.

        A genome is one try, however many takes of it there are. A warm-up image is tried when it is gated, at the
        warm-up's end: before, it could not have opened anything. Imported pictures are nobody's merit.
        """
        foreign = {fate.id for fate in outcome.fates if fate.operator == IMPORT}
        foreign |= {p.candidate for p in outcome.placements if self.operators.get(p.candidate) == IMPORT}
        effect = {
            p.candidate: p.outcome
            for p in outcome.placements
            if p.outcome in ("new", "won") and p.candidate not in foreign and p.reason != RELAID
        }
        went_on = [gone_on(takes) for takes in takes_of(outcome)]
        tried = {
            fate.id: fate.operator
            for fate in went_on
            if (fate.status, fate.cause) != ("pending", WARMUP) and fate.id not in foreign
        }
        if outcome.axes is not None and outcome.axes.version == 1:
            tried |= {r.candidate: self.operators.get(r.candidate, FRESH) for r in outcome.resolutions}
        results = [(operator, effect.pop(candidate, None)) for candidate, operator in tried.items()]
        late = [(self.operators[candidate], what) for candidate, what in effect.items() if candidate in self.operators]
        return results, late

    def apply(self, outcome: CycleOutcome) -> None:
        """Fold one recorded cycle in. Earlier candidates come first, as they did when they were accepted."""
        for resolution in outcome.resolutions:
            self.resolve(resolution)
        for fate in outcome.fates:
            self.add_fate(fate)
        self.fix(outcome.calibration, outcome.axes)
        for placement in outcome.placements:
            self.place(placement, outcome.cycle)
        self.close(outcome)

    def _hear(self, event: Event, cycle: int) -> None:
        name = event.payload["alarm"]
        if event.payload["state"] == "raised":
            self.alarms[name] = Alarm(name=name, raised=cycle, message=event.message, payload=event.payload)
            if event.payload.get("what") == "level":
                self.shifts.append(LevelShift.read(event.payload))
        else:
            self.alarms[name] = replace(self.alarms[name], ended=cycle)

    # ---- what it says --------------------------------------------------------------------------------------------

    def alarm(self, name: str) -> Alarm | None:
        """An alarm of that name that stands."""
        found = self.alarms.get(name)
        return found if found is not None and found.ended is None else None

    @property
    def standing(self) -> list[Alarm]:
        """The alarms that stand, in the order in which they were raised."""
        return sorted((a for a in self.alarms.values() if a.ended is None), key=lambda a: (a.raised, a.name))

    @property
    def contests(self) -> list[Contest]:
        """Every holder against the last few accepted images that met it, or held its cell before: by cell."""
        return [
            Contest(holder=elite.candidate, challenger=challenger, tie=tie, cycle=cycle)
            for elite in self.archive or ()
            for challenger, (tie, cycle) in self.challengers.get(elite.cell, {}).items()
            if challenger in self.accepted
        ]

    @property
    def candidates(self) -> int:
        """How many there have been."""
        return self.statuses.total()

    def rendered(self, genome: str) -> bool:
        """Whether a genome (by hash) was ever rendered in this series."""
        return bytes.fromhex(genome) in self.known

    def digest(self) -> str:
        """SHA-256 of what a series has come to: no clocks, row ids, paths or names in it."""
        elites = [[elite.cell, self.genomes[elite.candidate]] for elite in self.archive] if self.archive else []
        return content_hash(
            {
                "cycle": self.cycle,
                "calibration": self.calibration.hash if self.calibration else None,
                "elites": elites,
                "accepted": sorted(self.accepted.values()),
                "pending": sorted(self.genomes[c] for c, (status, _) in self.waiting.items() if status == "pending"),
            }
        )

    def _note_choice(self, takes: Sequence[Fate]) -> None:
        """Which take the selector preferred to which: a human may be asked about them."""
        others = tuple(fate.id for fate in takes if (fate.status, fate.cause) == ("rejected", SELECTOR))
        chosen = gone_on(takes)
        # Where the chosen take failed later, nothing recorded tells it from those turned away before the choice.
        if others and reached_the_gates(chosen):
            self.choices[chosen.id] = others
            for oldest in list(self.choices)[:-CHOICES_KEPT]:
                del self.choices[oldest]

    def _note_challenger(self, placement: Placement, cycle: int) -> None:
        beaten = placement.incumbent if placement.outcome == "won" else placement.candidate
        known = self.challengers.setdefault(placement.cell, {})
        if placement.outcome in ("new", "won"):
            known.pop(placement.candidate, None)
        if placement.outcome in ("won", "lost", "tie") and beaten is not None:
            known.pop(beaten, None)
            known[beaten] = (placement.outcome == "tie", cycle)
            for oldest in list(known)[:-CHALLENGERS_KEPT]:
                del known[oldest]

    def _enter(self, candidate: int, status: Status, cause: str) -> None:
        self.statuses[status] += 1
        if status == "rejected":
            self.rejections[cause] += 1
        if status == "rejected" and cause in GATES:
            self.turned_away[candidate] = None
            if len(self.turned_away) > TURNED_AWAY_KEPT:
                del self.turned_away[next(iter(self.turned_away))]
        if status in ("review", "pending"):
            self.waiting[candidate] = (status, cause)
        if status == "pending" and cause != WARMUP:
            self.asked[candidate] = self.cycle + 1
        if status == "passed" or (status == "pending" and cause != WARMUP):
            if candidate not in self.accepted:
                self.accepted[candidate] = self.genomes[candidate]
                self._now.joined.append(candidate)
        else:
            self.accepted.pop(candidate, None)
        if status in ("rejected", "failed"):
            # Nothing later speaks of them; their genomes stay in the store and, as bytes, in `known`.
            self.genomes.pop(candidate, None)
            self.operators.pop(candidate, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """The last alarm of one name.

    Args:
        name: such as "narrowing" or "drift:quality".
        raised: the cycle that raised it.
        message: what it said.
        payload: its figures.
        ended: the cycle that ended it, None while it stands.
    """

    name: str
    raised: int
    message: str
    payload: Mapping[str, Any]
    ended: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelShift:
    """A signal's level moved, as an alarm said: what thresholds are weighed by, now and after every replay.

    Args:
        signal: which.
        version: of the scorer whose numbers moved.
        candidate: the first that is thought to have moved.
        cycle: its cycle.
    """

    signal: str
    version: str
    candidate: int
    cycle: int

    @staticmethod
    def read(figures: Mapping[str, Any]) -> LevelShift:
        """From what an alarm wrote down."""
        return LevelShift(
            signal=figures["signal"],
            version=figures["version"],
            candidate=int(figures["candidate"]),
            cycle=int(figures["since"]),
        )


@dataclass(slots=True)
class Lately:
    """What one of the last cycles left behind for those that were begun before it was committed.

    Args:
        joined: candidates accepted in it.
        duels: how many there were.
    """

    joined: list[int] = field(default_factory=list[int])
    duels: int = 0


MAX_DEPTH = 16
"""The largest `pipeline_depth`: how far back a cycle may look."""

CHALLENGERS_KEPT = 4
"""So many images of a cell that do not hold it are remembered, the newest: a human may be asked about them."""

CHOICES_KEPT = 256
"""Of so many genomes the chosen take and the others are remembered, the newest."""

TURNED_AWAY_KEPT = 1024
"""So many images that a gate turned away are remembered, the newest: a human may be shown some of them."""


def replay(history: Iterable[CycleOutcome]) -> State:
    """The state that a history gives.

    Raises:
        Damaged: a cycle holds what no cycle can have derived.
    """
    state = State()
    for outcome in history:
        try:
            state.apply(outcome)
        except CONTRADICTIONS as error:
            what = f"{type(error).__name__}: {error}"
            hint = "`gen-emerge verify` names everything that is wrong. Restore series.db from a copy."
            raise Damaged(f"Cycle {outcome.cycle} cannot be replayed: {what}.", hint=hint) from error
    return state


def funnel(state: State, gates: Iterable[str]) -> Mapping[str, Any]:
    """Rejections counted at the first failure: `{total, filters, gates}`."""
    names = set(gates)
    return {
        "total": state.statuses["rejected"],
        "filters": {k: v for k, v in sorted(state.rejections.items()) if k not in names and v},
        "gates": {k: v for k, v in sorted(state.rejections.items()) if k in names and v},
    }
